from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand

from gef_project.operations import schedule


class Command(BaseCommand):
    help = "Add the project's periodic tasks that are missing; what an operator changed stays."

    def handle(self, *args: Any, **options: Any) -> None:
        changed = schedule.install(apps)
        self.stdout.write(f"Set up: {', '.join(changed) or 'nothing, all are there'}.")
