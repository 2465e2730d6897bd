"""``sentinels push``: file and flags to a submission, checked here first, then sent once.

Comes in: an image, a config file, flags. Goes out: job ids and what to type next. Next:
``push_flags``, ``client``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from sentinels.cli.client import Client, Json
from sentinels.cli.following import await_all
from sentinels.cli.problems import JOB_FAILED
from sentinels.cli.push_flags import FlagOptions as F
from sentinels.cli.push_flags import flags_to_config
from sentinels.cli.show import Output, OutputOption, mapping, note, rows, say, show_value
from sentinels.cli.words import ids, place, why
from sentinels.core.errors import Fault, InvalidSubmission, Unavailable

_PATIENCE_SECONDS = 20.0


def push(
    ctx: typer.Context,
    image: Annotated[
        str, typer.Argument(help="A container image, or a directory of code such as ./train.")
    ],
    command: Annotated[
        list[str] | None, typer.Argument(help="The command and its arguments, after --.")
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
    env: F.Env = None,
    data: F.Data = None,
    time_limit: F.TimeLimit = None,
    priority: F.Priority = None,
    after: F.After = None,
    retry_oom: F.RetryOom = None,
    retry_exit: F.RetryExit = None,
    notify_on: F.NotifyOn = None,
    notify_channel: F.NotifyChannel = None,
    label: F.Label = None,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Wait for the end; exit code 1 if one failed.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print the log until the end.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the ids.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Push an experiment to the queue and get its id.

    Flags win over the config file. A directory is copied when it is pushed: editing it afterwards
    changes nothing.
    """
    answer = _send({"image": _image(image), "config": _read(_image(image), config, ctx.params)})
    jobs = rows(answer, "jobs")
    if quiet:
        for job in jobs:
            say(str(job["id"]))
    elif output in (Output.JSON, Output.YAML):
        show_value(answer, output)
    else:
        _tell(answer)
    if follow:
        from sentinels.cli.logs import follow_to_the_end

        good = [follow_to_the_end(Client(), str(job["id"])) for job in jobs]
        raise typer.Exit(0 if all(good) else JOB_FAILED)
    if wait and not await_all(Client(), [str(job["id"]) for job in jobs]):
        raise typer.Exit(JOB_FAILED)


def _image(image: str) -> str:
    path = Path(image).expanduser()
    if image.startswith((".", "/", "~")) or path.is_dir():
        return str(path.absolute().resolve())
    return image


def _read(image: str, config: Path | None, flags: dict[str, object]) -> dict[str, object]:
    from sentinels.core.config_file import merge_flags, parse_config_text
    from sentinels.core.submission_reading import read_submission

    file = parse_config_text(_text(config))
    merged = merge_flags(file.data, flags_to_config(flags))
    faults = list(file.faults)
    try:
        read_submission(image, merged, lines=file.lines)
    except InvalidSubmission as invalid:
        faults.extend(invalid.faults)
    if faults:
        raise InvalidSubmission(faults)
    return merged


def _text(config: Path | None) -> str:
    from sentinels.core.submission_reading import MAX_BODY_BYTES

    if config is None:
        return ""
    try:
        if str(config) == "-":
            return sys.stdin.read(MAX_BODY_BYTES + 1)
        with config.open(encoding="utf-8") as file:
            return file.read(MAX_BODY_BYTES + 1)
    except OSError as error:
        message = f"{config} cannot be read: {error.strerror}"
        raise InvalidSubmission([Fault("config", message, remedy="name it with -c")]) from error
    except UnicodeDecodeError as error:
        raise InvalidSubmission([Fault("config", f"{config} is not UTF-8 text")]) from error


def _send(body: Json) -> Json:
    client, key = Client(), str(uuid4())
    deadline = time.monotonic() + _PATIENCE_SECONDS
    said = False
    while True:
        try:
            return client.post("/v1/jobs", body, key=key)
        except Unavailable as trouble:
            if time.monotonic() > deadline:
                raise
            if not said:
                note(f"{trouble}; trying again with the same key …")
                said = True
            time.sleep(1)


def _tell(answer: Json) -> None:
    jobs = rows(answer, "jobs")
    first, queue = jobs[0], mapping(answer.get("queue"))
    head = f"job {ids(jobs)}" if len(jobs) == 1 else f"jobs {ids(jobs)}"
    count = "" if len(jobs) == 1 else f" · {len(jobs)} jobs of sweep {first['id']}"
    again = " · pushed before, nothing new was queued" if answer.get("replayed") else ""
    where = f" · {place(queue)}" if first.get("state") == "queued" else ""
    say(f"{head} {first['state']}{count}{where} · {first['name']}{again}")
    if why(first):
        say(f"  waits: {why(first)}")
    job_id = first["id"]
    say(
        f"  status: sentinels status {job_id}    follow: sentinels logs -f {job_id}"
        f"    cancel: sentinels cancel {job_id}"
    )
