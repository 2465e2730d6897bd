"""CPU, memory and time: what people write is understood exactly, the rest is refused in words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinels.core.quantity import (
    MAX_MEMORY_BYTES,
    about_memory,
    format_cpu,
    format_duration,
    format_memory,
    parse_cpu,
    parse_duration,
    parse_memory,
)

EXAMPLES = settings(max_examples=200, deadline=None)

CPU = {2: 2000, "2": 2000, 0.5: 500, "0.5": 500, "500m": 500, 0.1: 100, 2.3: 2300, " 4 ": 4000}
MEMORY = {
    "4Gi": 4 * 2**30,
    "512Mi": 512 * 2**20,
    "1.5G": 1_500_000_000,
    "1k": 1000,
    "64Ki": 65536,
    "1 Ti": 2**40,
    1048576: 2**20,
    "0.5Gi": 2**29,
}
DURATION = {
    "2h": 7200,
    "90m": 5400,
    "1h30m": 5400,
    "45s": 45,
    "1d2h3m4s": 93784,
    90: 90,
    "90": 90,
    120.0: 120,
}

NO_NUMBERS: list[object] = [
    *(
        "",
        "x",
        "two",
        "1e3",
        "1_000",
        "0x10",
        "٣",
        "1.2.3",
        "1,5",
        "2 cores",
        "nan",
        "inf",
        "\x1b[31m",
    ),
    *(True, None, [1], {}, float("nan"), float("inf"), 10**400, "9" * 5000),
]
NOT_POSITIVE: list[object] = [0, -1, "0", "-1", -0.5]


@pytest.mark.parametrize(("written", "millis"), CPU.items())
def test_cores_are_read_to_the_thousandth(written: object, millis: int) -> None:
    assert parse_cpu(written) == millis


@pytest.mark.parametrize(("written", "size"), MEMORY.items())
def test_memory_is_read_with_binary_and_decimal_units(written: object, size: int) -> None:
    assert parse_memory(written) == size


@pytest.mark.parametrize(("written", "seconds"), DURATION.items())
def test_durations_are_read_in_parts_or_as_seconds(written: object, seconds: int) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize("parse", [parse_cpu, parse_memory, parse_duration])
def test_what_is_no_quantity_is_refused_with_an_example(
    parse: Callable[[object], int], value: object
) -> None:
    with pytest.raises(ValueError, match="such as"):
        parse(value)


@pytest.mark.parametrize("value", NOT_POSITIVE)
@pytest.mark.parametrize("parse", [parse_cpu, parse_memory])
def test_nothing_and_less_is_refused_with_the_bound(
    parse: Callable[[object], int], value: object
) -> None:
    with pytest.raises(ValueError, match="must be more than 0"):
        parse(value)


@pytest.mark.parametrize("value", [0, -1, "0s", "0h0m", -60])
def test_a_duration_is_more_than_nothing(value: object) -> None:
    with pytest.raises(ValueError, match="must be more than 0 seconds"):
        parse_duration(value)


@pytest.mark.parametrize(
    "value", ["22:30", "1.5h", "30m1h", "1h 30m", "2H", 1.5, "1.5", "h", "-5m"]
)
def test_a_duration_has_whole_parts_in_order(value: object) -> None:
    with pytest.raises(ValueError, match="is no length of time"):
        parse_duration(value)


@pytest.mark.parametrize("value", ["4GB", "4gi", "4gb", "4Pi", "4 GiB"])
def test_an_unknown_unit_of_memory_is_refused_with_the_known_ones(value: str) -> None:
    with pytest.raises(ValueError, match="units: Ki, Mi, Gi, Ti"):
        parse_memory(value)


def test_large_amounts_lose_nothing() -> None:
    assert parse_memory("9007199254740993") == 2**53 + 1
    assert parse_cpu("0.0001") == 1


@EXAMPLES
@given(st.integers(1, 10_000_000))
def test_cores_come_back_as_they_went(millis: int) -> None:
    assert parse_cpu(format_cpu(millis)) == millis
    assert parse_cpu(float(format_cpu(millis))) == millis


@EXAMPLES
@given(st.integers(1, MAX_MEMORY_BYTES))
def test_bytes_come_back_as_they_went(size: int) -> None:
    assert parse_memory(format_memory(size)) == size


@EXAMPLES
@given(st.integers(1, 10 * 365 * 86400))
def test_seconds_come_back_as_they_went(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@EXAMPLES
@given(st.text() | st.floats() | st.integers())
def test_any_value_is_read_or_refused_in_words(value: object) -> None:
    for parse in (parse_cpu, parse_memory, parse_duration):
        assert _outcome(parse, value).startswith(("read", "is no ", "must be "))


def _outcome(parse: Callable[[object], int], value: object) -> str:
    try:
        return "read" if parse(value) > 0 else "nothing"
    except ValueError as error:
        return str(error)


def test_people_read_short_words() -> None:
    assert format_cpu(2000) == "2"
    assert format_cpu(1500) == "1.5"
    assert format_cpu(1) == "0.001"
    assert format_memory(4 * 2**30) == "4Gi"
    assert format_memory(1536 * 2**20) == "1536Mi"
    assert format_memory(0) == "0"
    assert about_memory(1536 * 2**20) == "1.5Gi"
    assert about_memory(2**30) == "1Gi"
    assert about_memory(999) == "999"
    assert format_duration(5400) == "1h30m"
    assert format_duration(0) == "0s"
