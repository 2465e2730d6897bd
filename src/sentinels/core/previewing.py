"""What a push would launch, without pushing: every check of a push, then the cluster's own words.

Comes in: a caller and what they sent, as plain data. Goes out: one document for each job, or every
fault at once. Before: ``functions/submit``. Next: ``submitting``, ``Cluster.preview``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sentinels.core.job import JobId, JobState
from sentinels.core.launching import build_workload
from sentinels.core.ports import Cluster, Json, TrackerRun
from sentinels.core.preflight import Preflight, check, preflight
from sentinels.core.queueing import Caller, LiveAttempt
from sentinels.core.sampling import expand_sweep
from sentinels.core.submission import Submission
from sentinels.core.submission_reading import read_submission
from sentinels.core.submitting import Fit, SubmitPorts, find_image, under_policy
from sentinels.core.workload import Image, Workload, WorkloadRef

NOT_YET = 0
"""Stands for the ids of a job and of its tracker's run, which only a push makes."""

_NEVER = datetime.fromtimestamp(0, UTC)


def preview(
    ports: SubmitPorts,
    caller: Caller,
    cluster: Cluster,
    *,
    image: object,
    config: object,
    fit: Fit | None = None,
) -> list[Mapping[str, Json]]:
    """What the cluster would be given for each job of this push; nothing is stored.

    Raises ``InvalidSubmission`` with every fault.
    """
    asked = read_submission(image, config)
    submission = under_policy(ports, caller, fit(asked) if fit else asked)
    found = check(ports, caller, submission, lambda: find_image(ports, caller, submission))
    return previews(ports, caller, cluster, submission, found.image)


def look_over(
    ports: SubmitPorts, caller: Caller, *, image: object, config: object, fit: Fit | None = None
) -> Preflight:
    """Every check of this push, and how it ended; nothing is stored.

    Raises ``InvalidSubmission`` for what cannot be read at all.
    """
    asked = read_submission(image, config)
    submission = under_policy(ports, caller, fit(asked) if fit else asked)
    return preflight(ports, caller, submission, lambda: find_image(ports, caller, submission))


def previews(
    ports: SubmitPorts, caller: Caller, cluster: Cluster, submission: Submission, image: Image
) -> list[Mapping[str, Json]]:
    """The same for a submission that was checked."""
    return [
        cluster.preview(_workload(ports, caller, each, image)) for each in expand_sweep(submission)
    ]


def _workload(ports: SubmitPorts, caller: Caller, submission: Submission, image: Image) -> Workload:
    run = _run(ports.tracker_url)
    attempt = LiveAttempt(
        ref=WorkloadRef(JobId(NOT_YET), 1),
        state=JobState.QUEUED,
        user=caller.user,
        team=caller.team,
        image=image,
        submission=submission,
        sweep_id=None,
        resources=submission.resources,
        launched=False,
        lease_expired=False,
        seconds_since_launch=0.0,
        submitted_at=_NEVER,
        cancel_actor=None,
        run=run,
    )
    return build_workload(attempt, run, ports.tracker_url)


def _run(tracker_url: str) -> TrackerRun | None:
    if not tracker_url:
        return None
    run_id = str(NOT_YET)
    return TrackerRun(run_id, run_id, tracker_url, f"{tracker_url.rstrip('/')}/{run_id}")
