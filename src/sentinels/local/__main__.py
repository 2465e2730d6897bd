"""``python -m sentinels.local``: the commands of the one-machine mode without the rest of the CLI.

Comes in: the command line of a supervisor in the background. Next: ``commands``.
"""

from __future__ import annotations

import sys

import typer

from sentinels.core.errors import InvalidRequest, SentinelsError
from sentinels.local.commands import demo, down, up


def main() -> None:
    """Run one command; an expected failure is one message and exit code 2 (typed) or 3."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    for command in (up, down, demo):
        app.command()(command)
    try:
        app()
    except SentinelsError as error:
        remedy = f"\n{error.remedy}" if error.remedy else ""
        sys.stderr.write(f"{error}{remedy}\n")
        sys.exit(2 if isinstance(error, InvalidRequest) else 3)


if __name__ == "__main__":
    main()
