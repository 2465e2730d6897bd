"""``sentinels cancel``: end jobs that wait or run. Next: ``client``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.cli.client import Client, job_path
from sentinels.cli.jobs import collect
from sentinels.cli.problems import report
from sentinels.cli.show import mapping, say
from sentinels.core.errors import InvalidRequest, SentinelsError

_EFFECTS = {
    "cancelled": "cancelled",
    "requested": "is being stopped; sentinels wait {id} returns when nothing of it runs",
}


def cancel(
    jobs: Annotated[
        list[str] | None, typer.Argument(metavar="JOB...", help="Ids, names or prefixes.")
    ] = None,
    sweep: Annotated[
        int | None, typer.Option(help="All jobs of the sweep of this job that have not ended.")
    ] = None,
) -> None:
    """Cancel jobs that wait or run."""
    client = Client()
    references = list(jobs or [])
    if sweep is not None:
        alive = {"sweep": sweep, "state": ["queued", "dispatched", "running"]}
        references += [str(job["id"]) for job in collect(client, alive, limit=None)[0]]
    if not references:
        raise InvalidRequest("there is nothing to cancel", remedy="name jobs: sentinels cancel 12")
    worst = max(_cancel(client, reference) for reference in references)
    raise typer.Exit(worst)


def _cancel(client: Client, reference: str) -> int:
    try:
        answer = client.post(job_path(reference, "cancel"))
    except SentinelsError as error:
        return report(error)
    job = mapping(answer.get("job"))
    effect = _EFFECTS.get(str(answer.get("effect")), str(answer.get("effect")))
    say(f"job {job.get('id')} {job.get('name')} {effect.format(id=job.get('id'))}")
    return 0
