"""Which ports the parts listen on: the ones they had, the usual ones, or any that is free.

Comes in: the data folder and the port asked for. Goes out: a port for each part, held against other
``up``s of this machine for as long as the ``Ports`` live. Next: ``parts``.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from sentinels.core.errors import InvalidRequest
from sentinels.local.home import write_private

USUAL_PORTS: Mapping[str, int] = {"submit": 8420, "mlflow": 8421, "dispatch": 8422, "notify": 8423}
"""What a first ``up`` on a machine takes."""

_OTHER_PORTS = range(8430, 9430)
"""Below those that the kernel lends to clients: such a one may be gone when a part starts again."""


class Ports:
    """The parts' ports. ``moved`` are those that could not be had again: part, old and new port."""

    def __init__(self, folder: Path, *, wanted: int | None) -> None:
        """Choose and keep them; raise ``InvalidRequest`` where ``wanted`` is taken."""
        self._file = folder / "ports.json"
        self._held: list[socket.socket] = []
        self.of: dict[str, int] = {}
        self.moved: list[tuple[str, int, int]] = []
        kept = self._read()
        if wanted is not None:
            self._take_wanted(wanted)
        for part, usual in USUAL_PORTS.items():
            if part not in self.of:
                self.of[part] = self._choose(kept.get(part, usual), usual)
            if part in kept and self.of[part] != kept[part]:
                self.moved.append((part, kept[part], self.of[part]))
        write_private(self._file, json.dumps(self.of))

    def close(self) -> None:
        """Give the ports back to other ``up``s."""
        for holder in self._held:
            holder.close()

    def _read(self) -> dict[str, int]:
        try:
            kept = json.loads(self._file.read_text())
            return {part: int(kept[part]) for part in USUAL_PORTS if part in kept}
        except (OSError, ValueError, TypeError):
            return {}

    def _take_wanted(self, wanted: int) -> None:
        if not self._hold(wanted):
            self.close()
            raise InvalidRequest(
                f"port {wanted} is taken by another program",
                remedy="choose another with --port, or leave --port out",
            )
        self.of["submit"] = wanted

    def _choose(self, kept: int, usual: int) -> int:
        for port in chain((kept, usual), _OTHER_PORTS):
            if self._hold(port):
                return port
        self.close()
        raise InvalidRequest("no port is free on this machine", remedy="end some programs")

    def _hold(self, port: int) -> bool:
        """Reserve the port by a name that the kernel frees with this process, however it ends."""
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            holder.bind(f"\0sentinels-port-{port}")
        except OSError:
            holder.close()
            return False
        if not _is_free(port):
            holder.close()
            return False
        self._held.append(holder)
        return True


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
