"""A line of a workload as it is kept: the script that fluent-bit runs, in the Lua that it has."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lupa.luajit21 import LuaRuntime

from sentinels.core.log_documents import TEMPLATE, Whose, document
from sentinels.core.log_store import LogLine
from tests.chart.rendering import CHART

_SCRIPT = (CHART / "files" / "record.lua").read_text()
_KEEP, _DROP = 1, -1
_TIME, _SECONDS, _NANOSECONDS = "2026-11-28T13:04:05.123456789Z", 1_795_871_045, 123_456_789
_TAG = "kube.var.log.containers.sentinels-12-2-x_sen-vision_main-0a1b2c.log"
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
        "annotations": {"sentinels.dev/user": "ada", "sentinels.dev/experiment": "digits"},
        "pod_id": "uid-1",
        "pod_name": "sentinels-12-2-x",
        "namespace_name": "sen-vision",
        "host": "node-1",
    }
    return {
        "time": _TIME,
        "stream": "stdout",
        "_p": "F",
        "log": "loss 0.1",
        "kubernetes": kubernetes,
        **changes,
    }


def shaped(found: Record, tag: str = _TAG) -> tuple[int, Record]:
    """What becomes of a record, and whether it is kept."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.execute(_SCRIPT)
    # As fluent-bit reads the time: by way of a number that does not hold it all.
    timestamp = lua.table_from({"sec": _SECONDS, "nsec": int(0.123456789 * 1e9) - 1})
    code, at, line = lua.globals().record(tag, timestamp, lua.table_from(found, recursive=True))
    return code, {**dict(line), "@": (at["sec"], at["nsec"])} if code == _KEEP else {}


def test_a_line_says_whose_it_is_where_and_what() -> None:
    code, line = shaped(ours())

    assert code == _KEEP
    identity = line.pop("id")
    assert line == {
        "@": (_SECONDS, _NANOSECONDS),
        "at_ns": "1795871045123456789",
        "job": 12,
        "attempt": 2,
        "workload": "sentinels-12-2",
        "team": "vision",
        "user": "ada",
        "experiment": "digits",
        "node": "node-1",
        "pod": "sentinels-12-2-x",
        "stream": "stdout",
        "message": "loss 0.1",
    }
    assert identity.startswith("sen-vision-sentinels-12-2-x-1795871045123456789-stdout-8-")


def test_its_fields_are_those_that_the_store_is_told_of() -> None:
    fields = TEMPLATE["template"]["mappings"]["properties"]  # type: ignore[index, call-overload]
    line = shaped(ours())[1]
    assert set(line) - {"@"} <= set(fields)  # type: ignore[arg-type]
    whose = Whose(12, 2, "sentinels-12-2", "vision", "ada", "digits", "node-1")
    kept = document(LogLine(int(line["at_ns"]), "loss 0.1"), whose, line["id"])
    assert set(kept) - {"@timestamp"} <= set(line)


def test_a_line_that_is_read_again_is_the_same_and_others_are_not() -> None:
    first = shaped(ours())[1]["id"]

    assert shaped(ours())[1]["id"] == first
    others = [
        shaped(ours(time="2026-11-28T13:04:05.123456788Z")),
        shaped(ours(stream="stderr")),
        shaped(ours(log="loss 0.2")),
        shaped(ours(kubernetes={**ours()["kubernetes"], "pod_name": "sentinels-12-2-y"})),
    ]
    assert first not in {line["id"] for _, line in others}


def test_a_pod_that_was_deleted_before_anybody_asked_is_known_by_its_name() -> None:
    asked = shaped(ours())[1]
    found = {name: its for name, its in ours().items() if name != "kubernetes"}
    code, line = shaped(found)

    assert code == _KEEP
    for name in ("id", "at_ns", "job", "attempt", "workload", "team", "pod", "message"):
        assert line[name] == asked[name]


@pytest.mark.parametrize(
    "file",
    [
        "sentinels-12-2-x_default_main-0a.log",
        "other-12-2-x_sen-vision_main-0a.log",
        "sentinels-submit-x_sen-vision_main-0a.log",
    ],
)
def test_a_pod_of_which_nothing_is_known_is_ours_only_by_name_and_namespace(file: str) -> None:
    found = {name: its for name, its in ours().items() if name != "kubernetes"}

    assert shaped(found, f"kube.var.log.containers.{file}")[0] == _DROP


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)),
    st.integers(0, 999_999_999),
    st.integers(-12 * 60, 14 * 60),
)
def test_every_time_is_read_exactly(moment: datetime, nanoseconds: int, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    there = moment.replace(microsecond=0, tzinfo=zone)
    seconds = int(there.timestamp())
    if seconds < 0:
        return
    text = f"{there:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}".rstrip("0").removesuffix(".")
    offset = f"{there:%z}"
    written = text + (f"{offset[:3]}:{offset[3:]}" if minutes else "Z")

    assert shaped(ours(time=written))[1]["at_ns"] == f"{seconds}{nanoseconds:09}"


def test_a_time_that_is_none_leaves_fluent_bits_own() -> None:
    assert shaped(ours(time=None))[1]["at_ns"].startswith(str(_SECONDS))


@pytest.mark.parametrize("kubernetes", [{"labels": {"app": "theirs"}, "pod_name": "x"}])
def test_a_line_of_another_pod_is_left_out(kubernetes: Record) -> None:
    assert shaped({**ours(), "kubernetes": kubernetes})[0] == _DROP


def test_an_empty_line_is_a_line() -> None:
    assert shaped(ours(log=""))[1]["message"] == ""


def test_a_megabyte_is_a_line_and_quickly_shaped() -> None:
    began = time.monotonic()
    code, line = shaped(ours(log="x" * 2**20))
    assert (code, len(line["message"])) == (_KEEP, 2**20)
    assert time.monotonic() - began < 5
