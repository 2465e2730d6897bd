"""``sentinels push``: file and flags to a submission, checked here first, then sent once.

Comes in: an image, a config file, flags. Goes out: job ids and what to type next. Next:
``push_flags``, ``client``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple
from uuid import uuid4

import typer

from sentinels.cli.checking import show_checks
from sentinels.cli.client import Client, Json
from sentinels.cli.following import await_all
from sentinels.cli.listing import JOBS
from sentinels.cli.previewing import preview
from sentinels.cli.problems import JOB_FAILED
from sentinels.cli.push_flags import FlagOptions as F
from sentinels.cli.push_flags import read_flags
from sentinels.cli.reading import read_text
from sentinels.cli.show import (
    Output,
    OutputOption,
    Row,
    mapping,
    note,
    on_terminal,
    rows,
    say,
    show_rows,
    show_value,
)
from sentinels.cli.times import length, seconds_between
from sentinels.cli.words import expected, ids, needs, place, why
from sentinels.core.errors import Fault, InvalidSubmission, Unavailable

_PATIENCE_SECONDS = 20.0


def push(
    ctx: typer.Context,
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE", help="A container image, or a directory of code such as ./train."
        ),
    ],
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND...]", help="The command and its arguments."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("-c", "--config", help="The config file; - is standard input.")
    ] = None,
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
    fit: F.Fit = False,
    wait: F.Wait = False,
    follow: F.Follow = False,
    quiet: F.Quiet = False,
    dry_run: F.DryRun = False,
    check: F.Check = False,
    again: F.Again = False,
    key: F.Key = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Push an experiment to the queue and get its id.

    Flags win over the config file. A directory is copied when it is pushed: editing it afterwards
    changes nothing. The same push within ten minutes is the same job, unless that has ended.
    """
    where = _image(image)
    body: Json = {"image": where, "config": _read(where, config, ctx.params)}
    if fit:
        body["fit"] = True
    if check:
        show_checks(body, output)
    elif dry_run:
        preview(body, output, ends=wait or follow)
    else:
        _push(body, key, _Wishes(output, again, wait, follow, quiet))


class _Wishes(NamedTuple):
    """What is to become of a push."""

    output: Output
    again: bool
    wait: bool
    follow: bool
    quiet: bool


def _push(body: Json, key: str | None, wishes: _Wishes) -> None:
    """Whoever names no key gets the same job for the same push."""
    output, again, wait, follow, quiet = wishes
    query = {} if key and not again else {"again": str(again).lower()}
    answer = send("/v1/jobs", body, key, query)
    tell(answer, output, quiet=quiet)
    if wait or follow:
        see_through(answer, follow=follow, aside=quiet or output is not Output.TABLE)


def _image(image: str) -> str:
    try:
        path = Path(image).expanduser()
        if image.startswith(("./", "../", "/", "~")) or image in (".", "..") or path.is_dir():
            return str(path.resolve())
    except (OSError, RuntimeError):
        return image  # no path that could be looked at; what it is instead is judged below
    return image


def _read(image: str, config: Path | None, flags: dict[str, object]) -> dict[str, object]:
    from sentinels.core.config_file import merge_flags, parse_config_text
    from sentinels.core.submission_reading import read_submission

    file, given = parse_config_text(_text(config)), read_flags(flags)
    merged = merge_flags(file.data, given.config)
    faults = [*_missing(image), *file.faults, *given.faults]
    try:
        read_submission(image, merged, lines=file.lines)
    except InvalidSubmission as invalid:
        faults.extend(map(given.named, invalid.faults))
    if faults:
        raise InvalidSubmission(sorted(faults, key=lambda fault: fault.line or 0))
    return merged


def _missing(image: str) -> list[Fault]:
    if not image.startswith("/"):
        return []
    try:
        if Path(image).is_dir():
            return []
        what = "is a file, not a directory" if Path(image).exists() else "is no directory here"
    except OSError as error:
        what = f"cannot be looked at: {error.strerror}"
    return [Fault("image", what, value=image, remedy="name the directory that holds the code")]


def _text(config: Path | None) -> str:
    return "" if config is None else read_text(str(config))


