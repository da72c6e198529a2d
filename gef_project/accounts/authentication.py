"""Who sends a request: a user, or the process of one execution, each with an access token.

Each log-in of a user begins a session of its own, which its tokens name; logging out ends that session. The
tokens of an execution are valid until they expire and cost no query: revoking them would be no use, since its
process can log in again at any time.
"""

from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID, uuid4

from django.db.models import Exists
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from gef_project.common.errors import CHALLENGE, Unauthorized

from .models import RevokedToken, User

# The claim that names the execution, in the tokens of an execution.
EXECUTION_CLAIM = "execution_id"
# The claims of a user's tokens that say what may have been revoked.
SESSION_CLAIM = "session"
GENERATION_CLAIM = "generation"


@dataclass
class ExecutionCredential:
    """The process of one execution. It is no user, and sees nothing but its execution."""

    execution_id: UUID
    backend: str = field(default="", compare=False)  # set by Django's authenticate()

    is_authenticated = True
    is_active = True
    is_staff = False

    def may(self, *permissions: str) -> bool:
        """As :meth:`User.may`: never."""
        return False


Caller = User | ExecutionCredential


class BearerAuthentication(BaseAuthentication):
    """``Authorization: Bearer <access token>``; a token that is invalid answers 401, never 403."""

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
        Unauthorized: it is not ours, is of another kind, or has expired.
    """
    try:
        return kind(text)  # type: ignore[arg-type]  # annotated as what it makes, not as what it reads
    except ExpiredTokenError:
        raise Unauthorized(f"The {kind.token_type} token has expired.", "token_expired") from None
    except TokenError:
        raise Unauthorized(f"The {kind.token_type} token is invalid.") from None


def caller_of(token: Token) -> Caller:
    """The caller to whom a valid token was issued.

    Raises:
        Unauthorized: it has been revoked, or its user has been deleted or deactivated since.
    """
    if execution_id := token.get(EXECUTION_CLAIM):
        return ExecutionCredential(UUID(execution_id))
    if SESSION_CLAIM not in token:
        raise Unauthorized("The token is invalid: it is of an older version.")
    names = [token[SESSION_CLAIM]]
    if isinstance(token, RefreshToken):
        names.append(token["jti"])
    users = User.objects.filter(pk=token["user_id"], is_active=True, token_generation=token[GENERATION_CLAIM])
    user = users.exclude(Exists(RevokedToken.objects.filter(pk__in=names))).first()
    if user is None:
        raise _revoked()
    return user


def refresh_token_for(caller: Caller) -> RefreshToken:
    """The first refresh token of a new session."""
    if not isinstance(caller, User):
        token = RefreshToken()
        token[EXECUTION_CLAIM] = str(caller.execution_id)
        return token
    token = RefreshToken.for_user(caller)
    token[SESSION_CLAIM] = str(uuid4())
    token[GENERATION_CLAIM] = caller.token_generation
    return token


def exchange(token: RefreshToken) -> None:
    """Turn it into the next refresh token of its session, and revoke the old one.

    Raises:
        Unauthorized: it has been exchanged already.
    """
    if not RevokedToken.objects.revoke(token["jti"]):
        raise _revoked()
    token.set_jti()
    token.set_iat()
    token.set_exp()


def end_session(token: Token) -> None:
    """Log out: every token of this token's session becomes invalid."""
    if SESSION_CLAIM in token:
        RevokedToken.objects.revoke(token[SESSION_CLAIM])


def _revoked() -> Unauthorized:
    return Unauthorized("The token has been revoked, or its user may no longer log in.", "token_revoked")
