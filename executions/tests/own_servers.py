"""PostgreSQL, its data and a broker in a directory of their own, for tests that are also run by hand."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import django


@contextmanager
def own_servers(prefix: str, **environment: str) -> Iterator[Path]:
    """Set Django up on servers in a new directory, which is yielded; afterwards they are gone."""
    with TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as var_dir:
        os.environ |= {"VAR_DIR": var_dir, "DATABASE_URL": "", "CELERY_BROKER_URL": ""} | environment
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gef_project.settings")
        django.setup()
        # They need the settings, which have read the environment by now.
        from gef_project.devserver import valkey
        from gef_project.devserver.postgresql.server import server

        try:
            yield Path(var_dir)
        finally:
            server.leave()
            valkey.Server.for_this_process(Path(var_dir)).leave()
