"""What a Broker could not deliver, as it is kept: bounded, safe to show, and why in plain text.

Knative adds who did not take the event, the HTTP status, and the answer's body in base64. Comes in:
a hint that was sent to ``/dead-letters``. Goes out: a ``DeadLetter``. Before: ``notify/handler``.
Next: ``core/vitals``.
"""

from __future__ import annotations

import base64
import binascii

from sentinels.core.text import printable
from sentinels.core.vitals import DeadLetter
from sentinels.functions.events import Hint

PATH = "/dead-letters"

_TEXT_LIMIT = 500
_LONGEST_ENCODED = 8192


def dead_letter_of(hint: Hint) -> DeadLetter:
    """The event as it is kept."""
    told = hint.attributes.get
    return DeadLetter(
        type=_bounded(hint.type) or "",
        source=_bounded(told("source")) or "",
        subject=_bounded(told("subject")),
        code=_bounded(told("knativeerrorcode")),
        destination=_bounded(told("knativeerrordest")),
        detail=_bounded(_decoded(told("knativeerrordata"))),
        data_excerpt=_bounded(hint.data[: 4 * _TEXT_LIMIT].decode("utf-8", "replace")) or "",
    )


def _bounded(text: str | None) -> str | None:
    """Nothing is None, however it is said."""
    if not text:
        return None
    clean = printable(text[: 4 * _TEXT_LIMIT]).strip()
    return clean if len(clean) <= _TEXT_LIMIT else clean[: _TEXT_LIMIT - 1] + "…"


def _decoded(text: str | None) -> str | None:
    """Base64 as the text that it stands for; anything else as it is."""
    try:
        return base64.b64decode((text or "")[:_LONGEST_ENCODED], validate=True).decode()
    except (binascii.Error, ValueError):
        return text
