from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "gef_project"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers them
