import pgtrigger.compiler
import pgtrigger.migrations
import status.triggers
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('status', '0007_first_snapshot'),
    ]

    operations = [
        pgtrigger.migrations.AddTrigger(
            model_name='statuslog',
            trigger=pgtrigger.compiler.Trigger(name='no_update', sql=status.triggers.GuardSql(func="RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'status_log is append-only: no row of it is ever changed.';", hash='8cc3a798e166b27467cdf9b1b042e74615f381eb', operation='UPDATE', pgid='pgtrigger_no_update_543ad', table='status_log', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='statuslog',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=status.triggers.GuardSql(func="RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'status_log is append-only: old rows go by manage.py prune_status_log.';", hash='23c34b63f2f7a92ddd7519e7e2df5c7bf987b7cd', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_49cd1', table='status_log', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='statuslog',
            trigger=pgtrigger.compiler.Trigger(name='prune_oldest_only', sql=status.triggers.GuardSql(func="\nIF EXISTS (SELECT FROM pruned) AND (\n    coalesce(current_setting('status_log.pruning', true), '') <> 'on'\n    OR NOT coalesce((SELECT max(id) FROM pruned) < (SELECT min(id) FROM status_log), false)\n) THEN\n    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'status_log is append-only: only its oldest rows go, by manage.py prune_status_log.';\nEND IF;\nRETURN NULL;\n", hash='ef587ab193382ce144f2a3c7efa7b8baa16e069b', level='STATEMENT', operation='DELETE', pgid='pgtrigger_prune_oldest_only_64977', referencing='REFERENCING OLD TABLE AS pruned ', table='status_log', when='AFTER')),
        ),
    ]
