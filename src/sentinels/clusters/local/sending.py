"""The hint that a workload has ended, which spares notify's next look.

Standard library only, bounded in time; a failure is an answer, never an exception. Comes in: an
address and which attempt it was. Goes out: one CloudEvent. Before: ``runner``. Next:
``functions/notify``.
"""

from __future__ import annotations

import http.client
import json
from uuid import uuid4

from sentinels.clusters.outputs import request

WORKLOAD_ENDED = "dev.sentinels.workload.ended"


def send_event(notify_url: str, *, name: str, job_id: int, attempt: int) -> bool:
    """Hint that the workload ended; whether the hint was taken."""
    headers = {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": str(uuid4()),
        "ce-type": WORKLOAD_ENDED,
        "ce-source": "/sentinels/runner",
        "ce-subject": name,
    }
    body = json.dumps({"job_id": job_id, "attempt": attempt}).encode()
    try:
        return request("POST", notify_url, headers, body) < 300
    except (OSError, http.client.HTTPException):
        return False
