from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("executions", "0004_find_unannounced")]

    operations = [
        migrations.AlterModelOptions(
            name="execution",
            options={
                "ordering": ["-start_date", "-id"],
                "permissions": [("cancel_execution", "Can cancel any execution")],
            },
        ),
    ]
