"""Wait until everything of a release is ready, and name what is not.

Comes in: the release's labels, a deadline. Goes out: lines of the checklist. Before: ``bootstrap``.
Next: ``clusters/kubernetes/release``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sentinels.clusters.kubernetes.api import Api
from sentinels.clusters.kubernetes.places import Places
from sentinels.clusters.kubernetes.release import troubles_of
from sentinels.core.errors import ClusterUnavailable
from sentinels.install.checklist import Checklist

_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Site:
    """The cluster, and until when (``time.monotonic``) things may take."""

    api: Api
    deadline: float
    checklist: Checklist
    places: Places = field(init=False)

    def __post_init__(self) -> None:
        """Kinds are looked up once."""
        object.__setattr__(self, "places", Places(self.api))

    def until(
        self, look: Callable[[], Mapping[str, str | None]], remedy: str, *, then: str = "ready"
    ) -> bool:
        """Wait until nothing troubles any part, which is ``then`` told to be so; False where
        something does at the end, which is told. ``look`` says of each part what keeps it.
        """
        while True:
            troubles = look()
            for part, why in troubles.items():
                if why is None:
                    self.checklist.done(part, then)
                else:
                    self.checklist.waiting(part, why)
            if not any(troubles.values()):
                return True
            if time.monotonic() > self.deadline:
                break
            time.sleep(_PAUSE_SECONDS)
        for part, why in troubles.items():
            if why is not None:
                self.checklist.failed(part, why, remedy)
        return False


def troubles_of_release(site: Site, namespace: str, selector: str) -> dict[str, str | None]:
    """Each part of a release in its namespace, with what keeps it. A silent API is a trouble."""
    try:
        found = troubles_of(site.api, namespace, selector)
    except ClusterUnavailable as trouble:
        return {"cluster": str(trouble)}
    return found or {"release": "nothing of it is there"}
