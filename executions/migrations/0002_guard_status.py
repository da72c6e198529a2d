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
            trigger=pgtrigger.compiler.Trigger(name='log_creations', sql=status.triggers.GuardSql(func="\nINSERT INTO status_log (execution_id, status_from, status_to, actor_id, source, reason)\nSELECT id, NULL, status, coalesce(nullif(current_setting('status_log.actor', true), '')::uuid, user_id), coalesce(current_setting('status_log.source', true), ''), coalesce(current_setting('status_log.reason', true), '')\nFROM created ORDER BY id;\nRETURN NULL;\n", hash='de89d66c0d962b8a31ecbf746940f8dfc95ef3f9', level='STATEMENT', operation='INSERT', pgid='pgtrigger_log_creations_b06df', referencing='REFERENCING NEW TABLE AS created ', table='executions_execution', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='log_deletions', sql=status.triggers.GuardSql(func="\nINSERT INTO status_log (execution_id, status_from, status_to, actor_id, source, reason)\nSELECT id, status, NULL, nullif(current_setting('status_log.actor', true), '')::uuid, coalesce(current_setting('status_log.source', true), ''), coalesce(current_setting('status_log.reason', true), '')\nFROM deleted ORDER BY id;\nRETURN NULL;\n", hash='6bc3957c69513a1f3e02de988b266261a77eff44', level='STATEMENT', operation='DELETE', pgid='pgtrigger_log_deletions_065f6', referencing='REFERENCING OLD TABLE AS deleted ', table='executions_execution', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='starts_pending', sql=status.triggers.GuardSql(condition="WHEN (NEW.status <> 'PENDING')", func="RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'An execution starts as PENDING; move it by Execution.update_status.';", hash='173f766d120bb3a414b23234c53e3f39765b804c', operation='INSERT', pgid='pgtrigger_starts_pending_fe144', table='executions_execution', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='legal_moves', sql=status.triggers.GuardSql(condition="WHEN (OLD.status IS DISTINCT FROM NEW.status AND (OLD.status, NEW.status) NOT IN (('PENDING', 'READY'), ('PENDING', 'RUNNING'), ('PENDING', 'FINISHED'), ('PENDING', 'FAILED'), ('PENDING', 'CANCELLED'), ('READY', 'RUNNING'), ('READY', 'FINISHED'), ('READY', 'FAILED'), ('READY', 'CANCELLED'), ('RUNNING', 'READY'), ('RUNNING', 'FINISHED'), ('RUNNING', 'FAILED'), ('RUNNING', 'CANCELLED')))", func="RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = format('Execution %s cannot go from %s to %s; Execution.update_status says where it can go.', OLD.id, OLD.status, NEW.status);", hash='74fd7bf4497d1f413397dc414072c5bc71e5cdf1', operation='UPDATE OF "status"', pgid='pgtrigger_legal_moves_cf900', table='executions_execution', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='logged_moves', sql=status.triggers.GuardSql(condition='WHEN (OLD.status IS DISTINCT FROM NEW.status)', constraint='CONSTRAINT', declare='DECLARE newest RECORD;', func="\nSELECT status_from, status_to INTO newest FROM status_log\n    WHERE execution_id = NEW.id ORDER BY id DESC LIMIT 1;\nIF newest.status_from = OLD.status AND newest.status_to = NEW.status THEN\n    RETURN NULL;\nEND IF;\nIF newest.status_to IS DISTINCT FROM (SELECT status FROM executions_execution WHERE id = NEW.id)\n    OR NOT EXISTS (\n        SELECT FROM status_log\n        WHERE execution_id = NEW.id AND status_from = OLD.status AND status_to = NEW.status\n    )\nTHEN\n    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = format('Execution %s went from %s to %s without a row in status_log; change it by Execution.update_status, or by the same method of its queryset.', NEW.id, OLD.status, NEW.status);\nEND IF;\nRETURN NULL;\n", hash='9d3799899ae8f8a85f7d586bcf3537190ee177ac', operation='UPDATE OF "status"', pgid='pgtrigger_logged_moves_b245d', table='executions_execution', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='keeps_id', sql=status.triggers.GuardSql(condition='WHEN (OLD.id IS DISTINCT FROM NEW.id)', func="RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'The id of an execution never changes: status_log knows it by it.';", hash='d61c39ebf993c6c6b19df3803edb4db114cd3190', operation='UPDATE OF "id"', pgid='pgtrigger_keeps_id_80155', table='executions_execution', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=status.triggers.GuardSql(func="RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'Executions are deleted by DELETE, which status_log records, not by TRUNCATE.';", hash='e7c6fd74cff8572f53166640f7b99f073c272f30', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_22bc7', table='executions_execution', when='BEFORE')),
        ),
    ]
