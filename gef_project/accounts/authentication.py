"""Who sends a request: a user, or the process of one execution, each by an access token."""

from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from gef_project.api.errors import CHALLENGE, Unauthorized

from .models import User

# The claim that names the execution, in the tokens of an execution's own credential.
EXECUTION_CLAIM = "execution_id"


@dataclass(frozen=True)
class OwnCredential:
    """The process of one execution. It stands for no user, and sees nothing but its execution."""

    execution_id: UUID

    is_authenticated = True
    is_active = True
    is_staff = False


Caller = User | OwnCredential


class BearerAuthentication(BaseAuthentication):
    """``Authorization: Bearer <access token>``; whatever is wrong with it answers 401, never 403."""

    def authenticate(self, request: Request) -> tuple[Caller, Token] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = read_token(AccessToken, text.strip())
        return caller_of(token), token

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


TokenT = TypeVar("TokenT", bound=Token)


def read_token(kind: type[TokenT], text: str) -> TokenT:
    """The token with this text.

    Raises:
        Unauthorized: it is none of ours, of another kind, or has expired.
    """
    try:
        return kind(text)  # type: ignore[arg-type]  # annotated as what it makes, not as what it reads
    except ExpiredTokenError:
        raise Unauthorized(f"The {kind.token_type} token has expired.", "token_expired") from None
    except TokenError:
        raise Unauthorized(f"The {kind.token_type} token is invalid.") from None


def caller_of(token: Token) -> Caller:
    """Whom a valid token was given to.

    Raises:
        Unauthorized: a user who has been deleted or made inactive since.
    """
    if execution_id := token.get(EXECUTION_CLAIM):
        return OwnCredential(UUID(execution_id))
    user = User.objects.filter(pk=token.get("user_id"), is_active=True).first()
    if user is None:
        raise Unauthorized("The user of this token may no longer log in.", "token_revoked")
    return user


def refresh_token_for(caller: Caller) -> RefreshToken:
    if isinstance(caller, User):
        return RefreshToken.for_user(caller)
    token = RefreshToken()
    token[EXECUTION_CLAIM] = str(caller.execution_id)
    return token
