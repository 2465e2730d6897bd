"""``sentinels bootstrap``: what the chart's Jobs run after an installation and before its end.

Comes in: the folder with the plan, the environment. Goes out: a checklist; exit code 3 where
something is not ready. Next: ``bootstrap``, ``removing``.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from sentinels.cli.problems import SERVER
from sentinels.cli.show import say
from sentinels.core.errors import InvalidRequest
from sentinels.settings import Settings

Folder = Annotated[
    Path, typer.Option("--plan", help="The folder of the chart's ConfigMap sentinels-bootstrap.")
]


def bootstrap(
    folder: Folder = Path("/etc/sentinels/plan"),
    remove: Annotated[
        bool, typer.Option("--remove", help="Take away what it has made, instead.")
    ] = False,
) -> None:
    """Make everything that the Helm chart needs, wait until it is ready, say what is not.

    It may be run again at any time.
    """
    from sentinels.clusters.kubernetes.api import Api
    from sentinels.install.bootstrap import bootstrap as make
    from sentinels.install.checklist import Checklist
    from sentinels.install.plan import read_plan
    from sentinels.install.removing import remove as take_away
    from sentinels.install.waiting import Site

    plan, settings = read_plan(folder), Settings.from_env(os.environ)
    checklist = Checklist()
    site = Site(Api(settings.kubeconfig), time.monotonic() + plan.seconds, checklist)
    if remove:
        take_away(site, plan, settings.namespace_prefix)
    elif not settings.database_url:
        raise InvalidRequest("SENTINELS_DATABASE_URL is not set", remedy="the chart sets it")
    else:
        make(site, plan, settings)
    if not checklist.ok:
        raise typer.Exit(SERVER)
    say("everything of it is gone" if remove else "everything is ready")
