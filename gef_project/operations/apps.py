from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "gef_project.operations"
