"""What to do about an end: a few tables from what was seen to what helps.

The cause alone says little, so the last lines are looked through for what programs say when they
die (``symptoms``), what was used is held against what was asked for, and out of memory at the own
limit is told from a node that ran short. Little of it is certain; the words say how certain. Comes
in: a ``Case``. Goes out: sentences, the best first. Before: ``wording``, ``functions/submit``.
Next: ``symptoms``, ``dossier``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from sentinels.core.capacity import Resources
from sentinels.core.dossier import Dossier
from sentinels.core.job import Reason, ReasonClass
from sentinels.core.observation import Usage
from sentinels.core.quantity import about_memory, format_cpu, format_memory
from sentinels.core.symptoms import EXIT_CODES, symptom_in

MOST = 3
"""Sentences that are given at once: more are not read."""
_CLOSE = 0.9
"""From this part of its limit on, memory is a likely cause of a death that nobody explains."""
_WASTED = 0.7
"""Up to this part of what it asked for, less would have sufficed."""
_CPU_SAVED, _MEMORY_SAVED = 500, 256 * 2**20
"""Less than this is not worth a word."""
_SPARE = 1.25
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Case:
    """An end with what bears on it: what was asked for, what was used, what was left behind.

    ``grows``: it asks for more memory by itself where it ran out of it, and did as far as it may.
    """

    job_id: int
    dossier: Dossier
    resources: Resources
    usage: Usage
    grows: bool = False

    @property
    def reason(self) -> Reason | None:
        """Why it ended; None is success."""
        return self.dossier.cause.reason if self.dossier.cause else None

    @property
    def memory_share(self) -> float | None:
        """How much of the memory that it asked for was used at most; None: not measured."""
        peak = self.usage.peak_memory_bytes
        return None if peak is None else peak / max(1, self.resources.memory_bytes)


DISK_WORDS = ("ephemeral-storage", "ephemeral local storage", "EmptyDir volume", "DiskPressure")
"""In what a node says when it lets a pod go for its files."""
_OWN_DISK = ("exceeds the limit", "exceeds the total limit", "exceeded its local")

ADVICE: Mapping[Reason, str] = {
    Reason.EXITED_NONZERO: "See what it printed: sentinels logs {id}",
    Reason.OUT_OF_MEMORY: "Ask for more than {memory}, or let it grow by itself: "
    "retry: {{oom: {{memory: x1.5, tries: 2}}}}",
    Reason.DEADLINE_EXCEEDED: "Give it more time (--time-limit), or save checkpoints.",
    Reason.KILLED: "Something outside Sentinels sent the signal: sentinels logs {id}",
    Reason.REJECTED: "Correct the config and push again; what the cluster is given: "
    "sentinels push --dry-run",
    Reason.IMAGE_UNAVAILABLE: "Check the image's name and tag, and that the cluster may pull it; "
    "then push again.",
    Reason.CONFIG_MISSING: "Correct secrets in the config, or have the secret made in the team's "
    "namespace; then push again.",
    Reason.EVICTED: "Its nodes asked it to leave each time: drained, or short of what others used, "
    "not of what it asked for. Push it again; see: sentinels nodes",
    Reason.PREEMPTED: "More urgent work took its place each time: push it again with a higher "
    "priority (--priority), or at a quieter time.",
    Reason.NODE_LOST: "Nodes went away under it each time; push it again once they are well: "
    "sentinels nodes",
    Reason.WORKLOAD_LOST: "Something deletes workloads behind Sentinels' back; tell whoever looks "
    "after the cluster, then push it again.",
    Reason.NEVER_PLACED: "The cluster's scheduler found no place where Sentinels saw one: look at "
    "its nodes' taints and labels (sentinels nodes), or ask for less.",
    Reason.QUOTA_EXCEEDED: "Ask for less, or have the quota of the team's namespace raised; then "
    "push it again.",
    Reason.REGISTRY_UNAVAILABLE: "Nothing is known to be wrong with the image: push it again once "
    "the registry answers.",
}
"""What to do about a job that failed, for every reason that can fail one, where nothing else is
known of it."""


WHOSE: Mapping[ReasonClass, str] = {
    ReasonClass.USER: "the job's own: its program, or what it asked for",
    ReasonClass.INFRASTRUCTURE: "the infrastructure's: nothing is known to be wrong with the job",
    ReasonClass.OPERATOR: "somebody's, who wanted it so",
}


def whose_doing(reason: Reason) -> str:
    """Whose doing an end was, for people."""
    if reason is Reason.DEPENDENCY_FAILED:
        return "another job's: the one it was to start after"
    return WHOSE[reason.reason_class]


def advise(case: Case) -> list[str]:
    """What to do about it, the best first; nothing for what nobody has to do anything about."""
    if case.reason is None:
        return list(_spared(case))
    if case.reason not in ADVICE:
        return []
    found = [sentence for rule in _RULES.get(case.reason, ()) for sentence in rule(case)]
    return (found or [_plain(case, case.reason)])[:MOST]


def symptom_of(case: Case) -> tuple[int, str] | None:
    """Which of the last lines says what the matter was, and what that means."""
    texts = case.dossier.testimony.lines.texts
    return symptom_in(texts, asked_gpus=case.resources.gpus)


def _plain(case: Case, reason: Reason) -> str:
    memory = format_memory(case.resources.memory_bytes)
    return ADVICE[reason].format(id=case.job_id, memory=memory)


def _printed(case: Case) -> Iterator[str]:
    found = symptom_of(case)
    if found is not None:
        yield found[1]


def _exit_code(case: Case) -> Iterator[str]:
    code = case.dossier.exit_code
    if code is not None and code in EXIT_CODES:
        yield EXIT_CODES[code]


def _own_limit(case: Case) -> Iterator[str]:
    """A kernel that ends a process does not say whose memory had run out: its group's, or all."""
    share = case.memory_share
    is_far = share is not None and share < _CLOSE
    if _node_ran_short(case):
        yield (
            "Its node was short of memory as well when it was killed"
            + (f", and it was measured at {share:.0%} of what it asked for" if is_far else "")
            + ": it may have been the node's doing. Push it again as it is; if it ends the same, "
            f"ask for more than {format_memory(case.resources.memory_bytes)}."
        )
        return
    if case.grows:
        asked = format_memory(case.resources.memory_bytes)
        yield f"Ask for more than {asked}, or let it grow further: max and tries of retry.oom."
    else:
        yield _plain(case, Reason.OUT_OF_MEMORY)
    if is_far:
        yield (
            f"It was measured at {share:.0%} of that at most: it grew faster than anybody looked, "
            "or in one step."
        )


