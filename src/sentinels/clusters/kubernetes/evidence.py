"""What a Job, its pod and its containers say about how a workload ended, weighed.

Pure. Who asked for an end is believed first, then who took the pod away, then the program's own
exit. A missing field is no evidence. Comes in: a Job that has failed or completed, and its pod if
there is one still. Goes out: ``Finished``. Before: ``observe``. Next: ``translation``'s tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sentinels.clusters.kubernetes.names import (
    MAIN,
    SIDECAR,
    STOP_MESSAGE,
    STOP_REASON,
    at,
    rows,
    text_at,
)
from sentinels.clusters.kubernetes.requests import quantity
from sentinels.clusters.kubernetes.translation import (
    DISRUPTIONS,
    KILLED_CODE,
    POD_REASONS,
    SIGNALLED_CODES,
    TERMINATED,
)
from sentinels.core.job import Reason
from sentinels.core.observation import Finished
from sentinels.core.ports import Json
from sentinels.core.text import printable

_EXIT_CODE = re.compile(r"failed with exit code (\d+)")
_MESSAGE_LIMIT = 500
_MIB = 2**20
_TRACKER = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why it ended; an empty message leaves the words to the reason."""

    reason: Reason
    message: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left of a workload: its Job (None: gone) and its pod (None: gone)."""

    job: Json
    pod: Json
    now: datetime

    @property
    def main(self) -> Json:
        """How the program's container ended; None where it did not, or nobody knows."""
        return at(container_status(self.pod, MAIN), "state", "terminated")

    @property
    def exit_code(self) -> int | None:
        """The program's exit code, from its container, else from the Job's condition."""
        code = at(self.main, "exitCode")
        if isinstance(code, int):
            return code
        found = _EXIT_CODE.search(text_at(self.failure, "message"))
        return int(found.group(1)) if found else None

    @property
    def failure(self) -> Json:
        """The Job's condition Failed."""
        return condition(self.job, "Failed")


def succeeded(remains: Remains) -> Finished:
    """The program ended with exit code 0."""
    return _finished(remains, None, 0, "")


def failed(remains: Remains) -> Finished:
    """It ended otherwise."""
    cause = next(filter(None, (weigh(remains) for weigh in _WEIGHED)), _NO_TRACE)
    return _finished(remains, cause.reason, cause.exit_code, cause.message)


def lost_with_node(remains: Remains, node: str, seconds: float) -> Finished:
    """Its node went silent; whether it runs on there nobody can say."""
    message = f"node {node} has been silent for {seconds:.0f} s"
    return _finished(remains, Reason.NODE_LOST, None, message)


def lost_with_job(remains: Remains) -> Finished:
    """Somebody deleted its Job; its pod has ended since."""
    return _finished(
        remains, Reason.WORKLOAD_LOST, remains.exit_code, "its Job was deleted by somebody"
    )


def condition(found: Json, kind: str) -> Json:
    """The condition of this type, if it is true."""
    for each in rows(found, "status", "conditions"):
        if text_at(each, "type") == kind and text_at(each, "status") == "True":
            return each
    return None


def container_status(pod: Json, name: str) -> Json:
    """The status of a container or an init container."""
    for kind in ("containerStatuses", "initContainerStatuses"):
        for status in rows(pod, "status", kind):
            if text_at(status, "name") == name:
                return status
    return None


