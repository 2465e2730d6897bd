"""A line of a workload as it is kept: the script that fluent-bit runs, in the Lua that it has."""

from __future__ import annotations

from typing import Any

import pytest
from lupa.luajit21 import LuaRuntime

from tests.chart.rendering import CHART

_SCRIPT = (CHART / "files" / "record.lua").read_text()
_KEEP, _DROP = 1, -1
Record = dict[str, Any]


def ours(**changes: object) -> Record:
    """What fluent-bit has read and Kubernetes has said of the pod."""
    labels = {
        "sentinels.dev/job": "12",
        "sentinels.dev/attempt": "2",
        "sentinels.dev/team": "vision",
    }
    kubernetes = {
        "labels": labels,
        "annotations": {"sentinels.dev/user": "ada"},
        "pod_id": "uid-1",
        "pod_name": "sentinels-12-2-x",
        "host": "node-1",
    }
    return {"log": "loss 0.1", "stream": "stdout", "kubernetes": kubernetes, **changes}


def shaped(found: Record, seconds: int = 7, nanoseconds: int = 5) -> tuple[int, Record]:
    """What becomes of a record, and whether it is kept."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.execute(_SCRIPT)
    timestamp = lua.table_from({"sec": seconds, "nsec": nanoseconds})
    code, _, line = lua.globals().record("kube.x", timestamp, lua.table_from(found, recursive=True))
    return code, dict(line) if code == _KEEP else {}


def test_a_line_says_whose_it_is_where_and_what() -> None:
    code, line = shaped(ours())

    assert code == _KEEP
    identity = line.pop("id")
    assert line == {
        "job": 12,
        "attempt": 2,
        "team": "vision",
        "user": "ada",
        "node": "node-1",
        "pod": "sentinels-12-2-x",
        "stream": "stdout",
        "message": "loss 0.1",
    }
    assert identity == "uid-1-7.000000005-stdout-8"


def test_a_line_that_is_read_again_is_the_same_and_others_are_not() -> None:
    first = shaped(ours())[1]["id"]

    assert shaped(ours())[1]["id"] == first
    others = [
        shaped(ours(), nanoseconds=6),
        shaped(ours(stream="stderr")),
        shaped(ours(log="loss 0.12")),
        shaped(ours(kubernetes={**ours()["kubernetes"], "pod_id": "uid-2"})),
    ]
    assert first not in {line["id"] for _, line in others}


@pytest.mark.parametrize("kubernetes", [None, {}, {"labels": {"app": "theirs"}, "pod_name": "x"}])
def test_a_line_of_another_pod_is_left_out(kubernetes: Record | None) -> None:
    found = {name: its for name, its in ours().items() if name != "kubernetes"}

    assert shaped(found if kubernetes is None else {**found, "kubernetes": kubernetes})[0] == _DROP


def test_an_empty_line_is_a_line() -> None:
    assert shaped(ours(log=""))[1]["message"] == ""
