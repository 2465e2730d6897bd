"""A workload's program, from its start to the end of everything it started.

Two kinds: a process of this machine, and a container of its engine. Both are watched for the same
ends: by themselves, out of memory, out of time, asked to stop. Comes in: a folder and its spec.
Goes out: ``Ended``. Before: ``runner``. Next: ``processes``, ``engine``.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sentinels.clusters.local.engine import DATA, OUTPUT, Container, Engine
from sentinels.clusters.local.folders import Record, WorkloadFolder, read_record
from sentinels.clusters.local.gauges import CgroupGauge, GpuGauge, TreeGauge
from sentinels.clusters.local.processes import (
    MARK,
    descendants,
    die_with_parent,
    end_all,
)
from sentinels.core.expansion import expand_all, expand_env

_TURN_SECONDS = 0.05
_LOG_LIMIT = 1024**3
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
"""What of this machine's environment a program sees: no token and no setting of Sentinels."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended and what it used. ``reason`` None is success."""

    reason: str | None = None
    exit_code: int | None = None
    message: str = ""
    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None
    peak_gpu_memory_bytes: int | None = None
    mean_gpu_percent: float | None = None


@dataclass(slots=True)
class _Cut:
    """Why the runner itself brought the program to an end."""

    reason: str
    message: str


def watch_process(folder: WorkloadFolder, spec: Record) -> Ended:
    """Run the directory's program as a process of this machine."""
    _copy_code(str(spec["location"]), folder.work)
    env = _process_env(folder, spec)
    words = expand_all([*_words(spec, "command"), *_words(spec, "args")], env)
    gauge = TreeGauge(_number(spec, "memory_bytes"))
    gpu = GpuGauge(_indices(spec))
    with folder.log.open("ab") as log:
        program = subprocess.Popen(
            [_resolved(words[0], env), *words[1:]],
            cwd=folder.work,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_before_exec(_indices(spec, "cpus")),  # noqa: PLW1509  # one thread only
        )
    group = program.pid
    cut = _watch(
        folder,
        spec,
        program,
        Stopper(lambda number: _signal_group(group, number)),
        over_limit=gauge.over_limit,
        sample=gpu.sample,
    )
    end_all(lambda: descendants(os.getpid()), reap=True)
    ended = _judge(program.returncode, cut)
    return replace(
        ended,
        peak_memory_bytes=max(gauge.peak, _largest_child()),
        cpu_seconds=_child_seconds(),
        peak_gpu_memory_bytes=gpu.peak,
        mean_gpu_percent=gpu.mean_percent,
    )


