"""One query, parsed, bounded and answered.

It is parsed as it is, so that PostgreSQL's words about it and their place are about what was
written, and so that it is one statement, with every quote and parenthesis closed. Then it is asked
from within another one, which takes only a query, bounds its rows and their sizes, and brings each
as JSON; all of it is one execution under one time limit, whatever the query sets meanwhile. Comes
in: a query, a connection that only reads. Goes out: an answer. Before: ``asking``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import psycopg
from psycopg import pq
from psycopg.types.numeric import Oid

from sentinels.core.asking import BYTE_LIMIT, ROW_BYTE_LIMIT, ROW_LIMIT, AnswerColumn, Answered
from sentinels.core.errors import InvalidQuery
from sentinels.core.ports import Json
from sentinels.core.sql_text import statement_alone
from sentinels.db.query_errors import in_our_words

Reader = psycopg.Connection[tuple[object, ...]]

_HEAD = (
    f"SELECT CASE WHEN octet_length(t) <= {ROW_BYTE_LIMIT} THEN t END"  # noqa: S608  # a number
    " FROM (SELECT CAST(row_to_json(r) AS text) AS t FROM (\n"
)
_TYPES = "SELECT format_type(o, NULL) FROM unnest(%s) WITH ORDINALITY AS u(o, n) ORDER BY n"
_DIGITS = 40
_EXACT = 10.0**15
"""What has more digits, or is larger and no whole number, is told as text: few programs would read
it as the number that it is.
"""
_USER_NOTE = 'user without quotes is PostgreSQL\'s word for a role; the column is "user", in quotes'
_CUT = (
    f"cut off after {{count}} rows: an answer has at most {ROW_LIMIT} rows"
    f" and {BYTE_LIMIT // 2**20} MiB"
)
_ASK = "ask with SELECT, as in: SELECT job, state FROM v_jobs"


class Question:
    """One query on its way to an answer. Raises ``InvalidQuery`` and ``psycopg.Error``."""

    def __init__(self, reader: Reader, query: str, values: Sequence[str | None] = ()) -> None:
        """``values`` are those of ``$1``, ``$2`` …"""
        self._reader = reader
        self._query = query
        self._values = list(values)

    def answer(self) -> Answered:
        """The answer, as far as it is within the bounds."""
        if "\0" in self._query:
            raise InvalidQuery("a query has no NUL characters", position=self._query.find("\0") + 1)
        columns = self._columns(self._query)
        alone = statement_alone(self._query)
        if alone != self._query:
            columns = self._columns(alone)
        rows, cut = self._rows(alone, len(columns))
        return Answered(_unique(columns), rows, cut, _notes(columns))

    def _columns(self, query: str) -> list[AnswerColumn]:
        """The columns of what is one sound statement; nothing is run."""
        plain = self._reader.pgconn
        _checked(plain.prepare(b"", query.encode()))
        told = _checked(plain.describe_prepared(b""))
        if told.nparams > len(self._values):
            raise InvalidQuery("the query has a parameter, such as $1", remedy="write its value")
        if told.nfields == 0:
            raise InvalidQuery("this is no query", remedy=_ASK)
        types = self._type_names([told.ftype(at) for at in range(told.nfields)])
        names = ((told.fname(at) or b"").decode("utf-8", "replace") for at in range(told.nfields))
        return [AnswerColumn(name, type_) for name, type_ in zip(names, types, strict=True)]

    def _type_names(self, types: Sequence[int]) -> list[str]:
        asked = (
            "SELECT format_type(o, NULL) FROM unnest(%s::oid[]) WITH ORDINALITY u(o, n) ORDER BY n"
        )
        found = self._reader.execute(asked.encode(), [[Oid(each) for each in types]])
        return [str(row[0]) for row in found.fetchall()]

    def _rows(self, query: str, width: int) -> tuple[list[Sequence[Json]], str | None]:
        found: list[Sequence[Json]] = []
        size = 0
        for (text,) in self._stream(query, width):
            if text is None:
                raise InvalidQuery(
                    f"row {len(found) + 1} is larger than {ROW_BYTE_LIMIT // 2**20} MiB",
                    remedy="ask for fewer columns, or for the beginning of a text: left(…, 100)",
                )
            size += len(str(text))
            if len(found) == ROW_LIMIT or size > BYTE_LIMIT:
                return found, _CUT.format(count=len(found))
            found.append(_row(str(text)))
        return found, None

    def _stream(self, query: str, width: int) -> Iterator[tuple[object, ...]]:
        names = ", ".join(f"c{at}" for at in range(width))
        whole = f"{_HEAD}{query}\n) AS r({names}) LIMIT {ROW_LIMIT + 1}) AS x"
        try:
            yield from psycopg.RawCursor(self._reader).stream(whole.encode(), self._values)
        except psycopg.errors.SyntaxError as error:
            raise InvalidQuery("this is no query but another statement", remedy=_ASK) from error
        except psycopg.Error as error:
            raise in_our_words(error, before=len(_HEAD)) from error


def _checked(result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status != pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(result)
    return result


def _unique(columns: Sequence[AnswerColumn]) -> list[AnswerColumn]:
    """Names that are there twice are told apart by a number."""
    seen: dict[str, int] = {}
    found = []
    for column in columns:
        number = seen[column.name] = seen.get(column.name, 0) + 1
        name = column.name if number == 1 else f"{column.name}_{number}"
        found.append(AnswerColumn(name, column.type))
    return found


def _notes(columns: Sequence[AnswerColumn]) -> list[str]:
    return [_USER_NOTE] if AnswerColumn("user", "name") in columns else []


def _row(text: str) -> list[Json]:
    found = json.loads(text, parse_int=_whole, parse_float=_decimal)
    return list(found.values())


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= _DIGITS else text


def _decimal(text: str) -> float | str:
    value = float(text)
    return value if abs(value) < _EXACT else text
