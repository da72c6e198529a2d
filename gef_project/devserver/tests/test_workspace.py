"""``make clean`` removes what the project makes, and nothing else: tried on a small clone."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

pytestmark = pytest.mark.apart

MARK = ".made-by-gef"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    clone = tmp_path / "clone"
    for folder in ("deploy", ".venv", "executions/__pycache__", "var/log"):
        (clone / folder).mkdir(parents=True)
    shutil.copy(settings.BASE_DIR / "deploy" / "workspace.py", clone / "deploy")
    for file in (".venv/made", "executions/models.py", f"var/{MARK}"):
        (clone / file).touch()
    return clone


def clean(clone: Path, var_dir: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "deploy/workspace.py", "clean"],
        cwd=clone,
        env={**os.environ, "VAR_DIR": var_dir},
        capture_output=True,
        text=True,
        check=False,
    )


def files(clone: Path) -> set[str]:
    return {str(path.relative_to(clone)) for path in clone.rglob("*") if path.is_file()}


def is_refused(clone: Path, reason: str, var_dir: str = "") -> bool:
    before = files(clone)
    done = clean(clone, var_dir)
    return (
        done.returncode == 1
        and reason in done.stderr
        and done.stderr.count("\n") == 1
        and files(clone) == before
    )


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Path, "subprocess.Popen[str]"]]:
    """A process of the project on data of its own, which has made them."""
    var_dir = tmp_path / "elsewhere"
    code = "import gef_project.settings; print(flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env={**os.environ, "VAR_DIR": str(var_dir), "SECRET_KEY": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        yield var_dir, process
        process.kill()


def test_what_the_project_made_is_removed(clone: Path) -> None:
    assert clean(clone).returncode == 0
    assert files(clone) == {"deploy/workspace.py", "executions/models.py"}
    assert not (clone / "var").exists()


def test_data_elsewhere_are_removed_by_their_mark(clone: Path, service: tuple[Path, object]) -> None:
    var_dir, _ = service
    assert {path.name for path in var_dir.iterdir()} == {MARK, "secret-key"}
    assert clean(clone, str(var_dir)).returncode == 0
    assert not var_dir.exists()
    assert (clone / "var").exists()


def test_what_somebody_else_put_among_the_data_stays(clone: Path) -> None:
    (clone / "var" / "thesis.txt").touch()
    done = clean(clone)
    assert done.returncode == 0
    assert "there is more in it" in done.stdout
    assert {path.name for path in (clone / "var").iterdir()} == {MARK, "thesis.txt"}


def test_a_directory_of_somebody_else_is_refused(clone: Path) -> None:
    assert is_refused(clone, "was not made by this project", var_dir=".")


def test_the_settings_do_not_mark_a_directory_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    environment = {**os.environ, "VAR_DIR": str(tmp_path)}
    code = [sys.executable, "-c", "import gef_project.settings"]
    subprocess.run(code, cwd=settings.BASE_DIR, env=environment, check=True)
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize("name", ["run.lock", "postgres.users", "valkey.users"])
def test_data_in_use_are_left_alone(clone: Path, name: str) -> None:
    with (clone / "var" / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert is_refused(clone, "is in use by make run or another process")


def test_a_venv_in_use_is_left_alone(clone: Path, service: tuple[Path, object]) -> None:
    """The service runs in the environment of these tests, which the clone has here as well."""
    (clone / ".venv" / "made").unlink()
    (clone / ".venv" / "made").symlink_to(Path(sys.prefix, "made"))
    assert is_refused(clone, ".venv is in use by a process of this project")
