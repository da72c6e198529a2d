"""The schema of the periodic task: every two minutes it counted what there was."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="StatusLog",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("timestamp", models.DateTimeField(auto_now_add=True)),
                ("executions_active", models.IntegerField(default=0)),
                ("executions_ready", models.IntegerField(default=0)),
                ("executions_running", models.IntegerField(default=0)),
                ("executions_finished", models.IntegerField(default=0)),
                ("executions_failed", models.IntegerField(default=0)),
                ("executions_count", models.IntegerField(default=0)),
                ("users_count", models.IntegerField(default=0)),
                ("scripts_count", models.IntegerField(default=0)),
            ],
            options={"db_table": "status_log", "ordering": ["-timestamp"]},
        ),
    ]
