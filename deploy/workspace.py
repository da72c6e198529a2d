"""Makes and removes what ``make`` keeps beside the code: ``.venv``, ``var`` and the caches.

    python3 deploy/workspace.py install REQUIREMENTS
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


def install(requirements: str) -> None:
    """Have a ``.venv`` with what the file names; nothing is done when that is so already."""
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
    stamp = VENV / f"{requirements.replace('/', '-')}.installed"
    wanted = digest(ROOT / requirements)
    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"Installing {requirements}.")
        pip = [PYTHON, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        run(*pip, "--requirement", ROOT / requirements)
        stamp.write_text(wanted)


def works() -> bool:
    if not MADE.exists():
        return False
    try:
        done = subprocess.run([PYTHON, "-c", "import pip"], stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return False
    return done.returncode == 0


def run(*command: object) -> None:
    if subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, check=False).returncode:
        sys.exit(".venv cannot be completed: see above.")


def digest(requirements: Path) -> str:
    """Of the file and of those that it includes."""
    text = requirements.read_text(encoding="utf-8")
    included = re.findall(r"^-r (\S+)", text, re.MULTILINE)
    return hashlib.sha256(text.encode()).hexdigest() + "".join(digest(ROOT / name) for name in included)


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


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # the former is ignored after & in a script
        signal.signal(number, signal.default_int_handler)
    try:
        install(sys.argv[2]) if sys.argv[1] == "install" else clean()
    except KeyboardInterrupt:
        sys.exit(130)
