"""Users and scripts."""

from executions.models import Script
from gef_project.accounts.models import User

from .loading import Finding, Progress, Table, execute, insert

# Who no longer has an address gets one in a domain that can never exist (RFC 2606).
NO_ADDRESS = "import.invalid"

# What a script that came without its code does until somebody gives it a command.
COMMAND = '["sh", "-c", "echo This script was imported without its code: give it a command. >&2; exit 64"]'

USERS = Table(
    "user",
    {
        "id": "uuid",
        "email": "text",
        "password": "text",
        "name": "text",
        "country": "text",
        "institution": "text",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
        "role": "text",
        "email_notifications_enabled": "boolean",
        "last_login_at": "timestamptz",
    },
    [
        Finding(
            "NOT old.has_address AND btrim(old.email) <> ''",
            "'the address ' || old.email || ' is that of another user, but for case: the account is kept'"
            " || ' with its executions, but inactive, and without the address'",
        ),
        Finding(
            "coalesce(btrim(old.email), '') = ''",
            "'no email: the account is kept with its executions, but inactive'",
        ),
        Finding(
            "old.has_address AND old.new_password IS NULL",
            "'the password''s hash is of no kind that is known here: unusable until a new one is set'",
        ),
        Finding("old.role NOT IN ('USER', 'ADMIN', 'SUPERADMIN')", "'the role is unknown: none is given'"),
        Finding("length(old.country) > 100", "'the country is longer than 100 characters, and cut'"),
        Finding("length(old.name) > 120", "'the name is longer than 120 characters, and cut'"),
        Finding("length(old.institution) > 200", "'the institution is longer than 200 characters, and cut'"),
        Finding("old.created_at IS NULL", "'no created_at: updated_at, or the time of the import'"),
    ],
)

# Werkzeug's hashes in Django's form: the digest is in base64 instead of hexadecimal digits.
_METHOD = "split_part(split_part(password, '$', 1), ':', {})"
_SALT = "split_part(password, '$', 2)"
_DIGEST = "translate(encode(decode(split_part(password, '$', 3), 'hex'), 'base64'), E'\\n', '')"
_PASSWORD = f"""
    CASE
        WHEN password ~ '^pbkdf2:sha256:[0-9]+\\$[^$]+\\$[0-9a-f]{{64}}$'
            OR password ~ '^pbkdf2:sha1:[0-9]+\\$[^$]+\\$[0-9a-f]{{40}}$'
        THEN 'pbkdf2_' || concat_ws('$', {_METHOD.format(2)}, {_METHOD.format(3)}, {_SALT}, {_DIGEST})
        WHEN password ~ '^scrypt:[0-9]+:[0-9]+:[0-9]+\\$[^$]+\\$[0-9a-f]{{128}}$'
        THEN concat_ws(
            '$', 'scrypt', {_METHOD.format(2)}, {_SALT}, {_METHOD.format(3)}, {_METHOD.format(4)}, {_DIGEST}
        )
    END
"""

# Of several users with one address, the one that was written in lower case, as the old service writes new
# ones, keeps it, or else the one that was changed last. The address of a user who is here stays theirs.
_ADDRESS = """
    btrim(email) <> '' AND row_number() OVER (
        PARTITION BY lower(btrim(email)) ORDER BY email = lower(email) DESC, updated_at DESC NULLS LAST, id
    ) = 1 AND NOT EXISTS (SELECT FROM accounts_user WHERE accounts_user.email = lower(btrim(old.email)))
"""


def insert_users(progress: Progress) -> int:
    return insert(
        USERS,
        User,
        {
            "id": "old.id",
            "email": "CASE WHEN old.has_address THEN lower(btrim(old.email))"
            f" ELSE old.id || '@{NO_ADDRESS}' END",
            "password": "coalesce(CASE WHEN old.has_address THEN old.new_password END,"
            " '!' || replace(gen_random_uuid()::text, '-', ''))",
            "name": "left(coalesce(old.name, ''), 120)",
            "country": "left(coalesce(old.country, ''), 100)",
            "institution": "left(coalesce(old.institution, ''), 200)",
            "date_joined": "coalesce(old.created_at, old.updated_at, now())",
            "last_login": "old.last_login_at",
            "is_staff": "coalesce(old.role IN ('ADMIN', 'SUPERADMIN'), false)",
            "is_superuser": "coalesce(old.role = 'SUPERADMIN', false)",
            "is_active": "old.has_address",
            "email_notifications": "old.has_address AND coalesce(old.email_notifications_enabled, true)",
        },
        progress,
    )


def prepare_users() -> None:
    """Find out who keeps an address and a password."""
    execute("ALTER TABLE import_user ADD COLUMN new_password text, ADD COLUMN has_address boolean")
    execute(
        f"""
        UPDATE import_user SET has_address = coalesce(found.has_address, false), new_password = found.password
        FROM (
            SELECT id, {_ADDRESS} AS has_address, {_PASSWORD} AS password FROM import_user AS old
        ) AS found WHERE found.id = import_user.id
        """
    )
    execute("UPDATE import_user SET new_password = NULL WHERE length(new_password) > 128")


SCRIPTS = Table(
    "script",
    {
        "id": "uuid",
        "name": "text",
        "slug": "text",
        "description": "text",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
        "user_id": "uuid",
        "status": "text",
        "public": "boolean",
    },
    [
        Finding("true", "'no command: unpublished, and every run fails, until it is given one'"),
        Finding(
            "old.status IS DISTINCT FROM 'SUCCESS'",
            "'its image was not built (' || coalesce(old.status, 'no status') || ')'",
        ),
        Finding("old.created_at IS NULL", "'no created_at: updated_at, or the time of the import'"),
    ],
    "LEFT JOIN import_user AS maker ON maker.id = old.user_id",
)

_NOTE = """
    'Imported without its code. It was ' || CASE WHEN old.public THEN 'public' ELSE 'not public' END
    || ', its image ' || coalesce(old.status, 'without a status') || '.'
"""


def insert_scripts(progress: Progress) -> int:
    return insert(
        SCRIPTS,
        Script,
        {
            "id": "old.id",
            "name": "left(coalesce(old.name, old.slug), 200)",
            "slug": "left(old.slug, 100)",
            "description": f"concat_ws(E'\\n\\n', nullif(old.description, ''), {_NOTE})",
            "command": f"'{COMMAND}'::jsonb",
            "published": "false",
            "user_id": "maker.id",
            "created_at": "coalesce(old.created_at, old.updated_at, now())",
            "updated_at": "coalesce(old.updated_at, old.created_at, now())",
        },
        progress,
    )
