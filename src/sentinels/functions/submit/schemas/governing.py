"""People, bumps and the policy.

Comes in: the core's vocabulary. Goes out: ``SCHEMAS``. Before: ``schemas``. Next: ``words``.
"""

from __future__ import annotations

from sentinels.core.rights import Role
from sentinels.functions.submit.schemas.words import (
    MAP,
    MOMENT,
    TEXT,
    WHOLE,
    Schema,
    list_of,
    one_of,
    or_null,
    record,
)

_TOKEN: dict[str, Schema] = {
    "id": WHOLE,
    "user": TEXT,
    "name": TEXT,
    "created_at": MOMENT,
    "expires_at": or_null(MOMENT),
    "last_used_at": {**or_null(MOMENT), "description": "To the minute."},
    "revoked_at": or_null(MOMENT),
}

_USER: dict[str, Schema] = {
    "name": TEXT,
    "team": TEXT,
    "role": one_of(*Role),
    "created_at": MOMENT,
    "last_seen_at": {**or_null(MOMENT), "description": "When a token of theirs was used."},
}

_DEED: dict[str, Schema] = {
    "id": WHOLE,
    "at": MOMENT,
    "actor": TEXT,
    "act": {**TEXT, "description": "As in push, cancel, token.revoke, user.set, node.close."},
    "team": or_null(TEXT),
    "job": or_null(WHOLE),
    "subject": {**TEXT, "description": "What it was done to."},
    "detail": MAP,
}

_STARTS: dict[str, Schema] = {
    "starts_before": {**or_null(MOMENT), "description": "null: it cannot be foreseen."},
    "starts_after": or_null(MOMENT),
}

_BUMPED: dict[str, Schema] = {
    "priority": TEXT,
    "jobs": list_of(
        record(
            {
                "job": WHOLE,
                "name": TEXT,
                "user": TEXT,
                "team": TEXT,
                "was": {**TEXT, "description": "Its class before."},
                **_STARTS,
            }
        )
    ),
    "left": {
        **list_of(record({"job": WHOLE, "why": TEXT})),
        "description": "Those that stay as they are.",
    },
    "delayed": {
        **list_of(
            record(
                {
                    "job": WHOLE,
                    "user": TEXT,
                    "team": TEXT,
                    **_STARTS,
                    "seconds": {**or_null(WHOLE), "description": "null: without end in sight."},
                }
            )
        ),
        "description": "The jobs that start later, the most delayed first, at most 100.",
    },
    "delayed_count": WHOLE,
    "unforeseen": {
        **WHOLE,
        "description": "How many of the jobs nobody can say the start of, nor whom they delay.",
    },
}

_VERSION: dict[str, Schema] = {
    "version": {**WHOLE, "description": "0: the usual one, which nobody applied."},
    "actor": or_null(TEXT),
    "at": or_null(MOMENT),
}

_CHANGE: dict[str, Schema] = {
    **_VERSION,
    "changes": {**list_of(TEXT), "description": "As in ageing.every: 6h → 3h"},
}

_EFFECTS: dict[str, Schema] = {
    "moves": {
        **list_of(
            record(
                {
                    "job": WHOLE,
                    "user": TEXT,
                    "team": TEXT,
                    "place_before": {
                        **or_null(WHOLE),
                        "description": "Which of all that wait it is to start; from 1.",
                    },
                    "place_after": or_null(WHOLE),
                    **_STARTS,
                }
            )
        ),
        "description": "Waiting jobs that would start in another place or at another time: 100.",
    },
    "moves_count": WHOLE,
    "troubles": {
        **list_of(TEXT),
        "description": "What would break a quota or lose its class.",
    },
}

SCHEMAS: dict[str, Schema] = {
    "MakeToken": record(
        {
            "name": {**TEXT, "description": "What you call it."},
            "expires": {**or_null(TEXT), "description": "As in 90d, the usual; never, or null."},
            "user": {**TEXT, "description": "Whose it is to be; yours if not given."},
        },
        optional=("name", "expires", "user"),
    ),
    "Token": record(_TOKEN),
    "MadeToken": record({**_TOKEN, "token": {**TEXT, "description": "Told only now."}}),
    "Tokens": record({"tokens": list_of(record(_TOKEN))}),
    "SetUser": record(
        {"name": TEXT, "team": TEXT, "role": one_of(*Role)}, optional=("team", "role")
    ),
    "User": record(_USER),
    "Users": record({"you": TEXT, "users": list_of(record(_USER))}),
    "Audit": record({"audit": list_of(record(_DEED)), "next_cursor": or_null(TEXT)}),
    "BumpOne": record({"priority": {**TEXT, "description": "The name of a class."}}),
    "Bump": record(
        {
            "priority": {**TEXT, "description": "The name of a class."},
            "jobs": {**list_of(TEXT), "description": "Ids, names or beginnings of names."},
            "labels": {"type": "object", "additionalProperties": TEXT},
            "sweep": {**WHOLE, "description": "Its first job."},
            "user": TEXT,
        },
        optional=("jobs", "labels", "sweep", "user"),
    ),
    "Bumped": record(_BUMPED),
    "Policy": record({**_VERSION, "document": MAP}),
    "NewPolicy": record(
        {
            "document": {**MAP, "description": "As in docs/policy.md."},
            "version": {**WHOLE, "description": "The one it was made from."},
        },
        optional=("version",),
    ),
    "PolicyChange": record(
        {
            **_CHANGE,
            "effects": {
                **or_null(record(_EFFECTS)),
                "description": "Of a dry run: what it would do to what waits and runs.",
            },
        }
    ),
    "PolicyVersions": record({"versions": list_of(record(_CHANGE))}),
}
