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
            trigger=pgtrigger.compiler.Trigger(name='log_creations', sql=status.triggers.GuardSql(func="\nINSERT INTO status_log (execution_id, move, status_from, status_to, actor_id, source, reason)\nSELECT id, moves, NULL, status, coalesce(nullif(current_setting('status_log.actor', true), '')::uuid, user_id), coalesce(current_setting('status_log.source', true), ''), coalesce(current_setting('status_log.reason', true), '')\nFROM created ORDER BY id;\nRETURN NULL;\n", hash='950e65cc58cee769cbd726708837dddd682e334f', level='STATEMENT', operation='INSERT', pgid='pgtrigger_log_creations_b06df', referencing='REFERENCING NEW TABLE AS created ', table='executions_execution', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='log_deletions', sql=status.triggers.GuardSql(func="\nINSERT INTO status_log (execution_id, move, status_from, status_to, actor_id, source, reason)\nSELECT id, moves + 1, status, NULL, nullif(current_setting('status_log.actor', true), '')::uuid, coalesce(current_setting('status_log.source', true), ''), coalesce(current_setting('status_log.reason', true), '')\nFROM deleted ORDER BY id;\nRETURN NULL;\n", hash='30f78bdfd5358ce9caceb5033177b691529a722e', level='STATEMENT', operation='DELETE', pgid='pgtrigger_log_deletions_065f6', referencing='REFERENCING OLD TABLE AS deleted ', table='executions_execution', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='starts_pending', sql=status.triggers.GuardSql(func="\nIF NEW.status <> 'PENDING' THEN\n    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'An execution starts as PENDING; move it by Execution.update_status.';\nEND IF;\nNEW.moves := coalesce((SELECT max(move) + 1 FROM status_log WHERE execution_id = NEW.id), 0);\nNEW.moved_in := NULL;\nRETURN NEW;\n", hash='02fccf015088c8cefda056feabab4553135b4b7b', operation='INSERT', pgid='pgtrigger_starts_pending_fe144', table='executions_execution', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='legal_moves', sql=status.triggers.GuardSql(condition='WHEN (OLD.status IS DISTINCT FROM NEW.status OR OLD.moves <> NEW.moves OR OLD.moved_in IS DISTINCT FROM NEW.moved_in)', func="\nIF OLD.status = NEW.status THEN\n    NEW.moves := OLD.moves;\n    NEW.moved_in := OLD.moved_in;\n    RETURN NEW;\nEND IF;\nIF OLD.status || '>' || NEW.status <> ALL ('{PENDING>READY, PENDING>RUNNING, PENDING>FINISHED, PENDING>FAILED, PENDING>CANCELLED, READY>RUNNING, READY>FINISHED, READY>FAILED, READY>CANCELLED, RUNNING>READY, RUNNING>FINISHED, RUNNING>FAILED, RUNNING>CANCELLED}') THEN\n    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = format('Execution %s cannot go from %s to %s; Execution.update_status says where it can go.', OLD.id, OLD.status, NEW.status);\nEND IF;\nNEW.moves := OLD.moves + 1;\nNEW.moved_in := pg_current_xact_id()::text::bigint;\nRETURN NEW;\n", hash='a52e3c4a70bc8b9142ade205fbd0c4e890200266', operation='UPDATE OF "status", "moves", "moved_in"', pgid='pgtrigger_legal_moves_cf900', table='executions_execution', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='logged_moves', sql=status.triggers.GuardSql(condition='WHEN (OLD.status IS DISTINCT FROM NEW.status)', constraint='CONSTRAINT', declare='DECLARE logged BOOLEAN; torn BOOLEAN;', func="\nSELECT bool_or(move = NEW.moves AND status_from = OLD.status AND status_to = NEW.status),\n        bool_or(move < NEW.moves AND status_to IS DISTINCT FROM OLD.status AND NOT EXISTS (\n            SELECT FROM status_log AS later WHERE later.id > log.id AND status_from IS NULL AND status_to IS NULL\n        ))\n    INTO logged, torn\n    FROM status_log AS log WHERE execution_id = NEW.id AND move BETWEEN NEW.moves - 1 AND NEW.moves;\nIF logged IS NOT TRUE THEN\n    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = format('Execution %s went from %s to %s without a row in status_log; change it by Execution.update_status, or by the same method of its queryset.', NEW.id, OLD.status, NEW.status);\nELSIF torn THEN\n    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = format('Execution %s has become %s behind the back of status_log; see manage.py check_status_log.', NEW.id, OLD.status);\nEND IF;\nRETURN NULL;\n", hash='3e4e5141b4e37473ded3793561f9e347fdb4d384', operation='UPDATE OF "status"', pgid='pgtrigger_logged_moves_b245d', table='executions_execution', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='keeps_id', sql=status.triggers.GuardSql(condition='WHEN (OLD.id IS DISTINCT FROM NEW.id)', func="RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'The id of an execution never changes: status_log knows it by it.';", hash='7ac2e05b56af38772e5630a8c3766a0704090714', operation='UPDATE OF "id"', pgid='pgtrigger_keeps_id_80155', table='executions_execution', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=status.triggers.GuardSql(func="RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'Executions are deleted by DELETE, which status_log records, not by TRUNCATE.';", hash='9630d47d59b9dfd8c58c7891cc4c76cb70d99ad8', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_22bc7', table='executions_execution', when='BEFORE')),
        ),
    ]
