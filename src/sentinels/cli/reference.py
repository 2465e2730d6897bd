"""``docs/cli.md``, made from the commands themselves: ``python -m sentinels.cli.reference``.

Comes in: the table of commands. Goes out: Markdown on standard output; a test compares it with the
file. Before: ``main``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from sentinels.cli.main import COMMANDS, app

_HEAD = """# The commands

Made by `python -m sentinels.cli.reference`; a test keeps it true. A job is named by its id, its
name, or the beginning of its name. Exit codes: 0 fine, 1 a job failed, 2 wrong input, 3 the
server's trouble, 4 not found, 5 not allowed.
"""


def reference() -> str:
    """The whole document."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    os.environ["COLUMNS"] = "100"
    command = get_command(app)
    runner = CliRunner()
    for words in _commands():
        text = runner.invoke(app, [*words, "--help"], prog_name=command.name or "sentinels").output
        mark = "##" if len(words) == 1 else "###"
        yield f"{mark} sentinels {' '.join(words)}\n\n```text\n{_cleaned(text)}\n```\n"


def _commands() -> Iterator[tuple[str, ...]]:
    """Each command's words; what a group has follows it."""
    for name, command in COMMANDS.items():
        yield (name,)
        loaded = command.load()
        if isinstance(loaded, TyperGroup):
            for below in loaded.commands:
                yield name, below


def _cleaned(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


if __name__ == "__main__":
    print(reference(), end="")
