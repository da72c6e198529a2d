"""The credential of one execution: its process logs in with it, and gets access to this execution only.

It is derived from the execution's id and the project's secret key, so that nothing has to be stored.
"""

from typing import Any
from uuid import UUID

from django.core.signing import Signer
from django.utils.crypto import constant_time_compare

from gef_project.accounts.authentication import ExecutionCredential

_DOMAIN = "executions.invalid"  # a domain that no mail can reach (RFC 2606)


def user_name(execution_id: UUID) -> str:
    """What the process sends as its email to ``/auth``."""
    return f"{execution_id}@{_DOMAIN}"


def password(execution_id: UUID) -> str:
    return Signer(salt="executions.credentials").signature(str(execution_id))


def execution_of(email: str, given_password: str) -> UUID | None:
    """The id of the execution whose credential this is; None if it is not valid."""
    name, _, domain = email.partition("@")
    try:
        execution_id = UUID(name)
    except ValueError:
        return None
    if domain != _DOMAIN or not constant_time_compare(given_password, password(execution_id)):
        return None
    return execution_id


class ExecutionCredentialBackend:
    """For ``AUTHENTICATION_BACKENDS``: lets an execution log in at the API, any number of times.

    It takes no ``username``, so that it does not serve forms such as the admin's, and it has no
    ``get_user``, since an execution has no session.
    """

    def authenticate(self, request: Any, email: str, password: str) -> ExecutionCredential | None:
        execution_id = execution_of(email, password)
        return ExecutionCredential(execution_id) if execution_id else None
