"""What people choose to be told of, and where: show it, change it, try it.

Comes in: an ``Ask``. Goes out: the caller's choices and their team's, which its leads change, and
what the administrator set. Before: ``routes``. Next: ``core/preferences``.
"""

from __future__ import annotations

from flask import Response

from sentinels.core.addressing import TEAM_USUAL, USUAL
from sentinels.core.audience import Choice
from sentinels.core.errors import InvalidRequest
from sentinels.core.notify_reading import NOTICE_KINDS, listed
from sentinels.core.ports import Json
from sentinels.core.preferences import read_choices, try_out
from sentinels.core.rights import Act, Holder
from sentinels.functions.http import read_body, reply
from sentinels.functions.json_reading import read_json
from sentinels.functions.submit.door import Ask


def show_choices(ask: Ask) -> Response:
    """Who is told of what, as it is now."""
    desk, caller = ask.door.notices, ask.caller
    chosen = desk.preferences.choices(caller)
    return reply(
        {
            "user": _choice_json(caller.user, chosen.owner, USUAL),
            "team": _choice_json(caller.team, chosen.team, TEAM_USUAL),
            "default": desk.rules.default,
            "oncall": list(desk.rules.oncall),
            "services": [service.value for service in desk.telling.messengers],
            "webhooks": list(desk.webhooks),
            "kinds": dict(NOTICE_KINDS),
        }
    )


def choose(ask: Ask) -> Response:
    """Change what is named, and show the whole."""
    desk, body = ask.door.notices, read_json(read_body(ask.request))
    before = desk.preferences.choices(ask.caller)
    wanted = read_choices(body, before, desk.webhooks)
    if wanted.team != before.team:
        ask.need(Act.CHANGE, "choose for the team", Holder(user_id=0, team_id=ask.caller.team_id))
    desk.preferences.choose(ask.caller, wanted)
    return show_choices(ask)


def send_test(ask: Ask) -> Response:
    """Send a test message to the caller's addresses, or to the team's."""
    desk, of_team = ask.door.notices, _of_team(read_body(ask.request))
    chosen = desk.preferences.choices(ask.caller)
    if of_team and not chosen.team.to:
        raise InvalidRequest(
            f"team {ask.caller.team} has no address",
            remedy="name one: sentinels notify --team --to '#channel'",
        )
    choice = chosen.team if of_team else chosen.owner
    tried = try_out(desk.telling, choice, desk.rules, who=ask.caller.user, clock=ask.door.clock)
    return reply(
        {
            "tried": [
                {"address": each.address, "arrived": each.arrived, "said": each.said}
                for each in tried
            ]
        }
    )


def _choice_json(name: str, choice: Choice, usual: frozenset[str]) -> dict[str, Json]:
    return {
        "name": name,
        "to": list(choice.to),
        "on": None if choice.on is None else [*listed(choice.on)],
        "told": [*listed(usual if choice.on is None else choice.on)],
    }


def _of_team(body: bytes) -> bool:
    given = read_json(body) if body else {}
    team = given.get("team", False) if isinstance(given, dict) else None
    if not isinstance(given, dict) or set(given) - {"team"} or not isinstance(team, bool):
        raise InvalidRequest('the body must be {} or {"team": true}')
    return team
