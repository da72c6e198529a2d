"""Let the proof of many moves put back how the transaction plans its queries."""

import pgtrigger.compiler
import pgtrigger.migrations
import status.triggers
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('executions', '0008_prove_moves_together'),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name='execution',
            name='logged_together',
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='execution',
            trigger=pgtrigger.compiler.Trigger(name='logged_together', sql=status.triggers.GuardSql(declare="DECLARE unlogged RECORD; nested_loops TEXT := current_setting('enable_nestloop');", func="\nIF NOT EXISTS (SELECT FROM moved WHERE moved_in = -txid_current()) THEN\n    RETURN NULL;\nEND IF;\nPERFORM set_config('enable_nestloop', 'off', true);  -- which would seem the best way to prove few\nSELECT moved.id, last_move INTO unlogged\n    FROM moved LEFT JOIN (\n        SELECT * FROM status_log ORDER BY id DESC LIMIT (SELECT count(*) FROM moved)\n    ) AS newest ON newest.execution_id = moved.id AND newest.move = moves\n    WHERE moved_in = -txid_current() AND (last_move LIKE '%>' || status AND last_move = coalesce(\n        newest.status_from || '>' || newest.status_to,\n        (SELECT log.status_from || '>' || log.status_to FROM status_log AS log WHERE execution_id = moved.id AND move = moves)\n    )) IS NOT TRUE LIMIT 1;\nIF FOUND THEN\n    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = format('Execution %s made the move %s without a row in status_log; change it by Execution.update_status, or by the same method of its queryset.', unlogged.id, unlogged.last_move);\nEND IF;\nPERFORM set_config('enable_nestloop', nested_loops, true);\nRETURN NULL;\n", hash='e0026406e89c1eed66352d2ee6f6568019e7375d', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_logged_together_5dd6a', referencing='REFERENCING NEW TABLE AS moved ', table='executions_execution', when='AFTER')),
        ),
    ]
