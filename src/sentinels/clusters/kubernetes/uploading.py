"""All output files to the tracker, with patience, until a grace period is nearly over.

Standard library only. Comes in: a folder, an address, seconds. Goes out: the files, and a report of
at most 4,096 bytes: ``{"sent": 3, "complete": false, "trouble": "a.bin: Permission denied"}``.
Before: ``sidecar``. Next: ``clusters/outputs``; the report is read by ``evidence``.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from sentinels.clusters.outputs import Refused, TrackerInTrouble, file_names, put_file

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
_MARGIN_SECONDS = 2.0
_LONGEST_TROUBLE = 300  # each character takes up to twelve bytes of JSON


class _GraceIsOver(Exception):
    """Time is up: what has not arrived by now stays behind."""


@dataclass(slots=True)
class _Upload:
    """What has become of the files so far."""

    sent: int = 0
    lost: int = 0
    first_loss: str = ""
    delayed: dict[str, str] = field(default_factory=dict)
    underway: str = ""
    ended: bool = False

    def lose(self, why: str) -> None:
        """A file that will not arrive."""
        self.lost += 1
        self.first_loss = self.first_loss or why

    @property
    def complete(self) -> bool:
        """Whether every file has arrived."""
        return self.ended and not self.lost

    def trouble(self) -> str | None:
        """One sentence; None while there is nothing to tell."""
        if self.complete:
            return None
        late = f"{self.underway or 'the upload'}: cut off when the grace period was over"
        why = self.first_loss or next(iter(self.delayed.values()), late)
        more = f" (and {self.lost - 1} more)" if self.lost > 1 else ""
        return f"{why[:_LONGEST_TROUBLE]}{more}"


def upload(output: str, outputs_url: str, *, grace_seconds: float, report: str) -> bool:
    """Send everything within the grace period; whether all of it has arrived.

    A report that says less is there from the start, for whoever is killed has no time to write one.
    """
    state = _Upload()
    _write(report, state)
    with suppress(_GraceIsOver), _time_is_up_after(grace_seconds):
        _send_all(Path(output), outputs_url, state)
        state.ended = True
    _write(report, state)
    return state.complete


def _send_all(output: Path, outputs_url: str, state: _Upload) -> None:
    again: deque[str] = deque()
    pause = _FIRST_PAUSE_SECONDS
    for name in chain(file_names(output, state.lose), _drained(again)):
        state.underway = name
        try:
            put_file(output, name, outputs_url)
        except Refused as refused:
            state.delayed.pop(name, None)
            state.lose(str(refused))
        except TrackerInTrouble as trouble:
            state.delayed[name] = str(trouble)
            again.append(name)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        else:
            state.delayed.pop(name, None)
            state.sent += 1
            pause = _FIRST_PAUSE_SECONDS


def _drained(again: deque[str]) -> Iterator[str]:
    while again:
        yield again.popleft()


@contextmanager
def _time_is_up_after(grace_seconds: float) -> Iterator[None]:
    def over(_signal: int, _frame: object) -> None:
        raise _GraceIsOver

    signal.signal(signal.SIGALRM, over)
    margin = min(_MARGIN_SECONDS, grace_seconds / 4)
    signal.setitimer(signal.ITIMER_REAL, max(grace_seconds - margin, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _write(report: str, state: _Upload) -> None:
    said = {"sent": state.sent, "complete": state.complete, "trouble": state.trouble()}
    text = json.dumps(said)
    try:
        Path(report).write_text(text)
    except OSError as error:
        sys.stderr.write(f"sentinels sidecar: no report at {report}: {error.strerror}\n")
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
