"""A config with every key in it, and what a person may put where a text is taken.

``WHOLE`` is sound. What walks through it finds every text that a submission holds; a test fails
where a key of the config is missing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

WHOLE: dict[str, Any] = {
    "name": "digits-logreg",
    "experiment": "digits",
    "command": ["python", "main.py"],
    "args": ["--C=$(SENTINELS_PARAM_C)"],
    "env": {"OMP_NUM_THREADS": "2"},
    "secrets": {"HF_TOKEN": "hf/token"},
    "params": {"C": 0.1, "solver": "lbfgs"},
    "sweep": {"depth": [1, "two"], "lr": {"min": 1e-5, "max": 0.1, "scale": "log"}},
    "samples": 2,
    "seed": 7,
    "at_once": 1,
    "resources": {"cpu": 1, "memory": "1Gi", "gpu": 0, "gpu_type": None},
    "data": ["digits/train"],
    "time_limit": "2h",
    "priority": "normal",
    "after": [],
    "retry": {
        "oom": {"memory": "x1.5", "max": "16Gi", "tries": 2},
        "exit": {"33": 3},
        "pattern": {"ECC error": {"tries": 2, "avoid_node": True}},
        "backoff": "30s..10m",
    },
    "notify": {"on": ["failed"], "channel": ["#vision", "ann@example.org"]},
    "labels": {"ticket": "ML-12"},
}

TEXTS: dict[str, str] = {
    "NUL": "a\0b",
    "bell": "a\x07b",
    "newline": "a\nb",
    "tab": "a\tb",
    "carriage return": "real\rfake",
    "escape": "\x1b[31mred\x1b[0m",
    "terminal title": "\x1b]0;owned\x07",
    "C1 control": "a\x9b31mb",
    "right to left": "abc\u202etxt.exe",
    "isolate": "\u2067abc\u2069",
    "zero width": "a\u200bb",
    "byte order mark": "\ufeffa",
    "line separator": "a\u2028b",
    "half a surrogate": "a\ud800b",
    "the other half": "\udc00",
    "no character": "\uffff",
    "tags": "a\U000e0041b",
    "many marks": "a" + "\u0301" * 500,
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "letters": "žluťoučký-κόσμος-日本語",
    "64 KiB": "x" * 65536,
    "64 KiB of three bytes": "字" * 21846,
    "empty": "",
    "spaces": "   ",
    "SQL": "a'; DROP TABLE jobs; --",
    "SQL quote": 'a" OR 1=1 --',
    "SQL backslash": "a\\' OR 1=1 --",
    "SQL parameter": ":team_id %s %(x)s $1 {0}",
    "like": "%_%",
    "HTML": "<script>alert(1)</script>",
    "attribute": '" onmouseover="alert(1)',
    "template": "{{ 7 * 7 }}${7*7}{% raw %}",
    "Slack mention": "<!channel> <@U024BE7LH> <https://evil.example|click>",
    "mail header": "a\r\nBcc: all@example.org",
    "path": "../../etc/passwd",
    "shell": "$(touch /tmp/owned) `id` | rm -rf /",
    "option": "--help",
    "JSON": '{"$ref": "#/x"}',
    "number": "1e999",
    "prototype": "__proto__",
}
"""By what is special about each."""


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where texts are: at each leaf, and (the path ends with ``key:…``) each key of a mapping."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield (*path, f"key:{key}")
            yield from places(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from places(below, (*path, index))
    else:
        yield path


def put(value: Any, path: tuple[str | int, ...], text: object) -> Any:
    """A copy with the text there."""
    whole = deepcopy(value)
    *above, last = path
    inner = whole
    for step in above:
        inner = inner[step]
    if isinstance(last, str) and last.startswith("key:"):
        inner[text] = inner.pop(last.removeprefix("key:"))
    else:
        inner[last] = text
    return whole
