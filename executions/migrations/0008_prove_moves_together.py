"""Let the moves of one statement be proved all at once.

An execution notes the way of its latest move. What moved before has no such note: its next move is proved alone.
"""

import pgtrigger.compiler
import pgtrigger.migrations
import status.triggers
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('executions', '0007_leave_room_for_moves'),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name='execution',
            name='starts_pending',
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='execution',
            name='legal_moves',
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='execution',
            name='logged_moves',
        ),
        migrations.RemoveConstraint(
            model_name='execution',
            name='execution_status_known',
        ),
        migrations.AddField(
            model_name='execution',
            name='last_move',
            field=models.CharField(db_default='', default='', editable=False, max_length=21),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='starts_pending', sql=status.triggers.GuardSql(func="\nIF NEW.status <> 'PENDING' THEN\n    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'An execution starts as PENDING; move it by Execution.update_status.';\nEND IF;\nNEW.moves := coalesce((SELECT max(move) + 1 FROM status_log WHERE execution_id = NEW.id), 0);\nNEW.moved_in := NULL;\nNEW.last_move := '>PENDING';\nRETURN NEW;\n", hash='2a1f7991424487b0e9eb3535a7800064c02faabc', operation='INSERT', pgid='pgtrigger_starts_pending_fe144', table='executions_execution', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='legal_moves', sql=status.triggers.GuardSql(func="\nIF OLD.status = NEW.status THEN\n    NEW.moves := OLD.moves;\n    NEW.moved_in := OLD.moved_in;\n    NEW.last_move := OLD.last_move;\n    RETURN NEW;\nEND IF;\nNEW.moves := OLD.moves + 1;\nNEW.last_move := OLD.status || '>' || NEW.status;\nIF NEW.last_move <> ALL ('{PENDING>READY, PENDING>RUNNING, PENDING>FINISHED, PENDING>FAILED, PENDING>CANCELLED, READY>RUNNING, READY>FINISHED, READY>FAILED, READY>CANCELLED, RUNNING>READY, RUNNING>FINISHED, RUNNING>FAILED, RUNNING>CANCELLED}') THEN\n    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = format('Execution %s cannot go from %s to %s; Execution.update_status says where it can go.', OLD.id, OLD.status, NEW.status);\nEND IF;\nIF NEW.moved_in = 0 AND OLD.last_move LIKE '%>' || OLD.status THEN\n    NEW.moved_in := -txid_current();\nELSE\n    NEW.moved_in := txid_current();\nEND IF;\nRETURN NEW;\n", hash='3c0846f98eeb1ca47d19593abcb9fadaa66cd846', operation='UPDATE OF "status", "moves", "moved_in", "last_move"', pgid='pgtrigger_legal_moves_cf900', table='executions_execution', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='logged_moves', sql=status.triggers.GuardSql(condition='WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.moved_in IS DISTINCT FROM -txid_current())', constraint='CONSTRAINT', declare='DECLARE logged BOOLEAN; torn BOOLEAN;', func="\nSELECT bool_or(move = NEW.moves AND status_from = OLD.status AND status_to = NEW.status),\n        bool_or(move < NEW.moves AND status_to IS DISTINCT FROM OLD.status AND NOT EXISTS (\n            SELECT FROM status_log AS later WHERE later.id > log.id AND status_from IS NULL AND status_to IS NULL\n        ))\n    INTO logged, torn\n    FROM status_log AS log WHERE execution_id = NEW.id AND move BETWEEN NEW.moves - 1 AND NEW.moves;\nIF logged IS NOT TRUE THEN\n    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = format('Execution %s made the move %s without a row in status_log; change it by Execution.update_status, or by the same method of its queryset.', NEW.id, NEW.last_move);\nELSIF torn THEN\n    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = format('Execution %s has become %s behind the back of status_log; see manage.py check_status_log.', NEW.id, OLD.status);\nEND IF;\nRETURN NULL;\n", hash='5820768ce0347a99aacbe68018ca7c99019e42ed', operation='UPDATE', pgid='pgtrigger_logged_moves_b245d', table='executions_execution', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='logged_together', sql=status.triggers.GuardSql(declare='DECLARE unlogged RECORD;', func="\nIF NOT EXISTS (SELECT FROM moved WHERE moved_in = -txid_current()) THEN\n    RETURN NULL;\nEND IF;\nPERFORM set_config('enable_nestloop', 'off', true);  -- until this function ends; the plan is kept\nSELECT moved.id, last_move INTO unlogged\n    FROM moved LEFT JOIN (\n        SELECT * FROM status_log ORDER BY id DESC LIMIT (SELECT count(*) FROM moved)\n    ) AS newest ON newest.execution_id = moved.id AND newest.move = moves\n    WHERE moved_in = -txid_current() AND (last_move LIKE '%>' || status AND last_move = coalesce(\n        newest.status_from || '>' || newest.status_to,\n        (SELECT log.status_from || '>' || log.status_to FROM status_log AS log WHERE execution_id = moved.id AND move = moves)\n    )) IS NOT TRUE LIMIT 1;\nIF FOUND THEN\n    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = format('Execution %s made the move %s without a row in status_log; change it by Execution.update_status, or by the same method of its queryset.', unlogged.id, unlogged.last_move);\nEND IF;\nRETURN NULL;\n", hash='473b7b82b1477f8704a711c3e9425b6517a10307', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_logged_together_5dd6a', referencing='REFERENCING NEW TABLE AS moved ', table='executions_execution', when='AFTER')),
        ),
    ]
