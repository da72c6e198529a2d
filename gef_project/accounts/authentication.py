"""Who sends a request: a user, or the process of one execution, each by an access token."""

from dataclasses import dataclass
from uuid import UUID

from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, ExpiredTokenError, TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from gef_project.api.errors import Unauthorized

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


class BearerAuthentication(JWTAuthentication):
    """``Authorization: Bearer <access token>``; whatever is wrong with it answers 401, never 403."""

    def get_validated_token(self, raw_token: bytes) -> Token:
        try:
            return AccessToken(raw_token)
        except ExpiredTokenError:
            raise Unauthorized("The access token has expired.", "token_expired") from None
        except TokenError:
            raise Unauthorized from None

    def get_user(self, validated_token: Token) -> Caller:
        return caller_of(validated_token)

    def get_raw_token(self, header: bytes) -> bytes | None:
        try:
            return super().get_raw_token(header)
        except AuthenticationFailed:
            raise Unauthorized("The Authorization header must be: Bearer <access token>.") from None


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
