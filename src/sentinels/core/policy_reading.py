"""The administrator's policy file as a ``Policy``, and what one changes of another.

Comes in: plain data, as YAML gave it. Goes out: a policy, or ``InvalidPolicy`` with every fault
at once. Before: ``cli/policy``, ``governing``. Next: ``policy``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TypeGuard

from sentinels.core.errors import InvalidPolicy
from sentinels.core.faults import Faults, joined, meant
from sentinels.core.policy import (
    PRIORITY_CLASSES,
    Access,
    Policy,
    Preemption,
    Rule,
    TeamPolicy,
)
from sentinels.core.quantity import parse_cpu, parse_duration, parse_memory
from sentinels.core.quota import Quota
from sentinels.core.rights import Role

ROLES = tuple(Role)
KEYS = (
    *("classes", "default_class", "rules", "access", "teams", "ageing", "share", "reserve"),
    *("time_limit", "preemption", "retry"),
)
QUOTA_KEYS = ("cpu", "memory", "gpus", "gpu_types", "running", "queued", "gpu_hours")
_NAME_LIMIT = 200
_MOST = 1000
_LARGEST = 10**9


def read_policy(document: object, *, lines: Mapping[str, int] | None = None) -> Policy:
    """The policy of a document; a key that is left out has its default.

    Raises ``InvalidPolicy`` with every fault.
    """
    faults = Faults(lines)
    given = faults.mapping("policy", document)
    faults.unknown_keys("", given, KEYS)
    classes = _read_classes(faults, given.get("classes"))
    usual = Policy()
    ageing = _part(faults, given, "ageing", ("every", "at_most"))
    reserve = _part(faults, given, "reserve", ("after", "nodes"))
    limits = _part(faults, given, "time_limit", ("default", "longest"))
    share = _part(faults, given, "share", ("half_life",))
    retry = _part(faults, given, "retry", ("greatest_memory",))
    policy = Policy(
        priority_classes=classes,
        default_class=_read_class(
            faults, "default_class", given.get("default_class", _usual_class(classes)), classes
        ),
        rules=_read_rules(faults, given.get("rules"), classes),
        access=_read_access(faults, given.get("access"), classes),
        teams=_read_teams(faults, given.get("teams")),
        ageing_seconds=_seconds(faults, "ageing.every", ageing, usual.ageing_seconds),
        ageing_limit=_whole(faults, "ageing.at_most", ageing, usual.ageing_limit),
        half_life_seconds=_seconds(faults, "share.half_life", share, usual.half_life_seconds),
        reserve_after_seconds=_seconds(
            faults, "reserve.after", reserve, usual.reserve_after_seconds
        ),
        reservations=_whole(faults, "reserve.nodes", reserve, usual.reservations),
        default_limit=_limit(faults, "time_limit.default", limits),
        longest_limit=_limit(faults, "time_limit.longest", limits),
        greatest_memory=_memory(faults, "retry.greatest_memory", retry),
        preemption=_read_preemption(faults, given.get("preemption"), classes),
    )
    _check_limits(faults, policy)
    if faults.found:
        raise InvalidPolicy(faults.found)
    return policy


def changes(before: object, after: object, path: str = "") -> Iterator[str]:
    """What is different between two documents, a line each: ``teams.vision.weight: 1 → 2``."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from changes(before.get(key), after.get(key), joined(path, str(key)))
    elif _are_parts(before) and _are_parts(after):
        for index, pair in enumerate(zip_longest(before, after)):
            yield from changes(*pair, f"{path}[{index}]")
    elif before != after:
        yield f"{path}: {_shown(before)} → {_shown(after)}"


def _are_parts(value: object) -> TypeGuard[Sequence[object]]:
    """Whether it is a list of mappings, as rules are."""
    return isinstance(value, list) and all(isinstance(each, Mapping) for each in value)


def _shown(value: object) -> str:
    if value is None:
        return "(not set)"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_shown(each)}" for key, each in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value)


