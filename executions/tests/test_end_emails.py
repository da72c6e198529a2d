"""One e-mail when an execution has ended, caught by a real SMTP server."""

import os
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from executions import monitoring
from executions.models import Execution
from executions.notifications import send_end_emails
from gef_project.accounts.models import User
from gef_project.accounts.tests.factories import UserFactory
from status.states import Status

from .factories import ExecutionFactory
from .processes import eventually, started_worker


class Mailbox:
    """What an SMTP server does with its mail: keeps it, or refuses it."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refusals: dict[str, str] = {}  # by recipient
        self.mails_a_connection = 1_000

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        session.taken = getattr(session, "taken", 0)
        if session.taken >= self.mails_a_connection:
            return "421 too many mails by this connection"
        session.taken += 1
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[Mailbox]:
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    yield box
    server.stop()


@pytest.fixture
def ended(execution: Execution) -> Execution:
    execution.update_status(Status.FAILED, source="worker", reason="exit status 3: no input")
    return execution


def notified_at(execution: Execution) -> Any:
    return Execution.objects.get(pk=execution.pk).notified_at


def let_time_pass(execution: Execution) -> None:
    """Until the mail is due again."""
    row = Execution.objects.filter(pk=execution.pk, notify_after__isnull=False)
    row.update(notify_after=timezone.now() - timedelta(seconds=1))


def monitored(capture_messages: Any) -> int:
    """How many messages the monitor has sent."""
    with capture_messages() as messages:
        monitoring.announce_unannounced()
    return len(messages)


@pytest.mark.django_db
class TestSending:
    def test_the_mail_says_what_ended_when_and_why(self, ended: Execution, mailbox: Mailbox) -> None:
        assert send_end_emails([ended.pk]) == 1
        (mail,) = mailbox.mails
        assert mail["To"] == "owner@example.org"
        assert mail["Subject"] == "Failed: Sums"
        text = mail.get_content()
        assert ended.end_date is not None
        for expected in (
            "Sums: Failed (exit status 3: no input)",
            f"Execution:  {ended.pk}",
            f"Start:      {ended.start_date:%Y-%m-%d %H:%M:%S} UTC",
            f"End:        {ended.end_date:%Y-%m-%d %H:%M:%S} UTC",
            "Status:     FAILED",
            f"http://127.0.0.1:8000/api/v1/execution/{ended.pk}",
        ):
            assert expected in text

    @pytest.mark.parametrize(
        ("task_name", "subject"),
        [
            ("Forest\r\nBcc: all@example.org", "Failed: Forest Bcc: all@example.org"),
            ("été <&> \ud800\x00", "Failed: été <&> ??"),
            (17, "Failed: 17"),
            ("", "Failed: Sums"),
            ("x" * 500, "Failed: " + "x" * 100),
        ],
    )
    def test_the_task_is_named_as_its_owner_named_it(
        self, ended: Execution, mailbox: Mailbox, task_name: object, subject: str
    ) -> None:
        Execution.objects.filter(pk=ended.pk).update(params={"task_name": task_name})
        send_end_emails([ended.pk])
        (mail,) = mailbox.mails
        assert mail["Subject"] == subject
        assert mail["Bcc"] is None

    def test_params_that_are_no_object_do_no_harm(self, ended: Execution, mailbox: Mailbox) -> None:
        Execution.objects.filter(pk=ended.pk).update(params=["a"])
        assert send_end_emails([ended.pk]) == 1

    def test_asking_again_sends_nothing(self, ended: Execution, mailbox: Mailbox) -> None:
        assert [send_end_emails([ended.pk, ended.pk]), send_end_emails([ended.pk])] == [1, 0]
        assert len(mailbox.mails) == 1

    @pytest.mark.parametrize("field", ["email_notifications", "is_active"])
    def test_who_does_not_want_it_gets_none(
        self, ended: Execution, owner: User, mailbox: Mailbox, field: str
    ) -> None:
        User.objects.filter(pk=owner.pk).update(**{field: False})
        assert send_end_emails([ended.pk]) == 0
        assert (mailbox.mails, notified_at(ended)) == ([], None)

    def test_there_is_none_before_the_end(self, execution: Execution, mailbox: Mailbox) -> None:
        execution.update_status(Status.RUNNING)
        assert send_end_emails([execution.pk]) == 0

    def test_a_mail_that_is_refused_for_now_is_tried_again(
        self, ended: Execution, mailbox: Mailbox, django_capture_on_commit_callbacks: Any
    ) -> None:
        mailbox.refusals = {"owner@example.org": "451 busy"}
        assert (send_end_emails([ended.pk]), notified_at(ended)) == (0, None)
        mailbox.refusals = {}
        assert send_end_emails([ended.pk]) == 0  # not yet
        let_time_pass(ended)
        assert monitored(django_capture_on_commit_callbacks) == 1
        assert send_end_emails([ended.pk]) == 1
        assert monitored(django_capture_on_commit_callbacks) == 0

    def test_a_mail_that_is_refused_for_good_is_not(self, ended: Execution, mailbox: Mailbox) -> None:
        mailbox.refusals = {"owner@example.org": "550 no such user"}
        assert send_end_emails([ended.pk]) == 0
        mailbox.refusals = {}
        assert send_end_emails([ended.pk]) == 0
        assert Execution.objects.given_up().get().notify_error.startswith("SMTPRecipientsRefused: ")
        assert Execution.objects.announce_again() == 1
        assert send_end_emails([ended.pk]) == 1

    def test_the_waits_grow_until_the_mail_is_given_up(self, ended: Execution, mailbox: Mailbox) -> None:
        mailbox.refusals = {"owner@example.org": "451 busy"}
        waits = []
        send_end_emails([ended.pk])
        while due := Execution.objects.get().notify_after:
            waits.append(round((due - timezone.now()) / timedelta(minutes=1)))
            let_time_pass(ended)
            send_end_emails([ended.pk])
        assert Execution.objects.given_up().exists()
        assert waits == sorted(waits)
        assert 3 < sum(waits) / (24 * 60) < 5

    def test_a_sender_that_died_is_followed_by_another_with_the_same_mail(
        self, ended: Execution, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def die(message: object) -> None:
            raise SystemExit

        send_end_emails([ended.pk])
        Execution.objects.announce_again()
        with monkeypatch.context() as patch, pytest.raises(SystemExit):
            patch.setattr("django.core.mail.EmailMessage.send", die)
            send_end_emails([ended.pk])
        assert send_end_emails([ended.pk]) == 0
        let_time_pass(ended)
        assert send_end_emails([ended.pk]) == 1
        first, second = mailbox.mails
        assert first["Message-ID"] == second["Message-ID"] == f"<{ended.pk}.end@localhost>"

    def test_a_server_that_takes_one_mail_a_connection_gets_all(
        self, ended: Execution, mailbox: Mailbox
    ) -> None:
        mailbox.mails_a_connection = 1
        others = ExecutionFactory.create_batch(3, status=Status.FINISHED)
        assert send_end_emails([ended.pk, *(other.pk for other in others)]) == 4

    def test_one_refusal_keeps_no_other_mail_back(self, ended: Execution, mailbox: Mailbox) -> None:
        others = [ExecutionFactory(user=UserFactory(email=f"{name}@example.org")) for name in "ab"]
        for other in others:
            other.update_status(Status.CANCELLED)
        mailbox.refusals = {"a@example.org": "550 no", "owner@example.org": "451 busy"}
        assert send_end_emails([ended.pk, *(other.pk for other in others)]) == 1
        assert [mail["To"] for mail in mailbox.mails] == ["b@example.org"]

    def test_a_server_that_is_away_costs_nothing_but_a_later_try(
        self, ended: Execution, settings: Settings
    ) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
        assert (send_end_emails([ended.pk]), notified_at(ended)) == (0, None)

    @pytest.mark.parametrize(("minutes", "again"), [(1, False), (5, True), (23 * 60, True), (25 * 60, False)])
    def test_the_monitor_sends_a_message_again_that_was_lost(
        self, ended: Execution, minutes: int, again: bool, django_capture_on_commit_callbacks: Any
    ) -> None:
        end_date = timezone.now() - timedelta(minutes=minutes)
        Execution.objects.filter(pk=ended.pk).update(end_date=end_date)
        assert monitored(django_capture_on_commit_callbacks) == again


@pytest.mark.django_db(transaction=True)
def test_two_senders_at_once_send_one_mail(ended: Execution, mailbox: Mailbox) -> None:
    together = threading.Barrier(4)

    def send() -> None:
        together.wait()
        send_end_emails([ended.pk])
        connection.close()

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len(mailbox.mails) == 1


@pytest.mark.django_db(transaction=True)
def test_every_end_is_announced_once_by_the_worker(
    execution: Execution, stranger: User, mailbox: Mailbox, settings: Settings, live_server: Any
) -> None:
    url = f"smtp://{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    other = ExecutionFactory(user=stranger)
    with started_worker(live_server.url, EMAIL_URL=url):
        execution.cancel()
        Execution.objects.all().update_status(Status.FINISHED)
        assert execution.update_status(Status.CANCELLED) is None
        eventually(lambda: len(mailbox.mails) == 2 and notified_at(execution) and notified_at(other))
        send_end_emails([execution.pk, other.pk])
    assert sorted((mail["To"], mail["Subject"].split(":")[0]) for mail in mailbox.mails) == [
        ("owner@example.org", "Cancelled"),
        ("stranger@example.org", "Finished"),
    ]


@pytest.mark.skipif("EMAIL_URL" in os.environ, reason="the mails go elsewhere")
def test_without_a_server_mails_are_files_of_the_service(settings: Settings) -> None:
    assert Path(settings.EMAIL_FILE_PATH) == settings.VAR_DIR / "mail"


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_does_not_stop_a_change(execution: Execution, broker_down: None) -> None:
    assert execution.update_status(Status.FINISHED) is not None
    assert Execution.objects.get().status == Status.FINISHED


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_does_not_stop_a_submission(
    execution: Execution, owner: User, broker_down: None
) -> None:
    submitted = execution.script.run(owner)
    assert Execution.objects.get(pk=submitted.pk).queued_at is not None
