from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("executions", "0002_index_for_pages"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="script",
            options={"ordering": ["slug"], "permissions": [("run_script", "Can run published scripts")]},
        ),
    ]
