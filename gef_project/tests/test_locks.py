"""``make lint`` names a lock file that does not fit its requirements, without the network."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

FILES = ["deploy/workspace.py", "benchmarks/requirements.txt", "benchmarks/requirements.lock"]
FILES += ["requirements.txt", "requirements.lock", "requirements-dev.txt", "requirements-dev.lock"]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(settings.BASE_DIR / name, tmp_path / name)
    return tmp_path


def append(file: Path, line: str) -> None:
    file.write_text(f"{file.read_text()}{line}\n")


def check_locks(clone: Path) -> list[str]:
    run = subprocess.run(
        [sys.executable, "deploy/workspace.py", "check-locks"], cwd=clone, capture_output=True, text=True
    )
    assert run.returncode == bool(run.stderr)
    return run.stderr.splitlines()


def test_the_locks_fit_their_requirements_whatever_the_comments_say(clone: Path) -> None:
    append(clone / "requirements.txt", "\n# Another reason.")
    assert check_locks(clone) == []


def test_a_new_requirement_outdates_its_lock_and_those_made_after_it(clone: Path) -> None:
    append(clone / "requirements-dev.txt", "tomlkit==0.1")
    assert check_locks(clone) == [
        "requirements-dev.lock does not fit requirements-dev.txt: run make lock.",
        "benchmarks/requirements.lock does not fit benchmarks/requirements.txt: run make lock.",
    ]


def test_a_lock_that_is_missing_is_named(clone: Path) -> None:
    (clone / "requirements.lock").unlink()
    assert check_locks(clone) == ["requirements.lock does not fit requirements.txt: run make lock."]
