"""The Kubernetes API as plain JSON over HTTP, from any thread, in bounded time.

Credentials and TLS are the official client's; its models are left aside (docs/decisions/0012). What
was answered is returned, also when it is a refusal; only silence is an error. A read is repeated
once where the connection broke, a write never. Comes in: methods, paths, JSON. Goes out:
``Answer``. Before: ``launch``, ``observe``. Next: an API server.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import threading
import weakref
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from sentinels.clock import utc_now
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.ports import Json

if TYPE_CHECKING:
    import aiohttp
    from kubernetes.aio.client import Configuration

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 10.0
LIST_SECONDS = 60.0
_IN_FLIGHT = 32
_JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Request:
    """One call. ``body`` is plain JSON; ``seconds`` bounds the whole answer, and ``silent_seconds``
    each wait for a part of it.
    """

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: Json = None
    content_type: str = _JSON
    accept: str = _JSON
    seconds: float = ANSWER_SECONDS
    silent_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said, and when by its own clock."""

    status: int
    body: bytes
    date: datetime
    retry_after: float | None = None

    @property
    def json(self) -> Json:
        """The body; None where it is no JSON."""
        try:
            found: Json = json.loads(self.body)
        except ValueError:
            return None
        return found


class Refusal(ClusterUnavailable):
    """What was asked for part by part was not given; ``answer`` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(
            f"the Kubernetes API answers {answer.status}", retry_after=answer.retry_after
        )
        self.answer = answer


class Api:
    """One API server. Raises ``ClusterUnavailable`` for silence."""

    def __init__(self, kubeconfig: str = "") -> None:
        """``kubeconfig`` is a file; empty: the pod's own service account."""
        self._kubeconfig = kubeconfig
        self._connection: _Connection | None = None
        self._lock = threading.Lock()

    def request(self, request: Request) -> Answer:
        """One call."""
        connection = self._connected()
        return connection.run(connection.send(request), request.seconds)

    def many(
        self,
        requests: Sequence[Request],
        *,
        in_flight: int = _IN_FLIGHT,
        within: float | None = None,
    ) -> Iterator[tuple[int, Answer | ClusterUnavailable]]:
        """Many calls, so many at a time; each with its place as soon as it is answered.

        ``within`` so many seconds all of them are, whatever was answered by then.
        """
        connection = self._connected()
        answers: SimpleQueue[tuple[int, Answer | ClusterUnavailable]] = SimpleQueue()
        done = connection.start(_all(connection, requests, (in_flight, within), answers))
        for _ in requests:
            yield answers.get()
        done.result(ANSWER_SECONDS)

    def parts(self, request: Request) -> Generator[bytes, None, None]:
        """An answer as it comes, for ``seconds`` at most. Raises ``Refusal`` too."""
        connection = self._connected()
        came: SimpleQueue[bytes | ClusterUnavailable | None] = SimpleQueue()
        reading = connection.start(connection.read_parts(request, came))
        try:
            while (part := came.get()) is not None:
                if isinstance(part, ClusterUnavailable):
                    raise part
                yield part
        finally:
            reading.cancel()

    def lines(self, request: Request) -> Iterator[bytes]:
        """The whole lines of an answer as they come, as a watch has them."""
        rest = b""
        with closing(self.parts(request)) as parts:
            for part in parts:
                *whole, rest = (rest + part).split(b"\n")
                yield from whole

    def get(self, path: str, **query: str) -> Answer:
        """Read something small."""
        return self.request(Request("GET", path, query or None))

    def close(self) -> None:
        """Give the connections back."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _connected(self) -> _Connection:
        with self._lock:
            # A function is loaded before it is forked: threads do not survive that.
            if self._connection is None or self._connection.pid != os.getpid():
                self._connection = _Connection(self._kubeconfig)
                weakref.finalize(self, self._connection.close)
            return self._connection


class _Connection:
    """An event loop in a thread of its own, and a session over it."""

    def __init__(self, kubeconfig: str) -> None:
        self.pid = os.getpid()
        self._kubeconfig = kubeconfig
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="api")
        self._thread.start()
        self._opened: tuple[aiohttp.ClientSession, Configuration] | None = None
        self._opening = asyncio.Lock()

    def start(self, work: Coroutine[None, None, _T]) -> Future[_T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[None, None, _T], seconds: float) -> _T:
        future = self.start(work)
        try:
            return future.result(seconds + CONNECT_SECONDS + 5)
        except TimeoutError as error:
            future.cancel()
            raise ClusterUnavailable("the Kubernetes API does not answer") from error

    async def send(self, request: Request) -> Answer:
        """One call, a read once more where its connection broke."""
        import aiohttp

        broken = (ConnectionError, aiohttp.ClientConnectionError)
        try:
            return await self._send(request)
        except ClusterUnavailable as trouble:
            if request.method != "GET" or not isinstance(trouble.__cause__, broken):
                raise
        return await self._send(request)

    async def read_parts(
        self, request: Request, came: SimpleQueue[bytes | ClusterUnavailable | None]
    ) -> None:
        """Every part, then None; what went wrong instead of it."""
        try:
            async with self._asked(request) as answer:
                if answer.status != HTTPStatus.OK:
                    raise Refusal(_read(answer.status, answer.headers, await answer.read()))
                async for part in answer.content.iter_any():
                    came.put(part)
            came.put(None)
        except ClusterUnavailable as trouble:
            came.put(trouble)

    async def _send(self, request: Request) -> Answer:
        async with self._asked(request) as answer:
            return _read(answer.status, answer.headers, await answer.read())

    @asynccontextmanager
    async def _asked(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        import aiohttp

        session, configuration = await self._open()
        try:
            async with session.request(
                request.method,
                str(configuration.host) + request.path,
                params=request.query,
                data=None if request.body is None else json.dumps(request.body).encode(),
                headers=await self._headers(configuration, request),
                timeout=aiohttp.ClientTimeout(
                    total=request.seconds,
                    sock_connect=min(CONNECT_SECONDS, request.silent_seconds or CONNECT_SECONDS),
                    sock_read=request.silent_seconds,
                ),
            ) as answer:
                yield answer
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            why = str(error) or type(error).__name__
            raise ClusterUnavailable(f"the Kubernetes API does not answer: {why}") from error

    @staticmethod
    async def _headers(configuration: Configuration, request: Request) -> dict[str, str]:
        headers = {"Accept": request.accept}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        # It renews what is about to expire.
        token = await configuration.get_api_key_with_prefix("BearerToken")
        return headers | ({"Authorization": token} if token else {})

    async def _open(self) -> tuple[aiohttp.ClientSession, Configuration]:
        import aiohttp

        async with self._opening:
            if self._opened is None:
                configuration = await _configuration(self._kubeconfig)
                connector = aiohttp.TCPConnector(limit=0, ssl=_tls(configuration))
                self._opened = aiohttp.ClientSession(connector=connector), configuration
            return self._opened

    def close(self) -> None:
        if self.pid != os.getpid() or self._loop.is_closed():
            return
        if self._opened is not None:
            self.run(self._opened[0].close(), ANSWER_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_SECONDS)
        self._loop.close()


async def _all(
    connection: _Connection,
    requests: Sequence[Request],
    bounds: tuple[int, float | None],
    answers: SimpleQueue[tuple[int, Answer | ClusterUnavailable]],
) -> None:
    in_flight, within = bounds
    free = asyncio.Semaphore(in_flight)
    end = None if within is None else asyncio.get_running_loop().time() + within

    async def one(place: int, request: Request) -> None:
        async with free:
            try:
                async with asyncio.timeout_at(end):
                    answer = await connection.send(request)
                answers.put((place, answer))
            except TimeoutError:
                answers.put((place, ClusterUnavailable("the time for all of the calls is over")))
            except ClusterUnavailable as trouble:
                answers.put((place, trouble))
            except Exception as error:  # noqa: BLE001  # whoever waits for the answer gets one
                answers.put((place, ClusterUnavailable(f"the call could not be made: {error!r}")))

    await asyncio.gather(*(one(place, request) for place, request in enumerate(requests)))


async def _configuration(kubeconfig: str) -> Configuration:
    from kubernetes.aio import config
    from kubernetes.aio.client import Configuration

    found = Configuration()
    try:
        if kubeconfig:
            await config.load_kube_config(kubeconfig, client_configuration=found)  # type: ignore[no-untyped-call]  # theirs is untyped
        else:
            config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]  # likewise
    except (config.ConfigException, OSError) as error:
        raise ClusterUnavailable(
            f"no credentials for the Kubernetes API: {error}",
            remedy="set SENTINELS_KUBECONFIG, or run it in the cluster with a service account",
        ) from error
    return found


def _tls(configuration: Configuration) -> ssl.SSLContext | bool:
    if not str(configuration.host).startswith("https"):
        return True
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _read(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    try:
        date = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        date = utc_now()
    wait = headers.get("Retry-After", "")
    return Answer(status, body, date, float(wait) if wait.isdecimal() else None)
