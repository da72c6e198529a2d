"""``manage.py run_agent``: what a worker starts beside itself."""

import importlib
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from executions import agent


class Command(BaseCommand):
    requires_system_checks: tuple[str, ...] = ()
    help = (
        "Follow the runs of this machine whose worker has died, as long as a worker lives; workers start it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("parent", type=int, help="the process id of the worker")

    def handle(self, *args: Any, parent: int, **options: Any) -> None:
        importlib.import_module(os.environ.get("APP", "gef_project.celery"))  # as `celery` reads it
        agent.run(parent)
