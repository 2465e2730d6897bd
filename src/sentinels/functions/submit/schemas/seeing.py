"""What is seen: logs, ends, use, why, the queue, nodes, notices, reports, health.

Comes in: the core's vocabulary. Goes out: ``SCHEMAS``. Before: ``schemas``. Next: ``words``.
"""

from __future__ import annotations

from sentinels.core.address import Service
from sentinels.core.dossier import Part
from sentinels.core.job import Reason, ReasonClass
from sentinels.core.log_reading import Source
from sentinels.core.meter import Quantity
from sentinels.core.notify_reading import NOTICE_KINDS
from sentinels.core.sizing import Verdict
from sentinels.functions.submit.schemas.words import (
    AMOUNTS,
    COUNT,
    EXPECTED,
    FAULT,
    FLAG,
    MAP,
    MOMENT,
    NUMBER,
    REQUEST,
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

_NODE: dict[str, Schema] = {
    "name": TEXT,
    "ready": {"type": "boolean", "description": "Whether it takes new work."},
    "state": one_of("ready", "retiring", "cordoned", "not ready"),
    "detail": {"type": "string", "description": "Why it takes no new work."},
    **AMOUNTS,
    "gpu_type": or_null(TEXT),
    "used": {**record(AMOUNTS), "description": "What our jobs hold."},
    "others": {**record(AMOUNTS), "description": "What is used by others than our jobs."},
    "slots": {**or_null(WHOLE), "description": "How many more jobs it takes; null: any number."},
    "jobs": {**list_of(WHOLE), "description": "Those of your team."},
}

_NODE_JOB: dict[str, Schema] = {
    "job": WHOLE,
    "attempt": WHOLE,
    "user": TEXT,
    "team": TEXT,
    "started_at": or_null(MOMENT),
    "ends_by": {**or_null(MOMENT), "description": "null: it has no time limit, or runs not yet."},
}

_STRANDED: dict[str, Schema] = {
    "job": {**WHOLE, "description": "The first of them."},
    "team": TEXT,
    "waiting": COUNT,
    "resources": record({"cpu": TEXT, "memory": TEXT, "gpu": WHOLE, "gpu_type": or_null(TEXT)}),
    "why": TEXT,
}

_NOTICE: dict[str, Schema] = {
    "id": WHOLE,
    "job": WHOLE,
    "attempt": WHOLE,
    "kind": TEXT,
    "channel": or_null(TEXT),
    "text": TEXT,
    "state": one_of("pending", "delivered", "kept", "failed"),
    "tries": WHOLE,
    "error": or_null(TEXT),
    "created_at": MOMENT,
    "delivered_at": or_null(MOMENT),
}

_ADDRESSES: Schema = {
    "type": "array",
    "items": {"type": "string"},
    "description": "As in #vision, @U024BE7LH, ann@example.org, webhook:ci.",
}

_KINDS_CHOSEN: Schema = {"type": "array", "items": one_of(*NOTICE_KINDS)}

_CHOSEN: dict[str, Schema] = {
    "name": TEXT,
    "to": _ADDRESSES,
    "on": {**or_null(_KINDS_CHOSEN), "description": "null: the usual ones."},
    "told": {**_KINDS_CHOSEN, "description": "The kinds that come of it."},
}

_LOG: dict[str, Schema] = {
    "job": WHOLE,
    "attempt": {"type": "integer", "description": "0 for a job that was never launched."},
    "text": TEXT,
    "cursor": {"type": "string", "description": "Where the following piece begins."},
    "ended": FLAG,
    "source": {
        **or_null(one_of(*Source)),
        "description": "Where it was read; null: nowhere is anything.",
    },
    "unavailable": {
        **or_null(TEXT),
        "description": "What could not be asked, and so may be missing.",
    },
}

_DOSSIER: dict[str, Schema] = {
    "job": named("Job"),
    "attempt": {**or_null(named("Attempt")), "description": "null: it was never launched."},
    "ended": {"type": "boolean", "description": "false: there is nothing to explain yet."},
    "cause": {
        **or_null(
            record(
                {
                    "reason": one_of(*Reason),
                    "class": one_of(*ReasonClass),
                    "whose": {**TEXT, "description": "Whose doing it was, for people."},
                    "sentence": TEXT,
                    "detail": TEXT,
                }
            )
        ),
        "description": "null: it succeeded, or has not ended.",
    },
    "exit_code": or_null(WHOLE),
    "signal": {**or_null(TEXT), "description": "What the exit code says of a signal."},
    "advice": {**list_of(TEXT), "description": "What to do about it, the best first."},
    "said": {**list_of(TEXT), "description": "The lines of output that say most."},
    "used": list_of(
        record(
            {
                "what": TEXT,
                "used": TEXT,
                "asked": TEXT,
                "part": {**or_null(NUMBER), "description": "1 is all that it asked for."},
            }
        )
    ),
    "lines": record(
        {
            "texts": {**list_of(TEXT), "description": "As it printed them, the oldest first."},
            "source": TEXT,
            "whole": {"type": "boolean", "description": "Nothing was printed before them."},
        }
    ),
    "events": list_of(
        record(
            {
                "at": or_null(MOMENT),
                "about": TEXT,
                "reason": TEXT,
                "message": TEXT,
                "warns": FLAG,
                "count": WHOLE,
            }
        )
    ),
    "conditions": {
        **list_of(record({"name": TEXT, "bad": FLAG, "message": TEXT, "since": or_null(MOMENT)})),
        "description": "How its node stood when it had ended.",
    },
    "facts": {"type": "object", "description": "What the cluster said, in its own words."},
    "gaps": {
        **list_of(record({"part": one_of(*Part), "why": TEXT})),
        "description": "What could not be had.",
    },
    "attempts": list_of(named("Attempt")),
}

_QUANTITY: dict[str, Schema] = {
    "name": one_of(*Quantity),
    "unit": one_of("cores", "bytes", "percent", "bytes a second"),
    "asked": or_null(NUMBER),
    "now": {"type": "number", "description": "The last sample."},
    "mean": NUMBER,
    "p95": {"type": "number", "description": "Of twenty samples, one is larger."},
    "peak": NUMBER,
    "samples": {
        **list_of({"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}),
        "description": "Pairs of seconds since started_at and a value.",
    },
}

_USAGE: dict[str, Schema] = {
    "job": WHOLE,
    "attempt": {"type": "integer", "description": "0 for a job that was never launched."},
    "live": FLAG,
    "started_at": or_null(MOMENT),
    "finished_at": or_null(MOMENT),
    "asked": or_null(REQUEST),
    "used": USED,
    "source": {**or_null(TEXT), "description": "Who measured, or that it was kept."},
    "unavailable": {
        **or_null(record({"detail": TEXT, "remedy": or_null(TEXT)})),
        "description": "Why there are no quantities although there may be some.",
    },
    "notes": {**list_of(TEXT), "description": "What is not there, and why."},
    "quantities": list_of(record(_QUANTITY)),
    "sizing": {
        **list_of(
            record(
                {
                    "resource": one_of("cpu", "memory", "gpu"),
                    "share": {"type": "number", "description": "Of what was asked for."},
                    "verdict": one_of(*Verdict),
                    "enough": {**or_null(TEXT), "description": "As a config says it."},
                    "sentence": TEXT,
                }
            )
        ),
        "description": "What was asked for against what was used, once it has ended.",
    },
}

_ANSWER: dict[str, Schema] = {
    "columns": list_of(
        record({"name": TEXT, "type": {**TEXT, "description": "PostgreSQL's word for it."}})
    ),
    "rows": {
        "type": "array",
        "items": list_of({}),
        "description": "Values in the columns' order, as PostgreSQL writes them in JSON.",
    },
    "cut": {**or_null(TEXT), "description": "Why rows are missing at the end; null: none are."},
    "notes": list_of(TEXT),
}

SCHEMAS: dict[str, Schema] = {
    "Log": record(_LOG),
    "Dossier": record(_DOSSIER),
    "Usage": record(_USAGE),
    "Why": record(
        {
            "job": named("Job"),
            "waits": {"type": "boolean", "description": "false: there is nothing to say."},
            "sentence": TEXT,
            "trouble": {**or_null(TEXT), "description": "Why nothing at all starts."},
            "facts": {**MAP, "description": "The numbers behind it; code says what it is."},
            "ways": {
                **list_of(record({"words": TEXT, "config": MAP, "command": TEXT})),
                "description": "Changes with which it would start now, each by itself.",
            },
            "expected": EXPECTED,
            "history": list_of(record({"at": MOMENT, "sentence": TEXT})),
        }
    ),
    "Node": record(_NODE),
    "Nodes": record({"nodes": list_of(named("Node"))}),
    "Retire": record({"undo": FLAG}, optional=("undo",)),
    "Leaving": record(
        {
            "node": named("Node"),
            "running": {**list_of(record(_NODE_JOB)), "description": "Of every team."},
            "launching": {
                **list_of(record(_NODE_JOB)),
                "description": "Launched, not seen on any node yet: they may turn up here.",
            },
            "stranded": {
                **list_of(record(_STRANDED)),
                "description": "Waiting jobs that fit this node and no other that takes work.",
            },
            "closed": {"type": "boolean", "description": "Whether the passes give it nothing now."},
            "empty": FLAG,
        }
    ),
    "Queue": record(
        {
            "waiting": list_of(named("Job")),
            "sweeps": TALLIES,
            "total": COUNT,
            "running": list_of(named("Job")),
            "nodes": list_of(named("Node")),
            "conditions": {
                **list_of(TEXT),
                "description": "What has been full, or without work, for long.",
            },
        }
    ),
    "Choice": record({"to": _ADDRESSES, "on": or_null(_KINDS_CHOSEN)}, optional=("to", "on")),
    "Choose": record({"user": named("Choice"), "team": named("Choice")}, optional=("user", "team")),
    "Preferences": record(
        {
            "user": record(_CHOSEN),
            "team": record(_CHOSEN),
            "default": {**TEXT, "description": "The channel of who chose no address."},
            "oncall": {
                **_ADDRESSES,
                "description": "Who is told of the cluster's troubles.",
            },
            "services": {**list_of(one_of(*Service)), "description": "What is set up."},
            "webhooks": {**list_of(TEXT), "description": "Names for webhook:NAME."},
            "kinds": {**MAP, "description": "What each kind of notice means."},
        }
    ),
    "Test": record({"team": FLAG}, optional=("team",)),
    "Tried": record(
        {"tried": list_of(record({"address": or_null(TEXT), "arrived": FLAG, "said": TEXT}))}
    ),
    "Notices": record({"notices": list_of(record(_NOTICE))}),
    "Session": record({"code": TEXT, "path": TEXT}),
    "Metrics": record(
        {
            "metrics": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": or_null(NUMBER),
                },
                "description": "By job, by metric: the latest value; null: no finite number.",
            },
            "error": {**or_null(TEXT), "description": "Why some or all are missing."},
        }
    ),
    "Query": record({"query": TEXT}),
    "Answer": record(_ANSWER),
    "Report": record(
        {
            "report": TEXT,
            "by": TEXT,
            "since": MOMENT,
            "until": MOMENT,
            "team": or_null(TEXT),
            "sql": {**TEXT, "description": "The query with its values, as POST /v1/sql takes it."},
            **_ANSWER,
        }
    ),
    "Views": record(
        {
            "views": list_of(
                record(
                    {
                        "name": TEXT,
                        "about": TEXT,
                        "columns": list_of(record({"name": TEXT, "type": TEXT, "about": TEXT})),
                    }
                )
            )
        }
    ),
    "Health": record(
        {
            "ok": FLAG,
            "checks": list_of(
                record({"name": TEXT, "ok": FLAG, "detail": TEXT, "remedy": or_null(TEXT)})
            ),
        }
    ),
    "Alive": record({"ok": FLAG}),
    "Ready": record({"ok": FLAG, "detail": TEXT, "remedy": or_null(TEXT)}),
    "Document": MAP,
    "Problem": record(
        {
            "type": TEXT,
            "title": TEXT,
            "status": WHOLE,
            "detail": TEXT,
            "remedy": or_null(TEXT),
            "faults": list_of(record(FAULT)),
            "candidates": list_of(TEXT),
            "position": {**WHOLE, "description": "The character of a query that is wrong."},
        },
        optional=("position",),
    ),
}
