"""One function as the image starts it: ``FUNCTION=submit python -m sentinels.functions``.

Comes in: the environment: ``FUNCTION``, and ``PORT``, 8080 where it is not set. Goes out:
functions-framework in this process's place. Next: the function's ``main``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn


def main() -> NoReturn:
    """Become functions-framework; a ``FUNCTION`` that is none ends with one sentence."""
    sources = {path.parent.name: path for path in Path(__file__).parent.glob("*/main.py")}
    wanted = os.environ.get("FUNCTION", "")
    if wanted not in sources:
        sys.exit(
            f"FUNCTION={wanted!r} is no function; set FUNCTION to one of "
            f"{', '.join(sorted(sources))}, or give a command, as: sentinels --version"
        )
    words = ["--source", str(sources[wanted]), "--target", wanted]
    port = os.environ.get("PORT", "8080")
    python = [sys.executable, "-P", "-m", "functions_framework", *words, "--port", port]
    os.execv(sys.executable, python)  # noqa: S606  # a list of words, no shell


if __name__ == "__main__":
    main()
