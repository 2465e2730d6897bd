"""From plain data to a sound submission, or every fault at once; and back to plain data.

Each key of the config has one reader in ``_READERS``. Comes in: an image and a config, as YAML or
JSON gave them, flags already merged. Goes out: a ``Submission``. Before: ``config_file`` (the CLI),
``functions/submit``. Next: ``submitting``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product

from sentinels.core.capacity import Resources
from sentinels.core.errors import InvalidSubmission
from sentinels.core.faults import Faults, joined
from sentinels.core.image_reference import (
    IMAGE_LIMIT,
    default_name,
    is_container_image,
    is_directory,
)
from sentinels.core.quantity import (
    format_cpu,
    format_duration,
    format_memory,
    parse_cpu,
    parse_duration,
    parse_memory,
)
from sentinels.core.retry_reading import read_retry, retry_to_config
from sentinels.core.submission import Notify, ParamValue, Submission

MAX_BODY_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_NODES = 10_000
MAX_SWEEP = 1000
DEFAULT_RESOURCES = Resources(cpu_millis=1000, memory_bytes=1024**3)
NOTICE_KINDS = ("succeeded", "failed", "cancelled", "requeued", "started")

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_PARAM = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,99}", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?", re.ASCII)
_CHANNEL = re.compile(r"[#@]?[A-Za-z0-9][\w.-]{0,79}", re.ASCII)
_RESERVED = re.compile(r"SENTINELS_.*|MLFLOW_(RUN_ID|TRACKING_URI|EXPERIMENT_NAME)", re.ASCII)
_LONGEST = 365 * 86400
_MAX_TEXT = 32 * 1024
_MAX_MEMORY = 2**50

_Reader = Callable[[Faults, object], object]


def read_submission(
    image: object, config: object, *, lines: Mapping[str, int] | None = None
) -> Submission:
    """Read what a user asks for. Raises ``InvalidSubmission`` with every fault."""
    faults = Faults(lines)
    if too_large := _too_large(config):
        faults.add("config", too_large)
        raise InvalidSubmission(faults.found)
    given = faults.mapping("config", config)
    faults.unknown_keys("", given, _READERS)
    found = {
        key: reader(faults, given[key])
        for key, reader in _READERS.items()
        if given.get(key) is not None
    }
    reference = _read_image(faults, image)
    _check_together(faults, found)
    if faults.found:
        raise InvalidSubmission(faults.found)
    name = found.get("name") or default_name(str(reference))
    found = {"resources": DEFAULT_RESOURCES, "experiment": name, **found, "name": name}
    return Submission(image=str(reference), **found)  # type: ignore[arg-type]  # each reader returns its field's type


def expand_sweep(submission: Submission) -> list[Submission]:
    """One submission for each combination, the first parameter varying slowest."""
    names = list(submission.sweep)
    return [
        replace(
            submission,
            params={**submission.params, **dict(zip(names, values, strict=True))},
            sweep={},
        )
        for values in product(*submission.sweep.values())
    ]


def submission_to_config(submission: Submission) -> dict[str, object]:
    """The submission as plain data that reads back to the same submission."""
    whole: dict[str, object] = {
        "name": submission.name,
        "experiment": submission.experiment,
        "command": None if submission.command is None else list(submission.command),
        "args": list(submission.args),
        "env": dict(submission.env),
        "params": dict(submission.params),
        "sweep": {name: list(values) for name, values in submission.sweep.items()},
        "resources": resources_to_config(submission.resources),
        "data": list(submission.data),
        "time_limit": submission.time_limit and format_duration(submission.time_limit),
        "priority": submission.priority,
        "after": list(submission.after),
        "retry": retry_to_config(submission.retry),
        "notify": {"on": sorted(submission.notify.on), "channel": submission.notify.channel},
        "labels": dict(submission.labels),
    }
    return {key: value for key, value in whole.items() if value not in (None, [], {})}


def resources_to_config(resources: Resources) -> dict[str, object]:
    """A request in a config's words."""
    words: dict[str, object] = {
        "cpu": format_cpu(resources.cpu_millis),
        "memory": format_memory(resources.memory_bytes),
        "gpu": resources.gpus,
    }
    return {**words, "gpu_type": resources.gpu_type} if resources.gpu_type else words


def _too_large(config: object) -> str | None:
    level: list[object] = [config]
    count = 0
    for depth in range(MAX_DEPTH + 1):
        count += len(level)
        if count > MAX_NODES:
            return f"has more than {MAX_NODES} values"
        level = [child for value in level for child in _children(value)]
        if not level:
            return None
        if depth == MAX_DEPTH:
            break
    return f"is nested more than {MAX_DEPTH} deep"


