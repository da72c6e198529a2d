from typing import Any

from django.core.management.base import BaseCommand

from examples.catalogue import EXAMPLES
from executions.models import Script


class Command(BaseCommand):
    help = "Add the example scripts that are missing; of those that are there, only the command is set."

    def handle(self, *args: Any, **options: Any) -> None:
        for example in EXAMPLES:
            _, made = Script.objects.update_or_create(
                slug=example.slug,
                defaults={"command": example.command},
                create_defaults={
                    "slug": example.slug,
                    "name": example.name,
                    "description": example.description,
                    "command": example.command,
                    "time_limit": example.time_limit,
                    "published": True,
                },
            )
            self.stdout.write(f"{example.slug}: {'added' if made else 'there'}")
