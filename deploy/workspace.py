"""Makes and removes what ``make`` keeps beside the code: ``.venv``, ``var`` and the caches; makes the locks.

    python3 deploy/workspace.py install REQUIREMENTS
    python3 deploy/workspace.py lock [OPTION OF uv pip compile]...
    python3 deploy/workspace.py check-locks
    python3 deploy/workspace.py clean

It runs before there is a ``.venv``: the standard library has to do.
"""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# Written when the environment itself is complete, then one for each requirements file once it is installed.
# Whatever runs in the environment holds a shared lock on it: see gef_project/__init__.py.
MADE = VENV / "made"

# What the service makes in VAR_DIR, besides the mark by which settings.py says that the directory is its own.
MARK = ".made-by-gef"
DATA = [
    *("postgres", "postgres.new", "postgres.lock", "postgres.users"),
    *("valkey", "valkey.lock", "valkey.users"),
    *("executions", "log", "mail", "secret-key", "run.lock"),
    *("broker", "bench-web.log", "fsync.test"),
]
CACHES = [".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "**/__pycache__"]

PIP = [PYTHON, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
UV = VENV / "bin" / "uv"
# Each is locked to the versions that those before it are locked to: .venv may have all of them.
REQUIREMENTS = ["requirements.txt", "requirements-dev.txt", "benchmarks/requirements.txt"]
OLDEST_PYTHON = "3.11"


def install(requirements: str) -> None:
    """Have a ``.venv`` with what the file is locked to; nothing is done when that is so already."""
    if is_outdated(requirements):
        sys.exit(outdated_line(requirements))
    make_venv()
    lock = lock_of(requirements)
    stamp = VENV / f"{requirements.replace('/', '-')}.installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"Installing {lock.relative_to(ROOT)}.")
        from_lock = ["--require-hashes", "--no-deps", "--requirement", lock]
        # uv takes a seventh of pip's time, but knows neither pip's mirrors nor every kind of machine.
        if not (have_uv() and succeeds([UV, "pip", "install", "--python", PYTHON, *from_lock])):
            run(*PIP, *from_lock)
        stamp.write_text(wanted)


def lock(*options: str) -> None:
    """Write every lock: for each Python from the oldest on, for each platform, with hashes.

    Versions stay as they are in the present locks unless the requirements or the options say otherwise.
    """
    make_venv()
    if not have_uv():
        sys.exit("uv cannot be installed; see the line of requirements-dev.txt that names it.")
    compile_ = [UV, "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST_PYTHON]
    compile_ += ["--generate-hashes", "--no-header", "--no-emit-index-url", *options]
    earlier: list[str] = []
    for requirements in REQUIREMENTS:
        path = lock_of(requirements)
        name = str(path.relative_to(ROOT))
        constraints = [word for constraint in earlier for word in ("--constraints", constraint)]
        run(*compile_, requirements, *constraints, "--output-file", name)
        path.write_text(f"{header(requirements)}{path.read_text()}")
        earlier.append(name)
        say(f"{name} is up to date.")


def check_locks() -> None:
    if outdated := [
        outdated_line(requirements) for requirements in REQUIREMENTS if is_outdated(requirements)
    ]:
        sys.exit("\n".join(outdated))


def lock_of(requirements: str) -> Path:
    return (ROOT / requirements).with_suffix(".lock")


def header(requirements: str) -> str:
    """What a lock begins with: the digest of what its file, and those before it, require without comments."""
    names = REQUIREMENTS[: REQUIREMENTS.index(requirements) + 1]
    lines = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in names).splitlines()
    required = "\n".join(sorted(line.split("#")[0].strip() for line in lines)).strip()
    digest = hashlib.sha256(required.encode()).hexdigest()
    return f"# By make lock; not to be edited. Requirements: {digest}\n"


def is_outdated(requirements: str) -> bool:
    lock = lock_of(requirements)
    return not lock.exists() or not lock.read_text(encoding="utf-8").startswith(header(requirements))


def outdated_line(requirements: str) -> str:
    return f"{lock_of(requirements).relative_to(ROOT)} does not fit {requirements}: run make lock."


def make_venv() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - here it is not known yet
        version = ".".join(map(str, sys.version_info[:2]))
        sys.exit(f"Python 3.11 or newer is needed, not {version}; name one by PYTHON=...")
    if VENV.exists() and not works():
        say(".venv is incomplete or broken; making it anew.")
        shutil.rmtree(VENV)
    if not VENV.exists():
        say("Making .venv.")
        run(sys.executable, "-m", "venv", VENV)
        MADE.touch()


def have_uv() -> bool:
    """Install uv in the version of requirements-dev.txt, by the hashes of the lock if they are known."""
    requirements = ROOT / "requirements-dev.txt"
    [wanted] = re.findall(r"^uv==\S+", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    lock = lock_of(requirements.name)
    locked = re.search(
        rf"^{re.escape(wanted)} \\\n(?:    --hash=\S+(?: \\)?\n)+",
        lock.read_text(encoding="utf-8") if lock.exists() else "",
        re.MULTILINE,
    )
    return succeeds([*PIP, "--requirement", "/dev/stdin"], locked[0] if locked else wanted)


def works() -> bool:
    if not MADE.exists():
        return False
    try:
        done = subprocess.run([PYTHON, "-c", "import pip"], stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return False
    return done.returncode == 0


def run(*command: object) -> None:
    done = subprocess.run(list(map(str, command)), cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f"{Path(str(command[0])).name} has failed: see above.")


def succeeds(command: list[object], stdin: str = "") -> bool:
    """Whether it does; it prints nothing."""
    try:
        done = subprocess.run(list(map(str, command)), input=stdin.encode(), capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def clean() -> None:
    """Remove what has been made here, and nothing else; not while it is in use."""
    var = Path(os.environ.get("VAR_DIR") or ROOT / "var").resolve()
    # Of a directory of somebody else's, such as the clone, "executions" or "log" may be theirs.
    if var.exists() and var != ROOT / "var" and not (var / MARK).exists():
        sys.exit(f"{var} was not made by this project: it has no {MARK}. Nothing has been removed.")
    for lock in (var / "run.lock", var / "postgres.users", var / "valkey.users"):
        if is_held(lock):
            sys.exit(f"{var} is in use by make run or another process; stop it first.")
    if is_held(MADE):
        sys.exit(".venv is in use by a process of this project, maybe on another VAR_DIR; stop it first.")
    for path in [
        VENV,
        *(var / name for name in DATA),
        *(path for glob in CACHES for path in ROOT.glob(glob)),
    ]:
        remove(path)
    if var.exists() and {path.name for path in var.iterdir()} <= {MARK}:
        shutil.rmtree(var)
    elif var.exists():
        say(f"{var} is kept: there is more in it than this project makes.")


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def is_held(lock: Path) -> bool:
    if not lock.exists():
        return False
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def say(line: str) -> None:
    print(line, flush=True)


COMMANDS: dict[str, Callable[..., None]] = {
    "install": install,
    "lock": lock,
    "check-locks": check_locks,
    "clean": clean,
}

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # the former is ignored after & in a script
        signal.signal(number, signal.default_int_handler)
    try:
        COMMANDS[sys.argv[1]](*sys.argv[2:])
    except KeyboardInterrupt:
        sys.exit(130)
