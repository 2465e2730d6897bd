"""A workload's output files on their way to the tracker, the same for every cluster.

Standard library only. Comes in: a folder, and the address below which its files are PUT. Goes out:
a request a file, and which did not arrive and why. Next: ``local/runner`` sends them when its
program has ended, ``kubernetes/sidecar`` when it is told that the workload has.
"""

from __future__ import annotations

import http.client
import os
import stat
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

_CONNECT_SECONDS = 5.0
_SILENT_SECONDS = 60.0
_BLOCK_BYTES = 2**16
_WORTH_REPEATING = frozenset({408, 425, 429})


class Refused(Exception):
    """A file cannot be read, or the tracker does not take it: another try changes nothing."""


class TrackerInTrouble(Exception):
    """The tracker did not answer, or not sensibly: another moment may bring another answer."""


def send_outputs(output: Path, outputs_url: str) -> tuple[int, str | None]:
    """PUT every regular file; how many arrived, and what went wrong with the first that did not.

    A tracker in trouble is left alone at once; a single file that it refuses is passed over.
    """
    sent = 0
    missing: list[str] = []
    for name in file_names(output, missing.append):
        try:
            put_file(output, name, outputs_url)
        except Refused as refused:
            missing.append(str(refused))
        except TrackerInTrouble as trouble:
            return sent, str(trouble)
        else:
            sent += 1
    return sent, missing[0] if missing else None


def file_names(output: Path, missed: Callable[[str], None]) -> Iterator[str]:
    """The regular files below ``output``, in a fixed order and relative to it; no link is followed.

    ``missed`` is told, in one sentence each, what is there and could not be looked at.
    """

    def unreadable(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            missed(_sentence(os.path.relpath(error.filename, output), error))

    for folder, folders, names in os.walk(output, onerror=unreadable):
        folders.sort()
        for name in sorted(names):
            path = f"{folder}/{name}"
            try:
                if stat.S_ISREG(os.lstat(path).st_mode):
                    yield os.path.relpath(path, output)
            except OSError as error:
                unreadable(error)


def put_file(output: Path, name: str, outputs_url: str) -> None:
    """PUT the file ``name`` of the folder. Raises ``Refused`` or ``TrackerInTrouble``."""
    url = f"{outputs_url.rstrip('/')}/{quote(os.fsencode(name))}"
    try:
        body = (output / name).open("rb")
    except OSError as error:
        raise Refused(_sentence(name, error)) from error
    with body:
        headers = {
            "Content-Length": str(os.fstat(body.fileno()).st_size),
            "Content-Type": "application/octet-stream",
        }
        try:
            status = request("PUT", url, headers, body, silent_seconds=_SILENT_SECONDS)
        except (OSError, http.client.HTTPException) as error:
            raise TrackerInTrouble(_sentence(name, error)) from error
    if status >= 500 or status in _WORTH_REPEATING:
        raise TrackerInTrouble(f"{_shown(name)}: the tracker answered {status}")
    if status >= 300:
        raise Refused(f"{_shown(name)}: the tracker answered {status}")


def request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: BinaryIO | bytes,
    *,
    silent_seconds: float = _CONNECT_SECONDS,
) -> int:
    """One request over a connection of its own; the status of its answer.

    Raises ``OSError`` or ``http.client.HTTPException``; the other side may be silent for
    ``silent_seconds``.
    """
    return exchange(method, url, headers, body, silent_seconds=silent_seconds)[0]


def exchange(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: BinaryIO | bytes,
    *,
    silent_seconds: float = _CONNECT_SECONDS,
) -> tuple[int, bytes]:
    """The same, and what was answered."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connect_seconds = min(_CONNECT_SECONDS, silent_seconds)
    connection = kind(
        parts.hostname or "", parts.port, timeout=connect_seconds, blocksize=_BLOCK_BYTES
    )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.connect()
        connection.sock.settimeout(silent_seconds)
        # Who does not want a body may answer and close before it has come: the answer is there.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, target, body=body, headers={**_login(parts), **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _login(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    words = b":".join(unquote_to_bytes(word or "") for word in (parts.username, parts.password))
    return {"Authorization": f"Basic {b64encode(words).decode()}"}


def _sentence(name: str, error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) else None
    return f"{_shown(name)}: {why or str(error) or type(error).__name__}"


def _shown(name: str) -> str:
    text = os.fsencode(name).decode(errors="replace")
    return text if len(text) <= 120 else f"…{text[-119:]}"
