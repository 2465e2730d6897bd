"""Pushes, jobs, sweeps, attempts, as they come in and go out.

Comes in: the core's vocabulary. Goes out: ``SCHEMAS``. Before: ``schemas``. Next: ``words``.
"""

from __future__ import annotations

from sentinels.core.job import ReasonClass
from sentinels.core.preflight import Standing
from sentinels.functions.submit.schemas.words import (
    EXPECTED,
    FAULT,
    FLAG,
    MAP,
    MOMENT,
    NUMBER,
    PLACE,
    REASON,
    REQUEST,
    STATE,
    STATES,
    TALLIES,
    TEXT,
    USED,
    WHOLE,
    Schema,
    list_of,
    named,
    one_of,
    or_null,
    record,
)

_FIT: Schema = {
    **or_null(
        record(
            {
                "runs": {**WHOLE, "description": "How many were looked at."},
                "taken": {"type": "boolean", "description": "Whether it asks for that now."},
                "sentences": list_of(TEXT),
                "resources": REQUEST,
                "sooner_seconds": {
                    **or_null(NUMBER),
                    "description": "How much sooner it would start; null: not known.",
                },
            }
        )
    ),
    "description": "What would suffice, by the last runs of its name; null: it suits.",
}

_JOB: dict[str, Schema] = {
    "id": WHOLE,
    "name": TEXT,
    "experiment": TEXT,
    "user": TEXT,
    "team": TEXT,
    "image": TEXT,
    "digest": or_null(TEXT),
    "git_commit": or_null(TEXT),
    "state": STATE,
    "reason": REASON,
    "reason_class": or_null(one_of(*ReasonClass)),
    "message": or_null(TEXT),
    "priority": TEXT,
    "attempt": WHOLE,
    "resources": record({"cpu": TEXT, "memory": TEXT, "gpu": WHOLE, "gpu_type": or_null(TEXT)}),
    "params": MAP,
    "labels": {"type": "object", "additionalProperties": TEXT},
    "sweep": or_null(WHOLE),
    "rerun_of": or_null(WHOLE),
    "submitted_at": MOMENT,
    "started_at": or_null(MOMENT),
    "finished_at": or_null(MOMENT),
    "cancel_requested_at": or_null(MOMENT),
    "exit_code": or_null(WHOLE),
    "queue": or_null(record({**PLACE, "why": or_null(TEXT), "expected": EXPECTED})),
    "links": record(
        {
            "mlflow": {**or_null(TEXT), "description": "Its run's page, for a browser."},
            "experiment": {**or_null(TEXT), "description": "Its experiment's page."},
            "logs": {**or_null(TEXT), "description": "What it printed, in the log store's page."},
        }
    ),
    "event": WHOLE,
}

_ATTEMPT: dict[str, Schema] = {
    "attempt": WHOLE,
    "state": one_of("launching", "pending", "running", "finished"),
    "reason": REASON,
    "exit_code": or_null(WHOLE),
    "node": or_null(TEXT),
    "message": or_null(TEXT),
    "launched_at": or_null(MOMENT),
    "started_at": or_null(MOMENT),
    "finished_at": or_null(MOMENT),
    "outputs": one_of("complete", "incomplete", "pending", "none"),
    "resources": record({"cpu": TEXT, "memory": TEXT, "gpu": WHOLE, "gpu_type": or_null(TEXT)}),
    "different": {**or_null(TEXT), "description": "From the attempt before it, and why."},
    "usage": USED,
    "mlflow_run_id": or_null(TEXT),
    "mlflow_url": or_null(TEXT),
}

_EVENT: dict[str, Schema] = {
    "id": WHOLE,
    "at": MOMENT,
    "attempt": WHOLE,
    "from": or_null(STATE),
    "to": STATE,
    "reason": REASON,
    "actor": TEXT,
    "detail": or_null(TEXT),
}