def _named(faults: Faults, path: str, value: object) -> Mapping[str, object]:
    """A mapping whose keys are names that people gave."""
    found = faults.mapping(path, value)
    for name in found:
        if faults.text(joined(path, name), name, limit=_NAME_LIMIT) == "":
            faults.add(path, "has a name that is empty")
    return found


def _part(
    faults: Faults, given: Mapping[str, object], key: str, known: Sequence[str]
) -> Mapping[str, object]:
    found = faults.mapping(key, given.get(key))
    faults.unknown_keys(key, found, known)
    return found


def _read_classes(faults: Faults, value: object) -> Mapping[str, int]:
    if value is None:
        return PRIORITY_CLASSES
    found: dict[str, int] = {}
    for name, number in _named(faults, "classes", value).items():
        path = joined("classes", name)
        read = faults.whole(path, number, low=0, high=1000)
        if read in found.values():
            faults.add(path, "is the value of another class too", value=number)
        elif read is not None:
            found[name] = read
    if not found:
        faults.add("classes", "has no class", remedy="as in {normal: 20, high: 30}")
    return found


def _usual_class(classes: Mapping[str, int]) -> str:
    return "normal" if "normal" in classes else next(iter(classes), "normal")


def _read_class(faults: Faults, path: str, value: object, classes: Mapping[str, int]) -> str:
    name = faults.text(path, value, limit=_NAME_LIMIT)
    if name is not None and name not in classes:
        faults.add(path, "is no class", value=name, remedy=meant(name, classes))
    return name or ""


def _read_rules(faults: Faults, value: object, classes: Mapping[str, int]) -> tuple[Rule, ...]:
    rules = []
    for index, item in enumerate(faults.sequence("rules", value, most=_MOST)):
        path = f"rules[{index}]"
        given = faults.mapping(path, item)
        known = ("priority", "experiment", "user", "team", "labels")
        faults.unknown_keys(path, given, known, elsewhere={"label": "labels"})
        if not set(given) & set(known[1:]):
            faults.add(path, "fits every push", remedy="use default_class for that")
        rules.append(
            Rule(
                priority=_read_class(
                    faults, f"{path}.priority", given.get("priority", ""), classes
                ),
                experiment=_pattern(faults, path, given, "experiment"),
                user=_pattern(faults, path, given, "user"),
                team=_pattern(faults, path, given, "team"),
                labels=_read_labels(faults, f"{path}.labels", given.get("labels")),
            )
        )
    return tuple(rules)


def _pattern(faults: Faults, path: str, given: Mapping[str, object], key: str) -> str | None:
    if given.get(key) is None:
        return None
    return faults.text(f"{path}.{key}", given[key], limit=_NAME_LIMIT)


def _read_labels(faults: Faults, path: str, value: object) -> Mapping[str, str | None]:
    return {
        name: None if pattern is None else faults.text(joined(path, name), pattern, limit=63)
        for name, pattern in _named(faults, path, value).items()
    }


def _read_access(faults: Faults, value: object, classes: Mapping[str, int]) -> Mapping[str, Access]:
    found = {}
    for name, item in _named(faults, "access", value).items():
        path = joined("access", name)
        _read_class(faults, path, name, classes)
        given = faults.mapping(path, item)
        faults.unknown_keys(path, given, ("roles", "users", "teams"))
        roles, users, teams = (
            _names(faults, f"{path}.{key}", given.get(key)) for key in ("roles", "users", "teams")
        )
        for role in sorted(roles - set(ROLES)):
            faults.add(f"{path}.roles", "is no role", value=role, remedy=meant(role, ROLES))
        found[name] = Access(roles, users, teams)
    return found


def _names(faults: Faults, path: str, value: object) -> frozenset[str]:
    items = faults.sequence(path, value, most=_MOST)
    read = (
        faults.text(f"{path}[{index}]", item, limit=_NAME_LIMIT) for index, item in enumerate(items)
    )
    return frozenset(name for name in read if name)


