import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """One index for the newest runs of a script, in place of the foreign key's own."""

    dependencies = [
        ("executions", "0001_initial"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="execution",
            index=models.Index(fields=["script", "-start_date", "-id"], name="execution_newest_of_script"),
        ),
        migrations.AlterField(
            model_name="execution",
            name="script",
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="executions", to="executions.script"),
        ),
        migrations.AlterModelOptions(
            name="script",
            options={"ordering": ["slug"], "permissions": [("run_script", "Can run published scripts")]},
        ),
    ]
