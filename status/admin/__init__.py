"""The status log in the admin."""

from .logs import StatusLogAdmin

__all__ = ["StatusLogAdmin"]
