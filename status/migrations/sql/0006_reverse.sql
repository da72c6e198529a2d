-- Without imports; the functions that 0006_import.sql has replaced come back from 0004_ledger.sql.

DROP TRIGGER check_imported ON status_log;
DROP FUNCTION import_status_rows, start_status_import, refuse_imported_status, status_log_has_begun;
