-- Another service's history comes before the ledger, which then begins anew: manage.py import_gefapi.
--
-- In one transaction, start_status_import takes away the only row, import_status_rows writes the old rows, the
-- executions are inserted in any status, and append_status_snapshot counts them: the ledger's first row. Until then
-- the ledger has not begun, so nothing is logged, and every change is refused but that insert. Rows with the source
-- 'imported' are shown as they were recorded; nothing is counted from them.
--
--   status_log.importing   on while import_status_rows writes to status_log
--   status_log.pruning     'import' while start_status_import takes away the only row

CREATE FUNCTION status_log_has_begun() RETURNS boolean
LANGUAGE sql STABLE
RETURN coalesce((SELECT source <> 'imported' FROM status_log ORDER BY id DESC LIMIT 1), false);

-- As before, and nobody counts from the rows of another service.
CREATE OR REPLACE FUNCTION lock_status_log(may_be_empty boolean DEFAULT false) RETURNS status_log
LANGUAGE plpgsql AS $$
DECLARE
    newest status_log;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE =
            'Statuses change in READ COMMITTED transactions only: no other sees the newest row of status_log.';
    END IF;
    IF current_setting('lock_timeout') = '0' THEN
        PERFORM set_config('lock_timeout', '10s', true);
    END IF;
    PERFORM pg_advisory_xact_lock(5764816170911001);
    SELECT * INTO newest FROM status_log ORDER BY id DESC LIMIT 1;
    IF NOT may_be_empty AND (newest.id IS NULL OR newest.source = 'imported') THEN
        PERFORM refuse_status_change('status_log has no first row to count from; run manage.py migrate.');
    END IF;
    RETURN newest;
END
$$;

-- As before; what is imported before the ledger begins is counted by its first row.
CREATE OR REPLACE FUNCTION log_created_executions() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp SET enable_seqscan = off SET enable_nestloop = off AS $$
BEGIN
    IF current_setting('status_log.permission', true) = 'import' AND NOT status_log_has_begun() THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM created WHERE status <> 'PENDING')
        AND current_setting('status_log.permission', true) IS DISTINCT FROM 'import' THEN
        PERFORM refuse_status_change('An execution starts as PENDING; change it by Execution.update_status.');
    END IF;
    PERFORM set_config('status_log.writing', 'on', true);
    PERFORM append_status_changes(
        array_agg(id ORDER BY id), NULL, array_agg(status ORDER BY id), array_agg(user_id ORDER BY id)
    ) FROM created HAVING count(*) > 0;
    PERFORM set_config('status_log.writing', '', true);
    RETURN NULL;
END
$$;

-- As before; and start_status_import may take away row 1, if there has never been any other and no execution.
CREATE OR REPLACE FUNCTION check_pruned_status_log() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF current_setting('status_log.pruning', true) = 'import' AND (SELECT max(id) FROM pruned) = 1
        AND NOT EXISTS (SELECT FROM status_log) AND NOT EXISTS (SELECT FROM executions_execution) THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM pruned) AND (
        current_setting('status_log.pruning', true) IS DISTINCT FROM 'on'
        OR (SELECT max(id) FROM pruned) < (SELECT min(id) FROM status_log) IS NOT TRUE
    ) THEN
        PERFORM refuse_status_change(
            'status_log is append-only: only its oldest rows go, by manage.py prune_status_log.'
        );
    END IF;
    RETURN NULL;
END
$$;

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
