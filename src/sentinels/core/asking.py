"""Questions in SQL: what comes back, and the Protocol over whoever answers them.

A question is one query over the public views. It is answered through a role that may read those and
nothing else, within bounds of time, rows and bytes. Adapter: ``db/asking``. Before: ``reporting``.
Next: ``functions/submit/asking``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sentinels.core.ports import Json
from sentinels.core.reporting import ReportRequest

ROW_LIMIT = 10_000
"""Rows of an answer; what follows is cut off, and the answer says so."""
BYTE_LIMIT = 8 * 2**20
"""Bytes of an answer, as JSON text; likewise."""
ROW_BYTE_LIMIT = 2**20
"""Bytes of one row; a query with a larger one is refused."""
ASK_SECONDS = 10
"""How long a query may take."""


@dataclass(frozen=True, slots=True)
class AnswerColumn:
    """A column of an answer, with PostgreSQL's word for its type. Names are unique."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer. ``cut`` says why rows are missing at its end; None: none are.

    Values are as PostgreSQL writes them in JSON: moments in ISO 8601. ``notes`` are what the asker
    may have meant otherwise.
    """

    columns: Sequence[AnswerColumn]
    rows: Sequence[Sequence[Json]]
    cut: str | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """A column of a public view, and what it means."""

    name: str
    type: str
    about: str


@dataclass(frozen=True, slots=True)
class View:
    """A public view."""

    name: str
    about: str
    columns: Sequence[ViewColumn]


class Asking(Protocol):
    """Who answers in SQL. All raise ``QueueUnavailable``, and ``NotSetUp`` without a role for it.
    Nothing is ever changed; everything may be repeated.
    """

    def ask(self, query: str) -> Answered:
        """Answer one query. Raises ``InvalidQuery`` for one that is wrong or takes too long."""
        ...

    def report(self, request: ReportRequest) -> Answered:
        """Answer a saved query."""
        ...

    def report_text(self, request: ReportRequest) -> str:
        """The saved query with its values filled in, as ``ask`` takes it."""
        ...

    def views(self) -> Sequence[View]:
        """What may be asked, by name."""
        ...
