"""The shapes of requests and answers, as JSON Schema data.

Comes in: the core's vocabulary. Goes out: ``SCHEMAS``, which ``openapi`` publishes and the tests
hold every real answer against. Before: ``shaping``. Next: ``openapi``.
"""

from __future__ import annotations

from sentinels.core.job import JobState, Reason, ReasonClass
from sentinels.core.meter import Quantity
from sentinels.core.ports import Json
from sentinels.core.reading import WAITING_BOUND
from sentinels.core.sizing import Verdict

Schema = dict[str, Json]


def _one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: dict[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    required: list[Json] = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": dict(properties),
        "required": required,
        "additionalProperties": False,
    }


_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_FLAG: Schema = {"type": "boolean"}
_MAP: Schema = {"type": "object"}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_COUNT: Schema = {
    "type": "integer",
    "minimum": 0,
    "description": f"{WAITING_BOUND} means at least {WAITING_BOUND}.",
}
_STATE = _one_of(*JobState)
_REASON = _or_null(_one_of(*Reason))

_AMOUNTS: dict[str, Schema] = {"cpu": _TEXT, "memory": _TEXT, "gpus": _WHOLE}
_POSITION: Schema = {
    "anyOf": [_COUNT, {"type": "null"}],
    "description": "From 1; null for a job that may not be considered yet.",
}
_PLACE: dict[str, Schema] = {"position": _POSITION, "waiting": _COUNT}

_JOB: dict[str, Schema] = {
    "id": _WHOLE,
    "name": _TEXT,
    "experiment": _TEXT,
    "user": _TEXT,
    "team": _TEXT,
    "image": _TEXT,
    "digest": _or_null(_TEXT),
    "git_commit": _or_null(_TEXT),
    "state": _STATE,
    "reason": _REASON,
    "reason_class": _or_null(_one_of(*ReasonClass)),
    "message": _or_null(_TEXT),
    "priority": _TEXT,
    "attempt": _WHOLE,
    "resources": _object(
        {"cpu": _TEXT, "memory": _TEXT, "gpu": _WHOLE, "gpu_type": _or_null(_TEXT)}
    ),
    "params": _MAP,
    "labels": {"type": "object", "additionalProperties": _TEXT},
    "sweep": _or_null(_WHOLE),
    "submitted_at": _MOMENT,
    "started_at": _or_null(_MOMENT),
    "finished_at": _or_null(_MOMENT),
    "cancel_requested_at": _or_null(_MOMENT),
    "exit_code": _or_null(_WHOLE),
    "queue": _or_null(_object({**_PLACE, "why": _or_null(_TEXT)})),
    "links": _object({"mlflow": _or_null(_TEXT)}),
    "event": _WHOLE,
}

_REQUEST = _object({"cpu": _TEXT, "memory": _TEXT, "gpu": _WHOLE, "gpu_type": _or_null(_TEXT)})
_USED = _object(
    {
        "peak_memory_bytes": _or_null(_WHOLE),
        "cpu_seconds": _or_null(_NUMBER),
        "peak_gpu_memory_bytes": _or_null(_WHOLE),
        "mean_gpu_percent": _or_null(_NUMBER),
        "peak_cpu_cores": _or_null(_NUMBER),
    }
)

_ATTEMPT: dict[str, Schema] = {
    "attempt": _WHOLE,
    "state": _one_of("launching", "pending", "running", "finished"),
    "reason": _REASON,
    "exit_code": _or_null(_WHOLE),
    "node": _or_null(_TEXT),
    "message": _or_null(_TEXT),
    "launched_at": _or_null(_MOMENT),
    "started_at": _or_null(_MOMENT),
    "finished_at": _or_null(_MOMENT),
    "outputs": _one_of("complete", "incomplete", "pending", "none"),
    "usage": _USED,
    "mlflow_run_id": _or_null(_TEXT),
    "mlflow_url": _or_null(_TEXT),
}

