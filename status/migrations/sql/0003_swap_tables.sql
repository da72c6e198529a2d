-- The copy takes the place of the table: changes of the catalogue alone.

DROP TABLE status_log;
ALTER TABLE status_log_new RENAME TO status_log;
ALTER TABLE status_log RENAME CONSTRAINT status_log_new_pkey TO status_log_pkey;
ALTER SEQUENCE status_log_new_id_seq RENAME TO status_log_id_seq;
