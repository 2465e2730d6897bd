"""The container beside a workload: ``python -m sentinels.clusters.kubernetes.sidecar [REPORT]``.

It waits for SIGTERM, which Kubernetes sends when the workload has ended; then it sends what is in
$SENTINELS_OUTPUT, again and again until all of it has arrived or the pod's grace period is nearly
over, and leaves a report where Kubernetes keeps it: the termination message. While it waits it has
imported next to nothing, because it costs memory beside each workload. Nothing is sent before the
end: checkpoints that the workload takes away again would stay with the tracker. Before:
``manifest``. Next: ``uploading``; the report is read by ``evidence``.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

WAITING = "waiting"
"""The process's own name once it waits: until then, a workload beside it is not started."""
_REPORT = "/dev/termination-log"
_END = {signal.SIGTERM, signal.SIGINT}


def main(report: str) -> int:
    """Wait, send, report; 0 when everything has arrived, 1 when not, 2 for wrong settings."""
    # Blocked before anything else: the first process of a container loses signals that it does not
    # handle, and a blocked one waits. It stays blocked, so that a second one changes nothing.
    signal.pthread_sigmask(signal.SIG_BLOCK, _END)
    try:
        output, url, grace = _settings()
    except ValueError as error:
        sys.stderr.write(f"sentinels sidecar: {error}\n")
        return 2
    _tell()
    signal.sigwait(_END)
    from sentinels.clusters.kubernetes.uploading import upload

    return 0 if upload(output, url, grace_seconds=grace, report=report) else 1


def _tell() -> None:
    sys.stdout.write("waiting for the workload to end\n")
    sys.stdout.flush()
    with suppress(OSError):
        name = os.open("/proc/self/comm", os.O_WRONLY)
        os.write(name, WAITING.encode())
        os.close(name)


def _settings() -> tuple[str, str, float]:
    output = os.environ.get("SENTINELS_OUTPUT", "")
    url = os.environ.get("SENTINELS_OUTPUTS_URL", "")
    if not output:
        raise ValueError("SENTINELS_OUTPUT is not set: it names the folder to send")
    if not url.startswith(("http://", "https://")):
        raise ValueError("SENTINELS_OUTPUTS_URL is no http address to send files to")
    return output, url, _seconds(os.environ.get("SENTINELS_GRACE_SECONDS", "30"))


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (seconds := float(text)) < float("inf"):
            return seconds
    raise ValueError(f"SENTINELS_GRACE_SECONDS={text!r} is no number of seconds")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else _REPORT))
