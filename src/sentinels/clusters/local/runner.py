"""The process that runs one attempt: ``python -m sentinels.clusters.local.runner FOLDER``.

It is nobody's child and outlives every function. It holds the folder's lock as long as it lives,
starts at most one program, watches its limits, and leaves a record of the end; then it sends what
is left of the log, and the outputs, lets go of the lock, and sends the hint. Where it is killed,
``observe`` finds its lock free. It starts quickly because it imports little of the standard
library, and the rest when it is needed. Before: ``launch``. Next: ``program``, ``container``,
``shipping``, ``clusters/outputs``, ``sending``.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from sentinels.clusters.local.folders import (
    Record,
    WorkloadFolder,
    claim_record,
    held_lock,
    read_record,
    write_record,
)
from sentinels.clusters.local.kernel import KERNEL, field
from sentinels.clusters.local.processes import adopt_orphans
from sentinels.clusters.local.shipping import ship_rest
from sentinels.clusters.local.watching import Ended


def main(path: str) -> None:
    """Run the attempt in this folder, unless another runner does or did."""
    folder = WorkloadFolder(Path(path))
    with held_lock(folder.lock) as mine:
        spec = read_record(folder.spec)
        if mine and spec is not None:
            _evicted_when_terminated(folder)
            _run(folder, spec)
    if mine and spec is not None:
        # Only now: whoever gets the hint looks at the lock.
        _hint(folder, spec)


def _run(folder: WorkloadFolder, spec: Record) -> None:
    if not folder.exit.exists():
        started_at = _now()
        begun: Record = {"at": started_at, "runner": os.getpid()}
        begun["oom_kills"] = field(KERNEL, "oom_kill")
        if not claim_record(folder.started, begun):
            return
        write_record(folder.exit, _exit_record(started_at, _execute(folder, spec)))
    ship_rest(folder, spec)
    if not folder.outputs.exists():
        write_record(folder.outputs, collect(folder, str(spec["outputs_url"] or "")))


def _execute(folder: WorkloadFolder, spec: Record) -> Ended:
    stop = read_record(folder.stop)
    if stop is not None:
        return Ended(reason=str(stop["why"]), message="ended before it began")
    adopt_orphans()
    folder.output.mkdir(exist_ok=True)
    if spec["kind"] == "container":
        from sentinels.clusters.local.container import run_container

        return run_container(folder, spec)
    from sentinels.clusters.local.program import run_program

    try:
        return run_program(folder, spec)
    finally:
        shutil.rmtree(folder.work, ignore_errors=True)


def _hint(folder: WorkloadFolder, spec: Record) -> None:
    if spec["notify_url"]:
        from sentinels.clusters.local.sending import send_event

        send_event(
            str(spec["notify_url"]),
            name=folder.name,
            job_id=int(str(spec["job_id"])),
            attempt=int(str(spec["attempt"])),
        )


def collect(folder: WorkloadFolder, outputs_url: str) -> Record:
    """Send the outputs; the record that says whether all of them arrived."""
    if not outputs_url:
        complete = not folder.output.is_dir() or not any(folder.output.iterdir())
        return {"complete": complete, "files": 0, "error": None if complete else "no tracker run"}
    from sentinels.clusters.outputs import send_outputs

    files, error = send_outputs(folder.output, outputs_url)
    return {"complete": error is None, "files": files, "error": error}


def _exit_record(started_at: str, ended: Ended) -> Record:
    return {
        "started_at": started_at,
        "finished_at": _now(),
        "reason": ended.reason,
        "exit_code": ended.exit_code,
        "message": ended.message,
        "peak_memory_bytes": ended.peak_memory_bytes,
        "cpu_seconds": ended.cpu_seconds,
        "peak_gpu_memory_bytes": ended.peak_gpu_memory_bytes,
        "mean_gpu_percent": ended.mean_gpu_percent,
        "peak_cpu_cores": ended.peak_cpu_cores,
    }


def _evicted_when_terminated(folder: WorkloadFolder) -> None:
    def terminated(_signal: int, _frame: FrameType | None) -> None:
        if not folder.stop.exists():
            write_record(folder.stop, {"why": "evicted"})

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, terminated)


def _now() -> str:
    return datetime.now(UTC).isoformat()


if __name__ == "__main__":
    main(sys.argv[1])
