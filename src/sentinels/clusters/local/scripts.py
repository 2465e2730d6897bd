"""Which file of a directory of code a command starts with, and whether it is there.

Comes in: a folder and a command. Goes out: a ``Program``, None where it is no file of the folder.
Before: ``images``, ``launch``.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from itertools import dropwhile
from pathlib import Path

from sentinels.core.ports import Program

DEFAULT_PROGRAMS = ("main.py", "train.py")
_INTERPRETER = re.compile(r"(.*/)?(python[\d.]*|bash|sh|Rscript|julia|perl|node)")
_PLAIN_FLAG = re.compile(r"-[uOBEIsSqx]+")
"""A flag that takes no word of its own."""
_SCRIPT = re.compile(r"[^-$].*\.(py|sh|R|r|jl|pl|js)")
_LISTED = 20


def program_in(folder: Path, command: Sequence[str] | None) -> Program | None:
    """The file that the command starts with; without a command, the first of the usual ones."""
    if command is None:
        return _usual(folder)
    script = script_of(command)
    if script is None:
        return None
    if (folder / script).is_file():
        return Program(script)
    return Program(script, f"there is no {script} in the directory", _instead(folder, script))


def script_of(command: Sequence[str]) -> str | None:
    """A path below the folder, as in ``python train.py`` or ``./train.sh``."""
    first, *rest = command
    if os.sep in first:
        found: str | None = first
    else:
        words = dropwhile(_PLAIN_FLAG.fullmatch, rest)
        found = next(words, None) if _INTERPRETER.fullmatch(first) else None
        found = found if found and _SCRIPT.fullmatch(found) else None
    is_below = found is not None and not found.startswith("/") and "$(" not in found
    return os.path.normpath(found) if found and is_below and ".." not in found.split("/") else None


def _usual(folder: Path) -> Program:
    for name in DEFAULT_PROGRAMS:
        if (folder / name).is_file():
            return Program(name)
    names = " or ".join(DEFAULT_PROGRAMS)
    return Program(names, f"is missing, and there is no {names} in the directory", _there(folder))


def _instead(folder: Path, script: str) -> str:
    name = Path(script).name
    there = [each.name for each in sorted((folder / script).parent.glob("*")) if each.is_file()]
    close = difflib.get_close_matches(name, there, n=1)
    return f"did you mean {Path(script).with_name(close[0])}?" if close else _there(folder)


def _there(folder: Path) -> str:
    names = [each.name for each in sorted(folder.glob("*.py"))][:_LISTED]
    return f"there are: {', '.join(names)}" if names else "say what to run: -- python FILE"
