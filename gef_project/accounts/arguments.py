"""Types for argparse, of arguments that several management commands have."""

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


def row_id(text: str) -> int:
    """The id of a row of the status log."""
    try:
        number = int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not the id of a row.") from None
    if not 0 <= number < 2**63:
        raise ArgumentTypeError(f"{text} is not the id of a row.")
    return number
