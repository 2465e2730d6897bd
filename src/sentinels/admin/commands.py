"""``sentinels team add`` and ``sentinels team list``: an operator's commands.

They need a cluster administrator's kubeconfig, and the database's URL where there is one. Comes in:
flags and the environment. Goes out: calls. Next: ``reading``, ``adding``, ``listing``.
"""

from __future__ import annotations

import math
import os
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sentinels.cli.show import Output, OutputOption, note, say, show_rows, show_value
from sentinels.core.errors import InvalidRequest

if TYPE_CHECKING:
    from sentinels.clusters.kubernetes.api import Api
    from sentinels.clusters.kubernetes.team import TeamSpec

app = typer.Typer(
    help="Look after the teams: their namespaces and limits, their users.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    epilog="\b\nExample:\n  sentinels team add vision --cpu 64 --memory 512Gi --gpus 8",
)

Kubeconfig = Annotated[
    str | None,
    typer.Option(
        "--kubeconfig",
        envvar="SENTINELS_KUBECONFIG",
        help="A cluster administrator's. Default: $KUBECONFIG, ~/.kube/config.",
    ),
]
DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--database-url",
        envvar="SENTINELS_DATABASE_URL",
        help="PostgreSQL, as postgresql+psycopg://user@host/database. Without it only the"
        " cluster is looked after.",
    ),
]
Prefix = Annotated[
    str,
    typer.Option(
        "--namespace-prefix",
        envvar="SENTINELS_NAMESPACE_PREFIX",
        help="A team's namespace is this and its name.",
    ),
]


class Printed(StrEnum):
    """What ``team add -o`` takes."""

    TABLE = "table"
    YAML = "yaml"
    JSON = "json"


@app.command(epilog="\b\nExample:\n  sentinels team add vision --cpu 64 --memory 512Gi --gpus 8")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The team's name.")],
    cpu: Annotated[
        str | None, typer.Option("--cpu", help="CPUs of all its jobs, as in 64.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option("--memory", help="Memory of all its jobs, as in 512Gi.")
    ] = None,
    gpus: Annotated[str | None, typer.Option("--gpus", help="GPUs of all its jobs.")] = None,
    pods: Annotated[
        str | None, typer.Option("--pods", help="Jobs at one time that have not ended.")
    ] = None,
    job_cpu: Annotated[
        str | None, typer.Option("--job-cpu", help="CPUs that one job may ask for.")
    ] = None,
    job_memory: Annotated[
        str | None, typer.Option("--job-memory", help="Memory that one job may ask for.")
    ] = None,
    pod_security: Annotated[
        str,
        typer.Option("--pod-security", help="restricted, or baseline for images that run as root."),
    ] = "restricted",
    egress: Annotated[
        list[str] | None,
        typer.Option(
            "--egress",
            help="What jobs may reach besides DNS and MLflow, as in 10.1.0.0/16:443 or"
            " namespace/shared. Repeatable.",
        ),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option("--weight", help="Its part of the cluster. Default: as it is; at first 1."),
    ] = None,
    user: Annotated[
        list[str] | None,
        typer.Option(
            "--user",
            help="Somebody in it, as in ann or ann:lead or ann:operator; a new user's token is"
            " printed. Repeatable.",
        ),
    ] = None,
    kubeconfig: Kubeconfig = None,
    database_url: DatabaseUrl = "",
    prefix: Prefix = "sen-",
    system: Annotated[
        str, typer.Option("--system-namespace", help="Where the functions' accounts are.")
    ] = "sentinels",
    launcher: Annotated[
        str,
        typer.Option("--launcher", help="Who creates Jobs there. Default: dispatch's account."),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the objects; change nothing.")
    ] = False,
    output: Annotated[
        Printed, typer.Option("-o", "--output", help="With --dry-run: how to print them.")
    ] = Printed.TABLE,
) -> None:
    """Make a team's namespace, or change it: quota, limits, pod security, network, permissions.

    It may be run again at any time. What is not given is not limited.
    """
    from sentinels.admin.reading import Flags, read_team

    spec = read_team(
        Flags(
            name=name,
            cpu=cpu,
            memory=memory,
            gpus=gpus,
            pods=pods,
            job_cpu=job_cpu,
            job_memory=job_memory,
            pod_security=pod_security,
            egress=egress or (),
            prefix=prefix,
            system=system,
            launcher=launcher,
        )
    )
    if weight is not None and not (weight > 0 and math.isfinite(weight)):
        raise InvalidRequest(f"--weight {weight} is not above 0", remedy="nothing was done")
    if output is not Printed.TABLE and not dry_run:
        raise InvalidRequest(f"-o {output.value} prints objects", remedy="add --dry-run")
    if dry_run:
        _print(spec, output)
        return
    _add(_api(kubeconfig), spec, database_url, weight, user or [])


@app.command("list", epilog="\b\nExample:\n  sentinels team list")
def list_teams(
    kubeconfig: Kubeconfig = None,
    database_url: DatabaseUrl = "",
    prefix: Prefix = "sen-",
    output: OutputOption = Output.TABLE,
) -> None:
    """List the teams: what each uses of its quota, its weight and users."""
    from sentinels.admin.listing import COLUMNS, rows_of, teams_on_cluster

    stored = {}
    if database_url:
        from sentinels.db.teams import all_teams

        stored = {
            team.name: {"weight": team.weight, "users": list(team.users)}
            for team in all_teams(database_url)
        }
    found = rows_of(teams_on_cluster(_api(kubeconfig), prefix), stored)
    show_rows(found, COLUMNS, output, empty="No team yet: sentinels team add NAME")


def _print(spec: TeamSpec, output: Printed) -> None:
    from sentinels.clusters.kubernetes.team import team_objects

    found = team_objects(spec)
    if output is Printed.JSON:
        show_value({"apiVersion": "v1", "kind": "List", "items": found}, Output.JSON)
        return
    for position, each in enumerate(found):
        if position:
            say("---")
        show_value(each, Output.YAML)
    note("nothing was changed")


def _add(
    api: Api, spec: TeamSpec, database_url: str, weight: float | None, users: list[str]
) -> None:
    from sentinels.admin.adding import Membership, add_to_cluster, add_to_database

    if users and not database_url:
        raise InvalidRequest(
            "--user needs the database", remedy="add --database-url; nothing was done"
        )
    add_to_cluster(api, spec)
    if database_url:
        add_to_database(database_url, spec.name, Membership(weight, users))
    else:
        note("without --database-url only the cluster was changed")


def _api(kubeconfig: str | None) -> Api:
    if find_spec("kubernetes") is None or find_spec("aiohttp") is None:
        raise InvalidRequest(
            "this command needs the Kubernetes client",
            remedy="pip install 'sentinels-ml[kubernetes]'",
        )
    from sentinels.clusters.kubernetes.api import Api

    usual = Path.home() / ".kube" / "config"
    found = kubeconfig or os.environ.get("KUBECONFIG") or (str(usual) if usual.is_file() else "")
    if kubeconfig and not Path(kubeconfig).is_file():
        raise InvalidRequest(f"--kubeconfig {kubeconfig}: there is no such file")
    return Api(found)
