"""A real image registry on loopback, with nobody, a password or a token issuer at its door.

The registry is the distribution project's own program. The issuer is ours: it speaks the protocol
over HTTP and signs real tokens, which the registry checks against its certificate.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sentinels.clusters.kubernetes.images import EVERY, ReferenceImageStore
from sentinels.core.ports import Content, Login
from tests.cluster.programs import need

USER, PASSWORD = "vision", "pull-me"
_HASHED = "$2b$05$abcdefghijklmnopqrstuuBp.n58v886n7kD7.z9i0nzqxtQ8I2P."
"""The password by bcrypt."""
_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_ISSUER, _SERVICE = "sentinels-tests", "registry-for-tests"


def unasked() -> ReferenceImageStore:
    """A store that asks no registry."""

    def find(reference: str, logins: Sequence[Login]) -> Content:
        raise AssertionError(f"{reference} was looked up")

    return ReferenceImageStore(find, lambda _: (), unchecked={EVERY})


@dataclass
class Registry:
    """``push`` into it; ``host`` is the name in references."""

    host: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def push(self, name: str, *architectures: str) -> str:
        """Have an image for these processors, an index where there are several; its digest."""
        repository, _, tag = name.partition(":")
        manifests = [self._image(repository, each) for each in architectures]
        if len(manifests) == 1:
            return self._put(repository, tag, _MANIFEST, manifests[0])
        listed = [
            {
                "mediaType": _MANIFEST,
                "digest": self._put(repository, _digest(manifest), _MANIFEST, manifest),
                "size": len(manifest),
                "platform": {"os": "linux", "architecture": architecture},
            }
            for manifest, architecture in zip(manifests, architectures, strict=True)
        ]
        index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": listed}
        return self._put(repository, tag, _INDEX, json.dumps(index).encode())

    def _image(self, repository: str, architecture: str) -> bytes:
        config = json.dumps(
            {
                "architecture": architecture,
                "os": "linux",
                "rootfs": {"type": "layers", "diff_ids": []},
            }
        ).encode()
        began = self._ask("POST", f"/v2/{repository}/blobs/uploads/")
        where = httpx.URL(began.headers["Location"]).copy_merge_params({"digest": _digest(config)})
        self._ask("PUT", str(where), content=config)
        described = {"mediaType": _CONFIG, "digest": _digest(config), "size": len(config)}
        whole = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": described, "layers": []}
        return json.dumps(whole).encode()

    def _put(self, repository: str, name: str, kind: str, manifest: bytes) -> str:
        path = f"/v2/{repository}/manifests/{name}"
        answer = self._ask("PUT", path, content=manifest, headers={"Content-Type": kind})
        return str(answer.headers["Docker-Content-Digest"])

    def _ask(
        self,
        method: str,
        path: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] = {},
    ) -> httpx.Response:
        url = httpx.URL(f"http://{self.host}").join(path)
        answer = httpx.request(
            method, url, content=content, headers={**self.headers, **headers}, timeout=10
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@contextmanager
def open_registry(folder: Path) -> Iterator[Registry]:
    """One that lets everybody in."""
    with _running(folder, {}) as host:
        yield Registry(host)


@contextmanager
def guarded_registry(folder: Path) -> Iterator[Registry]:
    """One that asks for a password (Basic)."""
    file = folder / "htpasswd"
    file.write_text(f"{USER}:{_HASHED}\n")
    auth = {"htpasswd": {"realm": "tests", "path": str(file)}}
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    with _running(folder, auth) as host:
        yield Registry(host, {"Authorization": f"Basic {pair}"})


@contextmanager
def token_registry(folder: Path) -> Iterator[tuple[Registry, Issuer]]:
    """One that asks for a token (Bearer) of an issuer, which asks for a password."""
    issuer = Issuer()
    certificate = folder / "issuer.pem"
    certificate.write_bytes(issuer.certificate)
    with issuer.serving() as realm:
        auth = {
            "token": {
                "realm": realm,
                "service": _SERVICE,
                "issuer": _ISSUER,
                "rootcertbundle": str(certificate),
            }
        }
        with _running(folder, auth) as host:
            yield Registry(host, {}), issuer


class Issuer:
    """Gives tokens; ``asked`` are the scopes and who asked for them."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.asked: list[tuple[str, bool]] = []

    @property
    def certificate(self) -> bytes:
        """What the registry knows its tokens by."""
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _ISSUER)])
        now = datetime.now(UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .sign(self._key, hashes.SHA256())
        )
        return built.public_bytes(Encoding.PEM)

    def token(self, repository: str, *actions: str) -> str:
        """A JWT for a repository."""
        now = int(time.time())
        claims = {
            "iss": _ISSUER,
            "sub": USER,
            "aud": _SERVICE,
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": str(now),
            "access": [{"type": "repository", "name": repository, "actions": list(actions)}],
        }
        head = {"typ": "JWT", "alg": "ES256", "kid": self._key_id()}
        signed = f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(claims).encode())}"
        der = self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        r, s = utils.decode_dss_signature(der)
        return f"{signed}.{_b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def _key_id(self) -> str:
        der = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        text = base64.b32encode(hashlib.sha256(der).digest()[:30]).decode()
        return ":".join(text[at : at + 4] for at in range(0, 48, 4))

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its address."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                scope = query["scope"][0]
                pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                known = self.headers.get("Authorization") == f"Basic {pair}"
                issuer.asked.append((scope, known))
                _, repository, actions = scope.split(":")
                token = issuer.token(repository, *(actions.split(",") if known else ()))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps({"token": token}).encode())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        with _served(Handler) as port:
            yield f"http://127.0.0.1:{port}/token"


@contextmanager
def slow_registry(seconds: float) -> Iterator[str]:
    """Something that takes its time; its host."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            time.sleep(seconds)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with _served(Handler) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def _served(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@contextmanager
def _running(folder: Path, auth: Mapping[str, object]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        host = f"127.0.0.1:{found.getsockname()[1]}"
    config = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "content")}},
        "http": {"addr": host},
        **({"auth": auth} if auth else {}),
    }
    file = folder / "config.yml"
    file.write_text(json.dumps(config))
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            [need("docker-registry"), "serve", str(file)], stdout=log, stderr=log
        )
    try:
        _await(f"http://{host}/v2/", process)
        yield host
    finally:
        process.kill()
        process.wait(10)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        assert process.poll() is None, "the registry ended"
        try:
            httpx.get(url, timeout=2)
        except httpx.HTTPError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("the registry does not answer")


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
