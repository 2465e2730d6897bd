"""The shapes of requests and answers, as JSON Schema data.

Comes in: the core's vocabulary. Goes out: ``SCHEMAS``, which ``openapi`` publishes and the tests
hold every real answer against. Before: ``shaping``. Next: ``openapi``.
"""

from __future__ import annotations

from sentinels.core.address import Service
from sentinels.core.dossier import Part
from sentinels.core.job import JobState, Reason, ReasonClass
from sentinels.core.log_reading import Source
from sentinels.core.meter import Quantity
from sentinels.core.notify_reading import NOTICE_KINDS
from sentinels.core.ports import Json
from sentinels.core.preflight import Standing
from sentinels.core.reading import WAITING_BOUND
from sentinels.core.rights import Role
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

_EXPECTED: Schema = {
    **_or_null(_object({"early": _MOMENT, "late": _or_null(_MOMENT)})),
    "description": "When it is expected to start; late null: nobody knows when at the latest.",
}

_REQUEST = _object({"cpu": _TEXT, "memory": _TEXT, "gpu": _WHOLE, "gpu_type": _or_null(_TEXT)})

_FIT: Schema = {
    **_or_null(
        _object(
            {
                "runs": {**_WHOLE, "description": "How many were looked at."},
                "taken": {"type": "boolean", "description": "Whether it asks for that now."},
                "sentences": _list_of(_TEXT),
                "resources": _REQUEST,
                "sooner_seconds": {
                    **_or_null(_NUMBER),
                    "description": "How much sooner it would start; null: not known.",
                },
            }
        )
    ),
    "description": "What would suffice, by the last runs of its name; null: it suits.",
}

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
    "rerun_of": _or_null(_WHOLE),
    "submitted_at": _MOMENT,
    "started_at": _or_null(_MOMENT),
    "finished_at": _or_null(_MOMENT),
    "cancel_requested_at": _or_null(_MOMENT),
    "exit_code": _or_null(_WHOLE),
    "queue": _or_null(_object({**_PLACE, "why": _or_null(_TEXT), "expected": _EXPECTED})),
    "links": _object(
        {
            "mlflow": {**_or_null(_TEXT), "description": "Its run's page, for a browser."},
            "experiment": {**_or_null(_TEXT), "description": "Its experiment's page."},
            "logs": {**_or_null(_TEXT), "description": "What it printed, in the log store's page."},
        }
    ),
    "event": _WHOLE,
}

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
    "resources": _object(
        {"cpu": _TEXT, "memory": _TEXT, "gpu": _WHOLE, "gpu_type": _or_null(_TEXT)}
    ),
    "different": {**_or_null(_TEXT), "description": "From the attempt before it, and why."},
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

_ADDRESSES: Schema = {
    "type": "array",
    "items": {"type": "string"},
    "description": "As in #vision, @U024BE7LH, ann@example.org, webhook:ci.",
}
_KINDS_CHOSEN: Schema = {"type": "array", "items": _one_of(*NOTICE_KINDS)}
_CHOSEN: dict[str, Schema] = {
    "name": _TEXT,
    "to": _ADDRESSES,
    "on": {**_or_null(_KINDS_CHOSEN), "description": "null: the usual ones."},
    "told": {**_KINDS_CHOSEN, "description": "The kinds that come of it."},
}

_LOG: dict[str, Schema] = {
    "job": _WHOLE,
    "attempt": {"type": "integer", "description": "0 for a job that was never launched."},
    "text": _TEXT,
    "cursor": {"type": "string", "description": "Where the following piece begins."},
    "ended": _FLAG,
    "source": {
        **_or_null(_one_of(*Source)),
        "description": "Where it was read; null: nowhere is anything.",
    },
    "unavailable": {
        **_or_null(_TEXT),
        "description": "What could not be asked, and so may be missing.",
    },
}

