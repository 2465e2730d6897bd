"""What reports there are, over which time, by whom, at which prices.

Each is a saved query of ``db/reports`` under the same name. Comes in: names and words as people
give them. Goes out: a ``ReportRequest``, or a ``ValueError`` whose text can be shown as it is.
Next: ``asking``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sentinels.core.quantity import parse_duration

DEFAULT_SINCE = "30d"
_UNITS = ("d", "h", "m", "s")
_FARTHEST_SECONDS = 100 * 365 * 86400
_NO_MOMENT = "is no length of time, such as 30d or 12h, and no date, such as 2026-11-01"


class Grouping(StrEnum):
    """What the rows of a report are about."""

    TEAM = "team"
    USER = "user"
    EXPERIMENT = "experiment"


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """One report. ``since`` counts, ``until`` does not. ``team`` None: of every team.

    ``prices`` are for an hour of a CPU (``cpu``), a GiB of memory (``memory``), a GPU of a type or
    of one that has no price of its own (``gpu``); None: nothing costs anything.
    """

    name: str
    by: Grouping
    since: datetime
    until: datetime
    team: str | None = None
    prices: Mapping[str, float] | None = None


REPORTS: Mapping[str, str] = {
    "usage": "What was held: jobs, CPU-hours, GiB-hours, GPU-hours, cost.",
    "waits": "How long jobs waited for their first start: half of them, 95 of 100, the longest.",
    "eta": "How often jobs started within the range that was foretold first.",
    "failures": "What ended badly: how often, why, and the hours it held for nothing.",
    "waste": "What was asked for and not used, the largest first, and what would have sufficed.",
}
"""Each report and what it tells."""


def read_moment(text: str, now: datetime, *, local: Callable[[datetime], datetime]) -> datetime:
    """The moment so long before ``now`` (``30d``), or a date or time.

    ``local`` gives one that names no time zone its own.
    """
    if text[-1:] in _UNITS:
        return now - timedelta(seconds=min(_seconds(text), _FARTHEST_SECONDS))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(_NO_MOMENT) from None
    return found if found.tzinfo else local(found)


def read_prices(text: str) -> dict[str, float]:
    """Prices an hour from ``cpu=0.03,memory=0.004,gpu=1.2,a100=2.5``."""
    found: dict[str, float] = {}
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, equals, price = (part.strip() for part in item.partition("="))
        if not equals or not name:
            raise ValueError(f"{item!r} is no price, such as cpu=0.03")
        if name in found:
            raise ValueError(f"{name!r} has two prices")
        found[name] = _price(name, price)
    return found


def _seconds(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError:
        raise ValueError(_NO_MOMENT) from None


def _price(name: str, text: str) -> float:
    try:
        price = float(text)
    except ValueError:
        price = math.nan
    if not 0 <= price < math.inf:
        raise ValueError(f"{name}={text!r} is no price: a number that is not negative")
    return price
