-- The ledger: the database itself writes a row of status_log for whatever happens to an execution's status.
--
-- docs/ledger.md explains it. The statuses and the legal transitions are those of status/states.py; the tests
-- compare the two. Settings that begin with "status_log." last for a transaction at most:
--
--   status_log.actor, .source, .reason   who makes a change, by what, and why
--   status_log.permission                'transition', 'repair' or 'import': what may be done to a status
--   status_log.writing                   on while a trigger or a snapshot writes to status_log
--   status_log.pruning                   'on' while prune_status_log deletes old rows, 'import' in start_status_import
--   status_log.counted                   on once this transaction has counted all executions

CREATE FUNCTION is_legal_transition(status_from text, status_to text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (status_from, status_to) IN (
    ('PENDING', 'READY'), ('PENDING', 'RUNNING'),
    ('PENDING', 'FINISHED'), ('PENDING', 'FAILED'), ('PENDING', 'CANCELLED'),
    ('READY', 'PENDING'), ('READY', 'RUNNING'),
    ('READY', 'FINISHED'), ('READY', 'FAILED'), ('READY', 'CANCELLED'),
    ('RUNNING', 'READY'),
    ('RUNNING', 'FINISHED'), ('RUNNING', 'FAILED'), ('RUNNING', 'CANCELLED')
);

-- By how much a change of one execution changes the number of those in a status: -1, 0 or 1.
CREATE FUNCTION count_change(status text, status_from text, status_to text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (status_to IS NOT DISTINCT FROM status)::int - (status_from IS NOT DISTINCT FROM status)::int;

-- Whether there is a row to count from; what was imported from another service comes before the ledger.
CREATE FUNCTION status_log_has_begun() RETURNS boolean
LANGUAGE sql STABLE
RETURN coalesce((SELECT source <> 'imported' FROM status_log ORDER BY id DESC LIMIT 1), false);

CREATE FUNCTION refuse_status_change(message text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = message;
END
$$;

-- One writer at a time, until its transaction ends: the row that is the newest now stays so. Returns that row.
-- The wait is bounded also where a connection pooler has dropped the client's own lock_timeout.
CREATE FUNCTION lock_status_log(may_be_empty boolean DEFAULT false) RETURNS status_log
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

-- After a change in a transaction that has counted all executions before: had they been counted by the very
-- statement that made the change, the change would be in the counts twice.
CREATE FUNCTION check_status_counts() RETURNS void
LANGUAGE plpgsql SET enable_seqscan = on AS $$
BEGIN
    IF EXISTS (
        SELECT executions_pending, executions_ready, executions_running,
            executions_finished, executions_failed, executions_cancelled
        FROM (SELECT * FROM status_log ORDER BY id DESC LIMIT 1) AS newest
        EXCEPT
        SELECT count(*) FILTER (WHERE status = 'PENDING'), count(*) FILTER (WHERE status = 'READY'),
            count(*) FILTER (WHERE status = 'RUNNING'), count(*) FILTER (WHERE status = 'FINISHED'),
            count(*) FILTER (WHERE status = 'FAILED'), count(*) FILTER (WHERE status = 'CANCELLED')
        FROM executions_execution
    ) THEN
        PERFORM refuse_status_change('A snapshot of the counts is taken by a statement of its own.');
    END IF;
END
$$;


-- Append a row for each change of an execution: those of one statement, in the order of their keys. A creation has
-- no status_from, a deletion no status_to; actors are who made the changes where nobody else is named. Only the
-- triggers below call it: they alone have status_log.writing on.
CREATE FUNCTION append_status_changes(
    execution_ids uuid[], statuses_from text[], statuses_to text[], actors uuid[] DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    newest status_log := lock_status_log();
    now timestamptz := greatest(clock_timestamp(), newest.timestamp);
BEGIN
    INSERT INTO status_log (
        id, timestamp, execution_id, status_from, status_to,
        executions_pending, executions_ready, executions_running,
        executions_finished, executions_failed, executions_cancelled,
        executions_active,
        actor_id, source, reason
    )
    SELECT newest.id + place, now, execution_id, status_from, status_to,
        newest.executions_pending + sum(count_change('PENDING', status_from, status_to)) OVER so_far,
        newest.executions_ready + sum(count_change('READY', status_from, status_to)) OVER so_far,
        newest.executions_running + sum(count_change('RUNNING', status_from, status_to)) OVER so_far,
        newest.executions_finished + sum(count_change('FINISHED', status_from, status_to)) OVER so_far,
        newest.executions_failed + sum(count_change('FAILED', status_from, status_to)) OVER so_far,
        newest.executions_cancelled + sum(count_change('CANCELLED', status_from, status_to)) OVER so_far,
        newest.executions_active + sum(
            coalesce((status_to IN ('PENDING', 'READY', 'RUNNING'))::int, 0)
            - coalesce((status_from IN ('PENDING', 'READY', 'RUNNING'))::int, 0)
        ) OVER so_far,
        coalesce(nullif(current_setting('status_log.actor', true), '')::uuid, actor),
        coalesce(current_setting('status_log.source', true), ''),
        coalesce(current_setting('status_log.reason', true), '')
    FROM unnest(execution_ids, statuses_from, statuses_to, actors)
        WITH ORDINALITY AS change (execution_id, status_from, status_to, actor, place)
    WINDOW so_far AS (ORDER BY place ROWS UNBOUNDED PRECEDING);
    IF current_setting('status_log.counted', true) = 'on' THEN
        PERFORM check_status_counts();
    END IF;
END
$$;


-- The triggers of executions_execution. Each runs once per statement, and sees all rows that it has changed.
--
-- A session plans the statements in them once. Should the tables be all but empty then, reading them whole
-- would seem best, and stay so while they grow: hence enable_seqscan and enable_nestloop.

CREATE FUNCTION log_created_executions() RETURNS trigger
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

CREATE FUNCTION log_deleted_executions() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp SET enable_seqscan = off SET enable_nestloop = off AS $$
BEGIN
    PERFORM set_config('status_log.writing', 'on', true);
    PERFORM append_status_changes(array_agg(id ORDER BY id), array_agg(status ORDER BY id), NULL)
        FROM deleted HAVING count(*) > 0;
    PERFORM set_config('status_log.writing', '', true);
    RETURN NULL;
END
$$;

CREATE FUNCTION log_status_transitions() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp SET enable_seqscan = off SET enable_nestloop = off AS $$
DECLARE
    permission text := current_setting('status_log.permission', true);
    changed record;
BEGIN
    SELECT count(*) AS number, array_agg(id ORDER BY id) AS ids,
            array_agg(old_rows.status ORDER BY id) AS statuses_from,
            array_agg(new_rows.status ORDER BY id) AS statuses_to,
            bool_and(is_legal_transition(old_rows.status, new_rows.status)) AS are_legal
        INTO changed FROM old_rows JOIN new_rows USING (id) WHERE old_rows.status <> new_rows.status;
    IF changed.number = 0 THEN
        RETURN NULL;
    END IF;
    IF permission IS DISTINCT FROM 'transition' AND permission IS DISTINCT FROM 'repair' THEN
        PERFORM refuse_status_change(format(
            'The status of execution %s was not changed from %s to %s; use Execution.update_status,'
            ' or the same method of its queryset.',
            changed.ids[1], changed.statuses_from[1], changed.statuses_to[1]
        ));
    ELSIF permission = 'transition' AND NOT changed.are_legal THEN
        PERFORM refuse_status_change(
            format('Execution %s cannot go from %s to %s.', id, status_from, status_to)
        )
        FROM unnest(changed.ids, changed.statuses_from, changed.statuses_to) AS one (id, status_from, status_to)
        WHERE NOT is_legal_transition(status_from, status_to);
    END IF;
    PERFORM set_config('status_log.writing', 'on', true);
    PERFORM append_status_changes(changed.ids, changed.statuses_from, changed.statuses_to);
    PERFORM set_config('status_log.writing', '', true);
    RETURN NULL;
END
$$;

CREATE FUNCTION refuse_new_execution_id() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse_status_change('The id of an execution never changes: status_log knows it by it.');
    RETURN NULL;
END
$$;

CREATE FUNCTION refuse_truncate_of_executions() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse_status_change('Executions are deleted by DELETE, which status_log records, not by TRUNCATE.');
    RETURN NULL;
END
$$;


-- The triggers of status_log.

CREATE FUNCTION check_status_log_writer() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('status_log.writing', true) IS DISTINCT FROM 'on' THEN
        PERFORM refuse_status_change(
            'The database itself writes status_log. Change executions by Execution.update_status;'
            ' StatusLog.objects.append_snapshot counts them anew.'
        );
    END IF;
    RETURN NULL;
END
$$;

-- Whoever pretends to write for the executions: a creation has its execution, a deletion has none.
CREATE FUNCTION check_logged_execution() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT FROM executions_execution WHERE id = NEW.execution_id) <> (NEW.status_from IS NULL) THEN
        PERFORM refuse_status_change(format(
            'Execution %s is not one that has just been created or deleted.', NEW.execution_id
        ));
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION refuse_change_of_status_log() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse_status_change(
        'status_log is append-only: no row is ever changed; old ones go by manage.py prune_status_log.'
    );
    RETURN NULL;
END
$$;

-- Retention takes the oldest rows; start_status_import takes row 1, if there has never been another nor an execution.
CREATE FUNCTION check_pruned_status_log() RETURNS trigger
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


-- What the methods of the models call.

-- Execution.update_status: change the status if it is still the expected one, and return the row of status_log
-- that the trigger has appended, and what has been stored; nulls if it is not. An error takes back the settings.
CREATE FUNCTION update_execution_status(
    execution_id uuid, expected_status text, new_status text, new_progress smallint, new_results json,
    actor uuid, source text, reason text, permission text,
    OUT logged status_log, OUT new_start timestamptz, OUT new_end timestamptz, OUT stored_progress smallint
)
LANGUAGE plpgsql SET search_path = public, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    outer_actor text := coalesce(current_setting('status_log.actor', true), '');
    outer_source text := coalesce(current_setting('status_log.source', true), '');
    outer_reason text := coalesce(current_setting('status_log.reason', true), '');
    outer_permission text := coalesce(current_setting('status_log.permission', true), '');
    ends boolean := new_status IN ('FINISHED', 'FAILED', 'CANCELLED');
BEGIN
    IF current_setting('lock_timeout') = '0' THEN
        PERFORM set_config('lock_timeout', '10s', true);
    END IF;
    PERFORM set_config('status_log.actor', coalesce($6::text, ''), true),
        set_config('status_log.source', $7, true), set_config('status_log.reason', $8, true),
        set_config('status_log.permission', $9, true);
    UPDATE executions_execution SET
        status = new_status,
        started_at = CASE
            WHEN new_status = 'RUNNING' THEN greatest(statement_timestamp(), start_date)
            WHEN new_status NOT IN ('PENDING', 'READY') THEN started_at
        END,
        end_date = CASE WHEN ends THEN
            coalesce(end_date, greatest(statement_timestamp(), start_date, started_at)) END,
        progress = coalesce(new_progress, CASE WHEN ends AND $9 = 'transition' THEN 100 ELSE progress END),
        results = coalesce(new_results, results)
    WHERE id = $1 AND status = expected_status
    RETURNING started_at, end_date, progress INTO new_start, new_end, stored_progress;
    IF FOUND THEN
        SELECT * INTO logged FROM status_log ORDER BY id DESC LIMIT 1;
    END IF;
    PERFORM set_config('status_log.actor', outer_actor, true),
        set_config('status_log.source', outer_source, true),
        set_config('status_log.reason', outer_reason, true),
        set_config('status_log.permission', outer_permission, true);
END
$$;

-- StatusLog.objects.append_snapshot: count all executions, and append the counts as a row that is no change.
CREATE FUNCTION append_status_snapshot(actor uuid, source text, reason text) RETURNS status_log
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    newest status_log := lock_status_log(may_be_empty => true);
    logged status_log;
BEGIN
    IF source = '' THEN
        PERFORM refuse_status_change('A snapshot of the counts names its source.');
    END IF;
    PERFORM set_config('status_log.writing', 'on', true);
    INSERT INTO status_log (
        id, timestamp, executions_pending, executions_ready, executions_running,
        executions_finished, executions_failed, executions_cancelled, executions_active,
        actor_id, source, reason
    )
    SELECT coalesce(newest.id, 0) + 1, greatest(clock_timestamp(), newest.timestamp),
        count(*) FILTER (WHERE status = 'PENDING'), count(*) FILTER (WHERE status = 'READY'),
        count(*) FILTER (WHERE status = 'RUNNING'), count(*) FILTER (WHERE status = 'FINISHED'),
        count(*) FILTER (WHERE status = 'FAILED'), count(*) FILTER (WHERE status = 'CANCELLED'),
        count(*) FILTER (WHERE status IN ('PENDING', 'READY', 'RUNNING')),
        actor, append_status_snapshot.source, append_status_snapshot.reason
    FROM executions_execution
    RETURNING * INTO logged;
    PERFORM set_config('status_log.writing', '', true),
        set_config('status_log.counted', 'on', true);  -- for check_status_counts
    RETURN logged;
END
$$;


CREATE TRIGGER log_creations AFTER INSERT ON executions_execution
    REFERENCING NEW TABLE AS created
    FOR EACH STATEMENT EXECUTE FUNCTION log_created_executions();
CREATE TRIGGER log_deletions AFTER DELETE ON executions_execution
    REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION log_deleted_executions();
CREATE TRIGGER log_transitions AFTER UPDATE ON executions_execution
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION log_status_transitions();
CREATE TRIGGER keep_id BEFORE UPDATE OF id ON executions_execution
    FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION refuse_new_execution_id();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON executions_execution
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncate_of_executions();

CREATE TRIGGER check_writer BEFORE INSERT ON status_log
    FOR EACH STATEMENT EXECUTE FUNCTION check_status_log_writer();
CREATE TRIGGER check_execution BEFORE INSERT ON status_log
    FOR EACH ROW WHEN ((NEW.status_from IS NULL) <> (NEW.status_to IS NULL))
    EXECUTE FUNCTION check_logged_execution();
CREATE TRIGGER no_update BEFORE UPDATE ON status_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_status_log();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON status_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_status_log();
CREATE TRIGGER prune_oldest_only AFTER DELETE ON status_log
    REFERENCING OLD TABLE AS pruned
    FOR EACH STATEMENT EXECUTE FUNCTION check_pruned_status_log();
