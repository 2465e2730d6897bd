"""``sentinels status``: one job on one screen. Next: ``following``, ``show``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from sentinels.cli.client import Client, Json, job_path
from sentinels.cli.following import changes
from sentinels.cli.listing import JOBS
from sentinels.cli.show import (
    Output,
    OutputOption,
    Row,
    clear_screen,
    mapping,
    on_terminal,
    painted_line,
    rows,
    say,
    show_rows,
    show_value,
)
from sentinels.cli.times import ago, length, local, ran, seconds_between, waited
from sentinels.cli.words import TERMINAL, expected, image, needs, place, state, why
from sentinels.core.errors import InvalidRequest

JobArgument = Annotated[
    str | None, typer.Argument(metavar="JOB", help="A job's id, name, or the beginning of a name.")
]


def status(
    job: JobArgument = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it again whenever it changes.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show where a job is and why. Without a job: the newest one."""
    client = Client()
    reference = job or newest(client)
    if not watch:
        _show(client.get(job_path(reference)), output)
        return
    before: Json = {}
    for found in changes(client, reference):
        if found == before:
            continue
        before = found
        clear_screen()
        _show(found, output)
        if found.get("state") in TERMINAL:
            return
        if not on_terminal():
            say()


def newest(client: Client) -> str:
    """The id of the newest job. Raises ``InvalidRequest`` where there is none."""
    found = rows(client.get("/v1/jobs", {"limit": 1}), "jobs")
    if not found:
        raise InvalidRequest("there are no jobs yet", remedy="sentinels push ./train")
    return str(found[0]["id"])


def _show(job: Json, output: Output) -> None:
    if output in (Output.JSON, Output.YAML):
        show_value(job, output)
        return
    if output is Output.CSV:
        show_rows([job], JOBS, output, empty="")
        return
    for line in _lines(job, wide=output is Output.WIDE):
        painted_line(line, str(job.get("state")))


def _lines(job: Json, *, wide: bool) -> Iterator[str]:
    yield f"job {job['id']} {job['name']}  {state(job)}"
    for title, text in _facts(job, wide=wide):
        if text:
            yield f"  {title:<11} {text}"
    attempts = rows(job, "attempts")
    if len(attempts) > 1 or wide:
        yield "  attempts"
        for attempt in attempts:
            yield f"    {_attempt(attempt)}"
    yield f"  next: {_next(job)}"


def _facts(job: Json, *, wide: bool) -> Iterator[tuple[str, str]]:
    queue = mapping(job.get("queue"))
    last = (rows(job, "attempts") or [{}])[-1]
    found = job.get("unavailable")
    yield "why", str(job.get("message") or "")
    yield "in line", f"{place(queue)}" if queue else ""
    yield "waits", why(job)
    yield "expected", expected(queue.get("expected"))
    yield "needs", f"{needs(job)} · priority {job['priority']}"
    yield "pushed", f"{ago(job['submitted_at'])} by {job['user']}, team {job['team']}"
    yield "started", _started(job)
    yield "ended", _ended(job)
    yield "node", str(last.get("node") or "")
    yield "used", _used(last, mapping(job.get("resources")).get("memory"))
    yield "params", ", ".join(f"{name}={value}" for name, value in mapping(job["params"]).items())
    yield "experiment", str(job["experiment"])
    yield "image", image(job, wide=wide)
    yield "after", ", ".join(map(str, _listed(mapping(job.get("config")).get("after"))))
    yield "sweep", f"{job['sweep']}: sentinels sweep {job['sweep']}" if job.get("sweep") else ""
    yield "rerun", f"of job {job['rerun_of']}" if job.get("rerun_of") else ""
    yield "labels", ", ".join(f"{name}={value}" for name, value in mapping(job["labels"]).items())
    yield "artifacts", _artifacts(last) if job.get("finished_at") else ""
    yield "mlflow", str(mapping(job.get("links")).get("mlflow") or "")
    yield "logs", str(mapping(job.get("links")).get("logs") or "")
    yield "unavailable", "; ".join(map(str, found)) if isinstance(found, list) else ""


def _listed(found: object) -> list[object]:
    return found if isinstance(found, list) else []


def _artifacts(attempt: Row) -> str:
    found = str(attempt.get("outputs") or "")
    return f"{found}: not all that it left reached MLflow" if found == "incomplete" else found


def _started(job: Json) -> str:
    if not job.get("started_at"):
        return ""
    return f"{local(job['started_at'])}, after waiting {waited(job)}"


def _ended(job: Json) -> str:
    if not job.get("finished_at"):
        return f"not yet; runs for {ran(job)}" if job.get("started_at") else ""
    code = job.get("exit_code")
    return (
        f"{local(job['finished_at'])}"
        + (f", after {ran(job)}" if job.get("started_at") else "")
        + (f", exit code {code}" if code is not None else "")
    )


def _used(attempt: Row, memory_limit: object) -> str:
    from sentinels.core.quantity import about_memory

    usage = mapping(attempt.get("usage"))
    memory, cpu = usage.get("peak_memory_bytes"), usage.get("cpu_seconds")
    words = []
    if isinstance(memory, int):
        words.append(f"{about_memory(memory)} of {memory_limit} memory")
    if isinstance(cpu, int | float):
        words.append(f"{cpu:.1f} CPU seconds")
    if usage.get("mean_gpu_percent") is not None:
        words.append(f"GPU {usage['mean_gpu_percent']} %")
    return ", ".join(words)


def _attempt(attempt: Row) -> str:
    ended = str(attempt.get("reason") or attempt.get("state")).replace("_", " ")
    took = length(seconds_between(attempt.get("started_at"), attempt.get("finished_at")))
    message = f": {attempt['message']}" if attempt.get("message") else ""
    again = f" [{attempt['different']}]" if attempt.get("different") else ""
    return f"{attempt['attempt']}. {ended} on {attempt.get('node') or '-'} {took}{message}{again}"


def _next(job: Json) -> str:
    job_id = job["id"]
    if job.get("state") == "queued":
        return f"sentinels why {job_id} · sentinels cancel {job_id}"
    if job.get("state") == "failed":
        return (
            f"sentinels explain {job_id} · sentinels logs {job_id} · sentinels artifacts {job_id}"
        )
    if job.get("state") in TERMINAL:
        return (
            f"sentinels logs {job_id} · sentinels artifacts {job_id} · sentinels history {job_id}"
        )
    return f"sentinels logs -f {job_id} · sentinels cancel {job_id}"