def send(path: str, body: Json, key: str | None, query: Mapping[str, str] | None = None) -> Json:
    """Push under a key, so that it may be sent again while the server does not answer."""
    client, sent_key = Client(), key or str(uuid4())
    deadline = time.monotonic() + _PATIENCE_SECONDS
    said = False
    while True:
        try:
            return client.post(path, body, key=sent_key, query=query)
        except Unavailable as trouble:
            if time.monotonic() > deadline:
                safe = f"push again, safe from a second job, with: --key {sent_key}"
                remedy = f"{trouble.remedy}    {safe}" if trouble.remedy else safe
                raise Unavailable(str(trouble), remedy=remedy) from trouble
            if not said:
                note(f"{trouble}; trying again for {_PATIENCE_SECONDS:.0f} s …")
                said = True
            time.sleep(1)


def see_through(answer: Json, *, follow: bool, aside: bool) -> None:
    """Wait until the jobs of a push have ended; exit code 1 where one did not succeed."""
    if not _end([str(job["id"]) for job in rows(answer, "jobs")], follow=follow, aside=aside):
        raise typer.Exit(JOB_FAILED)


def _end(ids: list[str], *, follow: bool, aside: bool) -> bool:
    try:
        if not follow:
            return await_all(Client(), ids, aside=aside)
        from sentinels.cli.logs import follow_to_the_end

        return all([follow_to_the_end(Client(), job_id) for job_id in ids])
    except KeyboardInterrupt:
        if on_terminal(sys.stderr):
            note("")  # what the terminal shows of Ctrl-C stands on a line of its own
        note(f"what was pushed goes on; wait again: sentinels wait {' '.join(ids)}")
        raise


def tell(answer: Json, output: Output, *, quiet: bool) -> None:
    """Say what a push became."""
    jobs = rows(answer, "jobs")
    if quiet:
        for job in jobs:
            say(str(job["id"]))
    elif output in (Output.JSON, Output.YAML):
        show_value(answer, output)
    elif output is Output.TABLE:
        before = bool(answer.get("replayed")) and not answer.get("same")
        _tell_person(jobs, mapping(answer.get("queue")), replayed=before)
        for text in _notes(answer, jobs[0]):
            say(f"  {text}")
        _tell_fit(mapping(answer.get("fit")))
    else:
        show_rows(jobs, JOBS, output, empty="")


def _notes(answer: Json, first: Row) -> Iterator[str]:
    """Why there is nothing new, where there is not; what was not found good or bad."""
    if answer.get("same"):
        since = length(seconds_between(first.get("submitted_at"), None))
        yield f"the same was pushed {since} ago, nothing new was queued; --again pushes it anyway"
    warnings = answer.get("warnings")
    yield from (f"! {text}" for text in (warnings if isinstance(warnings, list) else []))


def _tell_fit(fit: Row) -> None:
    """What the last runs of its name used, and what less would gain, or what was taken."""
    if not fit:
        return
    told = fit.get("sentences")
    said = "; ".join(map(str, told)) if isinstance(told, list) else ""
    asks = needs(fit)
    say(f"  the last {fit['runs']} runs of its name say: {said}")
    if fit.get("taken"):
        say(f"  so it asks for {asks}")
        return
    seconds = fit.get("sooner_seconds")
    sooner = isinstance(seconds, int | float) and seconds >= 60
    gain = f", and starts about {length(float(str(seconds)))} sooner" if sooner else ""
    say(f"  with --fit it asks for {asks}{gain}")


def _tell_person(jobs: list[Row], queue: Row, *, replayed: bool) -> None:
    first = jobs[0]
    head = f"job {ids(jobs)}" if len(jobs) == 1 else f"jobs {ids(jobs)}"
    count = "" if len(jobs) == 1 else f" · {len(jobs)} jobs of sweep {first['id']}"
    again = " · pushed before, nothing new was queued" if replayed else ""
    rerun = f" · rerun of {first['rerun_of']}" if first.get("rerun_of") else ""
    where = f" · {place(queue)}" if first.get("state") == "queued" else ""
    say(f"{head} {first['state']}{count}{where} · {first['name']}{rerun}{again}")
    if why(first):
        say(f"  waits: {why(first)}")
    when = expected(mapping(first.get("queue")).get("expected"))
    if when not in ("", "now"):
        say(f"  expected to start {when}")
    job_id = first["id"]
    cancel = f"cancel {job_id}" if len(jobs) == 1 else f"cancel --sweep {job_id}"
    show = "status" if len(jobs) == 1 else "sweep"
    say(
        f"  status: sentinels {show} {job_id}    follow: sentinels logs -f {job_id}"
        f"    cancel: sentinels {cancel}"
    )
