"""The shared data as a folder of this machine: ``core.ports.DataStore``.

Comes in: paths as a submission names them. Goes out: why each unusable one is. Before:
``core/submitting``.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path


class LocalDataStore:
    """A folder whose files and folders jobs may read; empty: there is no store."""

    def __init__(self, root: str) -> None:
        """``root`` is an absolute path."""
        self._root = Path(root).resolve() if root else None

    def missing(self, paths: Sequence[str]) -> Mapping[str, str]:
        """See ``DataStore.missing``."""
        found = {path: self._why_not(path) for path in paths}
        return {path: why for path, why in found.items() if why}

    def _why_not(self, path: str) -> str | None:
        if self._root is None:
            return "there is no data store (sentinels up --data FOLDER)"
        if path.startswith("/") or ".." in path.split("/") or "\0" in path:
            return "is not a path inside the data store"
        try:
            return _why_not_found(self._root, (self._root / path).resolve(strict=True))
        except FileNotFoundError:
            return "is not in the data store"
        except (OSError, RuntimeError) as error:
            return f"cannot be read: {error}"
        except ValueError:
            return "is not a path"


def _why_not_found(root: Path, real: Path) -> str | None:
    kind = real.stat().st_mode
    if not real.is_relative_to(root):
        return "is a link that leads out of the data store"
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        return "is neither a file nor a folder"
    return None
