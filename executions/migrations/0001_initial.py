import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import executions.fields
import executions.models.script
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Script',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('slug', models.SlugField(max_length=100, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('description', models.TextField(blank=True)),
                ('command', models.JSONField(help_text='The program and its arguments, as a JSON list of strings. No shell reads it.', validators=[executions.models.script.validate_command])),
                ('time_limit', models.PositiveIntegerField(default=3600, help_text='Seconds after which a run is stopped, and has FAILED.', validators=[django.core.validators.MinValueValidator(1)])),
                ('published', models.BooleanField(default=False, help_text='May everybody see and run it?')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='scripts', to=settings.AUTH_USER_MODEL, verbose_name='made by')),
            ],
            options={
                'ordering': ['slug'],
            },
        ),
        migrations.CreateModel(
            name='Execution',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('params', executions.fields.VerbatimJSONField(blank=True, default=dict)),
                ('results', executions.fields.VerbatimJSONField(blank=True, default=dict)),
                ('status', models.CharField(choices=[('PENDING', 'Pending'), ('READY', 'Ready'), ('RUNNING', 'Running'), ('FINISHED', 'Finished'), ('FAILED', 'Failed'), ('CANCELLED', 'Cancelled')], default='PENDING', editable=False, max_length=10)),
                ('outcome', models.GeneratedField(db_persist=True, expression=models.Case(models.When(status__in=['FINISHED', 'FAILED', 'CANCELLED'], then=models.F('status'))), output_field=models.CharField(choices=[('PENDING', 'Pending'), ('READY', 'Ready'), ('RUNNING', 'Running'), ('FINISHED', 'Finished'), ('FAILED', 'Failed'), ('CANCELLED', 'Cancelled')], max_length=10, null=True))),
                ('progress', models.PositiveSmallIntegerField(default=0, validators=[django.core.validators.MaxValueValidator(100)])),
                ('start_date', executions.fields.DatabaseTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('started_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('end_date', models.DateTimeField(blank=True, editable=False, null=True)),
                ('queued_at', executions.fields.DatabaseTimeField(blank=True, editable=False, null=True)),
                ('dispatched_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('worker', models.CharField(blank=True, editable=False, max_length=255)),
                ('heartbeat_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('notified_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='executions', to=settings.AUTH_USER_MODEL)),
                ('script', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='executions', to='executions.script')),
            ],
            options={
                'ordering': ['-start_date', '-id'],
                'permissions': [('cancel_execution', 'Can cancel any execution')],
            },
        ),
        migrations.CreateModel(
            name='ExecutionLog',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField()),
                ('level', models.CharField(choices=[('DEBUG', 'Debug'), ('INFO', 'Info'), ('WARNING', 'Warning'), ('ERROR', 'Error'), ('CRITICAL', 'Critical')], default='INFO', max_length=8)),
                ('register_date', executions.fields.DatabaseTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('execution', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='logs', to='executions.execution')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(fields=['execution', 'id'], name='executionlog_execution')],
            },
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(fields=['-start_date', '-id'], name='execution_newest'),
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(fields=['-end_date', '-start_date', '-id'], name='execution_open_first'),
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(fields=['user', '-end_date', '-start_date', '-id'], name='execution_open_first_of_user'),
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(condition=models.Q(('end_date', None)), fields=['start_date'], name='execution_active'),
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(condition=models.Q(('end_date__isnull', False), ('notified_at', None)), fields=['end_date'], name='execution_unannounced'),
        ),
        migrations.AddConstraint(
            model_name='execution',
            constraint=models.CheckConstraint(condition=models.Q(('progress__range', (0, 100))), name='execution_progress_percent'),
        ),
        migrations.AddConstraint(
            model_name='execution',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('end_date__isnull', False), ('status__in', ['FINISHED', 'FAILED', 'CANCELLED'])), models.Q(('end_date__isnull', True), ('status__in', ['PENDING', 'READY', 'RUNNING'])), _connector='OR'), name='execution_end_date_when_ended'),
        ),
        # Room in each page, so that a transition puts the row's next version beside it. One that is no end changes no
        # indexed column: PostgreSQL then leaves every index alone (a heap-only tuple).
        migrations.RunSQL(
            "ALTER TABLE executions_execution SET (fillfactor = 80)", migrations.RunSQL.noop
        ),
    ]
