import pgtrigger.compiler
import pgtrigger.migrations
import status.triggers
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('executions', '0001_initial'),
        ('status', '0006_append_in_order'),
    ]

    operations = [
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='log_creations', sql=status.triggers.GuardSql(func="\nINSERT INTO status_log (execution_id, status_from, status_to, actor_id, source, reason)\nSELECT id, NULL, status, coalesce(nullif(current_setting('status_log.actor', true), '')::uuid, user_id), coalesce(current_setting('status_log.source', true), ''), coalesce(current_setting('status_log.reason', true), '')\nFROM created ORDER BY id;\nRETURN NULL;\n", hash='2415ccf960f0bfb77661f0bc31f6a62f6032703b', level='STATEMENT', operation='INSERT', pgid='pgtrigger_log_creations_b06df', referencing='REFERENCING NEW TABLE AS created ', table='executions_execution', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='log_deletions', sql=status.triggers.GuardSql(func="\nINSERT INTO status_log (execution_id, status_from, status_to, actor_id, source, reason)\nSELECT id, status, NULL, nullif(current_setting('status_log.actor', true), '')::uuid, coalesce(current_setting('status_log.source', true), ''), coalesce(current_setting('status_log.reason', true), '')\nFROM deleted ORDER BY id;\nRETURN NULL;\n", hash='b771e8ea2d644424bc3f24a455ee6a5ef4963697', level='STATEMENT', operation='DELETE', pgid='pgtrigger_log_deletions_065f6', referencing='REFERENCING OLD TABLE AS deleted ', table='executions_execution', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='starts_pending', sql=status.triggers.GuardSql(condition="WHEN (NEW.status <> 'PENDING')", func="RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'An execution starts as PENDING; move it by Execution.update_status.';", hash='5b1dac22757f8be11024c04c09bfc5cf4e6ec0b6', operation='INSERT', pgid='pgtrigger_starts_pending_fe144', table='executions_execution', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='legal_moves', sql=status.triggers.GuardSql(condition="WHEN (OLD.status IS DISTINCT FROM NEW.status AND (OLD.status, NEW.status) NOT IN (('PENDING', 'READY'), ('PENDING', 'RUNNING'), ('PENDING', 'FINISHED'), ('PENDING', 'FAILED'), ('PENDING', 'CANCELLED'), ('READY', 'RUNNING'), ('READY', 'FINISHED'), ('READY', 'FAILED'), ('READY', 'CANCELLED'), ('RUNNING', 'READY'), ('RUNNING', 'FINISHED'), ('RUNNING', 'FAILED'), ('RUNNING', 'CANCELLED')))", func="RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = format('Execution %s cannot go from %s to %s; Execution.update_status says where it can go.', OLD.id, OLD.status, NEW.status);", hash='4e641a06ca301cc21450c6e5aa663479de71800c', operation='UPDATE OF "status"', pgid='pgtrigger_legal_moves_cf900', table='executions_execution', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='logged_moves', sql=status.triggers.GuardSql(condition='WHEN (OLD.status IS DISTINCT FROM NEW.status)', constraint='CONSTRAINT', declare='DECLARE newest RECORD;', func="\n    SELECT status_from, status_to INTO newest FROM (\n    SELECT * FROM status_log WHERE (execution_id, id) <= (NEW.id, 9223372036854775807)\n    ORDER BY execution_id DESC, id DESC LIMIT 1\n) AS newest\n        WHERE execution_id = NEW.id;\n    IF newest.status_from = OLD.status AND newest.status_to = NEW.status THEN\n        RETURN NULL;\n    END IF;\n    IF newest.status_to IS DISTINCT FROM (SELECT status FROM executions_execution WHERE id = NEW.id)\n        OR NOT EXISTS (\n            SELECT FROM status_log\n            WHERE execution_id = NEW.id AND status_from = OLD.status AND status_to = NEW.status\n        )\n    THEN\n        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = format('Execution %s went from %s to %s without a row in status_log; change it by Execution.update_status, or by the same method of its queryset.', NEW.id, OLD.status, NEW.status);\n    END IF;\n    RETURN NULL;\n", hash='82470f61d96f9567d88a374d0ab5a279d5b34af8', operation='UPDATE OF "status"', pgid='pgtrigger_logged_moves_b245d', table='executions_execution', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='keeps_id', sql=status.triggers.GuardSql(condition='WHEN (OLD.id IS DISTINCT FROM NEW.id)', func="RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'The id of an execution never changes: status_log knows it by it.';", hash='380123a4095cff8c2703a4c60781e87596543126', operation='UPDATE OF "id"', pgid='pgtrigger_keeps_id_80155', table='executions_execution', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=status.triggers.GuardSql(func="RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'Executions are deleted by DELETE, which status_log records, not by TRUNCATE.';", hash='c45f655483fb3cbe4c2fc7f4d87a0a107d4dacbc', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_22bc7', table='executions_execution', when='BEFORE')),
        ),
    ]
