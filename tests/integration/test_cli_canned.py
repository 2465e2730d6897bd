"""A small real HTTP server with canned answers for the CLI's tests, and proof that these are such
as the API promises.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema
import pytest

from sentinels.functions.submit.openapi import document
from sentinels.functions.submit.routes import ROUTES

Json = dict[str, object]
TOKEN = "s3cret-token"
SECONDS = 30


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; ``cut``: the connection breaks off after so many bytes of the body."""

    body: bytes
    status: int = 200
    chunked: bool = False
    cut: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came in."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Json
    headers: Mapping[str, str]


@dataclass
class Canned:
    """What is answered, by method and path: each in turn, the last one for ever."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    _answers: dict[str, list[Reply]] = field(default_factory=dict)

    def on(self, what: str, *answers: Json | Reply) -> None:
        """Answer ``"GET /v1/nodes"`` so."""
        self._answers[what] = [
            answer if isinstance(answer, Reply) else Reply(json.dumps(answer).encode())
            for answer in answers
        ]

    def take(self, asked: Asked) -> Reply:
        """The answer to a request."""
        self.asked.append(asked)
        left = self._answers.get(f"{asked.method} {asked.path}")
        if left is None:
            return problem(404, f"there is nothing at {asked.path}")
        return left.pop(0) if len(left) > 1 else left[0]

    def queries(self, path: str) -> list[Mapping[str, str]]:
        """The queries of the requests to a path."""
        return [each.query for each in self.asked if each.path == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    canned: Canned

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        reply = self.canned.take(
            Asked(
                self.command,
                unquote(parts.path),
                dict(parse_qsl(parts.query)),
                json.loads(content) if content else {},
                dict(self.headers),
            )
        )
        self.send_response(reply.status)
        if reply.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            half = len(reply.body) // 2
            for piece in (reply.body[:half], reply.body[half:], b""):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            return
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[: reply.cut])
        self.close_connection = self.close_connection or reply.cut is not None

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    def do_POST(self) -> None:
        """Answer."""
        self._answer()

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@contextmanager
def canned_server(port: int = 0) -> Iterator[Canned]:
    """A server that gives the answers it was told to give."""
    canned = Canned()
    handler = type("Handler", (_Handler,), {"canned": canned})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    canned.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield canned
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and its exit code."""

    out: str
    err: str
    code: int


@dataclass
class Terminal:
    """What a person sees of a command that runs at a terminal."""

    process: subprocess.Popen[bytes]
    descriptor: int
    seen: str = ""

    def type(self, text: str) -> None:
        """Type while the command runs."""
        os.write(self.descriptor, text.encode())

    def read_until(self, text: str) -> str:
        """All that was seen, once ``text`` is on the screen."""
        end = time.monotonic() + SECONDS
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            assert self._read(), self.seen
        return self.seen

    def read_to_end(self) -> str:
        """All that was seen when the command has ended."""
        while self._read():
            pass
        self.process.wait(SECONDS)
        return self.seen

    def _read(self) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], SECONDS)
        assert ready, self.seen
        try:
            data = os.read(self.descriptor, 65536)
        except OSError:  # how Linux tells that nobody has the other end open
            return False
        self.seen += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)


