"""A proxy in front of a real API server that fails as networks, servers and balancers fail.

It serves plain HTTP on the loopback and forwards over TLS as the user of a kubeconfig; what it does
to a request is decided by a rule. It runs on an event loop and a thread of its own.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import tempfile
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from types import TracebackType

import aiohttp
import yaml
from aiohttp import web

from tests.support.direct_api import read_target

_ONE_HOP = {"host", "connection", "content-length", "transfer-encoding", "keep-alive"}


class Fault(StrEnum):
    """What may befall a request."""

    REJECT = "reject"
    """503 before anything reached the server."""
    THROTTLE = "throttle"
    """429 with Retry-After before anything reached the server."""
    RESET_BEFORE = "reset before"
    """The connection breaks before anything reached the server."""
    SLOW = "slow"
    """Forwarded after a delay."""
    HANG_AFTER = "hang after"
    """Executed; no answer ever comes."""
    TIMEOUT_AFTER = "timeout after"
    """Executed; a balancer gives up on the answer: 504."""
    RESET_AFTER = "reset after"
    """Executed; the connection breaks in place of an answer."""
    CUT = "cut"
    """Executed; the answer breaks off in the middle of its body."""


WRITTEN_BUT_UNANSWERED = (Fault.HANG_AFTER, Fault.TIMEOUT_AFTER, Fault.RESET_AFTER, Fault.CUT)
NEVER_WRITTEN = (Fault.REJECT, Fault.THROTTLE, Fault.RESET_BEFORE)


@dataclass(frozen=True)
class Call:
    """A request as a rule sees it; ``nth`` counts requests of this method and path from 1."""

    method: str
    path: str
    query: str
    nth: int

    @property
    def writes(self) -> bool:
        return self.method != "GET"


Rule = Callable[[Call], Fault | None]


def never(call: Call) -> Fault | None:
    """The rule of a healthy network."""
    return None


def always(fault: Fault) -> Rule:
    """The same for every request."""
    return lambda _: fault


def chances(seed: int, odds: Mapping[Fault, float]) -> Rule:
    """Each fault with its probability. What befalls the nth request of its kind follows from the
    seed alone, in whatever order concurrent requests come.
    """

    def rule(call: Call) -> Fault | None:
        draw = Random(f"{seed} {call.method} {call.path} {call.nth}").random()
        for fault, chance in odds.items():
            if draw < chance:
                return fault
            draw -= chance
        return None

    return rule


@dataclass
class FaultProxy:
    """Use as a context; ``rule`` may be replaced at any time, ``down`` refuses every connection.

    ``met`` counts the faults that were dealt out, ``met_by_creations`` those dealt to a POST,
    ``calls`` the requests, by method and path.
    """

    kubeconfig: Path
    rule: Rule = never
    down: bool = False
    slow_seconds: float = 0.5
    retry_after: int = 1
    met: Counter[Fault] = field(default_factory=Counter)
    met_by_creations: Counter[Fault] = field(default_factory=Counter)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    port: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="sen-proxy-")
    )

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def own_kubeconfig(self) -> Path:
        """A kubeconfig that leads to this proxy."""
        path = Path(self._folder.name) / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": self.address}}],
            "users": [{"name": "nobody", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "nobody"}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def __enter__(self) -> FaultProxy:
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="fault-proxy")
        self._thread.start()
        assert started.wait(10), "the proxy did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self._folder.cleanup()

    def _run(self, started: threading.Event) -> None:
        try:
            self._loop.run_until_complete(self._serve(started))
            # A session that was closed has its TLS connections end a moment later.
            self._loop.run_until_complete(asyncio.sleep(0.05))
        finally:
            self._loop.close()

    async def _serve(self, started: threading.Event) -> None:
        self._stop = asyncio.Event()
        target = read_target(self.kubeconfig)
        self._server = target.server
        connector = aiohttp.TCPConnector(ssl=target.tls or True, limit=0)
        async with aiohttp.ClientSession(
            connector=connector,
            headers=target.headers,
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
        ) as self._session:
            app = web.Application(client_max_size=1 << 26)
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
            await runner.setup()
            listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
            self.port = listener.getsockname()[1]
            await web.SockSite(runner, listener, backlog=1024).start()
            started.set()
            await self._stop.wait()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        key = (request.method, request.path)
        self.calls[key] += 1
        if self.down:
            return _reset(request)
        fault = self.rule(Call(*key, request.query_string, self.calls[key]))
        if fault is not None:
            self.met[fault] += 1
            self.met_by_creations[fault] += request.method == "POST"
        try:
            return await _WAYS[fault](self, request)
        except (aiohttp.ClientError, ConnectionError):
            return _reset(request)

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        """Pass the answer on as it comes; a watch stays open for as long as the server keeps it."""
        async with self._ask(request) as got:
            answer = web.StreamResponse(status=got.status, headers=_end_to_end(got.headers))
            await answer.prepare(request)
            async for piece in got.content.iter_any():
                await answer.write(piece)
            await answer.write_eof()
            return answer

    def _ask(self, request: web.Request) -> aiohttp.client._RequestContextManager:
        return self._session.request(
            request.method,
            f"{self._server}{request.raw_path}",
            headers=_end_to_end(request.headers),
            data=request.content if request.can_read_body else None,
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def _execute(self, request: web.Request) -> tuple[Mapping[str, str], int, bytes]:
        async with self._ask(request) as got:
            return _end_to_end(got.headers), got.status, await got.read()

    async def _reject(self, request: web.Request) -> web.StreamResponse:
        return _status(503, "ServiceUnavailable")

    async def _throttle(self, request: web.Request) -> web.StreamResponse:
        answer = _status(429, "TooManyRequests")
        answer.headers["Retry-After"] = str(self.retry_after)
        return answer

    async def _reset_before(self, request: web.Request) -> web.StreamResponse:
        return _reset(request)

    async def _slow(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self.slow_seconds)
        return await self._forward(request)

    async def _hang(self, request: web.Request) -> web.StreamResponse:
        await self._execute(request)
        await self._stop.wait()
        return _reset(request)

    async def _timeout(self, request: web.Request) -> web.StreamResponse:
        await self._execute(request)
        return _status(504, "Timeout")

    async def _reset_after(self, request: web.Request) -> web.StreamResponse:
        await self._execute(request)
        return _reset(request)

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        if "watch=" in request.query_string:
            return await self._cut_stream(request)
        headers, status, body = await self._execute(request)
        answer = web.StreamResponse(status=status, headers=headers)
        answer.content_length = len(body)
        await answer.prepare(request)
        await answer.write(body[: len(body) // 2])
        return _hang_up(request, answer)

    async def _cut_stream(self, request: web.Request) -> web.StreamResponse:
        """End a watch in the middle of the first thing it says."""
        async with self._ask(request) as got:
            answer = web.StreamResponse(status=got.status, headers=_end_to_end(got.headers))
            await answer.prepare(request)
            piece = await got.content.readany()
            await answer.write(piece[: len(piece) // 2])
            return _hang_up(request, answer)


def _end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _ONE_HOP}


def _status(code: int, reason: str) -> web.Response:
    """An error as an API server words it."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason}
    return web.json_response({**body, "code": code, "message": "by the fault proxy"}, status=code)


def _hang_up(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    """Deliver what was written, then close in an orderly way."""
    if request.transport is not None:
        request.transport.close()
    return answer


def _reset(request: web.Request) -> web.StreamResponse:
    """Break the connection with a TCP reset."""
    if request.transport is not None:
        plain = request.transport.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


Way = Callable[[FaultProxy, web.Request], Awaitable[web.StreamResponse]]
_WAYS: Mapping[Fault | None, Way] = {
    None: FaultProxy._forward,
    Fault.REJECT: FaultProxy._reject,
    Fault.THROTTLE: FaultProxy._throttle,
    Fault.RESET_BEFORE: FaultProxy._reset_before,
    Fault.SLOW: FaultProxy._slow,
    Fault.HANG_AFTER: FaultProxy._hang,
    Fault.TIMEOUT_AFTER: FaultProxy._timeout,
    Fault.RESET_AFTER: FaultProxy._reset_after,
    Fault.CUT: FaultProxy._cut,
}
