"""Why a job waits, in words and for programs.

Times are told as so long from now: whoever reads it may be in any time zone. Other teams' jobs are
told by their ids and their ends, and by nothing else. Comes in: ``answering``'s values. Goes out:
text and facts. Before: ``answering``. Next: ``functions/submit``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from sentinels.core.answering import Change, Crowd, Holding, Why
from sentinels.core.capacity import GPU, KINDS, MEMORY, FreeNode, Kind, Resources
from sentinels.core.explaining import DecisionCode
from sentinels.core.policy import Policy
from sentinels.core.ports import Json
from sentinels.core.quantity import format_cpu, format_duration, format_memory
from sentinels.core.scene import Occupant

_MANY = Resources(2, 2, 2)
_MOST_TEAMS = 3
_MOST_JOBS = 3


def why_sentence(why: Why, policy: Policy, now: datetime) -> str:
    """What the job waits for, and every way to have it start now."""
    if why.decision is None:
        return "It fits: the next pass starts it."
    said = [_behind(why), _obstacle(why, now), _kept_for_it(why), ways_sentence(why, policy)]
    return " ".join(each for each in said if each)


def ways_sentence(why: Why, policy: Policy) -> str:
    """The ways out, or that there is none."""
    if not why.ways:
        return "No single change would start it now."
    return f"It would start now {_either([way_words(way, why, policy) for way in why.ways])}."


def way_words(change: Change, why: Why, policy: Policy) -> str:
    """One way out: "with 1 GPU", "on t4", "with a time limit of 1h", "at priority high"."""
    if change.priority is not None:
        return f"at priority {policy.class_name(change.priority)}"
    if change.time_limit is not None:
        return f"with a time limit of {format_duration(change.time_limit)}"
    size, asked = change.resources or why.lane.resources, why.lane.resources
    less = [kind for kind in KINDS if kind.amount(size) != kind.amount(asked)]
    if not less:
        return f"on {size.gpu_type}"
    return "with " + " and ".join(kind.words(size) for kind in less)


def way_config(change: Change, why: Why, policy: Policy) -> dict[str, Json]:
    """The same as keys of a config."""
    if change.priority is not None:
        return {"priority": policy.class_name(change.priority)}
    if change.time_limit is not None:
        return {"time_limit": format_duration(change.time_limit)}
    size, asked = change.resources or why.lane.resources, why.lane.resources
    keys = (
        ("cpu", format_cpu(asked.cpu_millis), format_cpu(size.cpu_millis)),
        ("memory", format_memory(asked.memory_bytes), format_memory(size.memory_bytes)),
        ("gpu", asked.gpus, size.gpus),
        ("gpu_type", asked.gpu_type, size.gpu_type),
    )
    changed: dict[str, Json] = {name: new for name, old, new in keys if old != new}
    return {"resources": changed}


def way_command(job_id: int, config: Mapping[str, Json]) -> str:
    """What to type for it."""
    if "priority" in config:
        return f"sentinels bump {job_id} {config['priority']}"
    inner = config.get("resources")
    keys: Mapping[str, Json] = inner if isinstance(inner, Mapping) else config
    flags = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in keys.items())
    return f"sentinels cancel {job_id} && sentinels rerun {job_id} {flags}"


def why_facts(why: Why) -> dict[str, Json]:
    """The same for programs."""
    facts: dict[str, Json] = {"ahead": why.ahead}
    if why.decision is not None:
        facts |= {"code": why.decision.code.value, **why.decision.facts}
    if why.crowd is not None:
        facts["crowd"] = _crowd_facts(why.crowd)
    if why.holding is not None:
        facts["holding"] = _holding_facts(why.holding)
    if why.able_unready:
        facts["able_unready"] = list(why.able_unready)
    return facts


def _behind(why: Why) -> str:
    if not why.ahead:
        return ""
    jobs = "1 job" if why.ahead == 1 else f"{why.ahead} jobs"
    waits = "waits" if why.ahead == 1 else "wait"
    return f"{jobs} of team {why.lane.team} that {_asks(why.ahead)} for the same {waits} before it."


def _asks(count: int) -> str:
    return "asks" if count == 1 else "ask"


def _obstacle(why: Why, now: datetime) -> str:
    assert why.decision is not None  # noqa: S101  # for the type checker: said before
    if why.crowd is not None:
        return _crowded(why.crowd, why.lane.resources, now)
    says = _SAYS.get(why.decision.code, _plain)
    return says(why, now)


def _crowded(crowd: Crowd, request: Resources, now: datetime) -> str:
    kind, asked = crowd.kind, " and ".join(each.words(request) for each in crowd.lacking)
    exist = "exists" if kind is GPU and crowd.total == 1 else "exist"
    told = [*_held(crowd, now), *_left(crowd)]
    total = _amount(kind, crowd.total)
    if not crowd.together:
        return f"Waiting for {asked}. {total} {exist}: {'; '.join(told)}."
    noun = "" if kind is MEMORY else f" {kind.noun(_MANY)}"
    nodes = "; ".join(_free_on(node, crowd) for node in crowd.together)
    return (
        f"Waiting for {asked} on one node; free are {nodes}."
        f" {total}{noun} {exist}: {'; '.join(told)}."
    )


def _free_on(node: FreeNode, crowd: Crowd) -> str:
    amounts = (f"{kind.there(node.free)} {kind.noun(node.free)}" for kind in crowd.lacking)
    return f"{' and '.join(amounts)} on {node.name}"


def _held(crowd: Crowd, now: datetime) -> Iterator[str]:
    for holding in crowd.holdings[:_MOST_TEAMS]:
        amount = _amount(crowd.kind, holding.amount)
        yield f"team {holding.team} holds {amount} ({_jobs(holding, now)})"
    rest = crowd.holdings[_MOST_TEAMS:]
    if rest:
        amount = _amount(crowd.kind, sum(each.amount for each in rest))
        yield f"{len(rest)} more {'team holds' if len(rest) == 1 else 'teams hold'} {amount}"


def _left(crowd: Crowd) -> Iterator[str]:
    kind = crowd.kind
    if crowd.others:
        yield f"{_amount(kind, crowd.others)} used by what is not Sentinels'"
    if crowd.starting:
        yield f"{_amount(kind, crowd.starting)} taken by jobs that start now"
    for kept in crowd.kept:
        yield f"{_amount(kind, kept.amount)} on {kept.node} kept for job {kept.job_id}"
    if crowd.free:
        yield f"{_amount(kind, crowd.free)} free, at most {_amount(kind, crowd.most)} on one node"


def _jobs(holding: Holding, now: datetime) -> str:
    if holding.next_end is None:
        ids = [f"{each.ref.job_id}" for each in holding.jobs[:_MOST_JOBS]]
        more = f" and {len(holding.jobs) - len(ids)} more" if len(holding.jobs) > len(ids) else ""
        noun = "job" if len(holding.jobs) == 1 else "jobs"
        return f"{noun} {', '.join(ids)}{more}; when they end is not known"
    job, end = holding.next_end
    first = f"job {job.ref.job_id} ends {_in(job, end, now)}"
    return first if len(holding.jobs) == 1 else f"{len(holding.jobs)} jobs, {first}"


def _quota(why: Why, now: datetime) -> str:
    assert why.decision is not None  # noqa: S101  # said before
    said = f"T{why.decision.sentence[1:]}"
    holding = why.holding
    if why.decision.facts.get("quota") == "GPU-hours a month":
        return f"{said}; they count anew from the first of next month (UTC)."
    if holding is None or not holding.jobs:
        return f"{said}."
    return f"{said}: {_by_user(holding)}{_first_end(holding, now)}."


def _by_user(holding: Holding) -> str:
    users: dict[str, list[Occupant]] = {}
    for each in holding.jobs:
        users.setdefault(each.user, []).append(each)
    told = (
        f"{user}'s job{'s' if len(jobs) > 1 else ''} {_some([j.ref.job_id for j in jobs])}"
        for user, jobs in sorted(users.items())
    )
    return ", ".join(told)


def _first_end(holding: Holding, now: datetime) -> str:
    if holding.next_end is None:
        return "; when they end is not known"
    job, end = holding.next_end
    return f"; the first to end is job {job.ref.job_id}, {_in(job, end, now)}"


def _in(job: Occupant, end: datetime, now: datetime) -> str:
    """When a job ends: as such jobs did, or at its time limit at the latest."""
    return f"{'within' if job.history is None else 'in about'} {_length(end, now)}"


def _impossible(why: Why, _: datetime) -> str:
    assert why.decision is not None  # noqa: S101  # said before
    said = f"It {why.decision.sentence}."
    if why.decision.code is DecisionCode.NO_NODES:
        said = f"N{why.decision.sentence[1:]}."
    if why.able_unready:
        return f"{said} {_listed(why.able_unready)} could hold it, but not now: sentinels nodes."
    return said


def _plain(why: Why, _: datetime) -> str:
    return f"It {why.decision.sentence if why.decision else ''}."


_SAYS: Mapping[DecisionCode, Callable[[Why, datetime], str]] = {
    DecisionCode.QUOTA: _quota,
    DecisionCode.IMPOSSIBLE: _impossible,
    DecisionCode.NO_GPU_TYPE: _impossible,
    DecisionCode.NO_NODES: _impossible,
}


def _kept_for_it(why: Why) -> str:
    kept = why.decision.facts.get("kept_node") if why.decision else None
    return f"{kept} is kept free for it." if kept and why.crowd is not None else ""


def _crowd_facts(crowd: Crowd) -> dict[str, Json]:
    return {
        "kind": crowd.kind.key,
        "total": crowd.total,
        "held": [_holding_facts(each) for each in crowd.holdings],
        "others": crowd.others,
        "starting": crowd.starting,
        "kept": [
            {"job": each.job_id, "node": each.node, "amount": each.amount} for each in crowd.kept
        ],
        "free": crowd.free,
        "most_on_one_node": crowd.most,
    }


def _holding_facts(holding: Holding) -> dict[str, Json]:
    next_end = holding.next_end
    return {
        "team": holding.team,
        "amount": holding.amount,
        "jobs": [each.ref.job_id for each in holding.jobs],
        "next_end": next_end[1].astimezone(UTC).isoformat() if next_end else None,
        "next_job": next_end[0].ref.job_id if next_end else None,
    }


def _amount(kind: Kind, amount: int) -> str:
    whole = Resources(amount, amount, amount)
    return kind.there(whole) if kind is not MEMORY else f"{kind.there(whole)} of memory"


def _length(late: datetime, early: datetime) -> str:
    seconds = max(1, int((late - early).total_seconds()))
    return format_duration(seconds if seconds < 60 else seconds // 60 * 60)


def _some(ids: Sequence[int]) -> str:
    shown = ", ".join(map(str, ids[:_MOST_JOBS]))
    return shown if len(ids) <= _MOST_JOBS else f"{shown} and {len(ids) - _MOST_JOBS} more"


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:_MOST_JOBS])
    if len(names) > _MOST_JOBS:
        shown.append(f"{len(names) - _MOST_JOBS} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _either(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
