"""A sweep as its jobs: every combination of its values, or so many drawn at random.

Pure: the same sweep, number and seed give the same jobs on every machine, and more samples begin
with the same ones. Comes in: a ``Submission`` with a sweep. Goes out: one ``Submission`` a job.
Before: ``submission_reading``. Next: ``submitting``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice, product

from sentinels.core.submission import ParamValue, Span, Submission, Values

_DRAWS = 100
"""How often a sample that was drawn before is drawn anew; after that it is taken as it is."""

_Combination = tuple[ParamValue, ...]


def expand_sweep(submission: Submission) -> list[Submission]:
    """One submission for each job: of a grid the first parameter varies slowest."""
    names = list(submission.sweep)
    single = replace(submission, sweep={}, samples=None, seed=0, at_once=None)
    return [
        replace(single, params={**submission.params, **dict(zip(names, values, strict=True))})
        for values in _combinations(submission)
    ]


def sweep_definition(submission: Submission) -> dict[str, object]:
    """What is swept, in a config's words; a random sweep's seed too, given or not."""
    definition: dict[str, object] = {"sweep": sweep_to_config(submission.sweep)}
    if submission.samples is None:
        return definition
    return {**definition, "samples": submission.samples, "seed": submission.seed}


def sweep_to_config(sweep: Mapping[str, Values]) -> dict[str, object]:
    """A sweep in a config's words."""
    return {
        name: _span_to_config(values) if isinstance(values, Span) else list(values)
        for name, values in sweep.items()
    }


def _span_to_config(span: Span) -> Mapping[str, object]:
    words: dict[str, object] = {"min": span.low, "max": span.high}
    return {**words, "scale": "log"} if span.is_log else words


def combinations(sweep: Mapping[str, Values]) -> float:
    """How many different combinations there are."""
    return math.prod((_size(values) for values in sweep.values()), start=1)


def _size(values: Values) -> float:
    if not isinstance(values, Span):
        return len(set(map(repr, values)))
    return values.high - values.low + 1 if values.is_whole else math.inf


def _combinations(submission: Submission) -> list[_Combination]:
    if submission.samples is None:
        lists = (each for each in submission.sweep.values() if not isinstance(each, Span))
        return list(product(*lists))
    draws = _draws(submission.sweep, random.Random(submission.seed))  # noqa: S311  # reproducible, no secret
    drawn: dict[str, _Combination] = {}
    found: list[_Combination] = []
    for _ in range(submission.samples):
        tried = list(islice(draws, 1))
        while repr(tried[-1]) in drawn and len(tried) < _DRAWS:
            tried += islice(draws, 1)
        drawn[repr(tried[-1])] = tried[-1]
        found.append(tried[-1])
    return found


def _draws(sweep: Mapping[str, Values], source: random.Random) -> Iterator[_Combination]:
    while True:
        yield tuple(_drawn(values, source.random()) for values in sweep.values())


def _drawn(values: Values, chance: float) -> ParamValue:
    """The value that a number from 0 to below 1 stands for."""
    if not isinstance(values, Span):
        return values[int(chance * len(values))]
    above = values.high + 1 if values.is_whole else values.high
    if values.is_log:
        number = values.low * math.exp(chance * math.log(above / values.low))
    else:
        number = values.low + chance * (above - values.low)
    if values.is_whole:
        return min(int(values.high), max(int(values.low), math.floor(number)))
    return min(values.high, max(values.low, _short(number)))


def _short(number: float) -> float:
    """To six digits: as exact as a sample needs to be, and readable."""
    return float(f"{number:.6g}")
