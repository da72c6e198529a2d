"""All settings, read from the environment; docs/configuration.md lists every variable.

Each value has a default that is safe on a laptop. What cannot be read, or is missing where it must
not be, stops the start with one clear line instead of being guessed.
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvValidationError, ValidationError, validate
from kombu import Queue

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()


def _read(reader: Any, name: str, default: Any, **kwargs: Any) -> Any:
    """What ``reader`` makes of the variable; an unreadable one is refused by name.

    An empty one counts as unset. Its value is not repeated: it may hold a password.
    """
    if not os.environ.get(name):
        os.environ.pop(name, None)
    try:
        return reader(name, default, **kwargs)
    except EnvValidationError as error:
        raise ImproperlyConfigured(f"{name}: {' '.join(error.error_messages)}") from error


def _url(*schemes: str) -> Callable[[str], None]:
    """A validator of URLs."""
    known = [f"{scheme}://" for scheme in schemes]

    def check(value: str) -> None:
        if not value.startswith(tuple(known)):
            raise ValidationError(f"Must begin with {' or '.join(known)}.")

    return check


def _origins(values: list[str]) -> None:
    for value in values:
        _url("http", "https")(value)


def _make_var_dir(path: Path) -> None:
    """With the mark by which ``make clean`` knows it; a directory of somebody else's files gets none."""
    path.mkdir(parents=True, exist_ok=True)
    mark = path / ".made-by-gef"
    if path == BASE_DIR / "var" and not mark.exists():
        path.chmod(0o700)  # earlier versions let every local user in
        mark.touch()
    elif not any(path.iterdir()):
        mark.touch()


def _secret_key(path: Path) -> str:
    """The laptop's own key, made once, so that log-ins survive a restart."""
    if not path.exists():
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.touch(0o600)
        fresh.write_text(secrets.token_urlsafe(50))
        with suppress(FileExistsError):  # another process was first
            os.link(fresh, path)
        fresh.unlink()
    return path.read_text()


DEBUG: bool = _read(env.bool, "DEBUG", True)
# Parameters, mails and logs are nobody else's: every file that this process makes is its user's alone.
os.umask(0o077)
VAR_DIR = Path(_read(env.str, "VAR_DIR", str(BASE_DIR / "var"))).resolve()
try:
    _make_var_dir(VAR_DIR)
except OSError as error:
    raise ImproperlyConfigured(f"VAR_DIR: {error}") from error

SECRET_KEY: str = _read(env.str, "SECRET_KEY", "")
ALLOWED_HOSTS: list[str] = _read(env.list, "ALLOWED_HOSTS", [])
CSRF_TRUSTED_ORIGINS: list[str] = _read(env.list, "CSRF_TRUSTED_ORIGINS", [], validate=_origins)
if DEBUG:
    SECRET_KEY = SECRET_KEY or _secret_key(VAR_DIR / "secret-key")
    ALLOWED_HOSTS = ALLOWED_HOSTS or ["localhost", "127.0.0.1", "[::1]"]
for _name in ("SECRET_KEY", "ALLOWED_HOSTS"):
    if not globals()[_name]:
        raise ImproperlyConfigured(f"{_name} must be set in the environment when DEBUG is off.")

PORT: int = _read(env.int, "PORT", 8000, validate=validate.Range(1, 65535))
# Requests that a web process answers at once, each on a database connection that is kept.
WEB_THREADS: int = _read(env.int, "WEB_THREADS", 4, validate=validate.Range(1, 100))
# Where workers and e-mails find this server.
API_URL: str = _read(env.str, "API_URL", f"http://127.0.0.1:{PORT}", validate=_url("http", "https"))
API_URL = API_URL.rstrip("/")

