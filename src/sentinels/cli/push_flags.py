"""The flags of ``push``: one for each key of the config. Next: ``core/config_file``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from sentinels.core.errors import Fault

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
        _Words,
        typer.Option(
            help="A parameter's values, as in C=0.1,1,10: a job each; or a range to draw from, as"
            " in lr=1e-5..0.1:log. Repeatable."
        ),
    ]
    Samples = Annotated[
        int | None, typer.Option(help="How many jobs to draw of a sweep at random.")
    ]
    Seed = Annotated[int | None, typer.Option(help="Which samples to draw. Default: 0.")]
    AtOnce = Annotated[
        int | None, typer.Option(help="How many of a sweep's jobs may run at a time.")
    ]
    Arg = Annotated[
        _Words, typer.Option(help="An argument for the image's own command. Repeatable.")
    ]
    Env = Annotated[_Words, typer.Option(help="A variable, as in NAME=value. Repeatable.")]
    Secret = Annotated[
        _Words,
        typer.Option(help="A variable from a secret of the team, as in NAME=hf/token. Repeatable."),
    ]
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
    RetryPattern = Annotated[
        _Words,
        typer.Option(
            help="Try again where one of its last lines has this text, as in 'ECC error=2', or"
            " 'ECC error=2,avoid' for another node. Repeatable."
        ),
    ]
    RetryBackoff = Annotated[
        str | None, typer.Option(help="How long between tries, as in 30s or 30s..10m.")
    ]
    NotifyOn = Annotated[_Words, typer.Option(help="Tell when it succeeded, failed, … Repeatable.")]
    NotifyChannel = Annotated[
        _Words, typer.Option(help="Where to tell, as in #vision or ann@example.org. Repeatable.")
    ]
    Label = Annotated[_Words, typer.Option(help="A label, as in ticket=ML-12. Repeatable.")]

    Fit = Annotated[
        bool, typer.Option("--fit", help="Ask for no more than the last runs of its name needed.")
    ]
    Wait = Annotated[
        bool, typer.Option("--wait", "-w", help="Wait for the end; exit code 1 if one failed.")
    ]
    Follow = Annotated[bool, typer.Option("--follow", "-f", help="Print the log until the end.")]
    Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the ids.")]
    DryRun = Annotated[
        bool, typer.Option("--dry-run", help="Check it and print what would be launched.")
    ]
    Check = Annotated[
        bool, typer.Option("--check", help="Only check it: every check, and how to mend it.")
    ]
    Again = Annotated[
        bool, typer.Option("--again", help="Push it although the same is pushed and has not ended.")
    ]
    Key = Annotated[
        str | None,
        typer.Option(help="Push once under this key: the same again gives the same job."),
    ]


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags that were given, as a config, and what is wrong with the others."""

    config: dict[str, object]
    values: Mapping[str, object]
    faults: Sequence[Fault]

    def named(self, fault: Fault) -> Fault:
        """The fault under its flag's name, where a flag set what it is about: on no line then."""
        for path, flag in _FLAGS.items():
            rest = fault.field.removeprefix(path)
            value = self.values.get(path)
            if value is None or (rest == fault.field) or rest[:1] not in ("", ".", "["):
                continue
            if not isinstance(value, dict) or not rest:
                return replace(fault, field=_dashed(flag), line=None)
            if rest[1:].partition(".")[0] in value:
                return replace(fault, field=f"{_dashed(flag)} {rest[1:]}", line=None)
        return fault


def read_flags(flags: Mapping[str, object]) -> Flags:
    """Read what typer found."""
    config: dict[str, object] = {}
    values: dict[str, object] = {}
    faults: list[Fault] = []
    for flag, (path, read) in _KEYS.items():
        value = flags.get(flag)
        if value in (None, [], ()):
            continue
        try:
            values[path] = read(value)
            _put(config, path, values[path])
        except ValueError as error:
            shown = ", ".join(map(str, _words(value)))
            faults.append(Fault(_dashed(flag), str(error), value=shown))
    return Flags(config, values, faults)


