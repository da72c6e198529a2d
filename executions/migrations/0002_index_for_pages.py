from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):

    dependencies = [
        ('executions', '0001_initial'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='execution',
            name='execution_active',
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(condition=models.Q(('end_date', None)), fields=['start_date', 'id'], name='execution_active'),
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(fields=['outcome', '-start_date', '-id'], name='execution_newest_of_outcome', condition=models.Q(('outcome__isnull', False))),
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(fields=['script', '-start_date', '-id'], name='execution_newest_of_script'),
        ),
        migrations.AlterField(
            model_name='execution',
            name='script',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='executions', to='executions.script'),
        ),
    ]