def _killed(case: Case) -> Iterator[str]:
    """Exit code 137 proves nothing: what was used, and how the node stood, decide the words."""
    if case.dossier.exit_code != 137:
        return
    share = case.memory_share
    asked = format_memory(case.resources.memory_bytes)
    if _node_ran_short(case) or case.dossier.testimony.facts.get("machine_oom_kills"):
        yield (
            "Its node was short of memory when it was killed: most likely the node's doing and not "
            f"your limit of {asked}. Push it again; others' requests there are too small."
        )
    elif share is None:
        yield (
            "It was killed and nobody says why. Memory is the usual cause: ask for more than "
            f"{asked}, and see whether it still happens."
        )
    elif share >= _CLOSE:
        yield (
            f"It was killed at {share:.0%} of the memory that it asked for: most likely for that. "
            f"Ask for more than {asked}."
        )
    else:
        yield (
            f"It was killed at {share:.0%} of the memory that it asked for, so hardly for that: "
            "somebody or something on its node sent the signal."
        )


def _node_ran_short(case: Case) -> bool:
    conditions = case.dossier.testimony.conditions
    return any(each.bad and each.name == "MemoryPressure" for each in conditions)


def _evicted(case: Case) -> Iterator[str]:
    said = _said_of_eviction(case)
    if any(words in said for words in DISK_WORDS):
        if any(words in said for words in _OWN_DISK):
            yield (
                "It wrote more files than a job may keep on its node: remove what it does not need "
                "as it goes, and keep data in the shared store."
            )
        else:
            yield "Its node ran out of disk, nothing is wrong with your limits. Push it again."
    elif "low on resource: memory" in said or _node_ran_short(case):
        asked = format_memory(case.resources.memory_bytes)
        yield (
            f"Its node ran out of memory, which is not your limit of {asked}: others there use "
            "more than they asked for. Push it again as it is; see: sentinels nodes"
        )


