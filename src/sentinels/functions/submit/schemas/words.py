"""The words that the schemas are made of.

Comes in: nothing. Goes out: helpers and the small schemas that many share. Before: the
other modules here.
"""

from __future__ import annotations

from sentinels.core.job import JobState, Reason
from sentinels.core.ports import Json
from sentinels.core.reading import WAITING_BOUND

Schema = dict[str, Json]


def one_of(*values: str) -> Schema:
    """A text that is one of these."""
    return {"type": "string", "enum": list(values)}


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def list_of(schema: Schema) -> Schema:
    """A list of such."""
    return {"type": "array", "items": schema}


def named(name: str) -> Schema:
    """What has this name in ``SCHEMAS``."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(properties: dict[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """An object of these keys and no others; all but the ``optional`` are always there."""
    required: list[Json] = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": dict(properties),
        "required": required,
        "additionalProperties": False,
    }


TEXT: Schema = {"type": "string"}

WHOLE: Schema = {"type": "integer"}

NUMBER: Schema = {"type": "number"}

FLAG: Schema = {"type": "boolean"}

MAP: Schema = {"type": "object"}

MOMENT: Schema = {"type": "string", "format": "date-time"}

COUNT: Schema = {
    "type": "integer",
    "minimum": 0,
    "description": f"{WAITING_BOUND} means at least {WAITING_BOUND}.",
}

STATE = one_of(*JobState)

REASON = or_null(one_of(*Reason))

AMOUNTS: dict[str, Schema] = {"cpu": TEXT, "memory": TEXT, "gpus": WHOLE}

POSITION: Schema = {
    "anyOf": [COUNT, {"type": "null"}],
    "description": "From 1; null for a job that may not be considered yet.",
}

PLACE: dict[str, Schema] = {"position": POSITION, "waiting": COUNT}

EXPECTED: Schema = {
    **or_null(record({"early": MOMENT, "late": or_null(MOMENT)})),
    "description": "When it is expected to start; late null: nobody knows when at the latest.",
}

REQUEST = record({"cpu": TEXT, "memory": TEXT, "gpu": WHOLE, "gpu_type": or_null(TEXT)})

USED = record(
    {
        "peak_memory_bytes": or_null(WHOLE),
        "cpu_seconds": or_null(NUMBER),
        "peak_gpu_memory_bytes": or_null(WHOLE),
        "mean_gpu_percent": or_null(NUMBER),
        "peak_cpu_cores": or_null(NUMBER),
    }
)

STATES: Schema = {
    "type": "object",
    "additionalProperties": WHOLE,
    "description": "How many jobs are in each state.",
}

TALLIES: Schema = {
    **list_of(record({"sweep": WHOLE, "jobs": WHOLE, "states": STATES})),
    "description": "Of what was folded: each sweep's counts.",
}

FAULT: dict[str, Schema] = {
    "field": TEXT,
    "message": TEXT,
    "value": or_null(TEXT),
    "remedy": or_null(TEXT),
    "line": or_null(WHOLE),
}
