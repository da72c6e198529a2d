-- Back to the table of the periodic task, whose code takes ids from the sequence.

DROP INDEX status_log_timestamp, status_log_execution, status_log_end_undone, status_log_snapshot;
ALTER TABLE status_log
    DROP CONSTRAINT status_log_status_changes,
    DROP COLUMN execution_id, DROP COLUMN status_from, DROP COLUMN status_to,
    DROP COLUMN executions_pending, DROP COLUMN actor_id, DROP COLUMN source, DROP COLUMN reason,
    ALTER COLUMN timestamp DROP DEFAULT,
    ALTER COLUMN executions_ready DROP DEFAULT, ALTER COLUMN executions_running DROP DEFAULT,
    ALTER COLUMN executions_finished DROP DEFAULT, ALTER COLUMN executions_failed DROP DEFAULT,
    ALTER COLUMN executions_cancelled DROP DEFAULT, ALTER COLUMN executions_active DROP DEFAULT;
SELECT setval(pg_get_serial_sequence('status_log', 'id'), max(id)) FROM status_log HAVING count(*) > 0;
