"""The script's process, and all that it has started."""

import ctypes
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress

LINUX = sys.platform == "linux"
VANISHES = 10.0  # seconds in which a killed process is gone, unless the kernel holds it
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
IGNORED = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2]


def prctl(option: int, value: int) -> None:
    """Set an option of this process (Linux)."""
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def adopt_descendants() -> None:
    """Become the parent of every descendant whose parent has ended, whatever session it is in."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def start(command: list[str], directory: str) -> tuple[int, list[int]]:
    """Start it in a session of its own, in that directory.

    Returns:
        Its process id, and the ends of the pipes from its stdout and stderr.

    Raises:
        OSError: it cannot be started.
    """
    failure, *pipes = [os.pipe() for _ in range(3)]
    pid = os.fork()
    if not pid:
        try:
            _become(command, directory, [write for _, write in pipes])
        except BaseException as error:
            number, text = getattr(error, "errno", 0) or 0, str(error)
            os.write(failure[1], f"{number}:{text}".encode("utf-8", "backslashreplace"))
        finally:
            os._exit(127)
    for _, write in (failure, *pipes):
        os.close(write)
    if problem := os.read(failure[0], 10_000).decode():
        os.waitpid(pid, 0)
        raise OSError(problem.partition(":")[2])
    os.close(failure[0])
    for read, _ in pipes:
        os.set_blocking(read, False)
    return pid, [read for read, _ in pipes]


def _become(command: list[str], directory: str, outputs: list[int]) -> None:
    for number in (*IGNORED, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for target, write in enumerate(outputs, start=1):
        os.dup2(write, target)
    os.chdir(directory)
    try:
        os.execvp(command[0], command)  # noqa: S606 - staff write the commands, and no shell reads them
    except OSError as error:
        raise OSError(error.errno, error.strerror, command[0]) from None


def descendants(*ancestors: int) -> set[int]:
    """The processes that descend from these now, zombies left out."""
    children = defaultdict(list)
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, ValueError):
                state, parent = read_stat(int(name))[:2]
                if state != "Z":
                    children[int(parent)].append(int(name))
    found: set[int] = set()
    waiting = list(ancestors)
    while waiting:
        new = [pid for pid in children[waiting.pop()] if pid not in found]
        found.update(new)
        waiting += new
    return found


def read_stat(pid: int) -> list[str]:
    """What the kernel says of a process: its state, parent, group, session…

    Raises:
        OSError: there is none.
    """
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def start_time(pid: int) -> str:
    """When it began, in the kernel's ticks; with this, a process id is unique until the machine restarts."""
    return read_stat(pid)[19]


def send(number: int, pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_tree(*ancestors: int) -> None:
    """Kill all that descends from these; a process that is stopped first cannot start another meanwhile."""
    frozen: set[int] = set()
    while new := descendants(*ancestors) - frozen:
        send(signal.SIGSTOP, new)
        frozen |= new
    send(signal.SIGKILL, frozen)


def ask_to_stop(group: int) -> None:
    """Send SIGTERM to all descendants of this process; where there is no ``/proc``, to the script's group."""
    if LINUX:
        asked = descendants(os.getpid())
        send(signal.SIGTERM, asked)
        send(signal.SIGCONT, asked)
    else:
        send(signal.SIGTERM, [-group])


def kill(group: int) -> None:
    """The same with SIGKILL."""
    if LINUX:
        kill_tree(os.getpid())
    else:
        send(signal.SIGKILL, [-group])


def end_children(group: int) -> None:
    """Kill them, and repeat it until there is none."""
    deadline = time.monotonic() + VANISHES
    while time.monotonic() < deadline:
        kill(group)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)
