-- A little history with everything in it that an importer may stumble over. Ids say what is special about a row.

INSERT INTO alembic_version VALUES ('79d3f10e7527');

-- The password of each is "secret" where there is one.
INSERT INTO "user" (id, email, password, name, country, created_at, updated_at, role, gee_license) VALUES
('00000000-0000-0000-0000-0000000000a1', 'Ada@Example.org',
 'pbkdf2:sha256:1000$Salt1234$4e77be41d17ddbe0e20cd7ce3bc0f7e4d3e8f6db20ba4ae6fc0e2b2d1f3a1d00',
 'Ada', repeat('x', 120), '2019-03-31 02:30', '2024-01-01', 'SUPERADMIN', 'yes'),
('00000000-0000-0000-0000-0000000000a2', 'ada@EXAMPLE.org', 'pbkdf2:sha256:1000$x$' || repeat('0', 64),
 'Ada of old', NULL, '2018-01-01', '2020-01-01', NULL, NULL),
('00000000-0000-0000-0000-0000000000b1', 'sha1@example.org', 'sha1$replaced', 'notset', NULL, NULL, NULL, 'ADMIN', NULL),
('00000000-0000-0000-0000-0000000000b2', 'scrypt@example.org', 'replaced', 'Scrypt', NULL, '2020-01-01', '2020-01-01', 'USER', NULL),
('00000000-0000-0000-0000-0000000000b3', 'old@example.org', 'sha1$abc$da39a3ee5e6b4b0d3255bfef95601890afd80709', 'Old', NULL,
 '2017-01-01', '2020-01-01', 'GUEST', NULL),
('00000000-0000-0000-0000-0000000000b4', 'here@example.org', 'replaced', 'Here', NULL, '2020-01-01', '2020-01-01', 'USER', NULL);
UPDATE "user" SET email_notifications_enabled = false WHERE email = 'scrypt@example.org';

INSERT INTO script (id, name, slug, description, created_at, updated_at, user_id, status, public, cpu_limit) VALUES
('00000000-0000-0000-0000-0000000000c1', 'Sums', 'sums-1-0', 'Adds.', '2020-01-01', '2020-01-02',
 '00000000-0000-0000-0000-0000000000a1', 'SUCCESS', true, 100000000),
('00000000-0000-0000-0000-0000000000c2', 'Broken', 'broken', NULL, NULL, NULL, NULL, 'FAIL', false, NULL);
INSERT INTO script_log (text, script_id) VALUES ('Step 1/7', '00000000-0000-0000-0000-0000000000c1');
INSERT INTO refresh_tokens (token) VALUES ('t'), ('u');

INSERT INTO execution (id, status, start_date, end_date, progress, params, results, script_id, user_id)
SELECT ('00000000-0000-0000-0000-0000000000' || key)::uuid, status, start_date::timestamp, end_date::timestamp,
    progress, params::jsonb, results::jsonb,
    CASE WHEN key <> '12' THEN '00000000-0000-0000-0000-0000000000c1'::uuid END,
    CASE WHEN key <> '11' THEN '00000000-0000-0000-0000-0000000000a2'::uuid END
