"""The policy of the values: put in force where another is.

Comes in: a document, a database that is up to date. Goes out: a line of the checklist. Before:
``bootstrap``. Next: ``core/governing``, ``db/policies``.
"""

from __future__ import annotations

from collections.abc import Mapping

from sentinels.core.errors import InvalidPolicy, SentinelsError
from sentinels.core.governing import apply_policy
from sentinels.core.ports import Json
from sentinels.db.engine import make_engine
from sentinels.db.policies import PostgresPolicies
from sentinels.install.checklist import Checklist

ACTOR = "helm"


def ensure_policy(checklist: Checklist, policy: Mapping[str, Json], database_url: str) -> None:
    """Put it in force; an empty one leaves what is. A faulty one keeps nothing else away."""
    if not policy:
        return
    engine = make_engine(database_url, pool_size=1)
    try:
        done = apply_policy(PostgresPolicies(engine), policy, actor=ACTOR)
    except InvalidPolicy as invalid:
        for fault in invalid.faults:
            checklist.failed("policy", str(fault), "correct `policy`")
    except SentinelsError as error:
        checklist.failed("policy", str(error), error.remedy or "")
    else:
        how = "; ".join(done.changes) if done.changes else "as it should be"
        checklist.done("policy", f"version {done.version.id}, {how}")
    finally:
        engine.dispose()
