"""A network segment of a test's own: a bridge that holds the host's address in it.

The bridge says whose it is: what a killed test runner left is found and removed by the next one.
Comes in: nothing. Goes out: addresses, a bridge. Before: ``conftest``. Next: ``machine``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.node.groups import remove_groups

_PREFIX = "sen-br"
_SECONDS = 20.0


@dataclass(frozen=True)
class Segment:
    """A bridge, the subnet on it, and the folder of what lives there."""

    number: int
    folder: Path

    @property
    def bridge(self) -> str:
        """The bridge's name; also that of the segment's cgroups."""
        return f"{_PREFIX}{self.number}"

    @property
    def address(self) -> str:
        """The host's address: what pods reach of this machine."""
        return self.at(1)

    def at(self, host: int) -> str:
        """An address in the segment."""
        return f"10.77.{self.number}.{host}"

    @property
    def subnet(self) -> str:
        """All its addresses."""
        return f"10.77.{self.number}.0/24"

    @classmethod
    def make(cls) -> Segment:
        """A bridge that nobody uses, in a folder of its own; first takes away those left behind."""
        sweep()
        folder = Path(tempfile.mkdtemp(prefix="sen-node-"))
        folder.chmod(0o755)
        for number in range(1, 250):
            segment = cls(number, folder)
            if _try("link", "add", segment.bridge, "type", "bridge"):
                ip("link", "set", segment.bridge, "alias", _owner(folder))
                ip("address", "add", f"{segment.address}/24", "dev", segment.bridge)
                ip("link", "set", segment.bridge, "up")
                return segment
        raise RuntimeError("no free bridge name: is this process allowed to make one?")

    def remove(self) -> None:
        """Nothing of the segment is left; its nodes are stopped before.

        What ended a moment ago may hold its groups, mounts and cables for a while yet.
        """
        end = time.monotonic() + _SECONDS
        while self._remove_now() and time.monotonic() < end:
            time.sleep(0.1)

    def _remove_now(self) -> bool:
        """Take away what nothing holds; answers whether something is left."""
        groups = remove_groups(self.bridge)
        shutil.rmtree(self.folder, ignore_errors=True)
        names = [link["ifname"] for link in json.loads(ip("-json", "link"))]
        links = [name for name in names if f"{name}-".startswith(f"{self.bridge}-")]
        for name in links:
            _try("link", "delete", name)
        return bool(groups or links or self.folder.exists())


def ip(*words: str) -> str:
    """What ip says; fails with what it says."""
    done = subprocess.run(
        ["ip", *words], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def answers(url: str) -> bool:
    """Whether a server answers there, and well."""
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:  # also a URLError
        return False


def segments() -> list[Segment]:
    """Those on this machine whose owner is gone."""
    found = []
    for link in json.loads(ip("-json", "link", "show", "type", "bridge")):
        name, alias = link["ifname"], link.get("ifalias", "")
        if name.startswith(_PREFIX) and alias and not _is_alive(json.loads(alias)):
            found.append(Segment(int(name.removeprefix(_PREFIX)), Path(json.loads(alias)["at"])))
    return found


def sweep() -> None:
    """Take away what killed test runners left; their processes died with them."""
    for left in segments():
        left.remove()


def _owner(folder: Path) -> str:
    started = psutil.Process().create_time()
    return json.dumps({"pid": os.getpid(), "started": started, "at": str(folder)})


def _is_alive(owner: dict[str, float]) -> bool:
    with suppress(psutil.NoSuchProcess):
        return abs(psutil.Process(int(owner["pid"])).create_time() - owner["started"]) < 1
    return False


def _try(*words: str) -> bool:
    with suppress(RuntimeError):
        ip(*words)
        return True
    return False
