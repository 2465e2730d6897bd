"""Two configs side by side: what is different, by path.

Comes in: plain data. Goes out: paths with both values. Before: ``cli/diff``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """One path and its value on either side; None: it is not there."""

    path: str
    a: object
    b: object

    @property
    def is_one(self) -> bool:
        """Whether there is a difference at all; 1 and 1.0 are the same, 1 and true are not."""
        return self.a != self.b or isinstance(self.a, bool) is not isinstance(self.b, bool)


def compared(a: Mapping[str, object], b: Mapping[str, object]) -> list[Difference]:
    """Every path of either config with both values, in their order. Lists are compared whole."""
    left, right = dict(_leaves(a)), dict(_leaves(b))
    keys = list(dict.fromkeys((*a, *b)))
    paths = sorted({**left, **right}, key=lambda path: keys.index(path.partition(".")[0]))
    return [Difference(path, left.get(path), right.get(path)) for path in paths]


def _leaves(config: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    for key, value in config.items():
        path = f"{above}{key}"
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value
