"""The credential of one execution: what its process logs in with, good for nothing else.

It is derived from the execution's id and the project's secret key, so nothing is stored, and a restart
or another web process changes nothing.
"""

from uuid import UUID

from django.core.signing import Signer
from django.utils.crypto import constant_time_compare

_DOMAIN = "executions.invalid"  # a domain that no mail can reach (RFC 2606)


def user_name(execution_id: UUID) -> str:
    """What the process sends as its email to ``/auth``."""
    return f"{execution_id}@{_DOMAIN}"


def password(execution_id: UUID) -> str:
    return Signer(salt="executions.credentials").signature(str(execution_id))


def execution_of(email: str, given_password: str) -> UUID | None:
    """The execution whose credential this is; None when it is none."""
    name, _, domain = email.partition("@")
    try:
        execution_id = UUID(name)
    except ValueError:
        return None
    if domain != _DOMAIN or not constant_time_compare(given_password, password(execution_id)):
        return None
    return execution_id
