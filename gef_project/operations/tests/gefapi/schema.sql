-- The tables of a Trends.Earth API at its newest version, as far as an importer sees them.

CREATE TABLE alembic_version (version_num varchar(32) NOT NULL);
CREATE TABLE "user" (
    id uuid PRIMARY KEY,
    email varchar(120) NOT NULL UNIQUE,
    password varchar(200) NOT NULL,
    name varchar(120) NOT NULL DEFAULT 'notset',
    country varchar(120),
    institution varchar(120),
    created_at timestamp,
    updated_at timestamp DEFAULT '2017-08-01',
    role varchar(10),
    email_notifications_enabled boolean NOT NULL DEFAULT true,
    gee_license text,
    last_login_at timestamp,
    max_concurrent_executions integer
);
CREATE TABLE script (
    id uuid PRIMARY KEY,
    name varchar(120) NOT NULL,
    slug varchar(80) NOT NULL UNIQUE,
    description text,
    created_at timestamp,
    updated_at timestamp,
    user_id uuid REFERENCES "user",
    status varchar(80) NOT NULL,
    public boolean NOT NULL DEFAULT false,
    cpu_limit bigint,
    memory_limit bigint,
    environment text,
    restricted boolean NOT NULL DEFAULT false,
    allowed_roles text,
    compute_type varchar(40) NOT NULL DEFAULT 'gee'
);
CREATE TABLE execution (
    id uuid PRIMARY KEY,
    start_date timestamp,
    end_date timestamp,
    status varchar(20),
    progress integer,
    params jsonb,
    results jsonb,
    script_id uuid REFERENCES script,
    user_id uuid REFERENCES "user",
    queued_at timestamp,
    dispatched_at timestamp
);
CREATE TABLE execution_log (
    id serial PRIMARY KEY,
    text text,
    level varchar(80) NOT NULL,
    register_date timestamp,
    execution_id uuid REFERENCES execution
);
CREATE TABLE script_log (
    id serial PRIMARY KEY,
    text text,
    register_date timestamp,
    script_id uuid REFERENCES script
);
CREATE TABLE status_log (
    id serial PRIMARY KEY,
    timestamp timestamp,
    executions_pending integer,
    executions_ready integer,
    executions_running integer,
    executions_finished integer,
    executions_failed integer,
    executions_cancelled integer,
    status_from varchar(20),
    status_to varchar(20),
    execution_id varchar(36)
);
CREATE TABLE refresh_tokens (id serial PRIMARY KEY, token text);