_EVENT: dict[str, Schema] = {
    "id": _WHOLE,
    "at": _MOMENT,
    "attempt": _WHOLE,
    "from": _or_null(_STATE),
    "to": _STATE,
    "reason": _REASON,
    "actor": _TEXT,
    "detail": _or_null(_TEXT),
}

_NODE: dict[str, Schema] = {
    "name": _TEXT,
    "ready": {"type": "boolean", "description": "Whether it takes new work."},
    "state": _one_of("ready", "retiring", "cordoned", "not ready"),
    "detail": {"type": "string", "description": "Why it takes no new work."},
    **_AMOUNTS,
    "gpu_type": _or_null(_TEXT),
    "used": {**_object(_AMOUNTS), "description": "What our jobs hold."},
    "others": {**_object(_AMOUNTS), "description": "What is used by others than our jobs."},
    "slots": {**_or_null(_WHOLE), "description": "How many more jobs it takes; null: any number."},
    "jobs": {**_list_of(_WHOLE), "description": "Those of your team."},
}

_NODE_JOB: dict[str, Schema] = {
    "job": _WHOLE,
    "attempt": _WHOLE,
    "user": _TEXT,
    "team": _TEXT,
    "started_at": _or_null(_MOMENT),
    "ends_by": {**_or_null(_MOMENT), "description": "null: it has no time limit, or runs not yet."},
}

_STRANDED: dict[str, Schema] = {
    "job": {**_WHOLE, "description": "The first of them."},
    "team": _TEXT,
    "waiting": _COUNT,
    "resources": _object(
        {"cpu": _TEXT, "memory": _TEXT, "gpu": _WHOLE, "gpu_type": _or_null(_TEXT)}
    ),
    "why": _TEXT,
}

_NOTICE: dict[str, Schema] = {
    "id": _WHOLE,
    "job": _WHOLE,
    "attempt": _WHOLE,
    "kind": _TEXT,
    "channel": _or_null(_TEXT),
    "text": _TEXT,
    "state": _one_of("pending", "delivered", "kept", "failed"),
    "tries": _WHOLE,
    "error": _or_null(_TEXT),
    "created_at": _MOMENT,
    "delivered_at": _or_null(_MOMENT),
}

_LOG: dict[str, Schema] = {
    "job": _WHOLE,
    "attempt": {"type": "integer", "description": "0 for a job that was never launched."},
    "text": _TEXT,
    "offset": _WHOLE,
    "next_offset": _WHOLE,
    "ended": _FLAG,
}