def _said_of_eviction(case: Case) -> str:
    said, cause = case.dossier.testimony, case.dossier.cause
    words = [str(said.facts.get("pod_message") or ""), cause.detail if cause else ""]
    return " ".join([*words, *(event.message for event in said.events if event.warns)])


def _spared(case: Case) -> Iterator[str]:
    """What would have sufficed, where it was measured and is much less than what was asked for."""
    enough = sufficient(case.resources, case.usage)
    if enough:
        yield f"It would have sufficed to ask for {' and '.join(enough)}: others wait less then."


def sufficient(asked: Resources, usage: Usage) -> list[str]:
    """The requests that would have sufficed with some to spare, as flags say them."""
    found = []
    if usage.peak_cpu_cores is not None:
        millis = max(100, ceil(usage.peak_cpu_cores * _SPARE * 10) * 100)
        if millis <= asked.cpu_millis * _WASTED and asked.cpu_millis - millis >= _CPU_SAVED:
            found.append(f"--cpu {format_cpu(millis)}")
    if usage.peak_memory_bytes is not None:
        size = _rounded(int(usage.peak_memory_bytes * _SPARE))
        if size <= asked.memory_bytes * _WASTED and asked.memory_bytes - size >= _MEMORY_SAVED:
            found.append(f"--memory {format_memory(size)}")
    return found


def _rounded(size: int) -> int:
    """Up to a number that a person would write: eighths of what it is about, 64 MiB at least."""
    step = 64 * _MIB
    while step * 16 < size:
        step *= 2
    return max(1, -(-size // step)) * step


@dataclass(frozen=True, slots=True)
class Share:
    """What was used of one thing, in words; ``part`` of what was asked for, where that is known."""

    name: str
    used: str
    asked: str
    part: float | None


def shares(asked: Resources, usage: Usage) -> list[Share]:
    """What was used of what was asked for; what was not measured is left out."""
    found = []
    if (peak := usage.peak_memory_bytes) is not None:
        part = peak / max(1, asked.memory_bytes)
        found.append(Share("memory", about_memory(peak), format_memory(asked.memory_bytes), part))
    if (cores := usage.peak_cpu_cores) is not None:
        part = cores * 1000 / max(1, asked.cpu_millis)
        found.append(Share("CPU", f"{cores:.1f}", format_cpu(asked.cpu_millis), part))
    if (percent := usage.mean_gpu_percent) is not None:
        kind = asked.gpu_type or "GPU"
        found.append(Share("GPU", f"{percent:.0f} %", f"{asked.gpus}×{kind}", percent / 100))
    if (peak := usage.peak_gpu_memory_bytes) is not None:
        found.append(Share("GPU memory", about_memory(peak), "", None))
    return found


Rule = Callable[[Case], Iterator[str]]

_RULES: Mapping[Reason, tuple[Rule, ...]] = {
    Reason.EXITED_NONZERO: (_printed, _exit_code),
    Reason.OUT_OF_MEMORY: (_own_limit,),
    Reason.KILLED: (_printed, _killed, _exit_code),
    Reason.EVICTED: (_evicted,),
}
"""What knows better than ``ADVICE``, the best first."""
