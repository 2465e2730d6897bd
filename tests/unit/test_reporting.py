"""Times and prices as people give them; where a statement of SQL ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.errors import InvalidRequest
from sentinels.core.reporting import read_moment, read_prices
from sentinels.core.sql_text import statement_alone
from sentinels.settings import Settings

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
TOKYO = timezone(timedelta(hours=9))


def local(naive: datetime) -> datetime:
    return naive.replace(tzinfo=TOKYO)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30d", NOW - timedelta(days=30)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("999999d", NOW - timedelta(days=36500)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=TOKYO)),
        ("2026-11-01T08:30", datetime(2026, 11, 1, 8, 30, tzinfo=TOKYO)),
        ("2026-11-01T08:30+00:00", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01T08:30Z", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_so_long_ago_or_a_date(text: str, moment: datetime) -> None:
    assert read_moment(text, NOW, local=local) == moment


@pytest.mark.parametrize("text", ["", "soon", "30", "2026-13-01", "-3d", "30 d ago", "0d", "d"])
def test_what_is_no_moment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 30d or 12h, and no date, such as 2026-11-01"):
        read_moment(text, NOW, local=local)


def test_prices_are_by_name() -> None:
    assert read_prices("cpu=0.03, memory=0.004,gpu=1,NVIDIA-A100=2.5,") == {
        "cpu": 0.03,
        "memory": 0.004,
        "gpu": 1.0,
        "NVIDIA-A100": 2.5,
    }
    assert read_prices("") == {}


@pytest.mark.parametrize("text", ["cpu", "cpu=", "=1", "cpu=x", "cpu=-1", "cpu=nan", "a=1,a=2"])
def test_what_is_no_price_ends_the_start_with_one_sentence(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"SENTINELS_PRICES: .* price"):
        Settings.from_env({"SENTINELS_PRICES": text})


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT 1;", "SELECT 1"),
        ("SELECT 1 ; -- done;", "SELECT 1 "),
        ("SELECT ';' || \";\" ; x", "SELECT ';' || \";\" "),
        ("SELECT 'it''s;' ;", "SELECT 'it''s;' "),
        (r"SELECT e'\';' ;", r"SELECT e'\';' "),
        (r"SELECT '\' ; '", r"SELECT '\' "),
        ("SELECT $$;$$, $a$;$$;$a$ ;", "SELECT $$;$$, $a$;$$;$a$ "),
        ("SELECT a$b$ FROM x; $b$", "SELECT a$b$ FROM x"),
        ("-- ; \nSELECT 1;", "-- ; \nSELECT 1"),
        ("SELECT /* ; /* ; */ ; */ 1;", "SELECT /* ; /* ; */ ; */ 1"),
        ("SELECT ';", "SELECT ';"),
        ("SELECT /* ;", "SELECT /* ;"),
        ("SELECT $a$ ;", "SELECT $a$ ;"),
        ("SELECT $1;", "SELECT $1"),
        ("", ""),
    ],
)
def test_a_statement_ends_at_a_semicolon_that_is_in_nothing(text: str, alone: str) -> None:
    assert statement_alone(text) == alone


@given(st.text(alphabet="ab;'\"$-/* \n\\eE1", max_size=40))
def test_a_statement_is_a_beginning_of_what_was_written(text: str) -> None:
    alone = statement_alone(text)
    assert text.startswith(alone)
    assert alone == text or text[len(alone)] == ";"
    assert statement_alone(alone) == alone
