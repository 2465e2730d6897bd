"""The commands of the one-machine mode: ``up``, ``down`` and ``demo``.

Comes in: the command line. Goes out: calls into ``up``, ``down``, ``demo``, imported only then:
``sentinels --help`` reads this module. Expected failures are ``SentinelsError``s. Next: ``up``.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from sentinels.core.errors import InvalidRequest
from sentinels.data_folder import find_home
from sentinels.local.home import Home
from sentinels.local.options import UpOptions

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        help="The data folder. Default: $SENTINELS_HOME, else /var/lib/sentinels for root, "
        "~/.local/share/sentinels for others.",
    ),
]
_EXTRAS = {False: "local", True: "local,kubernetes"}
_NEEDED = ("psutil", "psycopg", "sqlalchemy", "functions_framework")


def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when it is ready; it runs on.")
    ] = False,
    home: HomeOption = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="The server's port. Default: the last one."),
    ] = None,
    tick: Annotated[
        float, typer.Option("--tick", min=0.1, max=3600, help="Seconds between two ticks.")
    ] = 5.0,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="The shared, read-only data. Default: data in the data folder."
        ),
    ] = None,
    no_mlflow: Annotated[
        bool, typer.Option("--no-mlflow", help="Run without MLflow: nothing is tracked.")
    ] = False,
    kubeconfig: Annotated[
        Path | None,
        typer.Option("--kubeconfig", help="Run the jobs on this Kubernetes cluster, not here."),
    ] = None,
    address: Annotated[
        str, typer.Option("--address", help="This machine's address for the cluster's pods.")
    ] = "127.0.0.1",
) -> None:
    """Start Sentinels on this machine: PostgreSQL, the functions, MLflow.

    It runs until Ctrl-C or `sentinels down`. Jobs and results stay.
    """
    _check_installed(mlflow=not no_mlflow, kubernetes=kubeconfig is not None)
    if data is not None and not data.is_dir():
        raise InvalidRequest(f"--data {data}: there is no such folder", remedy="make it first")
    if kubeconfig is not None and not kubeconfig.is_file():
        raise InvalidRequest(f"--kubeconfig {kubeconfig}: there is no such file")
    from sentinels.local.status_lines import StatusLines
    from sentinels.local.up import run_here, run_in_background

    options = UpOptions(
        home=_home(home).path,
        port=port,
        tick=tick,
        data=data,
        mlflow=not no_mlflow,
        kubeconfig=kubeconfig.absolute() if kubeconfig else None,
        address=address,
    )
    if detach:
        run_in_background(options, StatusLines())
    else:
        run_here(options, StatusLines())


def down(home: HomeOption = None) -> None:
    """Stop Sentinels on this machine.

    Jobs that run are stopped too; they start again at the next `sentinels up`.
    """
    _check_installed(mlflow=False)
    from sentinels.local.down import bring_down
    from sentinels.local.status_lines import StatusLines

    bring_down(_home(home), StatusLines())


def demo(
    home: Annotated[
        Path | None,
        typer.Option("--home", help="The demo's data folder. Default: the usual one with -demo."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave Sentinels up at the end.")] = False,
) -> None:
    """Show real experiments going through Sentinels on this machine.

    It takes a minute or two, in a data folder of its own, and ends by itself.
    """
    _check_installed(mlflow=True)
    from sentinels.local.demo import run

    usual = find_home(os.environ, uid=os.geteuid())
    run(_home(home or usual.with_name(f"{usual.name}-demo")).path, keep=keep)


def _home(named: Path | None) -> Home:
    if named is not None:
        return Home(named.expanduser().absolute())
    return Home(find_home(os.environ, uid=os.geteuid()))


def _check_installed(*, mlflow: bool, kubernetes: bool = False) -> None:
    wanted = {"mlflow": mlflow, "kubernetes": kubernetes}
    needed = [*_NEEDED, *(name for name, wants in wanted.items() if wants)]
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise InvalidRequest(
            f"the one-machine mode is not installed here: {', '.join(missing)} is missing",
            remedy=f'install it with: pip install "sentinels-ml[{_EXTRAS[kubernetes]}]"',
        )
