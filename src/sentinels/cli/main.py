"""``sentinels``: the table of commands, and the one place where expected errors end.

Only the module of the command that was typed is imported. A target is ``module:attribute``; the
attribute is a function with typer's annotations, or a ``typer.Typer`` for a group. Targets outside
this package are named as text only, since the CLI stands without them. Comes in: the command line.
Goes out: an exit code. Next: ``lazy``, then the command's own module.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from io import TextIOWrapper

import typer

from sentinels.cli.lazy import Command, make_group
from sentinels.cli.problems import INTERRUPTED, report
from sentinels.core.errors import SentinelsError

COMMANDS: Mapping[str, Command] = {
    "push": Command(
        "sentinels.cli.push:push",
        "Push an experiment to the queue and get its id.",
        "sentinels push ./train -c config.yaml -p C=0.1 --cpu 2",
        "Experiments",
    ),
    "status": Command(
        "sentinels.cli.status:status",
        "Show where a job is and why.",
        "sentinels status 12 --watch",
        "Experiments",
    ),
    "logs": Command(
        "sentinels.cli.logs:logs",
        "Print what a job wrote, or follow it.",
        "sentinels logs -f 12",
        "Experiments",
    ),
    "explain": Command(
        "sentinels.cli.explain:explain",
        "Explain how a job ended: why, whose doing, what to do.",
        "sentinels explain 12",
        "Experiments",
    ),
    "why": Command(
        "sentinels.cli.why:why",
        "Say why a job waits, and what would start it now.",
        "sentinels why 12 --history",
        "Experiments",
    ),
    "usage": Command(
        "sentinels.cli.usage:usage",
        "Show what a job uses over time, and what would have sufficed.",
        "sentinels usage 12 --watch",
        "Experiments",
    ),
    "wait": Command(
        "sentinels.cli.wait:wait",
        "Wait until jobs have ended; exit code 1 if one did not succeed.",
        "sentinels wait 12 13 --timeout 2h",
        "Experiments",
    ),
    "sweep": Command(
        "sentinels.cli.sweep:sweep",
        "Show a sweep as one: how far it is, which of its jobs is best.",
        "sentinels sweep 12 --sort accuracy",
        "Experiments",
    ),
    "cancel": Command(
        "sentinels.cli.cancel:cancel",
        "Cancel jobs that wait or run.",
        "sentinels cancel 12",
        "Experiments",
    ),
    "bump": Command(
        "sentinels.cli.bump:bump",
        "Give waiting jobs another priority; see first whom that delays.",
        "sentinels bump 12 urgent",
        "Experiments",
    ),
    "artifacts": Command(
        "sentinels.cli.artifacts:artifacts",
        "List or download what a job left.",
        "sentinels artifacts 12 --download results",
        "Experiments",
    ),
    "history": Command(
        "sentinels.cli.history:history",
        "Tell a job's story, or list the jobs that have ended.",
        "sentinels history 12",
        "Experiments",
    ),
    "diff": Command(
        "sentinels.cli.diff:diff",
        "Show how two jobs differ: config, image, result.",
        "sentinels diff 12 15",
        "Experiments",
    ),
    "rerun": Command(
        "sentinels.cli.rerun:rerun",
        "Push a job once more, with changes, on exactly its image.",
        "sentinels rerun 12 -p C=1 --cpu 4",
        "Experiments",
    ),
    "queue": Command(
        "sentinels.cli.queue:queue",
        "Show who is next, who runs, and what is free.",
        "sentinels queue --next 5",
        "The queue",
    ),
    "jobs": Command(
        "sentinels.cli.jobs:jobs",
        "List jobs, newest first.",
        "sentinels jobs --state failed --experiment digits",
        "The queue",
    ),
    "nodes": Command(
        "sentinels.cli.nodes:app",
        "Show the nodes and what is on them; take one out of service.",
        "sentinels nodes -o wide",
        "The queue",
    ),
    "notices": Command(
        "sentinels.cli.notices:notices",
        "Show what people were told.",
        "sentinels notices 12",
        "The queue",
    ),
    "web": Command(
        "sentinels.cli.web:web",
        "Print a link to the web page that lets your browser in.",
        "sentinels web",
        "The queue",
    ),
    "sql": Command(
        "sentinels.cli.sql:sql",
        "Ask one query over everything, or show what may be asked.",
        'sentinels sql "SELECT state, count(*) FROM v_jobs GROUP BY state"',
        "The queue",
    ),
    "report": Command(
        "sentinels.cli.report:report",
        "Tell what was used, waited for, lost or wasted.",
        "sentinels report usage --by user --since 30d -o csv",
        "The queue",
    ),
    "notify": Command(
        "sentinels.cli.notify:notify",
        "Show or choose where you are told of your jobs, and of what.",
        "sentinels notify --to @U024BE7LH --on failed,silent",
        "The queue",
    ),
    "policy": Command(
        "sentinels.cli.policy:app",
        "Show the policy, or put another in force.",
        "sentinels policy show > policy.yaml",
        "Running it",
    ),
    "up": Command(
        "sentinels.local.commands:up",
        "Start Sentinels on this machine.",
        "sentinels up --detach",
        "Running it",
        extra="local",
    ),
    "down": Command(
        "sentinels.local.commands:down",
        "Stop Sentinels on this machine.",
        "sentinels down",
        "Running it",
        extra="local",
    ),
    "demo": Command(
        "sentinels.local.commands:demo",
        "Show real experiments going through Sentinels.",
        "sentinels demo",
        "Running it",
        extra="local",
    ),
    "doctor": Command(
        "sentinels.cli.doctor:doctor",
        "Check every part and say how to mend it.",
        "sentinels doctor",
        "Running it",
    ),
    "db": Command(
        "sentinels.db.commands:app",
        "Look after the database's schema.",
        "sentinels db status",
        "Running it",
        extra="functions",
    ),
    "team": Command(
        "sentinels.admin.commands:app",
        "Look after the teams: their namespaces and limits, their users.",
        "sentinels team add vision --cpu 64 --memory 512Gi --gpus 8",
        "Running it",
        extra="kubernetes",
    ),
    "bootstrap": Command(
        "sentinels.install.commands:bootstrap",
        "Make what the Helm chart needs, and wait until it is ready.",
        "sentinels bootstrap --plan /etc/sentinels/plan",
        "Running it",
        extra="kubernetes",
    ),
    "user": Command(
        "sentinels.cli.user:app",
        "Show who there is; put people into teams and roles.",
        "sentinels user set ann --team vision --role lead",
        "Running it",
    ),
    "audit": Command(
        "sentinels.cli.audit:audit",
        "Show who changed what.",
        "sentinels audit --since 7d --user ann",
        "Running it",
    ),
    "token": Command(
        "sentinels.cli.token:app",
        "Make, list and revoke the tokens that you are known by.",
        "sentinels token create --name laptop --expires 90d",
        "Running it",
    ),
    "login": Command(
        "sentinels.cli.login:login",
        "Remember a server's address and your token.",
        "sentinels login https://sentinels.example.org",
        "Running it",
    ),
}

app = typer.Typer(
    cls=make_group(COMMANDS),
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"sentinels {version('sentinels-ml')}")
        raise typer.Exit


@app.callback()
def sentinels(
    _: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Say which version this is."
    ),
    url: str | None = typer.Option(
        None,
        metavar="URL",
        help="The server. Default: $SENTINELS_URL, the one logged in to, this machine's.",
    ),
    token: str | None = typer.Option(
        None, metavar="TOKEN", help="Better in $SENTINELS_TOKEN: others can see a command's words."
    ),
) -> None:
    """Queue machine-learning experiments and see them through."""
    if url is not None or token is not None:
        from sentinels.cli.address import name_server

        name_server(url, token)


def run() -> None:
    """Run the command line; ends the process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app(prog_name="sentinels")
    except SentinelsError as error:
        sys.exit(report(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
