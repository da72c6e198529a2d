-- Without the ledger: its rows stay, as counts.

DROP TRIGGER log_creations ON executions_execution;
DROP TRIGGER log_deletions ON executions_execution;
DROP TRIGGER log_transitions ON executions_execution;
DROP TRIGGER keep_id ON executions_execution;
DROP TRIGGER no_truncate ON executions_execution;
DROP TRIGGER check_writer ON status_log;
DROP TRIGGER check_execution ON status_log;
DROP TRIGGER no_update ON status_log;
DROP TRIGGER no_truncate ON status_log;
DROP TRIGGER prune_oldest_only ON status_log;

DROP FUNCTION update_execution_status, append_status_snapshot,
    log_created_executions, log_deleted_executions, log_status_transitions,
    refuse_new_execution_id, refuse_truncate_of_executions,
    check_status_log_writer, check_logged_execution, refuse_change_of_status_log, check_pruned_status_log,
    append_status_changes, check_status_counts, lock_status_log, refuse_status_change, count_change, status_log_has_begun,
    is_legal_transition;
