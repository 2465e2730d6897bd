"""``sentinels cancel``: end jobs that wait or run. Next: ``client``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.cli.client import Client, job_path
from sentinels.cli.problems import report
from sentinels.cli.show import mapping, say
from sentinels.cli.sweep import sweep_path
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
        int | None, typer.Option(help="All that has not ended of the sweep of this job, at once.")
    ] = None,
) -> None:
    """Cancel jobs that wait or run."""
    client = Client()
    references = list(jobs or [])
    if not references and sweep is None:
        raise InvalidRequest("there is nothing to cancel", remedy="name jobs: sentinels cancel 12")
    worst = [_cancel(client, reference) for reference in references]
    if sweep is not None:
        worst.append(_cancel_sweep(client, sweep))
    raise typer.Exit(max(worst))


def _cancel_sweep(client: Client, sweep: int) -> int:
    """All of it at once: what waits is cancelled, what is live is asked to end."""
    try:
        answer = client.post(sweep_path(str(sweep), "cancel"))
    except SentinelsError as error:
        return report(error)
    found = mapping(answer.get("sweep"))
    stopping = f", {answer['requested']} being stopped" if answer.get("requested") else ""
    say(
        f"sweep {found.get('sweep')} {found.get('name')}: {answer['cancelled']} cancelled{stopping}"
    )
    return 0


def _cancel(client: Client, reference: str) -> int:
    try:
        answer = client.post(job_path(reference, "cancel"))
    except SentinelsError as error:
        return report(error)
    job = mapping(answer.get("job"))
    effect = _EFFECTS.get(str(answer.get("effect")), str(answer.get("effect")))
    say(f"job {job.get('id')} {job.get('name')} {effect.format(id=job.get('id'))}")
    dependents = answer.get("dependents")
    if isinstance(dependents, list) and dependents:
        named = ", ".join(map(str, dependents))
        say(f"  with it what was to start after it: {named}")
    return 0
