"""Launch a workload: make its folder, start its runner, adopt what is there already.

The folder appears whole under the workload's deterministic name, so a launch can be cut off at any
line and repeated: whoever repeats it finds no folder, or one whose runner it starts, or one that is
under way. Comes in: a ``Workload``. Goes out: a uid and a detached runner. Before:
``core/launching``. Next: ``runner``.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from sentinels.clusters.local.engine import Engine
from sentinels.clusters.local.folders import (
    Json,
    Layout,
    Record,
    WorkloadFolder,
    held_lock,
    read_record,
    write_record,
)
from sentinels.clusters.local.machine import gpu_names
from sentinels.clusters.local.scripts import DEFAULT_PROGRAMS
from sentinels.core.errors import ClusterUnavailable, LaunchRejected
from sentinels.core.ports import Failpoint
from sentinels.core.workload import ImageKind, Workload

_SPAWN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every workload of this machine is given.

    ``grace_seconds`` lie between a polite signal and the last one.
    """

    notify_url: str = ""
    data_store: str = ""
    search_url: str = ""
    grace_seconds: float = 10.0
    engine: Engine | None = None


def launch(
    layout: Layout, workload: Workload, surroundings: Surroundings, failpoint: Failpoint
) -> str:
    """See ``Cluster.launch``."""
    folder = layout.folder(workload.ref.name)
    if not folder.spec.exists():
        _accept(layout, folder, workload, surroundings)
    failpoint("local.after_folder")
    start_runner(folder)
    failpoint("local.after_spawn")
    spec = read_record(folder.spec)
    if spec is None:
        raise ClusterUnavailable(f"the folder of {folder.name} went away while it was launched")
    return str(spec["uid"])


def preview(workload: Workload) -> Mapping[str, Json]:
    """What its runner would be told, but for what is chosen only at launch."""
    resources = workload.resources
    return {
        "name": workload.ref.name,
        "kind": workload.image.kind.value,
        "location": workload.image.location,
        "command": list(workload.command) if workload.command else None,
        "args": list(workload.args),
        "env": dict(workload.env),
        "cpu_millis": resources.cpu_millis,
        "memory_bytes": resources.memory_bytes,
        "gpus": resources.gpus,
        "gpu_type": resources.gpu_type,
        "time_limit": workload.time_limit,
    }


def start_runner(folder: WorkloadFolder) -> None:
    """Start a runner unless one lives or did. Raises ``ClusterUnavailable``."""
    if not folder.started.exists() and not folder.runner_lives():
        _spawn(folder)


def _accept(
    layout: Layout, folder: WorkloadFolder, workload: Workload, surroundings: Surroundings
) -> None:
    layout.workloads.mkdir(parents=True, exist_ok=True)
    with held_lock(layout.workloads / ".choosing"):  # two launches do not choose the same GPU
        spec = _spec(layout, workload, surroundings)
        layout.mark(folder.name)  # before the folder: what may have a runner is always held
        _make_folder(layout, folder, spec)


def _make_folder(layout: Layout, folder: WorkloadFolder, spec: Record) -> None:
    fresh = WorkloadFolder(layout.workloads / f".{folder.name}.{uuid4().hex}")
    try:
        fresh.path.mkdir()
        fresh.output.mkdir()
        fresh.log.touch()
        write_record(fresh.spec, spec)
        fresh.path.rename(folder.path)
    except OSError as error:
        shutil.rmtree(fresh.path, ignore_errors=True)
        if not folder.spec.exists():
            raise ClusterUnavailable(f"{folder.path} cannot be written: {error}") from error


def _spawn(folder: WorkloadFolder) -> None:
    command = [sys.executable, "-P", "-m", "sentinels.clusters.local.runner", str(folder.path)]
    environment = {name: value for name, value in os.environ.items() if _belongs(name)}
    try:
        with folder.runner_log.open("ab") as log:
            subprocess.run(
                ["setsid", "--fork", *command],
                check=True,
                cwd="/",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=_SPAWN_SECONDS,
            )
    except (OSError, subprocess.SubprocessError) as error:
        raise ClusterUnavailable(f"the runner of {folder.name} did not start: {error}") from error


def _belongs(name: str) -> bool:
    return not name.startswith("SENTINELS_")


def _spec(layout: Layout, workload: Workload, surroundings: Surroundings) -> Record:
    if workload.secrets:
        raise LaunchRejected("secrets are kept by a cluster; this machine has none: use env")
    command = _command(workload)
    gpus = _choose_gpus(layout, workload.resources.gpus)
    engine = surroundings.engine
    if workload.image.kind is ImageKind.CONTAINER and engine is None:
        raise ClusterUnavailable(
            "no container engine answers on this machine", remedy="start podman or docker"
        )
    env: dict[str, Json] = dict(workload.env)
    return {
        "uid": uuid4().hex,
        "job_id": workload.ref.job_id,
        "attempt": workload.ref.attempt,
        "kind": workload.image.kind.value,
        "location": workload.image.location,
        "command": list(command) if command else None,
        "args": list(workload.args),
        "env": env,
        "cpu_millis": workload.resources.cpu_millis,
        "memory_bytes": workload.resources.memory_bytes,
        "cpus": list(_choose_cpus(layout, workload.resources.cpu_millis)),
        "gpus": list(gpus),
        "gpu_total": len(gpu_names()),
        "gpu_type": workload.resources.gpu_type,
        "time_limit": workload.time_limit,
        "grace_seconds": surroundings.grace_seconds,
        "outputs_url": workload.outputs_url,
        "notify_url": surroundings.notify_url,
        "search_url": surroundings.search_url,
        "team": workload.team,
        "user": workload.user,
        "experiment": workload.experiment,
        "node": platform.node() or "localhost",
        "data_store": surroundings.data_store,
        "engine": engine.name if engine else None,
        "engine_options": list(engine.options) if engine else [],
    }


def _command(workload: Workload) -> Sequence[str] | None:
    if workload.image.kind is ImageKind.CONTAINER:
        return workload.command
    if not Path(workload.image.location).is_dir():
        raise LaunchRejected(f"the stored copy of {workload.image.reference} is gone; push again")
    if workload.command:
        return workload.command
    for program in DEFAULT_PROGRAMS:
        if Path(workload.image.location, program).is_file():
            return ("python", program)
    names = " or ".join(DEFAULT_PROGRAMS)
    raise LaunchRejected(f"no command was given and the directory has no {names}")


def _choose_cpus(layout: Layout, cpu_millis: int) -> Sequence[int]:
    taken = _taken(layout, "cpus")
    free_first = sorted(os.sched_getaffinity(0), key=lambda cpu: (taken[cpu], cpu))
    return sorted(free_first[: max(1, -(-cpu_millis // 1000))])


def _choose_gpus(layout: Layout, count: int) -> Sequence[int]:
    there = len(gpu_names())
    if count > there:
        raise LaunchRejected(f"it asks for {count} GPUs; this machine has {there}")
    taken = _taken(layout, "gpus")
    free_first = sorted(range(there), key=lambda gpu: (taken[gpu], gpu))
    return sorted(free_first[:count])


def _taken(layout: Layout, key: str) -> Counter[int]:
    taken: Counter[int] = Counter()
    for name in layout.marked():
        folder = layout.folder(name)
        spec = read_record(folder.spec)
        held = spec[key] if spec and not folder.exit.exists() else None
        if isinstance(held, list):
            taken.update(int(str(index)) for index in held)
    return taken
