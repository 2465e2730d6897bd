"""What a runner sends when its program has ended: the output files, and the hint to notify.

Standard library only, bounded in time; a failure is an answer, never an exception. Comes in: a
folder and addresses. Goes out: PUTs to the tracker's artifact proxy, one CloudEvent. Next:
``functions/notify``.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

_CONNECT_SECONDS = 5.0
_SILENT_SECONDS = 60.0
WORKLOAD_ENDED = "dev.sentinels.workload.ended"


def send_outputs(output: Path, outputs_url: str) -> tuple[int, str | None]:
    """PUT every regular file; how many arrived, and what went wrong with the first that did not.

    A tracker in trouble is left alone at once; a single file that it refuses is passed over.
    """
    sent, trouble = 0, None
    for path, name in _files(output):
        try:
            status = _put(outputs_url, name, path)
        except PermissionError as error:
            trouble = trouble or f"{name}: {error.strerror}"
            continue
        except (OSError, http.client.HTTPException) as error:
            return sent, f"{name}: {str(error) or type(error).__name__}"
        if status >= 500:
            return sent, f"{name}: the tracker answered {status}"
        if status >= 300:
            trouble = trouble or f"{name}: the tracker answered {status}"
            continue
        sent += 1
    return sent, trouble


def send_event(notify_url: str, *, name: str, job_id: int, attempt: int) -> bool:
    """Hint that the workload ended; whether the hint was taken."""
    headers = {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": str(uuid4()),
        "ce-type": WORKLOAD_ENDED,
        "ce-source": "/sentinels/runner",
        "ce-subject": name,
    }
    body = json.dumps({"job_id": job_id, "attempt": attempt}).encode()
    try:
        return _request("POST", notify_url, headers, body) < 300
    except (OSError, http.client.HTTPException):
        return False


def _files(output: Path) -> Iterator[tuple[Path, str]]:
    for folder, folders, names in os.walk(output, followlinks=False):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path, path.relative_to(output).as_posix()


def _put(outputs_url: str, name: str, path: Path) -> int:
    with path.open("rb") as body:
        size = os.fstat(body.fileno()).st_size
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        return _request(
            "PUT", f"{outputs_url.rstrip('/')}/{quote(os.fsencode(name))}", headers, body
        )


def _request(method: str, url: str, headers: dict[str, str], body: object) -> int:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_CONNECT_SECONDS)
    try:
        connection.connect()
        connection.sock.settimeout(_SILENT_SECONDS if method == "PUT" else _CONNECT_SECONDS)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body=body, headers=headers)  # type: ignore[arg-type]  # a file or bytes
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()