def watch_container(folder: WorkloadFolder, spec: Record) -> Ended:
    """Run the image in the engine that answered at the launch."""
    engine = Engine(str(spec["engine"]), tuple(_words(spec, "engine_options")))
    env = {
        **expand_env(_env(spec), {"SENTINELS_OUTPUT": OUTPUT, "SENTINELS_DATA": DATA}),
        "SENTINELS_OUTPUT": OUTPUT,
        "SENTINELS_DATA": DATA,
    }
    folder.output.chmod(0o777)
    container = Container(
        name=folder.name,
        image=str(spec["location"]),
        command=expand_all(_words(spec, "command"), env) or None,
        args=expand_all(_words(spec, "args"), env),
        env=env,
        cpus=_number(spec, "cpu_millis") / 1000,
        memory_bytes=_number(spec, "memory_bytes"),
        gpus=_indices(spec),
        output=str(folder.output),
        data=str(spec["data_store"]) if spec["data_store"] else None,
    )
    gauge = CgroupGauge(engine, folder.name)
    gpu = GpuGauge(_indices(spec))
    with folder.log.open("ab") as log:
        program = subprocess.Popen(
            engine.command(*container.run_words()),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def stop(number: int) -> None:
        engine.ask("kill", "--signal", str(int(number)), folder.name)

    def sample() -> None:
        gauge.sample()
        gpu.sample()

    cut = _watch(folder, spec, program, Stopper(stop), over_limit=lambda: False, sample=sample)
    ended = _judge(_container_exit(program.returncode), cut)
    if ended.reason == "killed" and gauge.out_of_memory(_number(spec, "memory_bytes")):
        ended = replace(ended, reason="out_of_memory", message=_memory_message(spec, gauge.peak))
    engine.ask("rm", "--force", folder.name, seconds=30)
    return replace(
        ended,
        peak_memory_bytes=gauge.peak or None,
        cpu_seconds=gauge.cpu_seconds,
        peak_gpu_memory_bytes=gpu.peak,
        mean_gpu_percent=gpu.mean_percent,
    )


class Stopper:
    """Ends a program: politely first, then for good."""

    def __init__(self, send: Callable[[int], None]) -> None:
        """``send`` brings a signal to all of the program."""
        self._send = send
        self._kill_at: float | None = None
        self._killed = False

    def begin(self, grace_seconds: float) -> None:
        """Ask it to end within ``grace_seconds``."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + grace_seconds
            self._send(signal.SIGTERM if grace_seconds else signal.SIGKILL)

    def go_on(self) -> None:
        """Kill it once the grace is over."""
        if self._kill_at is not None and not self._killed and time.monotonic() >= self._kill_at:
            self._killed = True
            self._send(signal.SIGKILL)


def _watch(
    folder: WorkloadFolder,
    spec: Record,
    program: subprocess.Popen[bytes],
    stopper: Stopper,
    *,
    over_limit: Callable[[], bool],
    sample: Callable[[], None],
) -> _Cut | None:
    limit = spec["time_limit"]
    deadline = time.monotonic() + float(str(limit)) if limit else None
    grace = float(str(spec["grace_seconds"]))
    cut: _Cut | None = None
    while program.poll() is None:
        sample()
        if cut is None:
            cut = _cut_now(folder, spec, deadline, over_limit)
            if cut is not None:
                stopper.begin(0 if cut.reason == "out_of_memory" else grace)
        stopper.go_on()
        _wait(program)
    return cut


def _cut_now(
    folder: WorkloadFolder,
    spec: Record,
    deadline: float | None,
    over_limit: Callable[[], bool],
) -> _Cut | None:
    if over_limit():
        return _Cut("out_of_memory", _memory_message(spec, None))
    if deadline is not None and time.monotonic() >= deadline:
        return _Cut("deadline_exceeded", f"it ran into its time limit of {spec['time_limit']} s")
    stop = read_record(folder.stop)
    if stop is not None:
        return _Cut(str(stop["why"]), "")
    if folder.log.stat().st_size > _LOG_LIMIT:
        return _Cut("killed", "it wrote more than 1 GiB of log")
    return None


def _wait(program: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        program.wait(_TURN_SECONDS)


def _judge(code: int, cut: _Cut | None) -> Ended:
    if cut is not None and not (code == 0 and cut.reason in ("cancelled", "evicted")):
        return Ended(cut.reason, None if code < 0 else code, cut.message)
    if code == 0:
        return Ended(exit_code=0)
    if code < 0:
        name = signal.Signals(-code).name
        return Ended("killed", 128 - code, f"signal {name} ended it, which Sentinels did not send")
    return Ended("exited_nonzero", code)


def _container_exit(code: int) -> int:
    return 128 - code if 128 < code < 128 + 65 else code


def _memory_message(spec: Record, peak: int | None) -> str:
    limit = _number(spec, "memory_bytes") / 2**20
    reached = f", reaching {peak / 2**20:.0f} MiB" if peak else ""
    return f"it used more than the {limit:.0f} MiB it asked for{reached}"


def _copy_code(location: str, work: Path) -> None:
    shutil.copytree(location, work, symlinks=True)


def _process_env(folder: WorkloadFolder, spec: Record) -> dict[str, str]:
    base = {name: os.environ[name] for name in _KEPT if name in os.environ}
    own = Path(sys.executable).parent
    base["PATH"] = f"{own}{os.pathsep}{base.get('PATH', os.defpath)}"
    threads = str(max(1, -(-_number(spec, "cpu_millis") // 1000)))
    base |= {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": threads, MARK: str(spec["uid"])}
    base["SENTINELS_OUTPUT"] = str(folder.output)
    if spec["data_store"]:
        base["SENTINELS_DATA"] = str(spec["data_store"])
    if spec["gpu_total"]:
        base["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, _indices(spec)))
    return {**base, **expand_env(_env(spec), base)}


def _resolved(word: str, env: Mapping[str, str]) -> str:
    found = shutil.which(word, path=env["PATH"])
    return found if found and os.sep not in word else word


def _before_exec(cpus: list[int]) -> Callable[[], None]:
    def prepare() -> None:
        die_with_parent()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        if cpus:
            with suppress(OSError):
                os.sched_setaffinity(0, cpus)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")

    return prepare


def _signal_group(group: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)
    if number == signal.SIGKILL:
        for pid in descendants(os.getpid()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _words(spec: Record, key: str) -> list[str]:
    found = spec[key]
    return [str(word) for word in found] if isinstance(found, list) else []


def _env(spec: Record) -> dict[str, str]:
    found = spec["env"]
    return {name: str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _indices(spec: Record, key: str = "gpus") -> list[int]:
    found = spec[key]
    return [int(str(index)) for index in found] if isinstance(found, list) else []


def _number(spec: Record, key: str) -> int:
    return int(str(spec[key]))


def _largest_child() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def _child_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(used.ru_utime + used.ru_stime, 3)
