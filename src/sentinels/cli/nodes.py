"""``sentinels nodes``: what there is, what is on it, and why one takes nothing new.

Comes in: the server's nodes. Goes out: a listing. Next: ``retiring``, ``show``.
"""

from __future__ import annotations

from collections.abc import Sequence

import typer

from sentinels.cli.client import Client
from sentinels.cli.retiring import EXAMPLES, retire
from sentinels.cli.show import Column, Output, OutputOption, Row, mapping, rows, show_rows
from sentinels.core.quantity import about_memory, format_cpu, parse_cpu, parse_memory

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    epilog="\b\nExample:\n  sentinels nodes -o wide",
)
app.command("retire", epilog=f"\b\nExample:\n  {EXAMPLES}")(retire)


@app.callback(invoke_without_command=True)
def nodes(ctx: typer.Context, output: OutputOption = Output.TABLE) -> None:
    """Show the nodes and what is on them: used of what there is."""
    if ctx.invoked_subcommand is not None:
        return
    found = rows(Client().get("/v1/nodes"), "nodes")
    columns = [column for column in COLUMNS if output is not Output.TABLE or _tells(column, found)]
    show_rows(found, columns, output, empty="No node was seen yet.")


def _tells(column: Column, found: Sequence[Row]) -> bool:
    """Whether a column that is seldom needed has something to say."""
    return column.title not in _SELDOM or any(column.text(row) not in (None, "") for row in found)


def free_line(node: Row) -> str:
    """One node's free room in a line."""
    used = _held(node)
    cpu = max(0, _cpus(node) - sum(map(_cpus, used)))
    memory = max(0, _memory(node) - sum(map(_memory, used)))
    line = (
        f"{node['name']}: {format_cpu(cpu)} of {node['cpu']} CPU,"
        f" {about_memory(memory)} of {about_memory(_memory(node))} memory"
    )
    if node.get("gpus"):
        line += f", {max(0, _count(node) - sum(map(_count, used)))} of {node['gpus']} GPU"
    return line + (" free" if node.get("ready") else f" free, but it {_why(node)}")


def _why(node: Row) -> str:
    why = f"is {node.get('state')}" if node.get("state") else "is not ready"
    detail = str(node.get("detail") or "")
    return f"{why} ({detail})" if detail and node.get("state") == "not ready" else why


def _ready(node: Row) -> str:
    return "yes" if node["ready"] else str(node.get("state") or "no")


def _held(node: Row) -> tuple[Row, Row]:
    """What our jobs hold of it, and what others use."""
    return mapping(node.get("used")), mapping(node.get("others"))


def _of_cpu(node: Row) -> str:
    return f"{format_cpu(sum(map(_cpus, _held(node))))}/{node['cpu']}"


def _of_memory(node: Row) -> str:
    return f"{about_memory(sum(map(_memory, _held(node))))}/{about_memory(_memory(node))}"


def _gpus(node: Row) -> str:
    if not node["gpus"]:
        return ""
    of_type = f" {node['gpu_type']}" if node.get("gpu_type") else ""
    return f"{sum(map(_count, _held(node)))}/{node['gpus']}{of_type}"


def _amounts(held: Row) -> str:
    gpus = f" {_count(held)} GPU" if _count(held) else ""
    return f"{format_cpu(_cpus(held))} CPU {about_memory(_memory(held))}{gpus}"


def _jobs(node: Row) -> list[object]:
    found = node.get("jobs")
    return found if isinstance(found, list) else []


def _cpus(row: Row) -> int:
    try:
        return parse_cpu(row.get("cpu"))
    except ValueError:
        return 0


def _memory(row: Row) -> int:
    try:
        return parse_memory(row.get("memory"))
    except ValueError:
        return 0


def _count(row: Row) -> int:
    found = row.get("gpus")
    return found if isinstance(found, int) else 0


_SELDOM = frozenset({"GPU", "SLOTS", "WHY NOT READY"})
COLUMNS = (
    Column("NODE", lambda node: node["name"]),
    Column("READY", _ready),
    Column("CPU", _of_cpu, right=True),
    Column("MEMORY", _of_memory, right=True),
    Column("GPU", _gpus, right=True),
    Column("SLOTS", lambda node: node.get("slots"), right=True),
    Column("OURS", lambda node: _amounts(_held(node)[0]), wide=True),
    Column("OTHERS", lambda node: _amounts(_held(node)[1]), wide=True),
    Column("JOBS", lambda node: ", ".join(map(str, _jobs(node)))),
    Column("WHY NOT READY", lambda node: node.get("detail")),
)
