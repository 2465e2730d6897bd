"""Lines brought to a search node as whoever ships them does."""

from __future__ import annotations

import json
from collections.abc import Iterable

import httpx

from sentinels.core.log_documents import TEMPLATE, TEMPLATE_NAME, Whose, document, index_of
from sentinels.core.log_store import LogLine
from sentinels.core.workload import WorkloadRef
from tests.support.search_node import SearchNode


def whose(ref: WorkloadRef, node: str = "node-1") -> Whose:
    """Whose lines they are."""
    return Whose(ref.job_id, ref.attempt, ref.name, "vision", "ada", "digits", node)


def prepare(node: SearchNode) -> None:
    """Tell the node what a line is."""
    httpx.put(f"{node.url}/_index_template/{TEMPLATE_NAME}", json=TEMPLATE).raise_for_status()


def bring(node: SearchNode, ref: WorkloadRef, lines: Iterable[LogLine]) -> None:
    """Keep lines; they are found when this returns."""
    body = ""
    for line in lines:
        known = f"{ref.name}-{line.at_ns}"
        action = {"index": {"_index": index_of(line.at_ns), "_id": known}}
        for each in (action, document(line, whose(ref), known)):
            body += json.dumps(each) + "\n"
    headers = {"Content-Type": "application/x-ndjson"}
    answer = httpx.post(f"{node.url}/_bulk", content=body, headers=headers, timeout=60)
    answer.raise_for_status()
    assert not answer.json()["errors"], answer.text[:2000]
    node.refresh()
