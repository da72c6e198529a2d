"""Arguments of commands that record who did what, and why: types for argparse."""

from argparse import ArgumentTypeError

from .models import User


def user(email: str) -> User:
    try:
        return User.objects.get(email=email)
    except User.DoesNotExist:
        raise ArgumentTypeError(f"no user has the email {email}.") from None


def reason(text: str) -> str:
    if not text.strip():
        raise ArgumentTypeError("say why, in words.")
    return text.strip()
