"""What a job runs: the keys ``command``, ``args``, ``env`` and ``secrets``.

Before: ``submission_reading``. Next: ``launching``, which adds Sentinels' own variables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from sentinels.core.faults import Faults, joined

MAX_WORDS_BYTES = 32 * 1024
_MOST_WORDS = 64
_MOST_VARIABLES = 100
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_SECRET = re.compile(
    r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
    r"/(?!\.{1,2}$)(?!\.\.)[A-Za-z0-9._-]{1,253}",
    re.ASCII,
)
_LONGEST_SECRET_NAME = 253
_OWN = re.compile(
    r"SENTINELS_.*|MLFLOW_(RUN_ID|TRACKING_URI|EXPERIMENT_NAME|EXPERIMENT_ID)", re.ASCII
)


def read_words(path: str) -> Callable[[Faults, object], tuple[str, ...]]:
    """A reader of the words of a program at a path."""

    def read(faults: Faults, value: object) -> tuple[str, ...]:
        words = faults.sequence(path, value, most=_MOST_WORDS)
        found = (_word(faults, f"{path}[{index}]", word) for index, word in enumerate(words))
        return tuple(word for word in found if word is not None)

    return read


def read_command(faults: Faults, value: object) -> tuple[str, ...]:
    """The program and its first words."""
    if value == []:
        faults.add("command", "must not be empty", remedy="leave it out for the image's own")
    if isinstance(value, list) and value and value[0] == "":
        faults.add("command[0]", "must name a program")
    return read_words("command")(faults, value)


def read_env(faults: Faults, value: object) -> dict[str, str]:
    """The variables, in order. Their values may be secrets: no fault repeats one."""
    given = faults.mapping("env", value)
    if len(given) > _MOST_VARIABLES:
        faults.add("env", f"has {len(given)} variables; {_MOST_VARIABLES} are allowed")
    found = {}
    for name, content in given.items():
        path = joined("env", name)
        text = _word(faults, path, content, secret=True) if _is_free(faults, path, name) else None
        if text is not None:
            found[name] = text
    check_size(faults, "env", [*found, *found.values()])
    return found


def read_secrets(faults: Faults, value: object) -> dict[str, str]:
    """The variables that a cluster fills from the team's secrets, each with ``name/key``.

    What stands there by mistake may be the secret itself: no fault repeats it.
    """
    given = faults.mapping("secrets", value)
    if len(given) > _MOST_VARIABLES:
        faults.add("secrets", f"has {len(given)} variables; {_MOST_VARIABLES} are allowed")
    found = {}
    for name, content in given.items():
        path = joined("secrets", name)
        text = _secret(faults, path, content) if _is_free(faults, path, name) else None
        if text is not None:
            found[name] = text
    return found


def check_secrets(faults: Faults, env: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    """A fault for each variable that is given twice."""
    for name in secrets.keys() & env.keys():
        faults.add(joined("secrets", name), "is in env too", remedy="keep it in one of them")


def check_size(faults: Faults, path: str, words: Iterable[str]) -> None:
    """A fault where the words are larger together than a program can be given."""
    size = sum(len(word.encode()) + 1 for word in words)
    if size > MAX_WORDS_BYTES:
        faults.add(path, f"is {size} bytes in all; {MAX_WORDS_BYTES} are allowed")


def _is_free(faults: Faults, path: str, name: str) -> bool:
    """Whether a job may have a variable of this name."""
    if not _VARIABLE.fullmatch(name):
        faults.add(path, "is no name of a variable: letters, digits and '_'", value=name)
    elif _OWN.fullmatch(name):
        faults.add(path, "is set by Sentinels itself", remedy="choose another name")
    else:
        return True
    return False


def _secret(faults: Faults, path: str, value: object) -> str | None:
    # Names as in Kubernetes: a DNS subdomain for the secret, letters, digits, '.', '_', '-' for
    # the key.
    sound = isinstance(value, str) and _SECRET.fullmatch(value) is not None
    if not isinstance(value, str) or not sound or value.index("/") > _LONGEST_SECRET_NAME:
        message = "must be the name of a secret and a key in it, not the secret itself"
        faults.add(path, message, remedy="write name/key, as in hf/token")
        return None
    return value


def _word(faults: Faults, path: str, value: object, *, secret: bool = False) -> str | None:
    # Unlike names, these may hold newlines and tabs: a short script after `python -c`.
    plain = value
    if isinstance(value, str):
        plain = value.replace("\n", " ").replace("\t", " ")
    sound = faults.text(path, plain, limit=MAX_WORDS_BYTES, secret=secret)
    return value if sound is not None and isinstance(value, str) else None
