"""A ``Policy`` as the document that it could have been read from, with everything spelled out.

Comes in: a policy. Goes out: plain data that ``read_policy`` makes the same policy of. Before:
``governing``. Next: ``policy_reading``.
"""

from __future__ import annotations

from collections.abc import Mapping

from sentinels.core.policy import Access, Policy, Rule, TeamPolicy
from sentinels.core.ports import Json
from sentinels.core.quantity import format_cpu, format_duration, format_memory
from sentinels.core.quota import Quota


def document_of(policy: Policy) -> dict[str, Json]:
    """The whole policy; what has no bound is null."""
    return {
        "classes": dict(policy.priority_classes),
        "default_class": policy.default_class,
        "rules": [_rule(rule) for rule in policy.rules],
        "access": {name: _access(access) for name, access in policy.access.items()},
        "teams": {name: _team(team) for name, team in policy.teams.items()},
        "ageing": {"every": _span(policy.ageing_seconds), "at_most": policy.ageing_limit},
        "share": {"half_life": _span(policy.half_life_seconds)},
        "reserve": {"after": _span(policy.reserve_after_seconds), "nodes": policy.reservations},
        "time_limit": {
            "default": _span(policy.default_limit),
            "longest": _span(policy.longest_limit),
        },
        "retry": {"greatest_memory": _memory(policy.greatest_memory)},
        "preemption": {
            "by": sorted(policy.preemption.by),
            "of": sorted(policy.preemption.of),
            "spare": _span(policy.preemption.spare_seconds),
        },
    }


def _rule(rule: Rule) -> dict[str, Json]:
    return _given(
        {
            "experiment": rule.experiment,
            "user": rule.user,
            "team": rule.team,
            "labels": dict(rule.labels) or None,
            "priority": rule.priority,
        }
    )


def _access(access: Access) -> dict[str, Json]:
    named = {"roles": access.roles, "users": access.users, "teams": access.teams}
    return {key: sorted(names) for key, names in named.items() if names}


def _team(team: TeamPolicy) -> dict[str, Json]:
    return _given({"weight": team.weight, "quota": _quota(team.quota) or None})


def _quota(quota: Quota) -> dict[str, Json]:
    cpu = quota.cpu_millis
    return _given(
        {
            "cpu": None if cpu is None else format_cpu(cpu),
            "memory": _memory(quota.memory_bytes),
            "gpus": quota.gpus,
            "gpu_types": dict(quota.gpu_types) or None,
            "running": quota.running,
            "queued": quota.queued,
            "gpu_hours": quota.gpu_hours,
        }
    )


def _given(document: Mapping[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in document.items() if value is not None}


def _memory(memory_bytes: int | None) -> str | None:
    return None if memory_bytes is None else format_memory(memory_bytes)


def _span(seconds: float | None) -> Json:
    return seconds if not seconds else format_duration(round(seconds))