_QUANTITY: dict[str, Schema] = {
    "name": _one_of(*Quantity),
    "unit": _one_of("cores", "bytes", "percent", "bytes a second"),
    "asked": _or_null(_NUMBER),
    "now": {"type": "number", "description": "The last sample."},
    "mean": _NUMBER,
    "p95": {"type": "number", "description": "Of twenty samples, one is larger."},
    "peak": _NUMBER,
    "samples": {
        **_list_of({"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}),
        "description": "Pairs of seconds since started_at and a value.",
    },
}

_USAGE: dict[str, Schema] = {
    "job": _WHOLE,
    "attempt": {"type": "integer", "description": "0 for a job that was never launched."},
    "live": _FLAG,
    "started_at": _or_null(_MOMENT),
    "finished_at": _or_null(_MOMENT),
    "asked": _or_null(_REQUEST),
    "used": _USED,
    "source": {**_or_null(_TEXT), "description": "Who measured, or that it was kept."},
    "unavailable": {
        **_or_null(_object({"detail": _TEXT, "remedy": _or_null(_TEXT)})),
        "description": "Why there are no quantities although there may be some.",
    },
    "notes": {**_list_of(_TEXT), "description": "What is not there, and why."},
    "quantities": _list_of(_object(_QUANTITY)),
    "sizing": {
        **_list_of(
            _object(
                {
                    "resource": _one_of("cpu", "memory", "gpu"),
                    "share": {"type": "number", "description": "Of what was asked for."},
                    "verdict": _one_of(*Verdict),
                    "enough": {**_or_null(_TEXT), "description": "As a config says it."},
                    "sentence": _TEXT,
                }
            )
        ),
        "description": "What was asked for against what was used, once it has ended.",
    },
}

_FAULT: dict[str, Schema] = {
    "field": _TEXT,
    "message": _TEXT,
    "value": _or_null(_TEXT),
    "remedy": _or_null(_TEXT),
    "line": _or_null(_WHOLE),
}

SCHEMAS: dict[str, Schema] = {
    "Push": _object(
        {
            "image": _TEXT,
            "config": {"type": "object", "description": "The config file's keys, flags merged in."},
        },
        optional=("config",),
    ),
    "Pushed": _object(
        {"jobs": _list_of(_named("Job")), "replayed": _FLAG, "queue": _object(_PLACE)}
    ),
    "Preview": _object(
        {
            "workloads": {
                "type": "array",
                "items": _MAP,
                "description": "One for each job, in the cluster's own words; ids not known are 0.",
            }
        }
    ),
    "PushedOrPreview": {"anyOf": [_named("Pushed"), _named("Preview")]},
    "Job": _object(_JOB),
    "JobDetail": _object({**_JOB, "config": _MAP, "attempts": _list_of(_named("Attempt"))}),
    "Jobs": _object({"jobs": _list_of(_named("Job")), "next_cursor": _or_null(_TEXT)}),
    "Attempt": _object(_ATTEMPT),
    "Events": _object({"events": _list_of(_object(_EVENT))}),
    "Log": _object(_LOG),
    "Usage": _object(_USAGE),
    "Cancelled": _object({"job": _named("Job"), "effect": _one_of("cancelled", "requested")}),
    "Artifacts": _object(
        {
            "job": _WHOLE,
            "attempt": _WHOLE,
            "artifacts": _list_of(_object({"path": _TEXT, "size_bytes": _or_null(_WHOLE)})),
            "complete": _FLAG,
        }
    ),
    "Node": _object(_NODE),
    "Nodes": _object({"nodes": _list_of(_named("Node"))}),
    "Retire": _object({"undo": _FLAG}, optional=("undo",)),
    "Leaving": _object(
        {
            "node": _named("Node"),
            "running": {**_list_of(_object(_NODE_JOB)), "description": "Of every team."},
            "launching": {
                **_list_of(_object(_NODE_JOB)),
                "description": "Launched, not seen on any node yet: they may turn up here.",
            },
            "stranded": {
                **_list_of(_object(_STRANDED)),
                "description": "Waiting jobs that fit this node and no other that takes work.",
            },
            "closed": {"type": "boolean", "description": "Whether the passes give it nothing now."},
            "empty": _FLAG,
        }
    ),
    "Queue": _object(
        {
            "waiting": _list_of(_named("Job")),
            "total": _COUNT,
            "running": _list_of(_named("Job")),
            "nodes": _list_of(_named("Node")),
        }
    ),
    "Notices": _object({"notices": _list_of(_object(_NOTICE))}),
    "Health": _object(
        {
            "ok": _FLAG,
            "checks": _list_of(
                _object({"name": _TEXT, "ok": _FLAG, "detail": _TEXT, "remedy": _or_null(_TEXT)})
            ),
        }
    ),
    "Alive": _object({"ok": _FLAG}),
    "Ready": _object({"ok": _FLAG, "detail": _TEXT, "remedy": _or_null(_TEXT)}),
    "Document": _MAP,
    "Problem": _object(
        {
            "type": _TEXT,
            "title": _TEXT,
            "status": _WHOLE,
            "detail": _TEXT,
            "remedy": _or_null(_TEXT),
            "faults": _list_of(_object(_FAULT)),
            "candidates": _list_of(_TEXT),
        }
    ),
}
