-- Another service's history comes before the ledger, which then begins anew: manage.py import_gefapi.
--
-- In one transaction, start_status_import takes away the only row, import_status_rows writes the old rows, the
-- executions are inserted in any status, and append_status_snapshot counts them: the ledger's first row. Until then
-- the ledger has not begun, so nothing is logged, and every change is refused but that insert. Rows with the source
-- 'imported' are shown as they were recorded; nothing is counted from them.
--
--   status_log.importing   on while import_status_rows writes to status_log
--   status_log.pruning     'import' while start_status_import takes away the only row

CREATE FUNCTION refuse_imported_status() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse_status_change(
        'Rows with the source imported come before the ledger; manage.py import_gefapi writes them.'
    );
    RETURN NULL;
END
$$;

-- Nobody else writes an execution or the ledger until the transaction ends.
CREATE FUNCTION start_status_import() RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    LOCK TABLE executions_execution IN SHARE ROW EXCLUSIVE MODE;
    PERFORM lock_status_log();
    IF EXISTS (SELECT FROM executions_execution) OR NOT (
        SELECT count(*) = 1 AND bool_and(id = 1 AND status_from IS NULL AND status_to IS NULL AND source <> '')
        FROM status_log
    ) THEN
        PERFORM refuse_status_change(
            'An import needs a database without executions, whose status_log has its first row alone.'
        );
    END IF;
    PERFORM set_config('status_log.pruning', 'import', true);
    DELETE FROM status_log;
    PERFORM set_config('status_log.pruning', '', true);
END
$$;

-- Append rows of another service in the given order, numbered without gaps. Ids and sources of the rows are not read.
CREATE FUNCTION import_status_rows(rows status_log[]) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    newest status_log := lock_status_log(may_be_empty => true);
BEGIN
    IF newest.source <> 'imported' THEN
        PERFORM refuse_status_change(
            'The ledger has begun: rows of another service can no longer come before it.'
        );
    END IF;
    PERFORM set_config('status_log.writing', 'on', true), set_config('status_log.importing', 'on', true);
    INSERT INTO status_log (
        id, timestamp, execution_id, status_from, status_to,
        executions_pending, executions_ready, executions_running,
        executions_finished, executions_failed, executions_cancelled,
        executions_active, source, reason
    )
    SELECT coalesce(newest.id, 0) + old_row.ordinality, old_row.timestamp, execution_id, status_from, status_to,
        executions_pending, executions_ready, executions_running,
        executions_finished, executions_failed, executions_cancelled,
        executions_active, 'imported', reason
    FROM unnest(rows) WITH ORDINALITY AS old_row;
    PERFORM set_config('status_log.writing', '', true), set_config('status_log.importing', '', true);
END
$$;

CREATE TRIGGER check_imported BEFORE INSERT ON status_log
    FOR EACH ROW WHEN (
        NEW.source = 'imported' AND current_setting('status_log.importing', true) IS DISTINCT FROM 'on'
    ) EXECUTE FUNCTION refuse_imported_status();
