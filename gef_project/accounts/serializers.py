from typing import Any, cast

from django.conf import settings
from django.contrib.auth import authenticate, password_validation
from django.core.exceptions import ValidationError
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework_simplejwt.tokens import RefreshToken

from gef_project.common.errors import Unauthorized
from gef_project.common.examples import USER_ID, example

from .authentication import Caller, caller_of, exchange, read_token
from .models import Role, User

MAX_PASSWORD_LENGTH = 4096

ME = {
    "id": USER_ID,
    "email": "ada@example.org",
    "name": "Ada",
    "role": "USER",
    "institution": "Example Institute",
    "country": "Kenya",
    "email_notifications": True,
    "created_at": "2026-01-05T08:00:00.000000Z",
}
LOGIN = {"email": ME["email"], "password": "correct horse battery staple"}
TOKENS = {
    "access_token": "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3Njk4NjQ0MDB9.c2lnbmF0dXJl",
    "refresh_token": "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NzI0NTY0MDB9.c2lnbmF0dXJl",
    "user_id": USER_ID,
    "expires_in": 3600,
}
REFRESH = {"refresh_token": TOKENS["refresh_token"]}


@example(TOKENS)
class TokensSerializer(serializers.Serializer):
    access_token = serializers.CharField(help_text="JSON web token; good for `expires_in` seconds.")
    refresh_token = serializers.CharField(help_text="Good for 30 days, any number of times.")
    user_id = serializers.UUIDField(help_text="Who logged in; for an execution's credential, its execution.")
    expires_in = serializers.IntegerField(help_text="Seconds.")


def tokens(caller: Caller, refresh: RefreshToken) -> dict[str, Any]:
    return {
        "access_token": str(refresh.access_token),
        "refresh_token": str(refresh),
        "user_id": caller.pk if isinstance(caller, User) else caller.execution_id,
        "expires_in": int(settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"].total_seconds()),
    }


@example({"msg": "You are logged out."})
class MessageSerializer(serializers.Serializer):
    msg = serializers.CharField()


class PasswordField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_PASSWORD_LENGTH, trim_whitespace=False, **kwargs)


def authenticated(request: Request, email: str, password: str) -> Caller | None:
    """The active user, or the execution, with this email and password.

    Raises:
        TooManyAttempts: nothing has been checked.
    """
    return cast(Caller | None, authenticate(request, email=email, password=password))


@example(LOGIN)
class LoginSerializer(serializers.Serializer):
    email = serializers.CharField(max_length=254)
    password = PasswordField()

    def log_in(self) -> Caller:
        """The user or the execution with this email and password.

        Raises:
            Unauthorized: there is none; the answer does not tell why.
            TooManyAttempts: too many attempts have failed.
        """
        email, password = self.validated_data["email"], self.validated_data["password"]
        caller = authenticated(self.context["request"], email, password)
        if caller is None:
            text = "The email or the password is wrong."
            raise Unauthorized(text, "bad_credentials", msg=text, message=text)
        return caller


@example(REFRESH)
class RefreshSerializer(serializers.Serializer):
    refresh_token = serializers.CharField()

    def refresh(self, *, rotate: bool) -> tuple[Caller, RefreshToken]:
        """The caller, and the refresh token: a new one if ``rotate``.

        Raises:
            Unauthorized: the token is invalid, has expired, or has been revoked.
        """
        token = read_token(RefreshToken, self.validated_data["refresh_token"])
        caller = caller_of(token)
        if rotate and isinstance(caller, User):
            exchange(token)
        return caller, token


@example(REFRESH)
class LogoutSerializer(serializers.Serializer):
    refresh_token = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="Of another session, to be ended as well.",
    )

    def refresh_token_of_another_session(self) -> RefreshToken | None:
        """None also if it cannot be read: then there is no session to end."""
        try:
            return read_token(RefreshToken, self.validated_data.get("refresh_token") or "")
        except Unauthorized:
            return None


@example(ME)
class UserSerializer(serializers.ModelSerializer[User]):
    role = serializers.ChoiceField(choices=Role.choices, read_only=True)
    created_at = serializers.DateTimeField(source="date_joined", read_only=True)

    class Meta:
        model = User
        fields = [
            "id",
            "email",
            "name",
            "role",
            "institution",
            "country",
            "email_notifications",
            "created_at",
        ]
        read_only_fields = fields


class OwnUserSerializer(UserSerializer):
    """What users may change about themselves."""

    password = PasswordField(
        write_only=True, required=False, help_text="A new one. It ends every session, this one too."
    )
    old_password = PasswordField(
        write_only=True, required=False, help_text="The one that it replaces; needed with `password`."
    )

    class Meta(UserSerializer.Meta):
        fields = [*UserSerializer.Meta.fields, "password", "old_password"]
        read_only_fields = ["id", "email", "role", "created_at"]

    def validate(self, changes: dict[str, Any]) -> dict[str, Any]:
        old = changes.pop("old_password", None)
        if "password" in changes:
            self._check(changes["password"], old)
        return changes

    def update(self, user: User, changes: dict[str, Any]) -> User:
        if "password" in changes:
            user.set_password(changes.pop("password"))
        return super().update(user, changes)

    def _check(self, new: str, old: str | None) -> None:
        user = cast(User, self.instance)
        if old is None or authenticated(self.context["request"], user.email, old) != user:
            raise serializers.ValidationError({"old_password": "It is missing or wrong."})
        try:
            password_validation.validate_password(new, user)
        except ValidationError as error:
            raise serializers.ValidationError({"password": error.messages}) from error
