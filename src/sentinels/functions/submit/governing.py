"""The policy over HTTP, for operators: show it, change it, tell its history.

Comes in: an ``Ask``. Goes out: versions of the policy, and what a change does. Before: ``routes``.
Next: ``core/governing``.
"""

from __future__ import annotations

from typing import cast

from flask import Response

from sentinels.core.errors import InvalidRequest, NotFound
from sentinels.core.governing import (
    Change,
    Effects,
    PolicyVersion,
    apply_policy,
    foresee_policy,
    history,
    newest,
)
from sentinels.core.ports import Json
from sentinels.core.rights import Act
from sentinels.core.shifting import Shift
from sentinels.functions.http import read_body, reply
from sentinels.functions.json_reading import read_json
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.shaping import time_json


def show_policy(ask: Ask) -> Response:
    """The version in force, or an earlier one."""
    ask.need(Act.GOVERN, "see to the policy")
    number = ask.query.maybe("version")
    found = newest(ask.door.policies) if number is None else ask.door.policies.version(number)
    if found is None:
        raise NotFound(f"there is no version {number}", remedy="see: sentinels policy history")
    return reply({**_version_json(found), "document": found.document})


def apply(ask: Ask) -> Response:
    """Put a document in force, or only say what that would do."""
    ask.need(Act.GOVERN, "see to the policy")
    document, seen = _wanted(read_body(ask.request))
    if ask.query.word("dry_run") == "true":
        now = ask.door.clock()
        change, effects = foresee_policy(ask.door.policies, document, seen=seen, now=now)
        return reply({**_change_json(change), "effects": _effects_json(effects)})
    done = apply_policy(ask.door.policies, document, actor=ask.caller, seen=seen)
    return reply({**_change_json(done), "effects": None})


def list_versions(ask: Ask) -> Response:
    """The newest versions, with what each changed."""
    ask.need(Act.GOVERN, "see to the policy")
    found = history(ask.door.policies, limit=ask.query.number("limit"))
    return reply({"versions": [_change_json(each) for each in found]})


def _version_json(version: PolicyVersion) -> dict[str, Json]:
    return {"version": version.id, "actor": version.actor, "at": time_json(version.at)}


def _change_json(change: Change) -> dict[str, Json]:
    return {**_version_json(change.version), "changes": list(change.changes)}


def _effects_json(effects: Effects) -> dict[str, Json]:
    return {
        "moves": [_move_json(each) for each in effects.moves[:_MOST_SHOWN]],
        "moves_count": len(effects.moves),
        "troubles": list(effects.troubles),
    }


def _move_json(shift: Shift) -> dict[str, Json]:
    return {
        "job": shift.job_id,
        "user": shift.user,
        "team": shift.team,
        "place_before": shift.place_before,
        "place_after": shift.place_after,
        "starts_before": time_json(shift.before),
        "starts_after": time_json(shift.after),
    }


def _wanted(body: bytes) -> tuple[Json, int | None]:
    """The document, and the version that it was made from."""
    given = read_json(body)
    if not isinstance(given, dict) or "document" not in given or set(given) - _KEYS:
        raise InvalidRequest('the body must be {"document": {…}, "version": 3}', remedy=_REMEDY)
    seen = given.get("version")
    if isinstance(seen, bool) or not isinstance(seen, int | None):
        raise InvalidRequest("version must be a whole number", remedy=_REMEDY)
    return cast("Json", given["document"]), seen


_MOST_SHOWN = 100
_KEYS = frozenset({"document", "version"})
_REMEDY = "version is the one that was changed; left out: whichever is in force"
