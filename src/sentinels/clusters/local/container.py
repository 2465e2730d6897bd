"""A container image's program in the engine that answered, from its start to its removal.

Comes in: a folder and its spec. Goes out: ``Ended``. Before: ``runner``. Next: ``watching``,
``engine``, ``gauges``.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from functools import partial
from pathlib import Path

from sentinels.clusters.local.engine import DATA, OUTPUT, Container, Engine, container_name
from sentinels.clusters.local.folders import Record, WorkloadFolder, indices, number, texts, words
from sentinels.clusters.local.gauges import CgroupGauge, GpuGauge
from sentinels.clusters.local.log_pipe import LogPipe
from sentinels.clusters.local.processes import MARK, die_with_parent
from sentinels.clusters.local.samples import Looked, Sampler
from sentinels.clusters.local.shipping import shipper_of
from sentinels.clusters.local.watching import Ended, memory_message, watch
from sentinels.core.expansion import expand_all, expand_env

_ENGINE_FAILED = 125
"""The exit code by which podman and docker say that they could not start the container."""
_SIGNALS = range(129, 193)
_VMSTAT = Path("/proc/vmstat")


def run_container(folder: WorkloadFolder, spec: Record) -> Ended:
    """Run the image; when this returns, its container is removed."""
    engine = engine_of(spec)
    container = _container(folder, spec)
    folder.output.chmod(0o777)  # a container's user is not this one
    log = LogPipe(folder.log, folder.log_times, shipper_of(folder, spec))
    client = subprocess.Popen(
        [*engine.command(), *container.run_words(engine.name)],
        stdin=subprocess.DEVNULL,
        stdout=log.write_end,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={**os.environ, MARK: str(spec["uid"])},
        preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509  # no other thread yet
    )
    log.begin()
    program = _Program(folder, spec, container, client)
    ended = program.explained(watch(folder, spec, program))
    engine.remove(container.name)
    log.end()
    return program.with_usage(ended)


def engine_of(spec: Record) -> Engine:
    """The engine that a workload was launched with."""
    return Engine(str(spec["engine"]), tuple(words(spec, "engine_options")))


class _Program:
    """The container and the engine's client that waits for it; see ``watching.Watched``."""

    def __init__(
        self,
        folder: WorkloadFolder,
        spec: Record,
        container: Container,
        client: subprocess.Popen[bytes],
    ) -> None:
        self._engine, self._container, self._client = engine_of(spec), container, client
        self._memory = CgroupGauge(self._engine, container.name)
        self._gpu = GpuGauge(indices(spec, "gpus"))
        self._use = Sampler(folder.usage, self._look)
        self._kernel_kills = _kernel_kills()

    def wait(self, seconds: float) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self._client.wait(seconds)
        code = self._client.returncode
        return 128 - code if code in _SIGNALS else code

    def send(self, number: int) -> None:
        self._engine.ask("kill", "--signal", str(int(number)), self._container.name)

    def memory_excess(self) -> None:
        """Measure; the kernel itself enforces a container's limit."""
        self._memory.sample()
        self._gpu.sample()
        self._use.sample()

    def explained(self, ended: Ended) -> Ended:
        """The same end, where the exit code alone does not say what happened."""
        self._use.end(self._look())
        if ended.reason == "killed" and ended.exit_code == 128 + signal.SIGKILL:
            limit = self._container.memory_bytes
            if self._memory.out_of_memory(limit) or _kernel_kills() > self._kernel_kills:
                message = memory_message(limit, max(self._memory.peak, limit))
                return ended._replace(reason="out_of_memory", message=message)
        if ended == Ended("exited_nonzero", _ENGINE_FAILED) and not self._began():
            return self._not_started()
        return ended

    def with_usage(self, ended: Ended) -> Ended:
        return ended._replace(
            peak_memory_bytes=self._memory.peak_used or self._memory.peak or None,
            cpu_seconds=self._memory.cpu_seconds,
            peak_gpu_memory_bytes=self._gpu.peak,
            mean_gpu_percent=self._gpu.mean_percent,
            peak_cpu_cores=self._use.peak_cores,
        )

    def _look(self) -> Looked:
        memory = self._memory
        return Looked(memory.cpu_seconds, memory.used or None, self._gpu.percent, self._gpu.used)

    def _began(self) -> bool:
        told = self._engine.inspect("container", self._container.name) or {}
        state = told.get("State")
        return isinstance(state, dict) and str(state.get("Status")) in ("running", "exited")

    def _not_started(self) -> Ended:
        name = self._engine.name
        missing = self._engine.inspect("image", self._container.image) is None
        if missing and self._engine.answers():
            message = f"{name} has no such image any more; build or pull it and push again"
            return Ended("image_unavailable", None, message)
        return Ended("workload_lost", None, f"{name} could not start it; its log says why")


def _container(folder: WorkloadFolder, spec: Record) -> Container:
    threads = str(max(1, -(-number(spec, "cpu_millis") // 1000)))
    defaults = {"OMP_NUM_THREADS": threads, "PYTHONUNBUFFERED": "1"}
    ours = {"SENTINELS_OUTPUT": OUTPUT} | ({"SENTINELS_DATA": DATA} if spec["data_store"] else {})
    known = {**defaults, **ours}
    env = {**known, **expand_env(texts(spec, "env"), known), **ours}
    return Container(
        name=container_name(folder.name, str(spec["uid"])),
        image=str(spec["location"]),
        command=expand_all(words(spec, "command"), env),
        args=expand_all(words(spec, "args"), env),
        env=env,
        cpus=number(spec, "cpu_millis") / 1000,
        memory_bytes=number(spec, "memory_bytes"),
        gpus=indices(spec, "gpus"),
        output=str(folder.output),
        data=str(spec["data_store"]) if spec["data_store"] else None,
    )


def _kernel_kills() -> int:
    """How often this machine's kernel has killed for memory, limits of containers included."""
    with suppress(OSError, ValueError, StopIteration):
        lines = _VMSTAT.read_text().splitlines()
        return int(next(line for line in lines if line.startswith("oom_kill ")).split()[1])
    return 0
