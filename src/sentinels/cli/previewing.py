"""``sentinels push --dry-run``: what would be launched, one document for each job.

Comes in: a push that was checked here. Goes out: YAML or JSON on standard output. Before: ``push``.
Next: ``client``.
"""

from __future__ import annotations

from sentinels.cli.client import Client, Json
from sentinels.cli.show import Output, note, rows, show_value
from sentinels.core.errors import InvalidRequest


def preview(body: Json, output: Output, *, ends: bool, path: str = "/v1/jobs") -> None:
    """Print what the cluster would be given: YAML documents, or a JSON list of them.

    ``ends``: somebody wants to see the end of what is not even begun with.
    """
    if ends:
        raise InvalidRequest(
            "--dry-run launches nothing, so there is no end to wait for",
            remedy="leave --wait and --follow out",
        )
    found = rows(Client().post(path, body, query={"dry_run": "true"}), "workloads")
    if output is Output.JSON:
        show_value(found, output)
    else:
        for position, workload in enumerate(found):
            if position:
                print("---")
            show_value(workload, Output.YAML)
    note("nothing was pushed")
