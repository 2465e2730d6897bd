"""From plain data to a sound submission, or every fault at once; and back to plain data.

Each key of the config has one reader in ``_READERS``. Comes in: an image and a config, as YAML or
JSON gave them, flags already merged. Goes out: a ``Submission``. Before: ``config_file`` (the CLI),
``functions/submit``. Next: ``submitting``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict, cast

from sentinels.core.capacity import Resources
from sentinels.core.errors import InvalidSubmission
from sentinels.core.faults import Faults, joined
from sentinels.core.image_reference import (
    IMAGE_LIMIT,
    default_name,
    is_container_image,
    is_directory,
)
from sentinels.core.notify_reading import notify_to_config, read_notify
from sentinels.core.param_reading import (
    check_params,
    check_sweep,
    read_at_once,
    read_params,
    read_samples,
    read_seed,
    read_sweep,
)
from sentinels.core.program_reading import (
    check_secrets,
    check_size,
    read_command,
    read_env,
    read_secrets,
    read_words,
)
from sentinels.core.quantity import format_duration, format_memory, parse_duration
from sentinels.core.resources_reading import (
    DEFAULT_RESOURCES,
    RESOURCE_KEYS,
    read_resources,
    resources_to_config,
)
from sentinels.core.retry_reading import read_retry, retry_to_config
from sentinels.core.sampling import sweep_to_config
from sentinels.core.submission import Notify, ParamValue, Retry, Submission, Values

MAX_BODY_BYTES = 256 * 1024
"""As much of a config, as YAML or as JSON, is taken."""
MAX_DEPTH = 20
"""Mappings and lists inside one another, the config itself included."""
MAX_NODES = 10_000
"""Values of all kinds in one config."""

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?", re.ASCII)
_LONGEST_SECONDS = 365 * 86400
_NAME_RULE = "must be 1 to 63 letters, digits, '.', '_' or '-', with a letter or digit at both ends"
_MEANT: Mapping[str, str] = {
    **{key: f"resources.{key}" for key in RESOURCE_KEYS},
    "gpus": "resources.gpu",
    "image": "IMAGE, the argument of sentinels push",
    "timeout": "time_limit",
    "environment": "env",
    "depends_on": "after",
    "entrypoint": "command",
    "tags": "labels",
    "parallel": "at_once",
    "channel": "notify.channel",
}
"""What people write who mean another key."""

_Reader = Callable[[Faults, object], object]


class _Found(TypedDict, total=False):
    """What the readers found; each key has its reader's type."""

    name: str
    experiment: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: dict[str, str]
    secrets: dict[str, str]
    params: dict[str, ParamValue]
    sweep: dict[str, Values]
    samples: int
    seed: int
    at_once: int
    resources: Resources
    data: tuple[str, ...]
    time_limit: int
    priority: str
    after: tuple[int, ...]
    retry: Retry
    notify: Notify
    labels: dict[str, str]


def read_submission(
    image: object, config: object, *, lines: Mapping[str, int] | None = None
) -> Submission:
    """Read what a user asks for; a key that is null is one that was left out.

    ``lines`` says on which line of a file each path stands. Raises ``InvalidSubmission`` with every
    fault.
    """
    faults = Faults(lines)
    if too_large := _too_large(config):
        faults.add("config", too_large)
        raise InvalidSubmission(faults.found)
    reference = _read_image(faults, image)
    found = _read_keys(faults, config)
    _check_together(faults, found)
    if faults.found:
        raise InvalidSubmission(faults.found)
    name = found.get("name") or default_name(reference)
    whole: _Found = {"resources": DEFAULT_RESOURCES, "experiment": name, **found, "name": name}
    return Submission(image=reference, **whole)


def submission_to_config(submission: Submission) -> dict[str, object]:
    """The submission as plain data that reads back to the same submission.

    The image is not part of it. Keys stand in the order in which they are documented.
    """
    whole: dict[str, object] = {
        "name": submission.name,
        "experiment": submission.experiment,
        "command": submission.command and list(submission.command),
        "args": list(submission.args),
        "env": dict(submission.env),
        "secrets": dict(submission.secrets),
        "params": dict(submission.params),
        "sweep": sweep_to_config(submission.sweep),
        "samples": submission.samples,
        "seed": submission.seed or None,
        "at_once": submission.at_once,
        "resources": resources_to_config(submission.resources),
        "data": list(submission.data),
        "time_limit": submission.time_limit and format_duration(submission.time_limit),
        "priority": submission.priority,
        "after": list(submission.after),
        "retry": retry_to_config(submission.retry),
        "notify": notify_to_config(submission.notify),
        "labels": dict(submission.labels),
    }
    return {key: value for key, value in whole.items() if value not in (None, [], {})}


def _too_large(config: object) -> str | None:
    level: list[object] = [config]
    count = 0
    for _ in range(MAX_DEPTH + 1):
        count += len(level)
        if count > MAX_NODES:
            return f"has more than {MAX_NODES} values"
        level = [child for value in level for child in _children(value)]
        if not level:
            return None
    return f"is nested more than {MAX_DEPTH} deep"