@dataclass
class Person:
    """Somebody with a home folder who types commands."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Type a command and do not wait for its end."""
        return subprocess.Popen(
            [sys.executable, "-c", "from sentinels.cli.main import run; run()", *words],
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=self.home,
        )

    def type(self, *words: str, stdin: str = "") -> Said:
        """Type a command and wait for its end."""
        with self.start(*words) as process:
            try:
                out, err = process.communicate(stdin, timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Said(out, err, process.returncode)

    @contextmanager
    def at_terminal(self, *words: str, columns: int = 100) -> Iterator[Terminal]:
        """Type a command at a terminal; it is ended with the block."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-c", "from sentinels.cli.main import run; run()", *words],
            env={"TERM": "xterm", **self.environment()},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=self.home,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            yield Terminal(process, ours)
        finally:
            process.kill()
            process.wait()
            os.close(ours)

    def environment(self) -> dict[str, str]:
        """This person's environment, with nothing of Sentinels' but what the test says."""
        kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        home = str(self.home)
        return {**kept, "HOME": home, "SENTINELS_HOME": f"{home}/data", "TZ": "UTC", **self.env}


@contextmanager
def person_at(home: Path) -> Iterator[tuple[Person, Canned]]:
    """A person, and the server that this person's commands speak to."""
    with canned_server() as canned:
        yield Person(home, {"SENTINELS_URL": canned.url, "SENTINELS_TOKEN": TOKEN}), canned


def problem(status: int, detail: str, **more: object) -> Reply:
    """A problem+json answer."""
    body: Json = {
        "type": "/problems/some-error",
        "title": "Some error",
        "status": status,
        "detail": detail,
        "remedy": None,
        "faults": [],
        "candidates": [],
        **more,
    }
    return Reply(json.dumps(body).encode(), status)


def job(job_id: int = 12, state: str = "queued", **more: object) -> Json:
    """A job as the API gives it."""
    begun, ended = state != "queued", state in ("succeeded", "failed", "cancelled")
    why = "needs 2 CPUs; 0.5 of 2 are free"
    place = {"position": 3, "waiting": 9, "why": why, "expected": None}
    return {
        "id": job_id,
        "name": "digits-logreg",
        "experiment": "digits",
        "user": "ann",
        "team": "default",
        "image": "/home/ann/train",
        "digest": "sha256:9f3c0d2b7a",
        "git_commit": None,
        "state": state,
        "reason": None,
        "reason_class": None,
        "message": None,
        "priority": "normal",
        "attempt": 1 if begun else 0,
        "resources": {"cpu": "2", "memory": "4Gi", "gpu": 0, "gpu_type": None},
        "params": {"C": 0.1},
        "labels": {},
        "sweep": None,
        "rerun_of": None,
        "submitted_at": "2026-11-20T14:00:00+00:00",
        "started_at": "2026-11-20T14:01:00+00:00" if begun else None,
        "finished_at": "2026-11-20T14:03:20+00:00" if ended else None,
        "cancel_requested_at": None,
        "exit_code": None,
        "queue": None if begun else place,
        "links": {"mlflow": None, "experiment": None, "logs": None},
        "event": 5,
        **more,
    }


def detail(job_id: int = 12, state: str = "queued", **more: object) -> Json:
    """A job with its config and attempts."""
    attempts = [] if state == "queued" else [attempt(state=state)]
    own = {"config": {"params": {"C": 0.1}}, "attempts": attempts, "unavailable": []}
    return {**job(job_id, state), **own, **more}


def attempt(number: int = 1, *, state: str = "running", **more: object) -> Json:
    """An attempt of a job that is in ``state``."""
    ended = state in ("succeeded", "failed", "cancelled")
    usage = {
        "peak_memory_bytes": 200 * 2**20,
        "cpu_seconds": 12.34,
        "peak_gpu_memory_bytes": None,
        "mean_gpu_percent": None,
        "peak_cpu_cores": None,
    }
    return {
        "attempt": number,
        "state": "finished" if ended else "running",
        "reason": None,
        "exit_code": 0 if state == "succeeded" else None,
        "node": "laptop",
        "message": None,
        "launched_at": "2026-11-20T14:01:00+00:00",
        "started_at": "2026-11-20T14:01:00+00:00",
        "finished_at": "2026-11-20T14:03:20+00:00" if ended else None,
        "outputs": "complete" if ended else "pending",
        "resources": {"cpu": "2", "memory": "4Gi", "gpu": 0, "gpu_type": None},
        "different": None,
        "usage": usage,
        "mlflow_run_id": None,
        "mlflow_url": None,
        **more,
    }


def dossier(state: str = "failed", **more: object) -> Json:
    """How a job's attempt ended."""
    reason = "exited_nonzero" if state == "failed" else None
    found = job(state=state, reason=reason)
    made = attempt(state=state, reason=reason, exit_code=1 if reason else 0)
    sentence = "the program ended with a non-zero exit code"
    whose = "the job's own: its program, or what it asked for"
    cause = {"reason": reason, "class": "user", "whose": whose, "sentence": sentence, "detail": ""}
    return {
        "job": found,
        "attempt": made,
        "ended": state in ("failed", "succeeded", "cancelled"),
        "cause": cause if reason else None,
        "exit_code": 1 if reason else 0,
        "signal": None,
        "advice": [],
        "said": [],
        "used": [{"what": "memory", "used": "3Gi", "asked": "4Gi", "part": 0.75}],
        "lines": {"texts": ["epoch 1"], "source": "its log", "whole": True},
        "events": [],
        "conditions": [],
        "facts": {},
        "gaps": [],
        "attempts": [made],
        **more,
    }


LATER = {"early": "2999-01-01T12:00:00+00:00", "late": None}


def expected(found: Json, when: Json) -> Json:
    """A waiting job that is expected to start then."""
    queue = found["queue"]
    assert isinstance(queue, dict)
    return {**found, "queue": {**queue, "expected": when}}


def why(**more: object) -> Json:
    """Why a job waits."""
    return {
        "job": expected(job(), LATER),
        "waits": True,
        "sentence": "Waiting for 2 CPUs. 2 exist: 1 free. It would start now with 1 CPU.",
        "trouble": None,
        "facts": {"code": "no_cpu"},
        "ways": [
            {
                "words": "with 1 CPU",
                "config": {"resources": {"cpu": "1"}},
                "command": "sentinels cancel 12 && sentinels rerun 12 --cpu 1",
            }
        ],
        "expected": LATER,
        "history": [],
        **more,
    }


def pushed(*jobs: Json, replayed: bool = False) -> Json:
    """The answer to a push."""
    found = list(jobs) or [job()]
    told = {"replayed": replayed, "same": False, "warnings": [], "fit": None}
    return {"jobs": found, **told, "queue": {"position": 3, "waiting": 9}}


def piece(
    text: str, begin: int = 0, *, ended: bool = False, number: int = 1, unavailable: str = ""
) -> Json:
    """A piece of a log; its cursor is simply the byte behind it."""
    return {
        "job": 12,
        "attempt": number,
        "text": text,
        "cursor": str(begin + len(text.encode())),
        "ended": ended,
        "source": "cluster" if text else None,
        "unavailable": unavailable or None,
    }


def node(name: str = "laptop", jobs: Sequence[int] = (7,)) -> Json:
    """A node with something on it."""
    return {
        "name": name,
        "ready": True,
        "state": "ready",
        "detail": "",
        "cpu": "2",
        "memory": "24Gi",
        "gpus": 0,
        "gpu_type": None,
        "used": {"cpu": "1.5", "memory": "4Gi", "gpus": 0},
        "others": {"cpu": "0", "memory": "0", "gpus": 0},
        "slots": None,
        "jobs": list(jobs),
    }


def notice(**more: object) -> Json:
    """A notice that nobody could be sent."""
    return {
        "id": 1,
        "job": 12,
        "attempt": 1,
        "kind": "failed",
        "channel": None,
        "text": "✘ job 12 digits-logreg (ann) failed\nout of memory",
        "state": "kept",
        "tries": 0,
        "error": None,
        "created_at": "2026-11-20T14:03:21+00:00",
        "delivered_at": None,
        **more,
    }


def event(number: int, source: str | None, target: str, **more: object) -> Json:
    """A move of a job."""
    return {
        "id": number,
        "at": f"2026-11-20T14:0{number}:00+00:00",
        "attempt": 0 if target == "queued" else 1,
        "from": source,
        "to": target,
        "reason": None,
        "actor": "dispatch",
        "detail": None,
        **more,
    }


@pytest.mark.parametrize(
    ("schema", "sample"),
    [
        ("Job", job()),
        ("Job", job(state="failed")),
        ("JobDetail", detail()),
        ("JobDetail", detail(state="succeeded")),
        ("Pushed", pushed()),
        ("Why", why()),
        ("Log", piece("a")),
        ("Dossier", dossier()),
        ("Dossier", dossier("succeeded")),
        ("Node", node()),
        ("Notices", {"notices": [notice()]}),
        ("Events", {"events": [event(1, None, "queued"), event(2, "queued", "dispatched")]}),
        ("Problem", json.loads(problem(404, "gone").body)),
    ],
)
def test_the_canned_answers_are_such_as_the_api_promises(schema: str, sample: Json) -> None:
    whole = {**document(ROUTES), "$ref": f"#/components/schemas/{schema}"}
    jsonschema.Draft202012Validator(whole).validate(sample)
