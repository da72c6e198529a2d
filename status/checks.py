"""System checks of the vocabulary."""

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from .models import StatusLog
from .states import Status, count_field


@register(Tags.models)
def check_columns(**kwargs: Any) -> list[CheckMessage]:
    """Check that every status has its column in the status log; without it every transition fails."""
    columns = {field.name for field in StatusLog._meta.concrete_fields}
    return [
        Error(
            f"The status {status} has no column {count_field(status)} in the status log.",
            hint="docs/ledger.md says how to add a status.",
            id="status.E001",
        )
        for status in Status
        if count_field(status) not in columns
    ]