def _children(value: object) -> Sequence[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def _read_keys(faults: Faults, config: object) -> _Found:
    given = faults.mapping("config", config)
    faults.unknown_keys("", given, _READERS, elsewhere=_MEANT)
    found = {
        key: read(faults, given[key])
        for key, read in _READERS.items()
        if given.get(key) is not None
    }
    return cast("_Found", {key: value for key, value in found.items() if value is not None})


def _read_image(faults: Faults, image: object) -> str:
    if image is None or image == "":
        faults.add("image", "is missing", remedy="name one: sentinels push IMAGE")
        return ""
    text = faults.text("image", image, limit=IMAGE_LIMIT)
    if text is not None and not is_directory(text) and not is_container_image(text):
        remedy = "name one as in team/train:1.4, or a directory as in ./train"
        faults.add("image", "is no image name and no directory", value=text, remedy=remedy)
    return text or ""


def _read_name(faults: Faults, value: object) -> str | None:
    text = faults.text("name", value, limit=1000)
    if text is not None and not _NAME.fullmatch(text):
        faults.add("name", _NAME_RULE, value=text)
    elif text is not None and text.isdigit():
        faults.add("name", "would be taken for a job's id", value=text, remedy="add a letter")
    return text


def _read_experiment(faults: Faults, value: object) -> str | None:
    text = faults.text("experiment", value, limit=200)
    if text is not None and (text == "" or text != text.strip()):
        faults.add("experiment", "must not be empty, nor begin or end with a space", value=text)
    return text


def _read_data(faults: Faults, value: object) -> tuple[str, ...]:
    items = faults.sequence("data", value, most=100)
    found = (_read_path(faults, f"data[{index}]", item) for index, item in enumerate(items))
    return tuple(path for path in found if path is not None)


def _read_path(faults: Faults, where: str, item: object) -> str | None:
    path = faults.text(where, item, limit=1000)
    if path is None:
        return None
    if path.startswith("/") or "\\" in path or ".." in path.split("/") or not path.strip("/. "):
        remedy = "name it below the data store, as in digits/train"
        faults.add(where, "must be a path inside the data store", value=path, remedy=remedy)
    return path


def _read_time_limit(faults: Faults, value: object) -> int | None:
    seconds = faults.parsed("time_limit", value, parse_duration)
    if seconds is not None and seconds > _LONGEST_SECONDS:
        faults.add("time_limit", "must be at most 365d", value=value)
    return seconds


def _read_priority(faults: Faults, value: object) -> str | None:
    text = faults.text("priority", value, limit=1000)
    if text is not None and not _NAME.fullmatch(text):
        faults.add("priority", "is no priority class, such as normal", value=text)
    return text


def _read_after(faults: Faults, value: object) -> tuple[int, ...]:
    items = faults.sequence("after", value, most=100)
    read = (faults.whole(f"after[{at}]", item, low=1, high=2**62) for at, item in enumerate(items))
    return tuple(dict.fromkeys(job_id for job_id in read if job_id is not None))


def _read_labels(faults: Faults, value: object) -> dict[str, str]:
    given = faults.mapping("labels", value)
    if len(given) > 32:
        faults.add("labels", f"has {len(given)} labels; 32 are allowed")
    found = {}
    for name, content in given.items():
        path = joined("labels", name)
        text = faults.text(path, content, limit=1000)
        for part in (name, text):
            if part is not None and not _LABEL.fullmatch(part):
                faults.add(path, _NAME_RULE.replace("'.',", "'.', '/',"), value=part)
        if text is not None:
            found[name] = text
    return found


def _check_together(faults: Faults, found: _Found) -> None:
    check_params(faults, found.get("params", {}), found.get("sweep", {}))
    check_sweep(faults, found.get("sweep", {}), found.get("samples"), found.keys())
    check_secrets(faults, found.get("env", {}), found.get("secrets", {}))
    check_size(faults, "args", [*found.get("command", ()), *found.get("args", ())])
    growth = found.get("retry", Retry()).oom
    memory = found.get("resources", DEFAULT_RESOURCES).memory_bytes
    if growth and growth.limit_bytes is not None and 0 < growth.limit_bytes <= memory:
        message = f"must be more than resources.memory, {format_memory(memory)}"
        faults.add("retry.oom.max", message, value=format_memory(growth.limit_bytes))


_READERS: dict[str, _Reader] = {
    "name": _read_name,
    "experiment": _read_experiment,
    "command": read_command,
    "args": read_words("args"),
    "env": read_env,
    "secrets": read_secrets,
    "params": read_params,
    "sweep": read_sweep,
    "samples": read_samples,
    "seed": read_seed,
    "at_once": read_at_once,
    "resources": read_resources,
    "data": _read_data,
    "time_limit": _read_time_limit,
    "priority": _read_priority,
    "after": _read_after,
    "retry": read_retry,
    "notify": read_notify,
    "labels": _read_labels,
}
"""The config's keys, in the order in which they are documented."""
