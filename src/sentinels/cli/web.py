"""``sentinels web``: a link to the pages that lets this user's browser in. Next: ``client``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.cli.client import Client, job_path
from sentinels.cli.show import note, say
from sentinels.cli.status import JobArgument


def web(
    job: JobArgument = None,
    open_it: Annotated[
        bool, typer.Option("--open", help="Open it in this machine's browser.")
    ] = False,
) -> None:
    """Print a link that lets your browser in, once and within a minute. With a job: to its page."""
    client = Client()
    where = f"/jobs/{client.get(job_path(job))['id']}" if job is not None else "/"
    link = f"{client.url}{client.post('/v1/sessions')['path']}&next={where}"
    say(link)
    note("it works once, within a minute; after that the page is open for twelve hours")
    if open_it:
        import webbrowser

        webbrowser.open(link)
