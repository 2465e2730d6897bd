"""Answering SQL, as a role that may read the public views and nothing else: ``core.asking.Asking``.

Each question has a connection of its own, since a query may change its session; its transaction
only reads, and is rolled back. The role is looked at first: as one that may do more, nothing is
asked. Before: ``functions/submit/asking``. Next: ``questions``, ``saved``, ``reporter``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby

import psycopg
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from sentinels.core.asking import ASK_SECONDS, Answered, View, ViewColumn
from sentinels.core.errors import NotMigrated, NotSetUp
from sentinels.core.reporting import ReportRequest
from sentinels.db.engine import sql_text
from sentinels.db.query_errors import in_our_words
from sentinels.db.questions import Question, Reader
from sentinels.db.saved import filled, numbered

_SESSION = (
    f"-c statement_timeout={ASK_SECONDS}s -c lock_timeout=2s"
    " -c idle_in_transaction_session_timeout=15s -c default_transaction_read_only=on"
    " -c timezone=UTC -c jit=off -c search_path=public -c standard_conforming_strings=on"
)
_BOUNDS = {
    "connect_timeout": 5,
    "options": _SESSION,
    "application_name": "sentinels sql",
    "client_encoding": "utf8",
}
_SETTING = "SENTINELS_REPORT_DATABASE_URL"
_REMEDY = f"an administrator names a role of its own in {_SETTING}; see docs/sql.md"


class PostgresAsking:
    """Questions as the role that a URL names; an empty URL: there is none."""

    def __init__(self, url: str) -> None:
        """Nothing is connected before the first question."""
        self._url = url

    def ask(self, query: str) -> Answered:
        """See ``Asking.ask``."""
        with self._reading() as reader:
            return Question(reader, query).answer()

    def report(self, request: ReportRequest) -> Answered:
        """See ``Asking.report``."""
        query, values = numbered(request)
        with self._reading() as reader:
            try:
                return Question(reader, query, values).answer()
            except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
                raise NotMigrated(f"the database has not been migrated: {error}") from error

    def report_text(self, request: ReportRequest) -> str:
        """See ``Asking.report_text``."""
        return filled(request)

    def views(self) -> Sequence[View]:
        """See ``Asking.views``."""
        with self._reading() as reader:
            rows = reader.execute(sql_text("public_views").encode()).fetchall()
        return [
            View(str(name), str(about), [ViewColumn(*map(str, row[2:])) for row in columns])
            for (name, about), columns in groupby(rows, key=lambda row: row[:2])
        ]

    @contextmanager
    def _reading(self) -> Iterator[Reader]:
        """A transaction of the role's own that only reads, once the role was looked at."""
        try:
            with self._connect() as reader:
                reader.read_only = True
                try:
                    _check_role(reader)
                    yield reader
                finally:
                    with suppress(psycopg.Error):
                        reader.rollback()
        except psycopg.Error as error:
            raise in_our_words(error) from error

    def _connect(self) -> Reader:
        if not self._url:
            raise NotSetUp(
                f"nobody can ask SQL here: {_SETTING} is not set",
                remedy=_REMEDY,
            )
        try:
            url = make_url(self._url)
        except ArgumentError as error:
            raise NotSetUp(f"{_SETTING} cannot be understood", remedy=_REMEDY) from error
        _, words = url.get_dialect()().create_connect_args(url)
        return psycopg.connect(**{**words, **_BOUNDS}, prepare_threshold=None)


def _check_role(reader: Reader) -> None:
    role = reader.info.user
    look = sql_text("reporter_excess").replace(":role", "%(role)s").encode()
    excess = reader.execute(look, {"role": role}).fetchone()
    if excess is not None and excess[0] is not None:
        raise NotSetUp(
            f"SQL is not asked as {role}: {excess[0]}",
            remedy=_REMEDY,
        )
