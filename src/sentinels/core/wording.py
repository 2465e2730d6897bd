"""The words of a notice: what happened and what to do, for somebody who reads it on a phone.

A failure carries the essence of its dossier: the cause, what was used of what was asked for, the
lines that say most, the advice, and where the rest is. Plain text, one thought a line; whoever
sends it makes it safe for its service. Comes in: an attempt, how it ended, what was testified.
Goes out: text. Before: ``notice``. Next: ``advice``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sentinels.core.advice import Case, Share, advise, shares, symptom_of
from sentinels.core.dossier import Cause, Dossier
from sentinels.core.job import Move, Outcome, Reason, ReasonClass
from sentinels.core.observation import Finished
from sentinels.core.quantity import format_duration
from sentinels.core.queueing import LiveAttempt
from sentinels.core.symptoms import raised_in
from sentinels.core.text import printable

ESSENCE = 3
"""Lines of output in a message."""
_LINE = 240
"""Characters of one of them."""
_LONGEST = 4 * _LINE
_QUOTE = "> "
_NOISE = re.compile(r"^\W*(?:View (?:run|experiment) |wandb: )")
"""What trackers print at the end of whatever happened."""
_INCOMPLETE = "artifacts: incomplete, not all that it left had reached MLflow when it ended"


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt ended and what that made of its job; ``kind`` is the notice's."""

    move: Move
    kind: str
    seen: Finished
    dossier: Dossier


def end_text(attempt: LiveAttempt, end: End) -> str:
    """What is told of an end."""
    return "\n".join(_end_lines(attempt, end))


def subject(attempt: LiveAttempt) -> str:
    """Which job it is about."""
    nth = f", attempt {attempt.ref.attempt}" if attempt.ref.attempt > 1 else ""
    return f"job {attempt.ref.job_id} {attempt.submission.name} ({attempt.user}{nth})"


def seconds_between(seen: Finished) -> int:
    """Whole seconds from start to end; 0 where it never started."""
    started = seen.started_at or seen.finished_at
    return max(0, round((seen.finished_at - started).total_seconds()))


def essence(case: Case) -> list[str]:
    """The lines of output that say what happened, made safe; none where no line is known to."""
    texts = case.dossier.testimony.lines.texts
    symptom = symptom_of(case)
    if symptom is not None:
        return [_shown(texts[symptom[0]])]
    error = raised_in(texts)
    return [] if error is None else [_shown(line) for line in error.lines]


def last_words(case: Case) -> list[str]:
    """The last lines of output that are not empty and not a tracker's, made safe."""
    texts = map(_shown, case.dossier.testimony.lines.texts)
    return [text for text in texts if text and not _NOISE.match(text)][-ESSENCE:]


def _end_lines(attempt: LiveAttempt, end: End) -> Iterator[str]:
    yield f"{subject(attempt)} {end.kind}{_took(end.seen)}{_because(end.dossier)}"
    if end.move is Move.FAIL:
        yield from _why(attempt, end)
    if end.move is not Move.REQUEUE and attempt.run is not None and not end.seen.outputs_complete:
        yield _INCOMPLETE
    if end.move is Move.FAIL:
        yield f"More: sentinels explain {attempt.ref.job_id}"
    if attempt.run is not None:
        yield f"MLflow: {attempt.run.page_url}"


def _why(attempt: LiveAttempt, end: End) -> Iterator[str]:
    grows = attempt.submission.retry.oom is not None
    case = Case(attempt.ref.job_id, end.dossier, attempt.resources, end.seen.usage, grows)
    used = [_used(share) for share in shares(case.resources, case.usage)]
    if used:
        yield f"used: {', '.join(used)}"
    if case.reason is not None and _has_a_say(case.reason):
        yield from (f"{_QUOTE}{line}" for line in essence(case) or last_words(case))
    yield from advise(case)[:1]


def _used(share: Share) -> str:
    asked = f" of {share.asked}" if share.asked else ""
    part = f" ({share.part:.0%})" if share.part is not None else ""
    return f"{share.name} {share.used}{asked}{part}"


def _has_a_say(reason: Reason) -> bool:
    """Whether the program's own words bear on it."""
    return reason in (Reason.EXITED_NONZERO, Reason.KILLED, Reason.OUT_OF_MEMORY)


def _took(seen: Finished) -> str:
    if seen.started_at is None:
        return ""
    seconds = seconds_between(seen)
    return f" after {format_duration(seconds)}" if seconds else " at once"


def _because(dossier: Dossier) -> str:
    cause = dossier.cause
    if cause is None:
        return ""
    infrastructure = cause.reason.reason_class is ReasonClass.INFRASTRUCTURE
    blame = " (the infrastructure's fault)" if infrastructure else ""
    return f": {printable(cause.sentence)}{_code(dossier, cause)}{blame}"


def _code(dossier: Dossier, cause: Cause) -> str:
    """The exit code, where it says something that the sentence does not."""
    code = dossier.exit_code
    if code is None or cause.reason.outcome is Outcome.CANCEL or f"code {code}" in cause.sentence:
        return ""
    return f" (exit code {code})"


def _shown(text: str) -> str:
    line = printable(text[:_LONGEST].expandtabs(4)).strip()
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"
