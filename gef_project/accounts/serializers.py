from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from rest_framework import serializers
from rest_framework_simplejwt.tokens import RefreshToken

from executions.credentials import execution_of
from gef_project.api.errors import Unauthorized
from gef_project.api.examples import USER_ID, example

from .authentication import Caller, OwnCredential, caller_of, read_token
from .models import Role, User

ME = {
    "id": USER_ID,
    "email": "ada@example.org",
    "name": "Ada",
    "role": "USER",
    "institution": "Example Institute",
    "country": "Kenya",
    "email_notifications": True,
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


@example(LOGIN)
class LoginSerializer(serializers.Serializer):
    email = serializers.CharField()
    password = serializers.CharField(trim_whitespace=False)

    def log_in(self) -> Caller:
        """The user or the execution whose email and password these are.

        Raises:
            Unauthorized: nobody's. The answer is the same whatever is wrong.
        """
        email, password = self.validated_data["email"], self.validated_data["password"]
        if execution_id := execution_of(email, password):
            return OwnCredential(execution_id)
        user = authenticate(self.context["request"], email=email, password=password)
        if not isinstance(user, User):
            text = "The email or the password is wrong."
            raise Unauthorized(text, "bad_credentials", msg=text, message=text)
        return user


@example(REFRESH)
class RefreshSerializer(serializers.Serializer):
    refresh_token = serializers.CharField()

    def refresh(self) -> tuple[Caller, RefreshToken]:
        """Whose the token is, and the token.

        Raises:
            Unauthorized: it is not ours or has expired, or its user may no longer log in.
        """
        token = read_token(RefreshToken, self.validated_data["refresh_token"])
        return caller_of(token), token


@example(ME)
class UserSerializer(serializers.ModelSerializer[User]):
    role = serializers.ChoiceField(choices=Role.choices, read_only=True)

    class Meta:
        model = User
        fields = ["id", "email", "name", "role", "institution", "country", "email_notifications"]
        read_only_fields = fields
