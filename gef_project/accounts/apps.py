from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "gef_project.accounts"
    label = "accounts"
