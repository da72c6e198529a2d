"""The log of an execution: its output, lines that it adds itself, and reports that were refused."""

from django.db import models
from django.db.models.functions import Now

from executions.fields import DatabaseTimeField


def storable(text: str) -> str:
    """Escape what PostgreSQL cannot store: NUL as ``\\x00``, surrogates as ``\\ud800``.

    Refusing such a text would lose it, since the worker library drops lines that are refused.
    """
    return text.replace("\0", r"\x00").encode("utf-8", "backslashreplace").decode()


class Level(models.TextChoices):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class ExecutionLog(models.Model):
    """One line, stored unchanged; ``id`` is the order of arrival."""

    execution = models.ForeignKey("executions.Execution", models.CASCADE, related_name="logs", db_index=False)
    text = models.TextField()
    level = models.CharField(max_length=8, choices=Level, default=Level.INFO)
    register_date = DatabaseTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        indexes = [
            # All lines of one execution, in order, from a given one on.
            models.Index(fields=["execution", "id"], name="executionlog_execution"),
        ]

    def __str__(self) -> str:
        return f"{self.level}: {self.text[:80]}"
