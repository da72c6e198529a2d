"""Arguments of commands that name a row of the ledger: types for argparse."""

from argparse import ArgumentTypeError


def row_id(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not the id of a row.") from None
    if not 0 <= number < 2**63:
        raise ArgumentTypeError(f"{text} is not the id of a row.")
    return number
