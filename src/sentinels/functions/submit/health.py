"""Whether the whole works, check by check, each with what to do if not.

Comes in: the pulse that PostgreSQL keeps, the other parts' word. Goes out: the checks that
``sentinels doctor`` prints. Before: ``routes``. Next: ``health_pulse``, ``health_probes``.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from flask import Response

from sentinels.core.errors import NotMigrated, QueueUnavailable
from sentinels.core.ports import Json
from sentinels.functions.http import reply
from sentinels.functions.submit.door import Ask, FrontDoor
from sentinels.functions.submit.health_probes import Check, Probe, ask_all
from sentinels.functions.submit.health_pulse import checks_from

_START_POSTGRESQL = "start PostgreSQL, or correct its address"


def show_health(ask: Ask) -> Response:
    """Every check; ``ok`` if all are."""
    checks = check_all(ask.door)
    listed: list[Json] = [
        {"name": c.name, "ok": c.ok, "detail": c.detail, "remedy": c.remedy} for c in checks
    ]
    return reply({"ok": all(check.ok for check in checks), "checks": listed})


def alive(_: FrontDoor) -> Response:
    """The function serves."""
    return reply({"ok": True})


def ready(door: FrontDoor) -> Response:
    """The function could take a push now: the database answers and has this version's tables."""
    check = _migrations(door)
    status = HTTPStatus.OK if check.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return reply({"ok": check.ok, "detail": check.detail, "remedy": check.remedy}, status)


def check_all(door: FrontDoor) -> list[Check]:
    """Look at everything; what hangs on a database that is away is left out."""
    database = Probe("database", partial(_database, door), _START_POSTGRESQL)
    return ask_all([database, *door.probes])


def _database(door: FrontDoor) -> list[Check]:
    migrations = _migrations(door)
    if not migrations.ok:
        return [migrations]
    try:
        pulse, conditions = door.reading.pulse(), door.reading.conditions()
    except QueueUnavailable as error:
        return [_away(error)]
    capacity = Check("capacity", True, "; ".join(conditions) or "nothing has been full for long")
    return [migrations, *checks_from(pulse, hears_jobs=door.hears_jobs), capacity]


def _migrations(door: FrontDoor) -> Check:
    try:
        behind = door.reading.behind()
    except QueueUnavailable as error:
        return _away(error)
    if behind:
        return Check("migrations", False, behind, "run: sentinels db upgrade")
    return Check("database", True, "PostgreSQL answers; it has this version's tables")


def _away(error: QueueUnavailable) -> Check:
    remedy = error.remedy if isinstance(error, NotMigrated) else _START_POSTGRESQL
    return Check("database", False, str(error), remedy)
