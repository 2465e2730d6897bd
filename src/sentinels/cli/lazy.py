"""A group of commands whose modules are imported only when their command is typed.

Comes in: a table of commands. Goes out: a class for ``typer.Typer(cls=…)``. Before: ``main``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup
from typer.main import get_command as build_command

from sentinels.core.errors import InvalidRequest

if TYPE_CHECKING:
    # typer carries its own copy of click, and these are its only names for what it takes and gives.
    from typer._click import Command as ClickCommand
    from typer._click import Context, HelpFormatter
    from typer._click.shell_completion import CompletionItem


_PARTS = {
    "local": "the one-machine mode",
    "functions": "the server's part",
    "kubernetes": "the Kubernetes client",
}
"""The optional parts of the distribution, in words."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: where it is, what it does, an example, and its section of the help.

    ``extra`` is the optional part of the distribution that it needs.
    """

    target: str
    help: str
    example: str
    section: str
    extra: str | None = None

    def load(self) -> ClickCommand:
        """Import it. Raises ``InvalidRequest`` where its optional part is not installed."""
        module, _, attribute = self.target.partition(":")
        try:
            found = getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            if self.extra is None or (error.name or "").startswith("sentinels"):
                raise
            raise InvalidRequest(
                f"this command needs {_PARTS[self.extra]} ({error.name} is missing)",
                remedy=f"pip install 'sentinels-ml[{self.extra}]'",
            ) from error
        return build_command(found if isinstance(found, typer.Typer) else self._app(found))

    def _app(self, function: object) -> typer.Typer:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(epilog=f"\b\nExample:\n  {self.example}")(function)  # type: ignore[type-var]  # a function
        return app


def make_group(commands: Mapping[str, Command]) -> type[TyperGroup]:
    """The class of a group that has these commands."""

    class Group(LazyGroup):
        table = commands

    return Group


class LazyGroup(TyperGroup):
    """A group that imports a command when it is typed; ``table`` is what it has."""

    table: Mapping[str, Command] = {}

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002  # click's signature
        """The names, in the table's order."""
        return list(self.table)

    def get_command(self, ctx: Context, cmd_name: str) -> ClickCommand | None:  # noqa: ARG002  # click's signature
        """The command, imported now."""
        return self.table[cmd_name].load() if cmd_name in self.table else None

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, ClickCommand | None, list[str]]:
        """The command that was typed. Raises ``InvalidRequest`` where there is none."""
        if args and args[0] not in self.table and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], self.table, n=1)
            meant = f"did you mean {close[0]}?" if close else "see: sentinels --help"
            raise InvalidRequest(f"there is no command {args[0]}", remedy=meant)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Context) -> object:
        """Run the command; where its reader goes away, as ``head`` does, it ends quietly."""
        try:
            found: object = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python would complain once more when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        return found

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        """The commands by section, without importing any."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.table.items():
            sections.setdefault(command.section, []).append((name, command.help))
        for section, listed in sections.items():
            with formatter.section(section):
                formatter.write_dl(listed)

    def shell_complete(self, ctx: Context, incomplete: str) -> list[CompletionItem]:
        """The names that begin so, without importing any."""
        from typer._click.shell_completion import CompletionItem

        names = [name for name in self.table if name.startswith(incomplete)]
        if names and not incomplete.startswith("-"):
            return [CompletionItem(name, help=self.table[name].help) for name in names]
        return super().shell_complete(ctx, incomplete)
