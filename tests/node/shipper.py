"""What fluent-bit does on a node, in its place: it cannot be had from a registry.

It reads the containers' logs as the runtime writes them, puts the parts of a long line together,
asks the API once whose a pod is, runs the chart's own script, and sends what that makes in bulk;
what the store does not take is sent again. Like fluent-bit it looks for new files now and then,
reads on in one that was rotated or deleted, and knows times by a number that may be a nanosecond
off.
Comes in: a node, the chart, a store. Goes out: documents. Before: ``test_logs``.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO

import httpx
from lupa.luajit21 import LuaRuntime
from tests.node.installation import CHART
from tests.node.machine import RealNode
from tests.support.direct_api import ApiError, DirectApi

_TEMPLATE = (CHART / "templates" / "_monitoring.tpl").read_text()
_FILES = "sentinels-*_sen-*_main-*.log"
_READ_SECONDS = 0.05
_FLUSH_SECONDS = 1.0
_PART_SECONDS = 4.0
"""How long a line without an end is waited for."""
_KEEP = 1
_LINE = re.compile(rb"(?s)(.+?) (stdout|stderr) ([FP]) (.*)")
_MOST = 2000


@dataclass
class _Stream:
    """The parts of a line that has not ended."""

    time: bytes = b""
    parts: list[bytes] = field(default_factory=list)
    since: float = 0.0


@dataclass
class _File:
    """A log file that is open; its name may lead to another one by now."""

    tag: str
    content: BinaryIO
    rest: bytes = b""
    streams: dict[bytes, _Stream] = field(default_factory=dict)

    def is_gone(self) -> bool:
        return os.fstat(self.content.fileno()).st_nlink == 0


class Shipper:
    """Reads the logs of one node and sends them to ``url``."""

    def __init__(self, node: RealNode, url: str) -> None:
        self.url = url
        self._log = node.folder / "var" / "log"
        self._api = DirectApi(node.kubeconfig, timeout=5)
        self._files: dict[int, _File] = {}
        self._pods: dict[str, dict[str, Any]] = {}
        self._waiting: list[tuple[str, str, dict[bytes, Any]]] = []
        self._lua = LuaRuntime(unpack_returned_tuples=True, encoding=None)
        self._lua.execute((CHART / "files" / "record.lua").read_bytes())
        found = re.search(r"Refresh_Interval +(\S+)", _TEMPLATE)
        assert found
        self._refresh_seconds = float(found[1])

    def run(self, over: threading.Event) -> None:
        """Ship until it is over."""
        looked = flushed = 0.0
        while not over.wait(_READ_SECONDS):
            now = time.monotonic()
            if now - looked >= self._refresh_seconds:
                looked = now
                self._find()
            for inode, file in list(self._files.items()):
                self._read(file, now)
                if file.is_gone() and not self._read(file, now):
                    self._end(file)
                    del self._files[inode]
            if now - flushed >= _FLUSH_SECONDS:
                flushed = now
                self._flush()
        for file in self._files.values():
            file.content.close()

    def _find(self) -> None:
        for link in (self._log / "containers").glob(_FILES):
            with suppress(OSError):
                # The link leads to a path of the node's.
                target = self._log / link.readlink().relative_to("/var/log")
                if target.stat().st_ino not in self._files:
                    content = target.open("rb")
                    tag = f"kube.var.log.containers.{link.name}"
                    self._files[os.fstat(content.fileno()).st_ino] = _File(tag, content)

    def _read(self, file: _File, now: float) -> bool:
        """Take what is new; whether anything was."""
        data = file.content.read()
        *lines, file.rest = (file.rest + data).split(b"\n")
        for line in lines:
            self._take(file, line, now)
        for name, stream in file.streams.items():
            if stream.parts and now - stream.since > _PART_SECONDS:
                self._emit(file, name, stream)
        return bool(data)

    def _take(self, file: _File, line: bytes, now: float) -> None:
        found = _LINE.fullmatch(line)
        assert found, line
        written, name, kind, content = found.groups()
        stream = file.streams.setdefault(name, _Stream())
        stream.time = stream.time or written
        stream.since = now
        stream.parts.append(content)
        if kind == b"F":
            self._emit(file, name, stream)

    def _end(self, file: _File) -> None:
        for name, stream in file.streams.items():
            if stream.parts:
                self._emit(file, name, stream)
        file.content.close()

    def _emit(self, file: _File, name: bytes, stream: _Stream) -> None:
        found: dict[bytes, Any] = {
            b"time": stream.time,
            b"stream": name,
            b"_p": b"F",
            b"log": b"".join(stream.parts),
        }
        stream.time, stream.parts = b"", []
        pod, namespace = _pod_of(file.tag)
        told = self._told(namespace, pod)
        if told:
            found[b"kubernetes"] = told
        self._shape(file.tag, found)

    def _shape(self, tag: str, found: dict[bytes, Any]) -> None:
        moment = datetime.fromisoformat(found[b"time"].decode()[:19] + "+00:00")
        fraction = found[b"time"].decode()[19:].partition("Z")[0] or ".0"
        at = {b"sec": int(moment.timestamp()), b"nsec": int(float(f"0{fraction}") * 1e9)}
        timestamp = self._lua.table_from(at)
        given = self._lua.table_from(found, recursive=True)
        code, when, line = self._lua.globals()[b"record"](tag.encode(), timestamp, given)
        if code == _KEEP:
            moment = datetime.fromtimestamp(when[b"sec"], UTC)
            written = f"{moment:%Y-%m-%dT%H:%M:%S}.{when[b'nsec']:09}Z"
            self._waiting.append((f"sentinels-logs-{moment:%Y.%m.%d}", written, dict(line)))

    def _told(self, namespace: str, pod: str) -> dict[bytes, Any]:
        if pod not in self._pods:
            try:
                found = self._api.get(f"/api/v1/namespaces/{namespace}/pods/{pod}")
            except (ApiError, OSError):
                return {}
            metadata = found["metadata"]
            self._pods[pod] = {
                "labels": metadata.get("labels", {}),
                "annotations": metadata.get("annotations", {}),
                "pod_name": pod,
                "namespace_name": namespace,
                "pod_id": metadata["uid"],
                "host": found["spec"]["nodeName"],
            }
        return dict(_encoded(self._pods[pod]))

    def _flush(self) -> None:
        while batch := self._waiting[:_MOST]:
            if not self._sent(batch):
                return
            del self._waiting[: len(batch)]

    def _sent(self, batch: list[tuple[str, str, dict[bytes, Any]]]) -> bool:
        body = ""
        for index, at, line in batch:
            kept = {_text(name): _text(value) for name, value in line.items()}
            action = {"index": {"_index": index, "_id": kept["id"]}}
            body += f"{json.dumps(action)}\n{json.dumps({'@timestamp': at, **kept})}\n"
        headers = {"Content-Type": "application/x-ndjson"}
        try:
            answer = httpx.post(f"{self.url}/_bulk", content=body, headers=headers, timeout=10)
        except httpx.HTTPError:
            return False
        return answer.is_success and not answer.json()["errors"]


@contextmanager
def shipping(node: RealNode, url: str) -> Iterator[None]:
    """The node's logs are shipped."""
    over = threading.Event()
    shipper = Shipper(node, url)
    thread = threading.Thread(target=shipper.run, args=(over,), name="shipper")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(20)


def _pod_of(tag: str) -> tuple[str, str]:
    pod, namespace, _ = tag.removeprefix("kube.var.log.containers.").split("_", 2)
    return pod, namespace


def _encoded(found: Any) -> Any:
    if isinstance(found, dict):
        return {name.encode(): _encoded(value) for name, value in found.items()}
    return found.encode() if isinstance(found, str) else found


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
