"""The groups that staff are put into, and their installation. Operators change them in the admin.

Django's own permissions say what each may do, in the admin and by the API alike.
"""

from typing import Any

_VIEW = [
    "status.view_statuslog",
    "executions.view_execution",
    "executions.view_executionlog",
    "executions.view_script",
    "accounts.view_user",
    "auth.view_group",
    "django_celery_beat.view_periodictask",
]
_OPERATE = ["executions.cancel_execution", "executions.run_script"]
_MAINTAIN = [
    "executions.add_script",
    "executions.change_script",
    "executions.change_execution",  # reports of executions, as workers make them by the API
]
# Viewers see all and change nothing. Operators cancel, and run published scripts. Maintainers write scripts
# too, and report of executions: what all staff could do by the API before there were roles.
ROLES = {
    "Viewer": _VIEW,
    "Operator": _VIEW + _OPERATE,
    "Maintainer": _VIEW + _OPERATE + _MAINTAIN,
}


def install(apps: Any) -> None:
    """Add the groups that are missing; one that exists already is the operators' own.

    Args:
        apps: a registry of models: the live one, or a migration's.
    """
    groups = apps.get_model("auth", "Group").objects
    for name, permissions in ROLES.items():
        group, is_new = groups.get_or_create(name=name)
        if is_new:
            group.permissions.set([_permission(apps, permission) for permission in permissions])


def keep_rights_of_staff(apps: Any) -> None:
    """Make maintainers of the staff whom nobody has given any permission: the API asked them for none."""
    staff = apps.get_model("accounts", "User").objects.filter(is_staff=True, is_superuser=False)
    group = apps.get_model("auth", "Group").objects.get(name="Maintainer")
    group.user_set.add(*staff.filter(groups=None, user_permissions=None))


def _permission(apps: Any, permission: str) -> Any:
    """The permission, made if it is missing: Django makes them after the last migration only."""
    app_label, codename = permission.split(".")
    action, model_name = codename.split("_")
    options = apps.get_model(app_label, model_name)._meta
    names = dict(options.permissions)
    kind, _new = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=app_label, model=model_name
    )
    name = names.get(codename, f"Can {action} {options.verbose_name_raw}")
    permissions = apps.get_model("auth", "Permission").objects
    return permissions.get_or_create(content_type=kind, codename=codename, defaults={"name": name})[0]
