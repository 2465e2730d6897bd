"""A container engine, where one answers: podman or docker.

A binary on PATH is not enough: a docker client without an engine is common. Comes in: a spec. Goes
out: command lines. Next: ``container``.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_ENGINES = ("podman", "docker")
_ANSWER_SECONDS = 10.0
_TRUSTED_SECONDS = 30.0
OUTPUT, DATA = "/sentinels/output", "/sentinels/data"
"""Where a container finds its output folder and the data store."""
LABEL = "dev.sentinels.workload"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers. ``options`` go in front of its verb, as in ``--runtime runc``."""

    name: str
    options: tuple[str, ...] = ()

    def command(self, *words: str) -> list[str]:
        """The whole command line of one call."""
        return [self.name, *self.options, *words]

    def ask(self, *words: str, seconds: float = _ANSWER_SECONDS) -> str | None:
        """What the engine prints; None where it fails or does not answer in time."""
        try:
            done = subprocess.run(
                self.command(*words), capture_output=True, text=True, timeout=seconds, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def answers(self) -> bool:
        """Whether there is an engine behind the command."""
        words = "{{.Host.Arch}}" if self.name == "podman" else "{{.ID}}"
        return bool(self.ask("info", "--format", words))

    def inspect(self, kind: str, name: str) -> Mapping[str, object] | None:
        """The first object of ``inspect``; None where there is none."""
        found = json.loads(self.ask(kind, "inspect", name) or "[]")
        return found[0] if found and isinstance(found[0], dict) else None

    def remove(self, container: str) -> bool:
        """Kill and remove a container; True once there is none."""
        self.ask("kill", container)  # podman's rm would first ask it to end, for ten seconds
        self.ask("rm", "--force", "--volumes", container, seconds=30)
        return self.ask("ps", "--all", "--quiet", "--filter", f"name=^{container}$") == ""


class EngineFinder:
    """The first engine that answers. One that did is trusted for a while, silence never is."""

    def __init__(
        self, *, options: tuple[str, ...] = (), trusted_seconds: float = _TRUSTED_SECONDS
    ) -> None:
        """An administrator's ``options``; asked again ``trusted_seconds`` after its answer."""
        self._engines = [Engine(name, options) for name in _ENGINES]
        self._trusted_seconds = trusted_seconds
        self._answered: tuple[Engine, float] | None = None

    def __call__(self) -> Engine | None:
        """The engine, or None where none answers now."""
        answered, now = self._answered, time.monotonic()
        if answered is not None and now - answered[1] < self._trusted_seconds:
            return answered[0]
        engine = next((engine for engine in self._engines if engine.answers()), None)
        self._answered = None if engine is None else (engine, now)
        return engine


find_engine = EngineFinder()


def container_name(workload: str, uid: str) -> str:
    """A name that no other data folder's workload has."""
    return f"{workload}-{uid[:12]}"


@dataclass(frozen=True, slots=True)
class Container:
    """One container to run: what it is, what it may use, and what it sees of this machine.

    ``command`` replaces the image's entry point, ``args`` its default arguments, as in Kubernetes.
    """

    name: str
    image: str
    command: Sequence[str]
    args: Sequence[str]
    env: Mapping[str, str]
    cpus: float
    memory_bytes: int
    gpus: Sequence[int]
    output: str
    data: str | None

    def run_words(self, engine: str) -> list[str]:
        """The words of ``run``: attached, limited, with nothing of the machine but its own."""
        words = ["run", "--name", self.name, "--label", f"{LABEL}={self.name}", "--pull=never"]
        words += [f"--cpus={self.cpus:g}", f"--memory={self.memory_bytes}"]
        words += [f"--memory-swap={self.memory_bytes}", "--network=host"]
        words += ["--volume", f"{self.output}:{OUTPUT}"]
        if self.data:
            words += ["--volume", f"{self.data}:{DATA}:ro"]
        words += self._gpu_words(engine)
        for variable, value in self.env.items():
            words += ["--env", f"{variable}={value}"]
        if self.command:
            words += ["--entrypoint", self.command[0]]
        return [*words, self.image, *self.command[1:], *self.args]

    def _gpu_words(self, engine: str) -> list[str]:
        if engine == "podman":
            return [word for at in self.gpus for word in ("--device", f"nvidia.com/gpu={at}")]
        return ["--gpus", f'"device={",".join(map(str, self.gpus))}"'] if self.gpus else []
