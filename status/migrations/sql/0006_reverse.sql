-- Without imports.

DROP TRIGGER check_imported ON status_log;
DROP FUNCTION import_status_rows, start_status_import, refuse_imported_status;