def _dashed(flag: str) -> str:
    return "COMMAND" if flag == "command" else f"--{flag.replace('_', '-')}"


def _put(config: dict[str, object], path: str, value: object) -> None:
    *above, last = path.split(".")
    for key in above:
        below = config.setdefault(key, {})
        config = below if isinstance(below, dict) else {}
    config[last] = value


def _plain(value: object) -> object:
    return value


def _one_or_all(value: object) -> object:
    words = _words(value)
    return words[0] if len(words) == 1 else list(words)


def _listed(value: object) -> object:
    return list(_words(value))


def _pairs(value: object) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in _words(value):
        name, equals, content = str(word).partition("=")
        if not equals or not name:
            raise ValueError(f"{word} is not NAME=VALUE")
        if name in found:
            raise ValueError(f"{name} is given twice")
        found[name] = content
    return found


def _params(value: object) -> dict[str, object]:
    from sentinels.core.config_file import read_scalar

    return {name: read_scalar(text) for name, text in _pairs(value).items()}


def _swept(value: object) -> dict[str, object]:
    from sentinels.core.config_file import read_scalar

    return {
        name: _span(text) or [read_scalar(item) for item in text.split(",")]
        for name, text in _pairs(value).items()
    }


def _span(text: str) -> dict[str, object] | None:
    """``1e-5..0.1:log`` as a range; None for what is none."""
    from sentinels.core.config_file import read_scalar

    numbers, _, scale = text.partition(":")
    low, dots, high = numbers.partition("..")
    ends = {"min": read_scalar(low), "max": read_scalar(high)}
    if not dots or not all(isinstance(end, int | float) for end in ends.values()):
        return None
    return {**ends, "scale": scale} if scale else {**ends}


def _tries(value: object) -> dict[str, object]:
    return {code: _whole(tries) for code, tries in _pairs(value).items()}


def _patterns(value: object) -> dict[str, object]:
    found: dict[str, object] = {}
    for word in map(str, _words(value)):
        text, equals, rest = word.rpartition("=")
        tries, comma, avoid = rest.partition(",")
        if not equals or not text or (comma and avoid != "avoid"):
            raise ValueError(f"{word} is not TEXT=TRIES or TEXT=TRIES,avoid")
        found[text] = {"tries": _whole(tries), "avoid_node": True} if comma else _whole(tries)
    return found


def _whole(text: str) -> object:
    """The number, or the text, which the config's own reader then finds fault with."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _growth(value: object) -> dict[str, object]:
    words = str(value).split(",")
    if len(words) > 3:
        raise ValueError("is not FACTOR, FACTOR,MAX or FACTOR,MAX,TRIES, as in x2,16Gi,3")
    growth: dict[str, object] = dict(zip(("memory", "max", "tries"), words, strict=False))
    return {**growth, "tries": _whole(words[2])} if len(words) == 3 else growth


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
    "arg": ("args", _listed),
    "param": ("params", _params),
    "sweep": ("sweep", _swept),
    "samples": ("samples", _plain),
    "seed": ("seed", _plain),
    "at_once": ("at_once", _plain),
    "env": ("env", _pairs),
    "secret": ("secrets", _pairs),
    "data": ("data", _listed),
    "time_limit": ("time_limit", _plain),
    "priority": ("priority", _plain),
    "after": ("after", _listed),
    "retry_oom": ("retry.oom", _growth),
    "retry_exit": ("retry.exit", _tries),
    "retry_pattern": ("retry.pattern", _patterns),
    "retry_backoff": ("retry.backoff", _plain),
    "notify_on": ("notify.on", _listed),
    "notify_channel": ("notify.channel", _one_or_all),
    "label": ("labels", _pairs),
}
"""Flag, the key it sets, and how its text is read."""
_FLAGS: Mapping[str, str] = {path: flag for flag, (path, _) in _KEYS.items()}
