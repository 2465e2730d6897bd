"""``sentinels rerun``: what a job was, once more, with changes. Next: ``push``, ``push_flags``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.cli.client import Json, job_path
from sentinels.cli.previewing import preview
from sentinels.cli.push import see_through, send, tell
from sentinels.cli.push_flags import FlagOptions as F
from sentinels.cli.push_flags import Flags, read_flags
from sentinels.cli.show import Output, OutputOption
from sentinels.core.errors import InvalidSubmission


def rerun(
    ctx: typer.Context,
    job: Annotated[
        str, typer.Argument(metavar="JOB", help="A job's id, name, or the beginning of a name.")
    ],
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND...]", help="Another command and its arguments."),
    ] = None,
    by_tag: Annotated[
        bool, typer.Option("--by-tag", help="Take what the image's name means now.")
    ] = False,
    name: F.Name = None,
    experiment: F.Experiment = None,
    cpu: F.Cpu = None,
    memory: F.Memory = None,
    gpu: F.Gpu = None,
    gpu_type: F.GpuType = None,
    param: F.Param = None,
    sweep: F.Sweep = None,
    samples: F.Samples = None,
    seed: F.Seed = None,
    at_once: F.AtOnce = None,
    arg: F.Arg = None,
    env: F.Env = None,
    secret: F.Secret = None,
    data: F.Data = None,
    time_limit: F.TimeLimit = None,
    priority: F.Priority = None,
    after: F.After = None,
    retry_oom: F.RetryOom = None,
    retry_exit: F.RetryExit = None,
    retry_pattern: F.RetryPattern = None,
    retry_backoff: F.RetryBackoff = None,
    notify_on: F.NotifyOn = None,
    notify_channel: F.NotifyChannel = None,
    label: F.Label = None,
    wait: F.Wait = False,
    follow: F.Follow = False,
    quiet: F.Quiet = False,
    dry_run: F.DryRun = False,
    key: F.Key = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Push what a job was once more, on exactly the image that it ran.

    Flags change its config; the rest stays as it was. What it was to start after is left out.
    """
    flags = read_flags(ctx.params)
    if flags.faults:
        raise InvalidSubmission(flags.faults)
    path = job_path(job, "rerun")
    body: Json = {"config": flags.config, "by_tag": by_tag}
    try:
        if dry_run:
            preview(body, output, ends=wait or follow, path=path)
            return
        answer = send(path, body, key)
    except InvalidSubmission as invalid:
        raise _named(invalid, flags) from invalid
    tell(answer, output, quiet=quiet)
    if wait or follow:
        see_through(answer, follow=follow, aside=quiet or output is not Output.TABLE)


def _named(invalid: InvalidSubmission, flags: Flags) -> InvalidSubmission:
    """The faults under the names of the flags that they are about."""
    return InvalidSubmission([flags.named(fault) for fault in invalid.faults])
