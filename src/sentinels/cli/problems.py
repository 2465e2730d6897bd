"""Expected errors at the terminal: one message, the next step, an exit code by class.

Comes in: an error of ``core.errors``, or a problem+json answer. Goes out: text on standard error.
Before: ``client``, ``main``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from sentinels.core.errors import (
    Ambiguous,
    Conflict,
    Fault,
    InvalidQuery,
    InvalidRequest,
    InvalidSubmission,
    NotAllowed,
    NotFound,
    SentinelsError,
    Unavailable,
)
from sentinels.core.text import printable

OK, JOB_FAILED, USAGE, SERVER, NOT_FOUND, NOT_ALLOWED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

_CODES: Mapping[type[SentinelsError], int] = {
    InvalidSubmission: USAGE,
    InvalidRequest: USAGE,
    Ambiguous: USAGE,
    Conflict: USAGE,
    NotFound: NOT_FOUND,
    NotAllowed: NOT_ALLOWED,
    Unavailable: SERVER,
}

_BY_STATUS: Mapping[int, type[SentinelsError]] = {
    400: InvalidRequest,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    405: InvalidRequest,
    409: Conflict,
    411: InvalidRequest,
    413: InvalidRequest,
    415: InvalidRequest,
    422: InvalidSubmission,
}


def exit_code(error: SentinelsError) -> int:
    """The exit code of an error's class."""
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), SERVER)


def report(error: SentinelsError, *, excerpt: Sequence[str] = ()) -> int:
    """Say what went wrong and what to do; the exit code. ``excerpt`` shows where."""
    head, *rest = _lines(error)
    for line in (head, *excerpt, *rest):
        print(line, file=sys.stderr)
    return exit_code(error)


def from_answer(status: int, problem: Mapping[str, object]) -> SentinelsError:
    """The error that a problem+json answer (RFC 9457) stands for."""
    detail = str(problem.get("detail") or problem.get("title") or f"the server answered {status}")
    remedy = problem.get("remedy")
    kind = _BY_STATUS.get(status, Unavailable)
    faults = problem.get("faults")
    if kind is InvalidSubmission and isinstance(faults, list) and faults:
        return InvalidSubmission([fault_from(fault) for fault in faults])
    if kind is InvalidSubmission:
        kind = InvalidRequest
    candidates = problem.get("candidates")
    if isinstance(candidates, list) and candidates:
        return Ambiguous(detail, remedy=_one_of(candidates))
    position = problem.get("position")
    if kind is InvalidRequest and isinstance(position, int):
        return InvalidQuery(detail, remedy=str(remedy) if remedy else None, position=position)
    return kind(detail, remedy=str(remedy) if remedy else None)


def _lines(error: SentinelsError) -> list[str]:
    if isinstance(error, InvalidSubmission):
        count = len(error.faults)
        head = f"error: nothing was {error.undone}; {count} fault{'s' if count != 1 else ''}:"
        return [head, *[f"  {line}" for fault in error.faults for line in fault_lines(fault)]]
    lines = [f"error: {printable(str(error))}"]
    return [*lines, f"  → {printable(error.remedy)}"] if error.remedy else lines


def fault_lines(fault: Fault) -> list[str]:
    """What is wrong, and what to do, a line each."""
    place = f"line {fault.line}: " if fault.line else ""
    value = f" (it is {printable(fault.value)})" if fault.value else ""
    lines = [f"{place}{printable(fault.field)}: {printable(fault.message)}{value}"]
    return [*lines, f"  → {printable(fault.remedy)}"] if fault.remedy else lines


def fault_from(told: object) -> Fault:
    """A fault as an answer has it."""
    given = told if isinstance(told, dict) else {}
    line = given.get("line")
    return Fault(
        field=str(given.get("field") or "request"),
        message=str(given.get("message") or "is wrong"),
        value=str(given["value"]) if given.get("value") is not None else None,
        remedy=str(given["remedy"]) if given.get("remedy") else None,
        line=line if isinstance(line, int) else None,
    )


def _one_of(candidates: list[object]) -> str:
    return "say which: " + ", ".join(map(_candidate, candidates))


def _candidate(candidate: object) -> str:
    if isinstance(candidate, dict):
        return f"{candidate.get('id')} ({candidate.get('name')})"
    return str(candidate)