_SWEEP: dict[str, Schema] = {
    "sweep": {**WHOLE, "description": "Its first job."},
    "name": TEXT,
    "user": TEXT,
    "team": TEXT,
    "jobs": WHOLE,
    "states": STATES,
    "at_once": {**or_null(WHOLE), "description": "How many may be live or in line at once."},
    "definition": {**MAP, "description": "What was swept, in the config's words."},
    "submitted_at": MOMENT,
    "finished_at": or_null(MOMENT),
    "members": list_of(
        record(
            {
                "id": WHOLE,
                "state": STATE,
                "reason": REASON,
                "message": or_null(TEXT),
                "params": {**MAP, "description": "Those that vary."},
                "attempt": WHOLE,
                "submitted_at": MOMENT,
                "started_at": or_null(MOMENT),
                "finished_at": or_null(MOMENT),
            }
        )
    ),
}

SCHEMAS: dict[str, Schema] = {
    "Push": record(
        {
            "image": TEXT,
            "config": {"type": "object", "description": "The config file's keys, flags merged in."},
            "fit": {
                "type": "boolean",
                "description": "Ask for no more than the last runs of its name needed.",
            },
        },
        optional=("config", "fit"),
    ),
    "Rerun": record(
        {
            "config": {"type": "object", "description": "What is to be different."},
            "by_tag": {
                **FLAG,
                "description": "Take what the image's name means now, not what the job ran.",
            },
        },
        optional=("config", "by_tag"),
    ),
    "Pushed": record(
        {
            "jobs": list_of(named("Job")),
            "replayed": FLAG,
            "same": {**FLAG, "description": "The same was pushed before and has not ended."},
            "warnings": {**list_of(TEXT), "description": "What was not found good or bad."},
            "queue": record(PLACE),
            "fit": _FIT,
        }
    ),
    "Preview": record(
        {
            "workloads": {
                "type": "array",
                "items": MAP,
                "description": "One for each job, in the cluster's own words; ids not known are 0.",
            }
        }
    ),
    "PushedOrPreview": {"anyOf": [named("Pushed"), named("Preview")]},
    "Checked": record(
        {
            "ok": {**FLAG, "description": "Whether it would be taken."},
            "checks": list_of(
                record(
                    {
                        "name": TEXT,
                        "standing": one_of(*Standing),
                        "said": TEXT,
                        "faults": list_of(record(FAULT)),
                    }
                )
            ),
        }
    ),
    "PushedOrChecked": {"anyOf": [named("Pushed"), named("Preview"), named("Checked")]},
    "Job": record(_JOB),
    "JobDetail": record(
        {
            **_JOB,
            "config": MAP,
            "attempts": list_of(named("Attempt")),
            "unavailable": {
                **list_of(TEXT),
                "description": "What is missing, late or leads nowhere now, and why.",
            },
        }
    ),
    "Jobs": record(
        {"jobs": list_of(named("Job")), "sweeps": TALLIES, "next_cursor": or_null(TEXT)}
    ),
    "Sweep": record(_SWEEP),
    "SweepCancelled": record(
        {
            "cancelled": {**WHOLE, "description": "How many waited."},
            "requested": {**WHOLE, "description": "How many were live and are being stopped."},
            "sweep": named("Sweep"),
        }
    ),
    "Attempt": record(_ATTEMPT),
    "Events": record({"events": list_of(record(_EVENT))}),
    "Cancelled": record(
        {
            "job": named("Job"),
            "effect": one_of("cancelled", "requested"),
            "dependents": {
                **list_of(WHOLE),
                "description": "Jobs that were to start after it: they are cancelled with it.",
            },
        }
    ),
    "Artifacts": record(
        {
            "job": WHOLE,
            "attempt": WHOLE,
            "artifacts": list_of(record({"path": TEXT, "size_bytes": or_null(WHOLE)})),
            "complete": FLAG,
        }
    ),
}
