"""One e-mail to the owner when an execution has ended.

The execution's row is the outbox: it is due from the transaction of its end on, until ``notified_at`` says
that the server has taken the mail, or it is given up. Nothing is sent twice, unless a sender dies between the
server's answer and its own note of it; then the second mail has the Message-ID of the first.
"""

import logging
import smtplib
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import F, Q
from django.db.models.functions import Now
from django.template.loader import render_to_string

from gef_project.common.retrying import retry_persistently
from status.models import StatusLog

from .models import Execution

# A sender that has not said within this time what became of a mail is dead.
CLAIMED_FOR = timedelta(minutes=10)
# Before the second try, the third, and so on; then the mail is given up. About four days.
RETRY_AFTER = [timedelta(minutes=minutes) for minutes in (2, 5, 15, 60, 180, 360, *[720] * 7)]
# Neither being sent now, nor waiting for another try, nor given up.
DUE = Q(notify_after=None, notify_attempts=0) | Q(notify_after__lte=Now())

logger = logging.getLogger(__name__)


def send_end_emails(execution_ids: Iterable[UUID]) -> int:
    """Tell the owners who want to know it.

    A mail that cannot be sent now is left to the monitor, which tries again; no other mail waits for it.

    Returns:
        How many mails were sent.
    """
    executions = Execution.objects.unannounced().filter(pk__in=list(execution_ids))
    ended = executions.select_related("script", "user").defer("results").order_by("end_date")
    connection = mail.get_connection()
    try:
        return sum(_send_once(execution, connection) for execution in ended)
    finally:
        _close(connection)


def _send_once(execution: Execution, connection: BaseEmailBackend) -> bool:
    """Claim the mail, so that nobody else sends it too; then send it, and note what became of it."""
    row = Execution.objects.filter(pk=execution.pk)
    claim = {"notify_after": Now() + CLAIMED_FOR, "notify_attempts": F("notify_attempts") + 1}
    # Conditions on the row alone: of two who update it at once, the second looks at these again.
    if not row.filter(DUE, notified_at=None).update(**claim):
        return False
    try:
        _send(_end_email(execution, connection), connection)
    except Exception as error:
        _note_failure(execution, error)
        return False
    retry_persistently(row.update)(notified_at=Now(), notify_after=None, notify_error="")
    return True


def _send(message: mail.EmailMessage, connection: BaseEmailBackend) -> None:
    """
    Raises:
        OSError: the server has not taken it (smtplib's errors are of this kind), or cannot be reached.
    """
    try:
        message.send()
    except OSError as error:
        _close(connection)
        if not _has_hung_up(error):
            raise
        message.send()  # by a new connection: servers take so many mails by one


def _has_hung_up(error: OSError) -> bool:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code == 421 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPServerDisconnected) or getattr(error, "smtp_code", 0) == 421


def _close(connection: BaseEmailBackend) -> None:
    with suppress(OSError):
        connection.close()


def _note_failure(execution: Execution, error: Exception) -> None:
    attempts = execution.notify_attempts + 1
    delay = None if _is_final(error) or attempts > len(RETRY_AFTER) else RETRY_AFTER[attempts - 1]
    logger.log(
        logging.WARNING if delay else logging.ERROR,
        "The owner of execution %s was not told that it ended%s: %r",
        execution.pk,
        "" if delay else ", and will not be",
        error,
    )
    retry_persistently(Execution.objects.filter(pk=execution.pk).update)(
        notify_after=Now() + delay if delay else None, notify_error=f"{type(error).__name__}: {error}"[:1000]
    )


def _is_final(error: Exception) -> bool:
    """Whether the server has refused this very mail for good (5xx), so that trying again is no use."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500


def _end_email(execution: Execution, connection: BaseEmailBackend) -> mail.EmailMessage:
    name = _task_name(execution)
    end = StatusLog.objects.filter(execution=execution).newest()
    text = render_to_string(
        "executions/end_email.txt",
        {"execution": execution, "name": name, "end": end, "api_url": settings.API_URL},
    )
    subject = f"{execution.get_status_display()}: {name}"
    headers = {"Message-ID": f"<{execution.pk}.end@{_domain()}>"}
    return mail.EmailMessage(subject, text, to=[execution.user.email], connection=connection, headers=headers)


def _domain() -> str:
    """That of the sender, whose mails they are."""
    return settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("<> ") or "localhost"


def _task_name(execution: Execution) -> str:
    """What the owner called the run; one line that fits into a subject."""
    params = execution.params
    given = params.get("task_name") if isinstance(params, dict) else None
    name = " ".join(str(given or execution.script.name).split())[:100]
    return "".join(letter if letter.isprintable() else "?" for letter in name)
