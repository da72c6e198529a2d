"""Report of many executions over HTTP, by single requests and by one request for all.

    python -m benchmarks.bulk_reports --executions 500 --results 200

Each execution goes to RUNNING, to progress 50, and to FINISHED with results of its own.
"""

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import requests

from benchmarks.database import own_database
from executions.models import Execution, Script
from gef_project.accounts.authentication import refresh_token_for
from gef_project.accounts.models import User
from gef_project.tests.servers import web_server
from status.verification import first_fault

Reports = list[dict[str, Any]]


def fresh_executions(count: int) -> list[str]:
    script, user = Script.objects.get(), User.objects.get()
    made = Execution.objects.bulk_create(Execution(script=script, user=user) for _ in range(count))
    return [str(execution.pk) for execution in made]


def steps(ids: list[str], results: int) -> list[Reports]:
    return [
        [{"id": pk, "status": "RUNNING"} for pk in ids],
        [{"id": pk, "progress": 50} for pk in ids],
        [{"id": pk, "status": "FINISHED", "results": {"of": pk, "text": "x" * results}} for pk in ids],
    ]


def one_by_one(url: str, headers: dict[str, str], reports: Reports) -> None:
    with requests.Session() as session:
        for report in reports:
            fields = {name: value for name, value in report.items() if name != "id"}
            session.patch(f"{url}/{report['id']}", json=fields, headers=headers).raise_for_status()


def four_at_once(url: str, headers: dict[str, str], reports: Reports) -> None:
    with ThreadPoolExecutor(4) as threads:
        shares = [reports[number::4] for number in range(4)]
        list(threads.map(partial(one_by_one, url, headers), shares))


def together(url: str, headers: dict[str, str], reports: Reports) -> None:
    answer = requests.patch(url, json=reports, headers=headers)
    answer.raise_for_status()
    if not all(result["ok"] for result in answer.json()["data"]):
        raise RuntimeError("a report was refused")


def seconds(way: Callable[[Reports], None], reports: Reports) -> float:
    start = time.perf_counter()
    way(reports)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--executions", type=int, default=500)
    parser.add_argument("--results", type=int, default=200, help="size of the results, in characters")
    options = parser.parse_args()
    with own_database("gef_bulk"):
        Script.objects.create(slug="bulk", name="Bulk", command=["true"])
        user = User.objects.create_superuser("bulk@example.org")
        headers = {"Authorization": f"Bearer {refresh_token_for(user).access_token}"}
        with web_server() as server:
            url = f"{server.url}/api/v1/execution"
            requests.get(url, headers=headers).raise_for_status()
            for way in (one_by_one, four_at_once, together):
                ids = fresh_executions(options.executions)
                spent = [seconds(partial(way, url, headers), some) for some in steps(ids, options.results)]
                rates = "  ".join(f"{options.executions / one:8.0f}" for one in spent)
                print(f"{way.__name__:14} reports/s: RUNNING, progress, FINISHED  {rates}")
        fault = first_fault()
    print(fault or "every invariant holds")
    return 1 if fault else 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
