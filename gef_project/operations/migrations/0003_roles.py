"""The groups Viewer, Operator and Maintainer, and the rights that staff had without any."""

from django.db import migrations

from gef_project.operations import roles


def install(apps, schema_editor):
    roles.install(apps)
    roles.keep_rights_of_staff(apps)


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0002_periodic_tasks"),
        ("accounts", "0003_staff_by_permissions"),
        ("executions", "0003_permission_to_run_scripts"),
        ("status", "0005_remove_periodic_task"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    # Going back keeps the groups: operators may have changed them.
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