def _read_teams(faults: Faults, value: object) -> Mapping[str, TeamPolicy]:
    return {
        name: _read_team(faults, joined("teams", name), item)
        for name, item in _named(faults, "teams", value).items()
    }


def _read_team(faults: Faults, path: str, value: object) -> TeamPolicy:
    given = faults.mapping(path, value)
    faults.unknown_keys(path, given, ("weight", "quota"))
    weight = None
    if given.get("weight") is not None:
        weight = faults.parsed(f"{path}.weight", given["weight"], _weight)
    return TeamPolicy(weight, _read_quota(faults, f"{path}.quota", given.get("quota")))


def _weight(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 10**6:
        raise ValueError("must be a number above 0")
    return float(value)


def _read_quota(faults: Faults, path: str, value: object) -> Quota:
    given = faults.mapping(path, value)
    faults.unknown_keys(path, given, QUOTA_KEYS, elsewhere={"gpu": "gpus", "jobs": "running"})

    def count(key: str) -> int | None:
        if given.get(key) is None:
            return None
        return faults.whole(f"{path}.{key}", given[key], low=0, high=_LARGEST)

    cpu, memory = given.get("cpu"), given.get("memory")
    types = _named(faults, f"{path}.gpu_types", given.get("gpu_types"))
    read = {
        name: faults.whole(f"{path}.gpu_types.{name}", number, low=0, high=_LARGEST)
        for name, number in types.items()
    }
    return Quota(
        cpu_millis=None if cpu is None else faults.parsed(f"{path}.cpu", cpu, parse_cpu),
        memory_bytes=None
        if memory is None
        else faults.parsed(f"{path}.memory", memory, parse_memory),
        gpus=count("gpus"),
        gpu_types={name: number for name, number in read.items() if number is not None},
        running=count("running"),
        queued=count("queued"),
        gpu_hours=count("gpu_hours"),
    )


def _read_preemption(faults: Faults, value: object, classes: Mapping[str, int]) -> Preemption:
    given = faults.mapping("preemption", value)
    faults.unknown_keys("preemption", given, ("by", "of", "spare"))
    sides = {key: _names(faults, f"preemption.{key}", given.get(key)) for key in ("by", "of")}
    for key, names in sides.items():
        for name in sorted(names):
            _read_class(faults, f"preemption.{key}", name, classes)
    spare = _seconds(faults, "preemption.spare", given, Preemption().spare_seconds)
    return Preemption(sides["by"], sides["of"], spare)


def _seconds(faults: Faults, path: str, given: Mapping[str, object], usual: float) -> float:
    value = given.get(path.rpartition(".")[2])
    if value is None:
        return usual
    if value == 0:
        return 0.0
    return float(faults.parsed(path, value, parse_duration) or usual)


def _limit(faults: Faults, path: str, given: Mapping[str, object]) -> int | None:
    value = given.get(path.rpartition(".")[2])
    return None if value is None else faults.parsed(path, value, parse_duration)


def _memory(faults: Faults, path: str, given: Mapping[str, object]) -> int | None:
    value = given.get(path.rpartition(".")[2])
    return None if value is None else faults.parsed(path, value, parse_memory)


def _whole(faults: Faults, path: str, given: Mapping[str, object], usual: int) -> int:
    value = given.get(path.rpartition(".")[2])
    if value is None:
        return usual
    read = faults.whole(path, value, low=0, high=10_000)
    return usual if read is None else read


def _check_limits(faults: Faults, policy: Policy) -> None:
    if policy.ageing_seconds <= 0:
        faults.add("ageing.every", "must be more than 0", remedy="turn ageing off with at_most: 0")
    default, longest = policy.default_limit, policy.longest_limit
    if default is not None and longest is not None and default > longest:
        faults.add("time_limit.default", "is above time_limit.longest")
