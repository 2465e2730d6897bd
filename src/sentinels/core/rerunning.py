"""The verb that pushes what a job was once more: its config with changes, exactly its image.

What it was to start after is left out: those jobs have ended, or are others'. Comes in: a caller,
an earlier job, changes as plain data. Goes out: a new job, or a sweep's jobs, which say of what
they are a rerun. Before: ``functions/submit``. Next: ``submitting``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sentinels.core.config_file import merge_flags
from sentinels.core.errors import Fault, InvalidSubmission
from sentinels.core.ports import Cluster, ImageStore, Json
from sentinels.core.preflight import check
from sentinels.core.previewing import previews
from sentinels.core.queueing import Caller, Pushed
from sentinels.core.reading import JobView
from sentinels.core.submission import Submission
from sentinels.core.submission_reading import read_submission
from sentinels.core.submitting import PushMark, SubmitPorts, digest_of, store, under_policy
from sentinels.core.workload import Image


@dataclass(frozen=True, slots=True)
class Rerun:
    """What is asked for. ``seen`` is what the cluster said that the job ran, if it did.

    ``by_tag``: not that, but whatever the image's name means now.
    """

    job: JobView
    seen: str | None
    changes: object
    by_tag: bool = False

    def submission(self) -> Submission:
        """The job's config with the changes. Raises ``InvalidSubmission`` with every fault."""
        if not isinstance(self.changes, Mapping):
            raise InvalidSubmission([Fault("config", "must be a mapping")])
        kept = {key: value for key, value in self.job.config.items() if key != "after"}
        return read_submission(self.job.image.reference, merge_flags(kept, self.changes))

    def image(self, images: ImageStore, team: str) -> Image:
        """What the job ran. Raises ``NotFound`` where it is gone, ``Conflict`` where unknown."""
        if self.by_tag:
            return images.resolve(self.job.image.reference, team=team)
        return images.pin(self.job.image, seen=self.seen)


def rerun(ports: SubmitPorts, caller: Caller, wanted: Rerun, *, key: str | None) -> Pushed:
    """Check and store it; the same key brings the same jobs again. Raises as ``push`` does."""
    asked = wanted.submission()
    digest = digest_of("rerun", wanted.job.id, wanted.changes, wanted.by_tag)
    if key is not None and (earlier := ports.queue.replay(caller, key, digest)):
        return earlier
    submission = under_policy(ports, caller, asked)
    found = check(ports, caller, submission, lambda: wanted.image(ports.images, caller.team))
    mark = PushMark(key, digest, rerun_of=wanted.job.id)
    return store(ports, caller, submission, found, mark)


def preview_rerun(
    ports: SubmitPorts, caller: Caller, cluster: Cluster, wanted: Rerun
) -> list[Mapping[str, Json]]:
    """What the cluster would be given for it; nothing is stored."""
    submission = under_policy(ports, caller, wanted.submission())
    found = check(ports, caller, submission, lambda: wanted.image(ports.images, caller.team))
    return previews(ports, caller, cluster, submission, found.image)
