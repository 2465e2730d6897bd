"""The flags of ``push``: one for each key of the config. Next: ``core/config_file``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from sentinels.core.errors import Fault, InvalidSubmission

_Words = list[str] | None


class FlagOptions:
    """The flags' types, as typer reads them."""

    Name = Annotated[str | None, typer.Option(help="The job's name. Default: from the image.")]
    Experiment = Annotated[str | None, typer.Option(help="The MLflow experiment.")]
    Cpu = Annotated[str | None, typer.Option(help="CPUs, as in 2 or 0.5.")]
    Memory = Annotated[str | None, typer.Option(help="Memory, as in 4Gi.")]
    Gpu = Annotated[int | None, typer.Option(help="GPUs.")]
    GpuType = Annotated[str | None, typer.Option(help="Which GPUs, as in a100.")]
    Param = Annotated[
        _Words, typer.Option("--param", "-p", help="A parameter, as in C=0.1. Repeatable.")
    ]
    Sweep = Annotated[
        _Words, typer.Option(help="A parameter's values, as in C=0.1,1,10: a job each. Repeatable.")
    ]
    Env = Annotated[_Words, typer.Option(help="A variable, as in NAME=value. Repeatable.")]
    Data = Annotated[_Words, typer.Option(help="A path in the data store. Repeatable.")]
    TimeLimit = Annotated[str | None, typer.Option(help="How long it may run, as in 2h.")]
    Priority = Annotated[str | None, typer.Option(help="low, normal, high or urgent.")]
    After = Annotated[
        list[int] | None, typer.Option(help="Start after this job has succeeded. Repeatable.")
    ]
    RetryOom = Annotated[
        str | None, typer.Option(help="Try again with more memory, as in x1.5 or x2,16Gi,3.")
    ]
    RetryExit = Annotated[
        _Words, typer.Option(help="Try again after an exit code, as in 33=3. Repeatable.")
    ]
    NotifyOn = Annotated[_Words, typer.Option(help="Tell when it succeeded, failed, … Repeatable.")]
    NotifyChannel = Annotated[str | None, typer.Option(help="Where to tell, as in #vision.")]
    Label = Annotated[_Words, typer.Option(help="A label, as in ticket=ML-12. Repeatable.")]


def flags_to_config(flags: Mapping[str, object]) -> dict[str, object]:
    """The flags that were given, as a config. Raises ``InvalidSubmission`` with every fault."""
    config: dict[str, object] = {}
    faults: list[Fault] = []
    for flag, (path, read) in _KEYS.items():
        value = flags.get(flag)
        if value in (None, [], ()):
            continue
        try:
            _put(config, path, read(value))
        except ValueError as error:
            shown = value if isinstance(value, str) else ", ".join(map(str, _words(value)))
            faults.append(Fault(f"--{flag.replace('_', '-')}", str(error), value=shown))
    if faults:
        raise InvalidSubmission(faults)
    return config


def _put(config: dict[str, object], path: str, value: object) -> None:
    *above, last = path.split(".")
    for key in above:
        below = config.setdefault(key, {})
        config = below if isinstance(below, dict) else {}
    config[last] = value


def _plain(value: object) -> object:
    return value


def _listed(value: object) -> object:
    return list(_words(value))


def _pairs(value: object) -> dict[str, str]:
    found = {}
    for word in _words(value):
        name, equals, content = str(word).partition("=")
        if not equals or not name:
            raise ValueError("must be NAME=VALUE")
        found[name] = content
    return found


def _params(value: object) -> dict[str, object]:
    from sentinels.core.config_file import read_scalar

    return {name: read_scalar(text) for name, text in _pairs(value).items()}


def _swept(value: object) -> dict[str, object]:
    from sentinels.core.config_file import read_scalar

    return {
        name: [read_scalar(item) for item in text.split(",")]
        for name, text in _pairs(value).items()
    }


def _tries(value: object) -> dict[str, int]:
    return {code: int(tries) for code, tries in _pairs(value).items()}


def _growth(value: object) -> dict[str, object]:
    factor, *rest = str(value).split(",")
    growth: dict[str, object] = {"memory": factor}
    if rest:
        growth["max"] = rest[0]
    if len(rest) > 1:
        growth["tries"] = int(rest[1])
    return growth


def _words(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else [value]


_KEYS: Mapping[str, tuple[str, Callable[[object], object]]] = {
    "name": ("name", _plain),
    "experiment": ("experiment", _plain),
    "command": ("command", _listed),
    "cpu": ("resources.cpu", _plain),
    "memory": ("resources.memory", _plain),
    "gpu": ("resources.gpu", _plain),
    "gpu_type": ("resources.gpu_type", _plain),
    "param": ("params", _params),
    "sweep": ("sweep", _swept),
    "env": ("env", _pairs),
    "data": ("data", _listed),
    "time_limit": ("time_limit", _plain),
    "priority": ("priority", _plain),
    "after": ("after", _listed),
    "retry_oom": ("retry.oom", _growth),
    "retry_exit": ("retry.exit", _tries),
    "notify_on": ("notify.on", _listed),
    "notify_channel": ("notify.channel", _plain),
    "label": ("labels", _pairs),
}
"""Flag, the key it sets, and how its text is read."""
