import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def var_dir() -> Iterator[Path]:
    """A directory for data; not in pytest's own, which the embedded server's user may not enter."""
    path = Path(tempfile.mkdtemp(prefix="gef-test-"))
    yield path
    shutil.rmtree(path)