def moment(text: str) -> datetime | None:
    """A moment as the API writes it; None where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _asked_for(remains: Remains) -> Cause | None:
    annotations = at(remains.job, "metadata", "annotations")
    try:
        reason = Reason(text_at(annotations, STOP_REASON))
    except ValueError:
        return None
    return Cause(reason, text_at(annotations, STOP_MESSAGE), remains.exit_code)


def _disrupted(remains: Remains) -> Cause | None:
    found = condition(remains.pod, "DisruptionTarget")
    if found is not None:
        kind = DISRUPTIONS.get(text_at(found, "reason"), (Reason.EVICTED, "its pod was taken away"))
        return Cause(kind[0], _words(kind[1], text_at(found, "message")), remains.exit_code)
    if "DisruptionTarget" in text_at(remains.failure, "message"):
        return Cause(Reason.EVICTED, "its pod was taken away")
    return None


def _refused_by_node(remains: Remains) -> Cause | None:
    kind = POD_REASONS.get(text_at(remains.pod, "status", "reason"))
    if kind is None:
        return None
    return Cause(kind[0], _words(kind[1], text_at(remains.pod, "status", "message")))


def _terminated(remains: Remains) -> Cause | None:
    reason = TERMINATED.get(text_at(remains.main, "reason"))
    if reason is Reason.OUT_OF_MEMORY:
        return Cause(reason, _memory_words(remains), remains.exit_code)
    if reason is Reason.EXITED_NONZERO:
        said = text_at(remains.main, "message")
        code = 127 if "no such file" in said or "not found" in said else 126
        return Cause(reason, _words("its command cannot be started", said), code)
    return Cause(reason, "", remains.exit_code) if reason else None


def _deleted(remains: Remains) -> Cause | None:
    """A pod that fails by itself stays; one that is leaving or gone was taken away."""
    is_leaving = bool(text_at(remains.pod, "metadata", "deletionTimestamp"))
    code = remains.exit_code
    if (is_leaving or remains.pod is None) and code in SIGNALLED_CODES:
        return Cause(Reason.EVICTED, "its pod was deleted by somebody", code)
    return None


def _exited(remains: Remains) -> Cause | None:
    code = remains.exit_code
    if code is None or code == 0:
        return None
    if code == KILLED_CODE:
        return Cause(Reason.KILLED, "it was killed, probably for want of memory", code)
    return Cause(Reason.EXITED_NONZERO, "", code)


def _overdue(remains: Remains) -> Cause | None:
    if text_at(remains.failure, "reason") != "DeadlineExceeded":
        return None
    if text_at(container_status(remains.pod, MAIN), "state", "terminated", "startedAt"):
        return Cause(Reason.DEADLINE_EXCEEDED, "it ran into its time limit", remains.exit_code)
    return Cause(Reason.NEVER_PLACED, "its pod did not start its program in time")


_WEIGHED: tuple[Callable[[Remains], Cause | None], ...] = (
    _asked_for,
    _disrupted,
    _refused_by_node,
    _terminated,
    _deleted,
    _exited,
    _overdue,
)
"""In this order: the first that knows something is believed."""
_NO_TRACE = Cause(Reason.WORKLOAD_LOST, "its pod disappeared before it was seen to end")


def _finished(
    remains: Remains, reason: Reason | None, exit_code: int | None, message: str
) -> Finished:
    main = remains.main
    ended = moment(text_at(main, "finishedAt")) or moment(_ended_by_job(remains.job))
    return Finished(
        uid=text_at(remains.job, "metadata", "uid") or text_at(remains.pod, "metadata", "uid"),
        reason=reason,
        exit_code=exit_code,
        started_at=moment(text_at(main, "startedAt")),
        finished_at=ended or remains.now,
        message=printable(message)[:_MESSAGE_LIMIT],
        node=text_at(remains.pod, "spec", "nodeName") or None,
        outputs_complete=_outputs_complete(remains),
        evidence=_evidence(remains),
    )


def _ended_by_job(job: Json) -> str:
    found = condition(job, "Complete") or condition(job, "Failed")
    return text_at(found, "lastTransitionTime")


def _outputs_complete(remains: Remains) -> bool:
    """What the sidecar reported; without a report they are not all there. A workload that was
    launched while the tracker was away has no sidecar: nobody sent what it left.
    """
    template = at(remains.job, "spec", "template") or remains.pod
    names = {text_at(each, "name") for each in rows(template, "spec", "initContainers")}
    if SIDECAR not in names:
        return not _is_tracked(template)
    status = container_status(remains.pod, SIDECAR)
    try:
        report: Json = json.loads(text_at(status, "state", "terminated", "message"))
    except ValueError:
        return False
    return at(report, "complete") is True


def _is_tracked(template: Json) -> bool:
    return any(
        text_at(variable, "name") == _TRACKER
        for container in rows(template, "spec", "containers")
        for variable in rows(container, "env")
    )


def _evidence(remains: Remains) -> dict[str, str | int | float | bool | None]:
    ended = condition(remains.job, "Complete") or remains.failure
    disrupted = condition(remains.pod, "DisruptionTarget")
    sidecar = at(container_status(remains.pod, SIDECAR), "state", "terminated")
    found = {
        "namespace": text_at(remains.job or remains.pod, "metadata", "namespace"),
        "job": text_at(remains.job, "metadata", "name"),
        "job_condition": text_at(ended, "type"),
        "job_reason": text_at(ended, "reason"),
        "job_message": text_at(ended, "message"),
        "pod": text_at(remains.pod, "metadata", "name"),
        "pod_uid": text_at(remains.pod, "metadata", "uid"),
        "pod_reason": text_at(remains.pod, "status", "reason"),
        "pod_message": text_at(remains.pod, "status", "message"),
        "disruption": text_at(disrupted, "reason"),
        "container_reason": text_at(remains.main, "reason"),
        "image_id": text_at(container_status(remains.pod, MAIN), "imageID"),
        "outputs": text_at(sidecar, "message"),
    }
    told = {name: printable(text)[:_MESSAGE_LIMIT] for name, text in found.items() if text}
    signal, words = at(remains.main, "signal"), text_at(remains.main, "message")
    return {
        **told,
        **({"signal": signal} if isinstance(signal, int) and signal else {}),
        # The end of the log, where the program left nothing else there: its lines are kept.
        **({"container_message": words} if words else {}),
    }


def _memory_words(remains: Remains) -> str:
    template = at(remains.job, "spec", "template") or remains.pod
    for container in rows(template, "spec", "containers"):
        limit = quantity(text_at(container, "resources", "limits", "memory"))
        if text_at(container, "name") == MAIN and limit:
            return f"it used more memory than it may; it asked for {int(limit) / _MIB:.0f} MiB"
    return "it used more memory than it may"


def _words(ours: str, theirs: str) -> str:
    return f"{ours}: {theirs}" if theirs else ours
