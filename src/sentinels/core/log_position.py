"""Where a reader is in an attempt's output: one place that every source of it understands.

A cluster that keeps a file counts bytes. Elsewhere a line is known by when it was printed, in
nanoseconds; two hands write (standard output and error), so lines may lie a little out of order,
and the times of the last lines that were read go along: another source can tell what of it was
read. Comes in: lines as they are read, or a cursor. Goes out: a cursor, which is opaque to whoever
sends it back. Before: ``log_lines``. Next: ``log_reading``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from sentinels.core.errors import InvalidRequest

REMEMBERED = 16
"""Lines whose times go along; more than two hands at leisure write out of order."""
CLOSE, CLOSE_NS = 48, 25_000_000
"""As many go along of those that lie close behind one another: where thousands are printed a second
and the machine is busy, one hand may be this late. Their differences are short in a cursor.
"""
_NEVER = -1
_MOST = 2**63
"""Neither a file nor a time gets there."""


@dataclass(frozen=True, slots=True)
class Offset:
    """Before this byte of a file."""

    byte: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A line of which a reader has so many characters, and goes on there."""

    at_ns: int
    characters: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Among lines with times. As it is made by default: before the first one.

    Read are those up to ``read_to``, and those with the times ``read``, which are later, ascending,
    one for each line. ``last`` is the time of the one that was read last. ``begun`` comes next.
    """

    read_to: int = _NEVER
    read: tuple[int, ...] = ()
    last: int | None = None
    begun: Begun | None = None

    @property
    def is_start(self) -> bool:
        """Whether nothing was read and nothing is left out."""
        return self == Moment()

    @property
    def earliest(self) -> int:
        """Every line that is still to be read is later than this."""
        return self.read_to if self.begun is None else min(self.read_to, self.begun.at_ns - 1)

    def after(self, times: Iterable[int], begun: Begun | None = None) -> Moment:
        """The place behind further lines, given in the order in which they were read."""
        further = tuple(times)
        known = sorted(self.read + further)
        newest = known[-1] if known else 0
        close = sum(at > newest - CLOSE_NS for at in known[-CLOSE:])
        many = max(REMEMBERED, close)
        dropped, kept = known[:-many], known[-many:]
        read_to = max(self.read_to, dropped[-1]) if dropped else self.read_to
        last = further[-1] if further else self.last
        return Moment(read_to, tuple(at for at in kept if at > read_to), last, begun)


Position = Offset | Moment

START = Moment()


def since(at_ns: int) -> Moment:
    """Before the first line that was printed then or later."""
    return Moment(read_to=at_ns - 1)


def before(at_ns: int) -> Moment:
    """Before the line that was printed then."""
    return Moment(read_to=at_ns - 1, begun=Begun(at_ns, 0))


def byte_of(position: Position) -> int:
    """The byte, for who counts bytes. Raises ``InvalidRequest`` for a place among lines."""
    if isinstance(position, Offset):
        return position.byte
    if position.is_start:
        return 0
    raise _elsewhere()


def moment_of(position: Position) -> Moment:
    """The place among lines. Raises ``InvalidRequest`` for a place in a file."""
    if isinstance(position, Moment):
        return position
    if position.byte == 0:
        return START
    raise _elsewhere()


def _elsewhere() -> InvalidRequest:
    return InvalidRequest(
        "cursor: what it counts is not there any more", remedy="read the log from its beginning"
    )


def encode(position: Position) -> str:
    """The position as a cursor."""
    match position:
        case Offset(byte):
            content = b"b" + _number(byte)
        case Moment(read_to, read, last, begun):
            content = b"t" + _number(read_to + 1)
            content += _number(0 if last is None else last + 1)
            content += _number(0 if begun is None else begun.at_ns + 1)
            content += _number(0 if begun is None else begun.characters)
            content += b"".join(
                _number(at - before) for before, at in zip((read_to, *read), read, strict=False)
            )
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def decode(cursor: str) -> Position:
    """The position that a cursor stands for. Raises ``InvalidRequest`` where it is none of ours."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        content = base64.b64decode(padded, altchars=b"-_", validate=True)
        kind, numbers = content[:1], _numbers(content[1:])
        if kind == b"b":
            (byte,) = numbers
            return Offset(byte)
        if kind == b"t":
            return _moment(*numbers)
    except (ValueError, TypeError, binascii.Error):
        pass
    raise InvalidRequest(
        "cursor: this is none of ours", remedy="give the cursor of the piece before, as it is"
    )


def _moment(read_to: int, last: int, begun: int, characters: int, *distances: int) -> Moment:
    at, read = read_to - 1, []
    for distance in distances:
        at += distance
        read.append(at)
    if at >= _MOST:
        raise ValueError("too late")
    return Moment(
        read_to - 1,
        tuple(read),
        last - 1 if last else None,
        Begun(begun - 1, characters) if begun else None,
    )


def _number(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that another byte follows."""
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)


def _numbers(content: bytes) -> list[int]:
    """The numbers in these bytes. Raises ``ValueError`` for one that is cut off or too large."""
    found, value, shift = [], 0, 0
    for byte in content:
        value |= (byte & 0x7F) << shift
        shift += 7
        if value >= _MOST:
            raise ValueError("too large")
        if not byte & 0x80:
            found.append(value)
            value, shift = 0, 0
    if shift:
        raise ValueError("cut off")
    return found
