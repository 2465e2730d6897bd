"""What comes in and goes out over HTTP, as JSON Schema, by name.

Comes in: the core's vocabulary. Goes out: ``SCHEMAS``, which ``openapi`` publishes and the tests
hold every real answer against. Before: ``shaping``. Next: ``openapi``.
"""

from __future__ import annotations

from collections.abc import Mapping

from sentinels.functions.submit.schemas import governing, jobs, seeing
from sentinels.functions.submit.schemas.words import Schema

SCHEMAS: Mapping[str, Schema] = {**jobs.SCHEMAS, **seeing.SCHEMAS, **governing.SCHEMAS}
