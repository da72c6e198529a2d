"""Row 6: reports over HTTP, to the web server as ``make run`` starts it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count, cycle
from statistics import quantiles
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection
from tqdm import tqdm

from benchmarks.datasets import EMAIL, Dataset, build_dataset, execute, use
from benchmarks.measurement import PATIENCE, Figures, Sample
from benchmarks.plan import Plan
from benchmarks.profiling import shares_of_time
from benchmarks.report import Line, rate
from benchmarks.transitions import AT_ONCE, OTHER
from executions.models import Execution
from gef_project.accounts.authentication import refresh_token_for
from gef_project.accounts.models import User
from gef_project.devserver.run import SERVICES
from status.states import Status
from status.tests.concurrency import fork, in_processes

# The bodies of one execution's next requests, given what its status is.
Bodies = Callable[[str], Iterator[dict[str, Any]]]


def progress(status: str) -> Iterator[dict[str, Any]]:
    return ({"progress": number % 100} for number in count())


def transitions(status: str) -> Iterator[dict[str, Any]]:
    for target in cycle((OTHER[Status(status)], Status(status))):
        yield {"status": target}


KINDS: dict[str, Bodies] = {"progress": progress, "a transition": transitions}


def over_http(plan: Plan) -> Iterator[Line]:
    database = build_dataset(plan.common_size)
    cells = [(kind, clients) for kind in KINDS for clients in AT_ONCE]
    figures = {cell: Figures() for cell in cells}
    latencies: dict[tuple[str, int], list[float]] = {cell: [] for cell in cells}
    for _ in tqdm(range(plan.rounds), desc="6 HTTP"):
        for flushed in (True, False):
            with serving(database, flushed=flushed) as port:
                for kind, clients in cells:
                    answers = requests(database, port, KINDS[kind], clients, plan.seconds)
                    sample = Sample(sum(len(each) for each in answers) / plan.seconds, 0, 0)
                    if flushed:
                        figures[kind, clients].flushed.append(sample)
                        latencies[kind, clients] += [seconds for each in answers for seconds in each]
                    else:
                        figures[kind, clients].unflushed.append(sample)
    for kind, clients in cells:
        cuts = quantiles(latencies[kind, clients], n=100)
        what = f"PATCH of {kind}, {clients} keep-alive client{'s' if clients > 1 else ''}"
        what += f": p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms"
        yield rate(6, what, figures[kind, clients])
    use(database.name)
    for kind in KINDS:
        asked = _requests(database, 0, 1, KINDS[kind])
        own, others = shares_of_time(asked, _token(), seconds=5 * plan.seconds)
        yield Line(6, f"our own code's share of the processor time of a PATCH of {kind}: {others}", own)


@contextmanager
def serving(database: Dataset, *, flushed: bool) -> Iterator[int]:
    """Run the web server on that database; its port."""
    use(database.name)
    execute(f"ALTER DATABASE {database.name} SET synchronous_commit = {'on' if flushed else 'off'}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    host = quote(connection.settings_dict["HOST"], safe="")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "gef_project.settings",
        "DATABASE_URL": f"postgresql://postgres@{host}/{database.name}",
    }
    command = [argument for argument in SERVICES["web"] if not argument.startswith("--bind")]
    log = settings.VAR_DIR / "bench-web.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", *command, f"--bind=127.0.0.1:{port}"],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_for(port, server)
        yield port
    finally:
        server.terminate()
        server.wait()
        execute(f"ALTER DATABASE {database.name} RESET synchronous_commit")


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise RuntimeError("The web server has ended; see bench-web.log.")


def requests(database: Dataset, port: int, bodies: Bodies, clients: int, seconds: float) -> list[list[float]]:
    """Send requests over as many connections; how long each answer took, in seconds, per client."""
    use(database.name)
    together = fork.Barrier(clients, timeout=PATIENCE)
    token = _token()
    return in_processes(clients, partial(_client, database, port, bodies, clients, seconds, together, token))


def _client(
    database: Dataset,
    port: int,
    bodies: Bodies,
    clients: int,
    seconds: float,
    together: Any,
    token: str,
    number: int,
) -> list[float]:
    asked = _requests(database, number, clients, bodies)
    took = []
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(20):
            _ask(server, *next(asked), token)
        together.wait()
        start = now = time.perf_counter()
        while now - start < seconds:
            _ask(server, *next(asked), token)
            took.append(time.perf_counter() - now)
            now += took[-1]
    return took


def _requests(database: Dataset, number: int, clients: int, bodies: Bodies) -> Iterator[tuple[str, bytes]]:
    """Path and body of one request after the other, to executions of this client's own."""
    keys = database.own_keys(number, clients)
    statuses = dict(Execution.objects.filter(pk__in=keys).values_list("pk", "status"))
    bodies_of_executions = [(f"/api/v1/execution/{key}", bodies(status)) for key, status in statuses.items()]
    for path, body in cycle(bodies_of_executions):
        yield path, json.dumps(next(body)).encode()


def _ask(server: socket.socket, path: str, body: bytes, token: str) -> None:
    server.sendall(
        f"PATCH {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    answer = server.recv(65536)
    while b"\r\n\r\n" not in answer:
        answer += server.recv(65536)
    head, _, text = answer.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(text) < length:
        text += server.recv(65536)
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{head.decode()} {text.decode()}")


def _token() -> str:
    return str(refresh_token_for(User.objects.get(email=EMAIL)).access_token)
