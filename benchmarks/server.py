"""A durable PostgreSQL of the benchmarks' own, in a folder that goes away with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sentinels.db import migrate
from sentinels.local.postgres import EmbeddedPostgres


@contextmanager
def migrated_server() -> Iterator[str]:
    """The URL of a migrated, empty database with fsync on."""
    folder = Path(tempfile.mkdtemp(prefix="sen-bench-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder)
    try:
        server.start()
        server.ensure_database("bench")
        migrate.upgrade(server.url("bench"))
        yield server.url("bench")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
