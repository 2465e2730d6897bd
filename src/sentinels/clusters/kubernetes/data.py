"""The shared data of a cluster where it is not mounted here: ``core.ports.DataStore``.

Comes in: paths as a submission names them. Goes out: why each unusable one is; where a claim is
configured, whether a path exists is seen only by the pod. Before: ``core/submitting``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class ClaimedDataStore:
    """The store behind a PersistentVolumeClaim; empty: there is none."""

    def __init__(self, claim: str) -> None:
        """``claim`` is its name in each team's namespace."""
        self._claim = claim

    def missing(self, paths: Sequence[str]) -> Mapping[str, str]:
        """See ``DataStore.missing``."""
        found = {path: self._why_not(path) for path in paths}
        return {path: why for path, why in found.items() if why}

    def _why_not(self, path: str) -> str:
        if not self._claim:
            return "there is no data store (SENTINELS_DATA_CLAIM)"
        inside = not path.startswith("/") and ".." not in path.split("/") and "\0" not in path
        return "" if inside else "is not a path inside the data store"
