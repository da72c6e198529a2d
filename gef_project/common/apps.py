from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "gef_project.common"
