"""A directory's program as a process of this machine, from its start to the end of all it started.

Comes in: a folder and its spec. Goes out: ``Ended``. Before: ``runner``. Next: ``watching``,
``processes``, ``gauges``.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sentinels.clusters.local.folders import Record, WorkloadFolder, indices, number, texts, words
from sentinels.clusters.local.gauges import GpuGauge, TreeGauge
from sentinels.clusters.local.log_pipe import LogPipe
from sentinels.clusters.local.processes import (
    MARK,
    cpu_seconds,
    descendants,
    die_with_parent,
    end_all,
    reap_orphans,
)
from sentinels.clusters.local.samples import Looked, Sampler
from sentinels.clusters.local.shipping import shipper_of
from sentinels.clusters.local.watching import Ended, memory_message, watch
from sentinels.core.expansion import expand_all, expand_env

_KEPT = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "NO_COLOR",
    "PATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "TZ",
    "USER",
)
"""What of this machine's environment a program sees, and ``CUDA_…``: no token, no setting."""
_PYTHONS = ("python", "python3")


def run_program(folder: WorkloadFolder, spec: Record) -> Ended:
    """Run the directory's program; when this returns, nothing of it is left."""
    try:
        shutil.copytree(str(spec["location"]), folder.work, symlinks=True)
    except OSError as error:
        return Ended("workload_lost", None, f"its code could not be copied: {error}")
    log = LogPipe(folder.log, folder.log_times, shipper_of(folder, spec))
    try:
        process = _start(folder, spec, log.write_end)
    except (OSError, ValueError) as error:
        log.end()
        return _not_started(spec, error)
    log.begin()
    program = _Program(folder, spec, process)
    ended = watch(folder, spec, program)
    end_all(lambda: descendants(os.getpid()), reap=True)
    log.end()
    return program.with_usage(ended)


class _Program:
    """The process and everything below it; see ``watching.Watched``."""

    def __init__(
        self, folder: WorkloadFolder, spec: Record, process: subprocess.Popen[bytes]
    ) -> None:
        self._process = process
        self._memory = TreeGauge(number(spec, "memory_bytes"))
        self._gpu = GpuGauge(indices(spec, "gpus"))
        self._use = Sampler(folder.usage, self._look)

    def wait(self, seconds: float) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.returncode

    def send(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def memory_excess(self) -> str | None:
        reap_orphans(but=self._process.pid)
        self._gpu.sample()
        over = self._memory.over_limit()
        self._use.sample()
        return memory_message(self._memory.limit, self._memory.peak) if over else None

    def with_usage(self, ended: Ended) -> Ended:
        """When nothing of it is left."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        peak = max(self._memory.peak, used.ru_maxrss * 1024)
        self._use.end(self._looked(_reaped_seconds(), self._memory.used or peak))
        return ended._replace(
            peak_memory_bytes=peak,
            cpu_seconds=round(_reaped_seconds(), 3),
            peak_gpu_memory_bytes=self._gpu.peak,
            mean_gpu_percent=self._gpu.mean_percent,
            peak_cpu_cores=self._use.peak_cores,
        )

    def _look(self) -> Looked:
        below = cpu_seconds(descendants(os.getpid()))
        return self._looked(_reaped_seconds() + below, self._memory.used)

    def _looked(self, seconds: float, memory: int) -> Looked:
        return Looked(seconds, memory, self._gpu.percent, self._gpu.used)


def _reaped_seconds() -> float:
    """CPU time of what was below this process, has ended and was collected here."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _start(folder: WorkloadFolder, spec: Record, output: int) -> subprocess.Popen[bytes]:
    env = _environment(folder, spec)
    command = expand_all([*words(spec, "command"), *words(spec, "args")], env)
    return subprocess.Popen(
        [_found(command[0], env["PATH"]), *command[1:]],
        cwd=folder.work,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_before_exec(os.getpid(), indices(spec, "cpus")),  # noqa: PLW1509  # no other thread yet
    )


def _environment(folder: WorkloadFolder, spec: Record) -> dict[str, str]:
    own = Path(sys.executable).parent
    threads = str(max(1, -(-number(spec, "cpu_millis") // 1000)))
    defaults = {
        **{name: text for name, text in os.environ.items() if _kept(name)},
        "PATH": f"{own}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": threads,
    }
    ours = {MARK: str(spec["uid"]), "SENTINELS_OUTPUT": str(folder.output)}
    if spec["data_store"]:
        ours["SENTINELS_DATA"] = str(spec["data_store"])
    if spec["gpu_total"]:
        # NVML counts GPUs in the order of the bus; CUDA does so only when told.
        ours["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        ours["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, indices(spec, "gpus")))
    known = {**defaults, **ours}
    return {**known, **expand_env(texts(spec, "env"), known), **ours}


def _kept(name: str) -> bool:
    return name in _KEPT or name.startswith("CUDA_")


def _found(program: str, path: str) -> str:
    if os.sep in program:
        return program
    if program in _PYTHONS:
        return shutil.which(program, path=path) or sys.executable
    return shutil.which(program, path=path) or program


def _before_exec(parent: int, cpus: list[int]) -> Callable[[], None]:
    def prepare() -> None:
        die_with_parent(parent)
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(each, signal.SIG_DFL)
        if cpus:
            with suppress(OSError):
                os.sched_setaffinity(0, cpus)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")

    return prepare


def _not_started(spec: Record, error: OSError | ValueError) -> Ended:
    command = words(spec, "command")[0]
    if isinstance(error, FileNotFoundError):
        return Ended("exited_nonzero", 127, f"there is no program {command!r} to start")
    why = error.strerror if isinstance(error, OSError) else str(error)
    return Ended("exited_nonzero", 126, f"{command!r} cannot be started: {why}")
