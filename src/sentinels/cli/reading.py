"""Reading a file that somebody named, bounded as a server would bound it.

Comes in: a path; ``-`` is standard input. Goes out: text, or ``InvalidSubmission``. Before:
``push``, ``policy``. Next: ``core/config_file``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sentinels.core.errors import Fault, InvalidSubmission


def read_text(path: str, *, remedy: str = "name it with -c") -> str:
    """The text, as far as one byte beyond what is allowed."""
    from sentinels.core.submission_reading import MAX_BODY_BYTES

    try:
        if path == "-":
            return sys.stdin.read(MAX_BODY_BYTES + 1)
        with Path(path).open(encoding="utf-8") as file:
            return file.read(MAX_BODY_BYTES + 1)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise InvalidSubmission([Fault("config", message, remedy=remedy)]) from error
    except UnicodeDecodeError as error:
        raise InvalidSubmission([Fault("config", f"{path} is not UTF-8 text")]) from error
