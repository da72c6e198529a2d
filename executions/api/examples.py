"""Examples of scripts, executions and their logs for the API's documentation."""

from typing import Any

from gef_project.accounts.serializers import ME
from gef_project.common.examples import ERRORS, EXECUTION_ID, SCRIPT_ID, USER_ID

NEW_SCRIPT: dict[str, Any] = {
    "slug": "prime-count",
    "name": "Count primes",
    "description": "How many primes there are below a number.",
    "published": True,
    "command": ["python", "-m", "examples.prime_count"],
    "time_limit": 600,
}
SCRIPT: dict[str, Any] = {
    "id": SCRIPT_ID,
    "name": NEW_SCRIPT["name"],
    "slug": NEW_SCRIPT["slug"],
    "description": NEW_SCRIPT["description"],
    "created_at": "2026-01-05T08:00:00.000000Z",
    "updated_at": "2026-01-05T08:00:00.000000Z",
    "user_id": USER_ID,
    "status": "SUCCESS",
    "public": True,
    "published": True,
    "cpu_reservation": None,
    "cpu_limit": None,
    "memory_reservation": None,
    "memory_limit": None,
    "uses_gee": False,
}
STAFF_SCRIPT = SCRIPT | {name: NEW_SCRIPT[name] for name in ("command", "time_limit")}

PARAMS = {"limit": 1_000_000, "task_name": "Primes below a million"}
EXECUTION: dict[str, Any] = {
    "id": EXECUTION_ID,
    "script_id": SCRIPT_ID,
    "user_id": USER_ID,
    "status": "FINISHED",
    "progress": 100,
    "start_date": "2026-01-31T12:00:00.000000Z",
    "end_date": "2026-01-31T12:00:42.500000Z",
    "params": PARAMS,
    "results": {"primes": 78498},
    "queued_at": "2026-01-31T12:00:00.000000Z",
    "dispatched_at": "2026-01-31T12:00:00.310000Z",
}
REPORT = {"status": "FINISHED", "results": EXECUTION["results"]}
CANCELLED = {
    "execution": EXECUTION | {"status": "CANCELLED", "results": {}},
    "cancellation_details": {
        "execution_id": EXECUTION_ID,
        "previous_status": "RUNNING",
        "new_status": "CANCELLED",
        "queued": True,
        "task_id": None,
        "errors": [],
    },
}
NEW_LINE = {"text": "Counted the primes below 500000.", "level": "INFO"}
LINE = {"id": 1204, **NEW_LINE, "register_date": "2026-01-31T12:00:21.000000Z", "execution_id": EXECUTION_ID}

OUTCOME = {"id": EXECUTION_ID, "status": 409, "ok": False, "error": ERRORS[409]}
CANCEL_MANY = {"status": ["PENDING", "READY"], "script": "prime-count", "dry_run": False}
CANCELLED_MANY = {"dry_run": False, "matched": 12, "cancelled": 12, "remaining": 0}

HISTORY = {
    "data": [
        {
            "id": 310,
            "timestamp": "2026-01-31T12:00:00.000000Z",
            "status_from": None,
            "status_to": "PENDING",
            "seconds": 42.5,
            "actor": USER_ID,
            "source": "api",
            "reason": "",
        },
        {
            "id": 316,
            "timestamp": "2026-01-31T12:00:42.500000Z",
            "status_from": "PENDING",
            "status_to": "CANCELLED",
            "seconds": None,
            "actor": USER_ID,
            "source": "api",
            "reason": "",
        },
    ],
    "complete": True,
}
EXPORTED = {name: value for name, value in EXECUTION.items() if name not in ("params", "results")} | {
    "duration": 42.5,
    "script_name": SCRIPT["name"],
    "user_name": ME["name"],
    "user_email": ME["email"],
}
