"""Lines with their times: as text, and taken from a source up to a bound, from a position on.

The text is the one that the kubelet gives when it is asked for timestamps: each line begins with
its time, in UTC with nanoseconds, and a space. Comes in: lines in the order of their source, a
position. Goes out: what follows the position, and the position behind that. Before: ``log_store``.
Next: ``log_reading``, ``clusters/kubernetes/logs``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sentinels.core.log_position import Begun, Moment, before
from sentinels.core.log_store import LogLine

SECOND_NS = 10**9
SLACK_NS = 2 * SECOND_NS
"""Far more than two lines of a file are ever out of order."""
Marks = tuple[tuple[int, int], ...]
"""Where in a text lines begin, and when each was printed."""

_STAMP = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken: its text, where in it lines begin, and the position behind it.

    ``joined``: nothing lies between the position that it was taken from and its first line, which
    was printed at ``first_ns``. ``whole``: there were no further lines.
    """

    text: str
    marks: Marks
    position: Moment
    joined: bool
    first_ns: int | None
    whole: bool


def format_time(at_ns: int) -> str:
    """A time in UTC, with nanoseconds."""
    seconds, rest = divmod(at_ns, SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def with_times(text: str, marks: Marks) -> str:
    """The text with the time of each line that begins in it."""
    parts, done = [], 0
    for place, at_ns in marks:
        parts += [text[done:place], format_time(at_ns), " "]
        done = place
    return "".join((*parts, text[done:]))


def timed_lines(pieces: Iterable[bytes]) -> Iterator[LogLine]:
    """The lines of a text with times that comes in pieces.

    What has no time is the rest of a line whose beginning was not asked for: it is left out.
    """
    read, rest = _Stamps(), list[bytes]()
    for piece in pieces:
        *whole, last = piece.split(b"\n")
        for part in whole:
            rest.append(part)
            yield from read.line(b"".join(rest), ends=True)
            rest = []
        rest.append(last)
    if unfinished := b"".join(rest):
        yield from read.line(unfinished, ends=False)


def take(lines: Iterable[LogLine], after: Moment, *, limit: int, grows: bool = False) -> Taken:
    """Up to ``limit`` bytes of the lines that follow a position; of the first one at least a part.

    ``grows``: the lines are a file's, in its order, and the last of them may go on. There, the line
    that was read last is looked for, and where it is found, all that follows it is taken; elsewhere
    what was read is told by its time alone.
    """
    taker = _Taker(after, limit, grows=grows)
    anchor = _Anchor(after) if grows else None
    for line in lines:
        if anchor is not None and not anchor.found and anchor.is_at(line):
            taker = _Taker(after, limit, grows=True)
            if after.begun is not None:
                taker.offer(line)
        elif (anchor is not None and anchor.found) or not taker.was_read(line):
            taker.offer(line)
        if taker.is_full and (anchor is None or anchor.is_settled(line)):
            break
    return taker.taken(joined=anchor is not None and anchor.found)


class TimedText:
    """A text with times that nothing is added to, of which any part can be read at once."""

    def __init__(self, data: bytes) -> None:
        """``data`` is the whole of it."""
        self.data = data

    def take(self, after: Moment, *, limit: int) -> Taken:
        """See the function ``take``."""
        return take(self._lines(after.earliest - SLACK_NS), after, limit=limit, grows=True)

    def before_last(self, count: int) -> Moment:
        """The position before the last so many lines."""
        first = next(self._lines_at(self._tail(max(1, count))), None)
        if first is None:
            return Moment()
        return before(first.at_ns) if count else Moment(read_to=first.at_ns)

    def _tail(self, count: int) -> int:
        place = len(self.data)
        for _ in range(count):
            newline = self.data.rfind(b"\n", 0, max(0, place - 1))
            if newline < 0:
                return 0
            place = newline + 1
        return place

    def _lines(self, later_than: int) -> Iterator[LogLine]:
        """The lines from a time on. They ascend, but for what is far less than the slack."""
        low, high = 0, len(self.data)
        while low < high:
            middle = (low + high) // 2
            begin = self.data.rfind(b"\n", 0, middle) + 1
            line = next(self._lines_at(begin), None)
            if line is not None and line.at_ns <= later_than:
                low = self._end(middle)
            else:
                high = begin
        return self._lines_at(low)

    def _lines_at(self, begin: int) -> Iterator[LogLine]:
        read = _Stamps()
        while begin < len(self.data):
            end = self._end(begin)
            line = self.data[begin:end]
            yield from read.line(line.removesuffix(b"\n"), ends=line.endswith(b"\n"))
            begin = end

    def _end(self, place: int) -> int:
        newline = self.data.find(b"\n", place)
        return len(self.data) if newline < 0 else newline + 1


class _Stamps:
    """Reads times; lines that follow one another share the second, which is worked out once."""

    def __init__(self) -> None:
        self._second = b""
        self._ns = 0

    def line(self, content: bytes, *, ends: bool) -> Iterator[LogLine]:
        """The line, if it has a time."""
        found = _STAMP.match(content)
        if found is None:
            return
        second = found[1] + found[3].replace(b"Z", b"+00:00")
        if second != self._second:
            try:
                moment = datetime.fromisoformat(second.decode())
            except ValueError:
                return
            self._second, self._ns = second, int(moment.timestamp()) * SECOND_NS
        at_ns = self._ns + int((found[2] or b"").ljust(9, b"0"))
        yield LogLine(at_ns, content[found.end() :].decode("utf-8", "replace"), ends)


class _Anchor:
    """The line in a file that was read last, or of which a part was."""

    def __init__(self, after: Moment) -> None:
        self.found = False
        self._at = after.begun.at_ns if after.begun else after.last
        self._left = 1 if after.begun or self._at is None else max(1, after.read.count(self._at))

    def is_at(self, line: LogLine) -> bool:
        """Whether this is the line; of several of the same time, the last one that was read."""
        if line.at_ns == self._at:
            self._left -= 1
            self.found = self._left == 0
        return self.found

    def is_settled(self, line: LogLine) -> bool:
        """Whether it is known if there is such a line, now that one as late as this came."""
        return self.found or self._at is None or line.at_ns > self._at + SLACK_NS


class _Taker:
    """Collects what was not read yet, until there is no room for a line more."""

    def __init__(self, after: Moment, limit: int, *, grows: bool) -> None:
        self.is_full = False
        self._after, self._room, self._grows = after, limit, grows
        self._read = Counter(after.read)
        self._parts: list[str] = []
        self._marks: list[tuple[int, int]] = []
        self._times: list[int] = []
        self._first_ns: int | None = None
        self._begun: Begun | None = None
        self._length = 0

    def was_read(self, line: LogLine) -> bool:
        """Whether the line was read, by its time. It is to be asked of each line once."""
        if self._goes_on(line) is not None:
            return False
        if self._read[line.at_ns] > 0:
            self._read[line.at_ns] -= 1
            return True
        return line.at_ns <= self._after.read_to

    def offer(self, line: LogLine) -> None:
        """Take the line, if there is room; of the first one what there is room for."""
        if self.is_full:
            return
        skipped = begun.characters if (begun := self._goes_on(line)) else 0
        text = line.text[skipped:] + ("\n" if line.ends else "")
        size = len(text.encode())
        if size > self._room:
            self.is_full = True
            if self._first_ns is not None:
                return
            text = _cut(text, self._room)
        self._add(line, text, skipped)
        if self.is_full or (self._grows and not line.ends):
            self._begun = Begun(line.at_ns, skipped + len(text))
        else:
            self._times.append(line.at_ns)
        self._room -= size

    def taken(self, *, joined: bool) -> Taken:
        """All of it."""
        after = self._after
        if self._first_ns is not None:
            after = after.after(self._times, self._begun)
        return Taken(
            "".join(self._parts),
            tuple(self._marks),
            after,
            joined,
            self._first_ns,
            whole=not self.is_full,
        )

    def _goes_on(self, line: LogLine) -> Begun | None:
        """What was read of the line before, if it is the one that comes next."""
        begun = self._after.begun
        is_next = begun is not None and self._first_ns is None and begun.at_ns == line.at_ns
        return begun if is_next else None

    def _add(self, line: LogLine, text: str, skipped: int) -> None:
        if self._first_ns is None:
            self._first_ns = line.at_ns
        if not skipped:
            self._marks.append((self._length, line.at_ns))
        self._parts.append(text)
        self._length += len(text)


def _cut(text: str, size: int) -> str:
    """The beginning of the text: whole characters of at most so many bytes, but one of them."""
    return text.encode()[:size].decode("utf-8", "ignore") or text[:1]
