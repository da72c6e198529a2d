from rest_framework.test import APIClient

from executions.models import Execution
from gef_project.accounts.authentication import ExecutionCredential, refresh_token_for
from gef_project.accounts.models import User


def client_of(caller: User | Execution) -> APIClient:
    """A client with the access token of a user, or of an execution's own credential."""
    known = ExecutionCredential(caller.pk) if isinstance(caller, Execution) else caller
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {refresh_token_for(known).access_token}")
    return client