_DOSSIER: dict[str, Schema] = {
    "job": _named("Job"),
    "attempt": {**_or_null(_named("Attempt")), "description": "null: it was never launched."},
    "ended": {"type": "boolean", "description": "false: there is nothing to explain yet."},
    "cause": {
        **_or_null(
            _object(
                {
                    "reason": _one_of(*Reason),
                    "class": _one_of(*ReasonClass),
                    "whose": {**_TEXT, "description": "Whose doing it was, for people."},
                    "sentence": _TEXT,
                    "detail": _TEXT,
                }
            )
        ),
        "description": "null: it succeeded, or has not ended.",
    },
    "exit_code": _or_null(_WHOLE),
    "signal": {**_or_null(_TEXT), "description": "What the exit code says of a signal."},
    "advice": {**_list_of(_TEXT), "description": "What to do about it, the best first."},
    "said": {**_list_of(_TEXT), "description": "The lines of output that say most."},
    "used": _list_of(
        _object(
            {
                "what": _TEXT,
                "used": _TEXT,
                "asked": _TEXT,
                "part": {**_or_null(_NUMBER), "description": "1 is all that it asked for."},
            }
        )
    ),
    "lines": _object(
        {
            "texts": {**_list_of(_TEXT), "description": "As it printed them, the oldest first."},
            "source": _TEXT,
            "whole": {"type": "boolean", "description": "Nothing was printed before them."},
        }
    ),
    "events": _list_of(
        _object(
            {
                "at": _or_null(_MOMENT),
                "about": _TEXT,
                "reason": _TEXT,
                "message": _TEXT,
                "warns": _FLAG,
                "count": _WHOLE,
            }
        )
    ),
    "conditions": {
        **_list_of(
            _object({"name": _TEXT, "bad": _FLAG, "message": _TEXT, "since": _or_null(_MOMENT)})
        ),
        "description": "How its node stood when it had ended.",
    },
    "facts": {"type": "object", "description": "What the cluster said, in its own words."},
    "gaps": {
        **_list_of(_object({"part": _one_of(*Part), "why": _TEXT})),
        "description": "What could not be had.",
    },
    "attempts": _list_of(_named("Attempt")),
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

_STATES: Schema = {
    "type": "object",
    "additionalProperties": _WHOLE,
    "description": "How many jobs are in each state.",
}
_TALLIES: Schema = {
    **_list_of(_object({"sweep": _WHOLE, "jobs": _WHOLE, "states": _STATES})),
    "description": "Of what was folded: each sweep's counts.",
}
_SWEEP: dict[str, Schema] = {
    "sweep": {**_WHOLE, "description": "Its first job."},
    "name": _TEXT,
    "user": _TEXT,
    "team": _TEXT,
    "jobs": _WHOLE,
    "states": _STATES,
    "at_once": {**_or_null(_WHOLE), "description": "How many may be live or in line at once."},
    "definition": {**_MAP, "description": "What was swept, in the config's words."},
    "submitted_at": _MOMENT,
    "finished_at": _or_null(_MOMENT),
    "members": _list_of(
        _object(
            {
                "id": _WHOLE,
                "state": _STATE,
                "reason": _REASON,
                "message": _or_null(_TEXT),
                "params": {**_MAP, "description": "Those that vary."},
                "attempt": _WHOLE,
                "submitted_at": _MOMENT,
                "started_at": _or_null(_MOMENT),
                "finished_at": _or_null(_MOMENT),
            }
        )
    ),
}

_FAULT: dict[str, Schema] = {
    "field": _TEXT,
    "message": _TEXT,
    "value": _or_null(_TEXT),
    "remedy": _or_null(_TEXT),
    "line": _or_null(_WHOLE),
}

_ANSWER: dict[str, Schema] = {
    "columns": _list_of(
        _object({"name": _TEXT, "type": {**_TEXT, "description": "PostgreSQL's word for it."}})
    ),
    "rows": {
        "type": "array",
        "items": _list_of({}),
        "description": "Values in the columns' order, as PostgreSQL writes them in JSON.",
    },
    "cut": {**_or_null(_TEXT), "description": "Why rows are missing at the end; null: none are."},
    "notes": _list_of(_TEXT),
}

_TOKEN: dict[str, Schema] = {
    "id": _WHOLE,
    "user": _TEXT,
    "name": _TEXT,
    "created_at": _MOMENT,
    "expires_at": _or_null(_MOMENT),
    "last_used_at": {**_or_null(_MOMENT), "description": "To the minute."},
    "revoked_at": _or_null(_MOMENT),
}
_USER: dict[str, Schema] = {
    "name": _TEXT,
    "team": _TEXT,
    "role": _one_of(*Role),
    "created_at": _MOMENT,
    "last_seen_at": {**_or_null(_MOMENT), "description": "When a token of theirs was used."},
}
_DEED: dict[str, Schema] = {
    "id": _WHOLE,
    "at": _MOMENT,
    "actor": _TEXT,
    "act": {**_TEXT, "description": "As in push, cancel, token.revoke, user.set, node.close."},
    "team": _or_null(_TEXT),
    "job": _or_null(_WHOLE),
    "subject": {**_TEXT, "description": "What it was done to."},
    "detail": _MAP,
}

_STARTS: dict[str, Schema] = {
    "starts_before": {**_or_null(_MOMENT), "description": "null: it cannot be foreseen."},
    "starts_after": _or_null(_MOMENT),
}
_BUMPED: dict[str, Schema] = {
    "priority": _TEXT,
    "jobs": _list_of(
        _object(
            {
                "job": _WHOLE,
                "name": _TEXT,
                "user": _TEXT,
                "team": _TEXT,
                "was": {**_TEXT, "description": "Its class before."},
                **_STARTS,
            }
        )
    ),
    "left": {
        **_list_of(_object({"job": _WHOLE, "why": _TEXT})),
        "description": "Those that stay as they are.",
    },
    "delayed": {
        **_list_of(
            _object(
                {
                    "job": _WHOLE,
                    "user": _TEXT,
                    "team": _TEXT,
                    **_STARTS,
                    "seconds": {**_or_null(_WHOLE), "description": "null: without end in sight."},
                }
            )
        ),
        "description": "The jobs that start later, the most delayed first, at most 100.",
    },
    "delayed_count": _WHOLE,
    "unforeseen": {
        **_WHOLE,
        "description": "How many of the jobs nobody can say the start of, nor whom they delay.",
    },
}

_VERSION: dict[str, Schema] = {
    "version": {**_WHOLE, "description": "0: the usual one, which nobody applied."},
    "actor": _or_null(_TEXT),
    "at": _or_null(_MOMENT),
}
_CHANGE: dict[str, Schema] = {
    **_VERSION,
    "changes": {**_list_of(_TEXT), "description": "As in ageing.every: 6h → 3h"},
}
_EFFECTS: dict[str, Schema] = {
    "moves": {
        **_list_of(
            _object(
                {
                    "job": _WHOLE,
                    "user": _TEXT,
                    "team": _TEXT,
                    "place_before": {
                        **_or_null(_WHOLE),
                        "description": "Which of all that wait it is to start; from 1.",
                    },
                    "place_after": _or_null(_WHOLE),
                    **_STARTS,
                }
            )
        ),
        "description": "Waiting jobs that would start in another place or at another time: 100.",
    },
    "moves_count": _WHOLE,
    "troubles": {
        **_list_of(_TEXT),
        "description": "What would break a quota or lose its class.",
    },
}

SCHEMAS: dict[str, Schema] = {
    "Push": _object(
        {
            "image": _TEXT,
            "config": {"type": "object", "description": "The config file's keys, flags merged in."},
            "fit": {
                "type": "boolean",
                "description": "Ask for no more than the last runs of its name needed.",
            },
        },
        optional=("config", "fit"),
    ),
    "Rerun": _object(
        {
            "config": {"type": "object", "description": "What is to be different."},
            "by_tag": {
                **_FLAG,
                "description": "Take what the image's name means now, not what the job ran.",
            },
        },
        optional=("config", "by_tag"),
    ),
    "Pushed": _object(
        {
            "jobs": _list_of(_named("Job")),
            "replayed": _FLAG,
            "same": {**_FLAG, "description": "The same was pushed before and has not ended."},
            "warnings": {**_list_of(_TEXT), "description": "What was not found good or bad."},
            "queue": _object(_PLACE),
            "fit": _FIT,
        }
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
    "Checked": _object(
        {
            "ok": {**_FLAG, "description": "Whether it would be taken."},
            "checks": _list_of(
                _object(
                    {
                        "name": _TEXT,
                        "standing": _one_of(*Standing),
                        "said": _TEXT,
                        "faults": _list_of(_object(_FAULT)),
                    }
                )
            ),
        }
    ),
    "PushedOrChecked": {"anyOf": [_named("Pushed"), _named("Preview"), _named("Checked")]},
    "Job": _object(_JOB),
    "JobDetail": _object(
        {
            **_JOB,
            "config": _MAP,
            "attempts": _list_of(_named("Attempt")),
            "unavailable": {
                **_list_of(_TEXT),
                "description": "What is missing, late or leads nowhere now, and why.",
            },
        }
    ),
    "Jobs": _object(
        {"jobs": _list_of(_named("Job")), "sweeps": _TALLIES, "next_cursor": _or_null(_TEXT)}
    ),
    "Sweep": _object(_SWEEP),
    "SweepCancelled": _object(
        {
            "cancelled": {**_WHOLE, "description": "How many waited."},
            "requested": {**_WHOLE, "description": "How many were live and are being stopped."},
            "sweep": _named("Sweep"),
        }
    ),
    "Attempt": _object(_ATTEMPT),
    "Events": _object({"events": _list_of(_object(_EVENT))}),
    "Log": _object(_LOG),
    "Dossier": _object(_DOSSIER),
    "Usage": _object(_USAGE),
    "Why": _object(
        {
            "job": _named("Job"),
            "waits": {"type": "boolean", "description": "false: there is nothing to say."},
            "sentence": _TEXT,
            "trouble": {**_or_null(_TEXT), "description": "Why nothing at all starts."},
            "facts": {**_MAP, "description": "The numbers behind it; code says what it is."},
            "ways": {
                **_list_of(_object({"words": _TEXT, "config": _MAP, "command": _TEXT})),
                "description": "Changes with which it would start now, each by itself.",
            },
            "expected": _EXPECTED,
            "history": _list_of(_object({"at": _MOMENT, "sentence": _TEXT})),
        }
    ),
    "Cancelled": _object(
        {
            "job": _named("Job"),
            "effect": _one_of("cancelled", "requested"),
            "dependents": {
                **_list_of(_WHOLE),
                "description": "Jobs that were to start after it: they are cancelled with it.",
            },
        }
    ),
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
            "sweeps": _TALLIES,
            "total": _COUNT,
            "running": _list_of(_named("Job")),
            "nodes": _list_of(_named("Node")),
            "conditions": {
                **_list_of(_TEXT),
                "description": "What has been full, or without work, for long.",
            },
        }
    ),
    "Choice": _object({"to": _ADDRESSES, "on": _or_null(_KINDS_CHOSEN)}, optional=("to", "on")),
    "Choose": _object(
        {"user": _named("Choice"), "team": _named("Choice")}, optional=("user", "team")
    ),
    "Preferences": _object(
        {
            "user": _object(_CHOSEN),
            "team": _object(_CHOSEN),
            "default": {**_TEXT, "description": "The channel of who chose no address."},
            "oncall": {
                **_ADDRESSES,
                "description": "Who is told of the cluster's troubles.",
            },
            "services": {**_list_of(_one_of(*Service)), "description": "What is set up."},
            "webhooks": {**_list_of(_TEXT), "description": "Names for webhook:NAME."},
            "kinds": {**_MAP, "description": "What each kind of notice means."},
        }
    ),
    "Test": _object({"team": _FLAG}, optional=("team",)),
    "Tried": _object(
        {"tried": _list_of(_object({"address": _or_null(_TEXT), "arrived": _FLAG, "said": _TEXT}))}
    ),
    "Notices": _object({"notices": _list_of(_object(_NOTICE))}),
    "Session": _object({"code": _TEXT, "path": _TEXT}),
    "Metrics": _object(
        {
            "metrics": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": _or_null(_NUMBER),
                },
                "description": "By job, by metric: the latest value; null: no finite number.",
            },
            "error": {**_or_null(_TEXT), "description": "Why some or all are missing."},
        }
    ),
    "Query": _object({"query": _TEXT}),
    "Answer": _object(_ANSWER),
    "Report": _object(
        {
            "report": _TEXT,
            "by": _TEXT,
            "since": _MOMENT,
            "until": _MOMENT,
            "team": _or_null(_TEXT),
            "sql": {**_TEXT, "description": "The query with its values, as POST /v1/sql takes it."},
            **_ANSWER,
        }
    ),
    "Views": _object(
        {
            "views": _list_of(
                _object(
                    {
                        "name": _TEXT,
                        "about": _TEXT,
                        "columns": _list_of(
                            _object({"name": _TEXT, "type": _TEXT, "about": _TEXT})
                        ),
                    }
                )
            )
        }
    ),
    "MakeToken": _object(
        {
            "name": {**_TEXT, "description": "What you call it."},
            "expires": {**_or_null(_TEXT), "description": "As in 90d, the usual; never, or null."},
            "user": {**_TEXT, "description": "Whose it is to be; yours if not given."},
        },
        optional=("name", "expires", "user"),
    ),
    "Token": _object(_TOKEN),
    "MadeToken": _object({**_TOKEN, "token": {**_TEXT, "description": "Told only now."}}),
    "Tokens": _object({"tokens": _list_of(_object(_TOKEN))}),
    "SetUser": _object(
        {"name": _TEXT, "team": _TEXT, "role": _one_of(*Role)}, optional=("team", "role")
    ),
    "User": _object(_USER),
    "Users": _object({"you": _TEXT, "users": _list_of(_object(_USER))}),
    "Audit": _object({"audit": _list_of(_object(_DEED)), "next_cursor": _or_null(_TEXT)}),
    "BumpOne": _object({"priority": {**_TEXT, "description": "The name of a class."}}),
    "Bump": _object(
        {
            "priority": {**_TEXT, "description": "The name of a class."},
            "jobs": {**_list_of(_TEXT), "description": "Ids, names or beginnings of names."},
            "labels": {"type": "object", "additionalProperties": _TEXT},
            "sweep": {**_WHOLE, "description": "Its first job."},
            "user": _TEXT,
        },
        optional=("jobs", "labels", "sweep", "user"),
    ),
    "Bumped": _object(_BUMPED),
    "Policy": _object({**_VERSION, "document": _MAP}),
    "NewPolicy": _object(
        {
            "document": {**_MAP, "description": "As in docs/policy.md."},
            "version": {**_WHOLE, "description": "The one it was made from."},
        },
        optional=("version",),
    ),
    "PolicyChange": _object(
        {
            **_CHANGE,
            "effects": {
                **_or_null(_object(_EFFECTS)),
                "description": "Of a dry run: what it would do to what waits and runs.",
            },
        }
    ),
    "PolicyVersions": _object({"versions": _list_of(_object(_CHANGE))}),
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
            "position": {**_WHOLE, "description": "The character of a query that is wrong."},
        },
        optional=("position",),
    ),
}