INSTALLED_APPS = [
    "whitenoise.runserver_nostatic",
    "gef_project.home",  # before the admin, whose templates it overrides
    "gef_project.home.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "csp",
    "gef_project.common",
    "gef_project.accounts",
    "gef_project.operations",
    "status",
    "executions",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "gef_project.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database: PostgreSQL 15 to 18; the embedded one unless DATABASE_URL names another ------------

# How long a statement may wait for a lock before the caller gets a clear, retryable error.
LOCK_TIMEOUT = timedelta(seconds=_read(env.float, "LOCK_TIMEOUT", 10.0, validate=validate.Range(0.001, 3600)))


def _database() -> dict[str, Any]:
    if not _read(env.str, "DATABASE_URL", None, validate=_url("postgresql", "postgres")):
        return {"ENGINE": "gef_project.devserver.postgresql", "NAME": "gef", "USER": "postgres"}
    parsed = dict(_read(env.dj_db_url, "DATABASE_URL", None))
    if not parsed["NAME"]:
        raise ImproperlyConfigured("DATABASE_URL: Must end with the name of a database.")
    return parsed


DATABASES = {
    "default": {
        **_database(),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }
}
DATABASES["default"]["OPTIONS"] = {
    **DATABASES["default"].get("OPTIONS", {}),
    "application_name": "gef",
    "connect_timeout": 10,
    "prepare_threshold": 0,  # without one psycopg prepares nothing; Django's own cursors never do
    "options": f"-c lock_timeout={int(LOCK_TIMEOUT.total_seconds() * 1000)}",
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Users and languages ----------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "executions.credentials.ExecutionCredentialBackend",  # first: it is not throttled
    "gef_project.accounts.login_throttle.ThrottledModelBackend",
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
PASSWORD_HASHERS = [
    "gef_project.accounts.hashers.QuickArgon2PasswordHasher",
    # Of users from elsewhere, until they log in.
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
    "gef_project.accounts.hashers.ImportedScryptPasswordHasher",
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "gef_project.common.formats"

# --- Web -----------------------------------------------------------------------------------------------

STATIC_URL = "static/"
# Nothing is collected: the few files are read once, from where they are installed.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
# Results of some megabytes arrive in one body.
DATA_UPLOAD_MAX_MEMORY_SIZE = 50 * 1024 * 1024
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _read(env.bool, "SECURE_COOKIES", not DEBUG)
# Pages load what this server serves, and nothing else; nothing inline is run or styles a page.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        **{f"{kind}-src": [SELF] for kind in ("script", "style", "img", "connect", "font")},
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
# TLS ends at the proxy in front, which redirects to it (W008) and promises it by HSTS (W004).
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]

# What /api-health says of this deployment; for the operators.
DEPLOYMENT: dict[str, str] = {  # texts, which clients cut and show
    "commit_sha": _read(env.str, "DEPLOYMENT_COMMIT", "unknown"),
    "branch": _read(env.str, "DEPLOYMENT_BRANCH", "unknown"),
    "environment": _read(env.str, "DEPLOYMENT_ENVIRONMENT", "development" if DEBUG else "production"),
}

# Whoever has it may read /metrics, as staff may; None: staff only.
METRICS_TOKEN: str | None = _read(
    env.str,
    "METRICS_TOKEN",
    None,
    validate=validate.Regexp(r"[!-~]{16,}\Z", error="Must be 16 or more ASCII characters, without a space."),
)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["gef_project.accounts.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["gef_project.accounts.permissions.IsUser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["gef_project.common.parsers.BoundedJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "gef_project.common.pagination.EnvelopePagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "gef_project.common.handlers.exception_handler",
    # Always UTC, always six fraction digits: clients sort these as text.
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
    # As ASCII: half a surrogate pair is JSON, but not UTF-8.
    "UNICODE_JSON": False,
    "DEFAULT_METADATA_CLASS": None,
    # How many proxies in front add to X-Forwarded-For; 0: nothing that it says is believed.
    "NUM_PROXIES": _read(env.int, "TRUSTED_PROXIES", 0, validate=validate.Range(0)),
    # ?format= is a parameter of runs like any other.
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(hours=1),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=30),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Execution tracking API",
    "DESCRIPTION": "What every long-running job is doing: exactly, and at once.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    # Swagger UI's files are our own, and it asks no validator on the internet.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": True, "validatorUrl": None},
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,  # what is sent lacks what only the server gives
    "PREPROCESSING_HOOKS": ["gef_project.common.schema.without_trailing_slash"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "gef_project.common.examples.with_requests_explained",
    ],
    "ENUM_NAME_OVERRIDES": {
        "StatusEnum": "status.states.Status",
        "ReportedStatusEnum": "executions.api.serializers.REPORTABLE",
    },
}

# --- Celery: the embedded Valkey unless CELERY_BROKER_URL names another broker --------------------------

CELERY_BROKER_URL: str = _read(
    env.str, "CELERY_BROKER_URL", "", validate=_url("redis", "rediss", "redis+socket", "amqp", "amqps")
)
if not CELERY_BROKER_URL:
    CELERY_BROKER_URL = f"valkey://{quote(str(VAR_DIR))}"
    CELERY_BROKER_TRANSPORT = "gef_project.devserver.valkey:Transport"
# A caller waits no longer than this for a broker that is away; the monitor sends again what was not.
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_TRANSPORT_OPTIONS = {"max_retries": 1, "interval_start": 0}
# Runs have a queue of their own: long ones in every slot of a worker must not keep the monitor and the
# e-mails waiting. A worker serves both queues unless -Q names one.
CELERY_TASK_QUEUES = [Queue(name, routing_key=name) for name in ("celery", "runs")]
CELERY_TASK_ROUTES = {"executions.tasks.run_execution": {"queue": "runs"}}
CELERY_TASK_IGNORE_RESULT = True
# Acknowledged when a worker starts it, not when it ends: brokers deliver again what they take for forgotten,
# Redis and Valkey after an hour (kombu's visibility timeout), RabbitMQ after half an hour. So only what waits
# in a worker whose slots are all busy may come twice, which does no harm: an execution is claimed once. What
# a killed worker had is found by the monitor, long before.
CELERY_TASK_ACKS_LATE = False
# A run is long: fetch no more messages than there are slots.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a broker that is away is waited for
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- E-mail: files in VAR_DIR unless EMAIL_URL names a server ---------------------------------------------

_read(env.str, "EMAIL_URL", None, validate=_url("smtp", "submission", "file", "console", "memory"))
_email = _read(env.dj_email_url, "EMAIL_URL", f"file://{VAR_DIR / 'mail'}")
EMAIL_BACKEND = _email["EMAIL_BACKEND"]
EMAIL_FILE_PATH = Path("/", _email["EMAIL_FILE_PATH"])  # the parser drops the leading slash
EMAIL_HOST, EMAIL_PORT = _email["EMAIL_HOST"], _email["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _email["EMAIL_HOST_USER"], _email["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _email["EMAIL_USE_TLS"], _email["EMAIL_USE_SSL"]
EMAIL_TIMEOUT = _email["EMAIL_TIMEOUT"] or 30
DEFAULT_FROM_EMAIL: str = _read(env.str, "DEFAULT_FROM_EMAIL", "executions@localhost")

# --- Executions --------------------------------------------------------------------------------------------

EXECUTIONS_DIR = VAR_DIR / "executions"
# Each machine renews the leases of its runs that often. One that was not renewed for WORKER_GRACE has ended:
# the execution is lost. So a renewal or two may fail.
HEARTBEAT_EVERY: int = _read(env.int, "HEARTBEAT_EVERY", 10, validate=validate.Range(1))
WORKER_GRACE = timedelta(
    seconds=_read(
        env.int,
        "WORKER_GRACE",
        180,
        validate=validate.Range(
            3 * HEARTBEAT_EVERY, error="Must be three times HEARTBEAT_EVERY ({min} seconds) or more."
        ),
    )
)
# One that has not ended for this long after its creation never will.
STALE_AFTER = timedelta(days=_read(env.int, "STALE_AFTER_DAYS", 3, validate=validate.Range(1)))
# For how long the rows of the status log are kept; None: for ever.
_retention = _read(env.int, "STATUS_LOG_RETENTION", 0, validate=validate.Range(0, 36_500))
STATUS_LOG_RETENTION = timedelta(days=_retention) if _retention else None
# How long working directories stay after the end.
KEEP_DIRECTORIES = timedelta(days=1)
KEEP_FAILED_DIRECTORIES = timedelta(days=14)
# What is kept of one execution's output at most: half of it from the beginning, half from the end.
EXECUTION_LOG_LINES = 20_000
EXECUTION_LOG_BYTES = 16 * 1024 * 1024

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": _read(env.log_level, "LOG_LEVEL", "INFO")},
    # Django's own handler would write each of its lines once more when DEBUG is on.
    "loggers": {"django": {"handlers": []}},
}
