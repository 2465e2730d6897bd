"""A container engine, where one answers: podman or docker.

A binary on PATH is not enough: a docker client without an engine is common. Comes in: a spec. Goes
out: command lines. Next: ``container``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

_ENGINES = ("podman", "docker")
_ANSWER_SECONDS = 10.0
OUTPUT, DATA = "/sentinels/output", "/sentinels/data"
"""Where a container finds its output folder and the data store."""


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

    def inspect(self, kind: str, name: str) -> Mapping[str, object] | None:
        """The first object of ``inspect``; None where there is none."""
        found = json.loads(self.ask(kind, "inspect", name) or "[]")
        return found[0] if found and isinstance(found[0], dict) else None


@cache
def find_engine(options: tuple[str, ...] = ()) -> Engine | None:
    """The first engine that answers."""
    for name in _ENGINES:
        if shutil.which(name):
            engine = Engine(name, options)
            if engine.ask("info", "--format", "{{.Host.Arch}}" if name == "podman" else "{{.ID}}"):
                return engine
    return None


@dataclass(frozen=True, slots=True)
class Container:
    """One container to run: what it is, what it may use, and what it sees of this machine.

    ``command`` replaces the image's entry point, ``args`` its default arguments, as in Kubernetes.
    """

    name: str
    image: str
    command: Sequence[str] | None
    args: Sequence[str]
    env: Mapping[str, str]
    cpus: float
    memory_bytes: int
    gpus: Sequence[int]
    output: str
    data: str | None

    def run_words(self) -> list[str]:
        """The words of ``run``: attached, limited, with nothing of the machine but its own."""
        words = ["run", "--name", self.name, "--label", f"dev.sentinels.workload={self.name}"]
        words += [f"--cpus={self.cpus:g}", f"--memory={self.memory_bytes}"]
        words += [f"--memory-swap={self.memory_bytes}", "--network=host"]
        words += ["--volume", f"{self.output}:{OUTPUT}"]
        if self.data:
            words += ["--volume", f"{self.data}:{DATA}:ro"]
        if self.gpus:
            words += ["--gpus", f'"device={",".join(map(str, self.gpus))}"']
        for variable, value in self.env.items():
            words += ["--env", f"{variable}={value}"]
        if self.command:
            words += ["--entrypoint", self.command[0]]
        return [*words, self.image, *(self.command or [""])[1:], *self.args]
