"""Times of a log file's bytes, and how its lines are cut: alike for whoever asks, at any time."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from sentinels.clusters.local.log_times import LogClock, LogTimes
from sentinels.clusters.local.shipping import PART_BYTES, _parts

_T = 1_795_871_045_000_000_000
_PIECES = st.lists(st.tuples(st.integers(1, 10**6), st.integers(-(10**8), 10**9)), min_size=1)


def written(path: Path, pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Times of pieces of so many bytes, each so long after the one before; bytes and moments."""
    moments, byte, now = [], 0, _T
    clock = LogClock(path, lambda: now)
    for size, later in pieces:
        now += later
        clock.mark(byte)
        moments.append((byte, now))
        byte += size
    clock.close()
    return [*moments, (byte, now)]


@given(_PIECES)
def test_every_byte_has_a_time_and_later_ones_have_later_times(
    pieces: list[tuple[int, int]],
) -> None:
    """Also where a machine's clock is set back."""
    with TemporaryDirectory() as folder:
        moments = written(Path(folder, "times"), pieces)
        bytes_ = sorted({byte + more for byte, _ in moments for more in (0, 1)})
        with LogTimes(Path(folder, "times")) as times:
            found = [times.at(byte) for byte in bytes_]
            assert all(first < then for first, then in pairwise(found))
            for byte, at_ns in zip(bytes_, found, strict=True):
                assert times.byte_since(at_ns) == byte
                assert times.byte_since(at_ns + 1) <= byte + 1


@given(st.lists(st.tuples(st.integers(1, 10**4), st.integers(0, 10**9)), min_size=1))
def test_a_time_is_right_to_a_hundredth_of_a_second(pieces: list[tuple[int, int]]) -> None:
    with TemporaryDirectory() as folder:
        moments = written(Path(folder, "times"), pieces)[:-1]
        with LogTimes(Path(folder, "times")) as times:
            for byte, moment in moments:
                assert abs(times.at(byte) - moment) <= 2 * 10**7


def test_without_times_nobody_knows_and_all_is_since_ever() -> None:
    with LogTimes(Path("/nowhere/times")) as times:
        assert (times.at(7), times.byte_since(_T)) == (0, 0)


_LOG = st.lists(
    st.one_of(
        st.binary(max_size=40), st.integers(PART_BYTES - 3, 3 * PART_BYTES).map(lambda n: b"x" * n)
    ),
    max_size=5,
).map(b"\n".join)


@given(_LOG, st.integers(PART_BYTES + 1, 4 * PART_BYTES))
def test_a_line_is_cut_alike_however_much_of_the_log_is_there(log: bytes, step: int) -> None:
    at_once = list(_parts(log, over=True))
    assert b"".join(at_once) == log
    assert all(len(part) <= PART_BYTES + 1 for part in at_once)
    bit_by_bit, done, there = [], 0, 0
    while there < len(log):
        there = min(len(log), there + step)
        for part in _parts(log[done:there], over=there == len(log)):
            bit_by_bit.append(part)
            done += len(part)
    assert bit_by_bit == at_once


@given(st.text(alphabet="aä漢🙂", min_size=1, max_size=9), st.integers(0, 3))
def test_no_character_is_cut_in_two(some: str, before: int) -> None:
    text = "a" * before + some * (3 * PART_BYTES // len(some))
    assert "".join(part.decode() for part in _parts(text.encode(), over=True)) == text


def test_a_line_that_may_go_on_waits_until_it_ends_or_is_long() -> None:
    assert list(_parts(b"whole\nopen", over=False)) == [b"whole\n"]
    assert list(_parts(b"x" * (PART_BYTES + 1), over=False)) == [b"x" * PART_BYTES]
    assert list(_parts(b"x" * PART_BYTES + b"\n", over=False)) == [b"x" * PART_BYTES + b"\n"]
