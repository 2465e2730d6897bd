"""A reference packer: can all of these be on these nodes at once?

First fit decreasing, repaired by moving one item out of the way, from many shuffled orders. It is
sound as a check of the planner because it can only err on the red side: "yes" is a packing that is
added up again from nothing (``holds``), and "no" may merely be a packing that was not found. It
shares no function with ``sentinels.core``; requests and offers are the same plain values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from sentinels.core.capacity import Resources

Packing = dict[int, int]
"""The index of each item's bin."""


@dataclass(frozen=True)
class Bin:
    """What one node has left, and for how many pods more."""

    name: str
    free: Resources
    slots: int = 1 << 30


def amounts(resources: Resources) -> tuple[int, int, int]:
    return resources.cpu_millis, resources.memory_bytes, resources.gpus


def suited(item: Resources, one: Bin) -> bool:
    return item.gpu_type is None or item.gpu_type == one.free.gpu_type


def holds(items: Sequence[Resources], bins: Sequence[Bin], packing: Packing) -> bool:
    """Whether the packing takes every item once and overfills no bin; from nothing, no trust."""
    if set(packing) != set(range(len(items))):
        return False
    for index, one in enumerate(bins):
        inside = [items[item] for item, place in packing.items() if place == index]
        if len(inside) > one.slots or not all(suited(item, one) for item in inside):
            return False
        for kind, there in enumerate(amounts(one.free)):
            if sum(amounts(item)[kind] for item in inside) > there:
                return False
    return True


def pack(items: Sequence[Resources], bins: Sequence[Bin], *, tries: int = 60) -> Packing | None:
    """A packing that holds, or None where none was found."""
    random = Random(len(items))
    whole = [max(1, sum(amounts(one.free)[kind] for one in bins)) for kind in range(3)]

    def size(item: Resources) -> float:
        return max(part / there for part, there in zip(amounts(item), whole, strict=True))

    for attempt in range(tries):
        # A typed request has fewer places: before an untyped one of its size.
        order = sorted(
            range(len(items)),
            key=lambda index: (
                -(size(items[index]) * (random.uniform(0.7, 1.3) if attempt else 1)),
                items[index].gpu_type is None,
            ),
        )
        packing = _Trial(items, bins).run(order)
        if packing is not None and holds(items, bins, packing):
            return packing
    return None


class _Trial:
    """One order's attempt."""

    def __init__(self, items: Sequence[Resources], bins: Sequence[Bin]) -> None:
        self.items, self.bins = items, bins
        self.left = [list(amounts(one.free)) for one in bins]
        self.slots = [one.slots for one in bins]
        self.packing: Packing = {}

    def run(self, order: Sequence[int]) -> Packing | None:
        for item in order:
            if not (self._put(item) or self._make_room(item)):
                return None
        return self.packing

    def _fits(self, item: int, place: int) -> bool:
        request = self.items[item]
        return (
            self.slots[place] > 0
            and suited(request, self.bins[place])
            and all(a <= b for a, b in zip(amounts(request), self.left[place], strict=True))
        )

    def _put(self, item: int, *, but: int = -1) -> bool:
        """Into a bin without GPUs that it does not ask for, where there is one."""
        open_to = [p for p in range(len(self.bins)) if p != but and self._fits(item, p)]
        if not open_to:
            return False
        waste = 0 if self.items[item].gpus else 1
        self._move(item, min(open_to, key=lambda p: (self.left[p][2] * waste, p)))
        return True

    def _move(self, item: int, place: int | None) -> None:
        before = self.packing.pop(item, None)
        for where, sign in ((before, 1), (place, -1)):
            if where is None:
                continue
            self.slots[where] += sign
            for kind, part in enumerate(amounts(self.items[item])):
                self.left[where][kind] += sign * part
        if place is not None:
            self.packing[item] = place

    def _make_room(self, item: int) -> bool:
        """Move one other item elsewhere, if that lets this one in."""
        for other, place in list(self.packing.items()):
            if not suited(self.items[item], self.bins[place]):
                continue
            self._move(other, None)
            if self._fits(item, place):
                self._move(item, place)
                if self._put(other, but=place) or self._put(other):
                    return True
                self._move(item, None)
            self._move(other, place)
        return False
