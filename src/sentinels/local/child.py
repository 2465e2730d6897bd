"""Runs a Python module as a part of one machine's Sentinels that does not outlive its supervisor.

Comes in: ``python -P -m sentinels.local.child SUPERVISOR_PID MODULE ARGUMENT…``. Goes out: MODULE's
own program in this same process. Next: ``functions_framework`` or ``mlflow``.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to the supervisor, then become the module."""
    supervisor, module = int(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != supervisor:
        sys.exit("the supervisor ended before this part began")
    if module == "functions_framework":
        _no_control_socket()
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _no_control_socket() -> None:
    """Keep gunicorn from writing a control socket, the same for every server, into the home."""
    from gunicorn.config import ControlSocketDisable

    ControlSocketDisable.default = True


if __name__ == "__main__":
    main()
