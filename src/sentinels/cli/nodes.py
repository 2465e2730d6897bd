"""``sentinels nodes``: what there is, and what is on it. Next: ``show``."""

from __future__ import annotations

from sentinels.cli.client import Client
from sentinels.cli.show import Column, Output, OutputOption, Row, mapping, rows, show_rows
from sentinels.core.quantity import about_memory, format_cpu, parse_cpu, parse_memory


def nodes(output: OutputOption = Output.TABLE) -> None:
    """Show the nodes and what is on them: used of what there is."""
    found = rows(Client().get("/v1/nodes"), "nodes")
    show_rows(found, COLUMNS, output, empty="No node was seen yet.")


def free_line(node: Row) -> str:
    """One node's free room in a line."""
    used = mapping(node.get("used"))
    cpu = max(0, _amount(node, "cpu") - _amount(used, "cpu"))
    memory = max(0, _memory(node) - _memory(used))
    line = (
        f"{node['name']}: {format_cpu(cpu)} of {node['cpu']} CPU,"
        f" {about_memory(memory)} of {about_memory(_memory(node))} memory"
    )
    if node.get("gpus"):
        line += f", {_count(node) - _count(used)} of {node['gpus']} GPU"
    return line + (" free" if node.get("ready") else " free, but it takes no new work")


def _of(node: Row, key: str) -> str:
    return f"{mapping(node['used']).get(key)}/{node[key]}"


def _of_memory(node: Row) -> str:
    return f"{about_memory(_memory(mapping(node['used'])))}/{about_memory(_memory(node))}"


def _gpus(node: Row) -> str:
    if not node["gpus"]:
        return ""
    of_type = f" {node['gpu_type']}" if node.get("gpu_type") else ""
    return f"{mapping(node['used']).get('gpus')}/{node['gpus']}{of_type}"


def _jobs(node: Row) -> list[object]:
    found = node.get("jobs")
    return found if isinstance(found, list) else []


def _amount(row: Row, key: str) -> int:
    try:
        return parse_cpu(row.get(key))
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


COLUMNS = (
    Column("NODE", lambda node: node["name"]),
    Column("READY", lambda node: "yes" if node["ready"] else "no"),
    Column("CPU", lambda node: _of(node, "cpu"), right=True),
    Column("MEMORY", _of_memory, right=True),
    Column("GPU", _gpus, right=True),
    Column("JOBS", lambda node: ", ".join(map(str, _jobs(node)))),
)
