"""Serve the order in which the API lists executions by indexes."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('executions', '0005_cancel_permission')]

    operations = [
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(fields=['-end_date', '-start_date', '-id'], name='execution_open_first'),
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(fields=['user', '-end_date', '-start_date', '-id'], name='execution_open_first_of_user'),
        ),
        migrations.RemoveIndex(
            model_name='execution',
            name='execution_newest_of_user',
        ),
    ]