def _children(value: object) -> Sequence[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def _read_image(faults: Faults, image: object) -> str | None:
    text = faults.text("image", image, limit=IMAGE_LIMIT)
    if text is None:
        return None
    if not is_directory(text) and not is_container_image(text):
        remedy = "name one as in team/train:1.4, or a directory as in ./train"
        faults.add("image", "is no image name and no directory", value=text, remedy=remedy)
    return text


def _read_name(faults: Faults, value: object) -> str | None:
    text = faults.text("name", value, limit=63)
    if text is not None and not _NAME.fullmatch(text):
        faults.add("name", "must be letters, digits, '.', '_' or '-'", value=text)
    return text


def _read_experiment(faults: Faults, value: object) -> str | None:
    text = faults.text("experiment", value, limit=200)
    if text is not None and not text.strip():
        faults.add("experiment", "must not be empty")
    return text


def _read_words(path: str) -> Callable[[Faults, object], tuple[str, ...]]:
    def read(faults: Faults, value: object) -> tuple[str, ...]:
        words = faults.sequence(path, value)
        if len(words) > 64:
            faults.add(path, f"has {len(words)} items; 64 are allowed")
        found = (_word(faults, f"{path}[{index}]", word) for index, word in enumerate(words))
        return tuple(word for word in found if word is not None)

    return read


def _word(faults: Faults, path: str, value: object) -> str | None:
    # Unlike names, arguments may hold newlines and tabs: a short script after `python -c`.
    if isinstance(value, str) and len(value) <= _MAX_TEXT:
        plain = value.replace("\n", " ").replace("\t", " ")
        return value if faults.text(path, plain, limit=_MAX_TEXT) is not None else None
    return faults.text(path, value, limit=_MAX_TEXT)


def _read_command(faults: Faults, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        faults.add("command", "must be a list", value=value, remedy="as in [python, train.py]")
        return ()
    words = _read_words("command")(faults, value)
    if value == []:
        faults.add("command", "must not be empty", remedy="leave it out for the image's own")
    return words


def _read_env(faults: Faults, value: object) -> dict[str, str]:
    given = faults.mapping("env", value)
    if len(given) > 100:
        faults.add("env", f"has {len(given)} variables; 100 are allowed")
    found = {}
    for name, content in given.items():
        path = joined("env", name)
        if not _VARIABLE.fullmatch(name):
            faults.add(path, "is no name of a variable", value=name)
        elif _RESERVED.fullmatch(name):
            faults.add(path, "is set by Sentinels itself", remedy="choose another name")
        elif (text := _word(faults, path, content)) is not None:
            found[name] = text
    if sum(len(name) + len(text) for name, text in found.items()) > _MAX_TEXT:
        faults.add("env", "is larger than 32 KiB together")
    return found


def _is_scalar(faults: Faults, path: str, value: object) -> bool:
    if value is None or isinstance(value, bool | int):
        return True
    if isinstance(value, float):
        if not math.isfinite(value):
            faults.add(path, "must be a finite number", value=str(value))
        return math.isfinite(value)
    if isinstance(value, str):
        return faults.text(path, value, limit=6000) is not None
    faults.add(path, "must be text, a number, true, false or null", value=value)
    return False


def _read_param_name(faults: Faults, path: str, name: str) -> bool:
    if _PARAM.fullmatch(name):
        return True
    faults.add(path, "is no parameter name: letters, digits, '_', '.', '-'", value=name)
    return False


def _read_params(faults: Faults, value: object) -> dict[str, ParamValue]:
    given = faults.mapping("params", value)
    if len(given) > 100:
        faults.add("params", f"has {len(given)} parameters; 100 are allowed")
    return {
        name: content  # type: ignore[misc]  # _is_scalar has checked the type
        for name, content in given.items()
        if _read_param_name(faults, joined("params", name), name)
        and _is_scalar(faults, joined("params", name), content)
    }


def _read_sweep(faults: Faults, value: object) -> dict[str, tuple[ParamValue, ...]]:
    found: dict[str, tuple[ParamValue, ...]] = {}
    for name, values in faults.mapping("sweep", value).items():
        path = joined("sweep", name)
        items = faults.sequence(path, values)
        if not items:
            faults.add(path, "must be a list with at least one value", value=values)
        sound = [_is_scalar(faults, f"{path}[{at}]", item) for at, item in enumerate(items)]
        if _read_param_name(faults, path, name) and all(sound):
            found[name] = tuple(items)  # type: ignore[arg-type]  # _is_scalar has checked them
    jobs = math.prod(len(values) for values in found.values())
    if jobs > MAX_SWEEP:
        faults.add("sweep", f"makes {jobs} jobs; {MAX_SWEEP} are allowed in one push")
    return found


def _read_resources(faults: Faults, value: object) -> Resources:
    given = faults.mapping("resources", value)
    faults.unknown_keys("resources", given, ("cpu", "memory", "gpu", "gpu_type"))
    default = DEFAULT_RESOURCES
    cpu = faults.parsed("resources.cpu", given.get("cpu", 1), parse_cpu)
    memory = faults.parsed(
        "resources.memory", given.get("memory", default.memory_bytes), parse_memory
    )
    gpus = faults.whole("resources.gpu", given.get("gpu", 0), low=0, high=64)
    gpu_type = given.get("gpu_type")
    if gpu_type is not None:
        gpu_type = faults.text("resources.gpu_type", gpu_type, limit=63)
        if not gpus:
            faults.add("resources.gpu_type", "needs gpu: 1 or more", value=gpu_type)
    _check_size(faults, cpu, memory)
    return Resources(
        cpu or 0, memory or 0, gpus or 0, gpu_type if isinstance(gpu_type, str) else None
    )


def _check_size(faults: Faults, cpu: int | None, memory: int | None) -> None:
    if cpu is not None and not 10 <= cpu <= 10_000_000:
        faults.add("resources.cpu", "must be from 0.01 to 10000 cores", value=format_cpu(cpu))
    if memory is not None and not 2**20 <= memory <= _MAX_MEMORY:
        faults.add("resources.memory", "must be from 1Mi to 1024Ti", value=format_memory(memory))


def _read_data(faults: Faults, value: object) -> tuple[str, ...]:
    paths = faults.sequence("data", value)
    if len(paths) > 100:
        faults.add("data", f"has {len(paths)} paths; 100 are allowed")
    found = []
    for index, item in enumerate(paths):
        path = f"data[{index}]"
        text = faults.text(path, item, limit=1000)
        if text is None:
            continue
        if text.startswith("/") or "\\" in text or ".." in text.split("/") or not text.strip("/. "):
            remedy = "name it below the data store, as in digits/train"
            faults.add(path, "must be a path inside the data store", value=text, remedy=remedy)
        found.append(text)
    return tuple(found)


def _read_time_limit(faults: Faults, value: object) -> int | None:
    seconds = faults.parsed("time_limit", value, parse_duration)
    if seconds is not None and seconds > _LONGEST:
        faults.add("time_limit", "must be at most 365d", value=value)
    return seconds


def _read_priority(faults: Faults, value: object) -> str | None:
    return faults.text("priority", value, limit=63)


def _read_after(faults: Faults, value: object) -> tuple[int, ...]:
    given = faults.sequence("after", value)
    if len(given) > 100:
        faults.add("after", f"names {len(given)} jobs; 100 are allowed")
    ids = (
        faults.whole(f"after[{index}]", item, low=1, high=2**62) for index, item in enumerate(given)
    )
    return tuple(dict.fromkeys(job_id for job_id in ids if job_id is not None))


def _read_notify(faults: Faults, value: object) -> Notify:
    given = faults.mapping("notify", value)
    faults.unknown_keys("notify", given, ("on", "channel"))
    kinds = given.get("on", ["succeeded", "failed"])
    for index, kind in enumerate(faults.sequence("notify.on", kinds)):
        if kind not in NOTICE_KINDS:
            remedy = f"one of: {', '.join(NOTICE_KINDS)}"
            faults.add(
                f"notify.on[{index}]", "is no event to be told of", value=kind, remedy=remedy
            )
    channel = given.get("channel")
    if channel is not None:
        text = faults.text("notify.channel", channel, limit=80)
        if text is not None and not _CHANNEL.fullmatch(text):
            faults.add("notify.channel", "is no channel, as in #vision or @ann", value=text)
    on = frozenset(str(kind) for kind in kinds) if isinstance(kinds, list) else frozenset[str]()
    return Notify(on=on, channel=channel if isinstance(channel, str) else None)


def _read_labels(faults: Faults, value: object) -> dict[str, str]:
    given = faults.mapping("labels", value)
    if len(given) > 32:
        faults.add("labels", f"has {len(given)} labels; 32 are allowed")
    found = {}
    for name, content in given.items():
        path = joined("labels", name)
        text = faults.text(path, content, limit=63)
        for part in (name, text):
            if part is not None and not _LABEL.fullmatch(part):
                faults.add(path, "must be letters, digits, '.', '_', '-', '/'", value=part)
        if text is not None:
            found[name] = text
    return found


def _check_together(faults: Faults, found: Mapping[str, object]) -> None:
    swept, fixed = found.get("sweep") or {}, found.get("params") or {}
    if isinstance(swept, dict) and isinstance(fixed, dict):
        for name in swept.keys() & fixed.keys():
            faults.add(joined("sweep", name), "is in params too", remedy="keep it in one of them")
    words = [found.get("command") or (), found.get("args") or ()]
    if len(json.dumps(words)) > 2 * _MAX_TEXT:
        faults.add("args", "command and args are larger than 64 KiB together")


_READERS: dict[str, _Reader] = {
    "name": _read_name,
    "experiment": _read_experiment,
    "command": _read_command,
    "args": _read_words("args"),
    "env": _read_env,
    "params": _read_params,
    "sweep": _read_sweep,
    "resources": _read_resources,
    "data": _read_data,
    "time_limit": _read_time_limit,
    "priority": _read_priority,
    "after": _read_after,
    "retry": read_retry,
    "notify": _read_notify,
    "labels": _read_labels,
}
"""The config's keys, in the order in which they are documented."""
