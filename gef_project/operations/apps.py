from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "gef_project.operations"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers them
