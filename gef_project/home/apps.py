from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class HomeConfig(AppConfig):
    name = "gef_project.home"
    default = True


class AdminConfig(admin_apps.AdminConfig):
    """Django's admin with a site of ours; ``@admin.register`` goes on to work."""

    default = False
    default_site = "gef_project.home.site.TrackingAdminSite"
