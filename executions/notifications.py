"""One e-mail to the owner when an execution has ended."""

import logging
import smtplib
from collections.abc import Iterable
from uuid import UUID

from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string
from django.utils import timezone

from status.models import StatusLog

from .models import Execution

logger = logging.getLogger(__name__)


def send_end_emails(execution_ids: Iterable[UUID]) -> int:
    """Tell the owners who want to know it, each once.

    A mail that cannot be sent now is left to the monitor, which tries again; no other mail waits for it.

    Returns:
        How many mails were sent.
    """
    executions = Execution.objects.unannounced().filter(pk__in=list(execution_ids))
    ended = list(executions.select_related("script", "user").order_by("end_date"))
    if not ended:
        return 0
    try:
        with mail.get_connection() as connection:
            return sum(_send_once(execution, connection) for execution in ended)
    except OSError as error:  # smtplib's errors are of this kind
        logger.warning("The mail server cannot be reached; the monitor will try again: %s", error)
        return 0


def _send_once(execution: Execution, connection: BaseEmailBackend) -> bool:
    """Claim the mail, so that nobody else sends it too; then send it, or give the claim back."""
    now = timezone.now()
    row = Execution.objects.filter(pk=execution.pk)
    if not row.filter(notified_at=None).update(notified_at=now):
        return False
    try:
        _end_email(execution, connection).send()
    except Exception as error:
        if not _is_final(error):
            row.filter(notified_at=now).update(notified_at=None)
        logger.warning("The owner of execution %s was not told that it ended: %r", execution.pk, error)
        return False
    return True


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
    return mail.EmailMessage(subject, text, to=[execution.user.email], connection=connection)


def _task_name(execution: Execution) -> str:
    """What the owner called the run; one line that fits into a subject."""
    params = execution.params
    given = params.get("task_name") if isinstance(params, dict) else None
    name = " ".join(str(given or execution.script.name).split())[:100]
    return "".join(letter if letter.isprintable() else "?" for letter in name)