FROM (VALUES
    ('01', 'FINISHED', '2024-05-01 12:00', '2024-05-01 13:00', 100, '{"b": 1, "a": [1.50, "é\\n\t"]}', '[1, 2]'),
    ('02', 'FAILED', '2024-05-01 12:00', NULL, 40, '{}', NULL),
    ('03', 'FAILED', '2024-05-01 12:00', NULL, 40, '{}', 'null'),
    ('04', 'CANCELLED', '2024-05-01 12:00', '2024-05-01 11:00', NULL, NULL, '{}'),
    ('05', 'RUNNING', '2024-05-01 12:00', '2024-05-01 12:00', 250, '{}', '{}'),
    ('06', 'PENDING', NULL, '2024-05-01 12:00', -1, '{}', '{}'),
    ('07', 'SUBMITTED', '2024-05-01 12:00', '2024-05-01 12:00', 0, '{}', '{}'),
    ('08', 'CANCELLING', '2024-05-01 12:00', '2024-05-01 12:30', 0, '{}', '{}'),
    ('09', 'EXPIRED', '2024-05-01 12:00', '2024-05-01 12:30', 0, '{}', '{}'),
    ('10', NULL, '2124-05-01 12:00', NULL, 0, '{}', '{}'),
    ('11', 'FINISHED', '2024-05-01 12:00', '2024-05-01 12:30', 100, '{}', '{}'),
    ('12', 'FINISHED', '2024-05-01 12:00', '2024-05-01 12:30', 100, '{}', '{}')
) AS one (key, status, start_date, end_date, progress, params, results);

INSERT INTO execution_log (id, text, level, register_date, execution_id)
SELECT id, text, level, register_date::timestamp, ('00000000-0000-0000-0000-0000000000' || key)::uuid FROM (VALUES
    (7, E'first\tline\\', 'INFO', '2024-05-01 12:10', '02'),
    (8, 'last line', 'ERROR', '2024-05-01 12:40', '02'),
    (20, NULL, 'warn', NULL, '01'),
    (21, 'odd', 'EXTREMELY IMPORTANT', '2024-05-01 12:00', '01'),
    (22, 'of nothing', 'DEBUG', '2024-05-01 12:00', NULL)
) AS one (id, text, level, register_date, key);

-- Periodic rows of three forms, then two rows per change, then one.
INSERT INTO status_log (
    id, timestamp, executions_pending, executions_ready, executions_running, executions_finished, executions_failed,
    executions_cancelled, status_from, status_to, execution_id
)
SELECT id, timestamp::timestamp, pending, ready, running, finished, failed, cancelled, status_from, status_to,
    replace(key, '#', '00000000-0000-0000-0000-0000000000') FROM (VALUES
    (1, NULL, NULL, 0, 0, 5, NULL, NULL, NULL, NULL, NULL),
    (3, '2025-06-21 10:00', NULL, 1, 2, 10, NULL, NULL, NULL, NULL, NULL),
    (4, '2025-07-10 10:00', NULL, 1, 2, 3, 1, NULL, NULL, NULL, NULL),
    (9, NULL, NULL, 1, 2, 3, 2, NULL, NULL, NULL, NULL),
    (12, '2025-09-01 10:00', NULL, 1, 2, 13, 4, 1, NULL, NULL, NULL),
    (20, '2025-10-01 10:00', 1, 1, 2, 13, 4, 1, 'PENDING', 'READY', '#01'),
    (21, '2025-10-01 10:02', 0, 1, 3, 13, 4, 1, 'READY', 'RUNNING', '#01'),
    (23, '2025-10-01 10:01', 0, 1, 3, 13, 4, 1, 'READY', 'RUNNING', '#01'),
    (24, '2025-10-01 10:04', 0, 1, 3, 13, 4, 1, 'RUNNING', 'CANCELLING', '#02'),
    (25, '2025-10-01 10:05', 0, 1, 2, 13, 4, 2, 'CANCELLING', 'CANCELLED', '#02'),
    (26, '2025-10-01 10:06', 0, 1, 2, 13, 5, 2, NULL, 'FAILED', '#77'),
    (27, '2025-10-01 10:07', 0, 1, 2, 13, 6, 2, 'RUNNING', 'EXPIRED', 'not-a-uuid'),
    (28, '2025-10-01 10:08', 0, 1, 1, 14, 6, 2, 'PENDING', 'FINISHED', '#01'),
    (30, '2124-10-01 10:00', 0, 1, 1, 14, 6, 2, 'READY', 'READY', '#03')
) AS one (id, timestamp, pending, ready, running, finished, failed, cancelled, status_from, status_to, key);
