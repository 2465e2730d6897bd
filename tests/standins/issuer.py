"""An issuer of OpenID Connect, as far as its tokens are checked: its configuration, its keys."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

AUDIENCE = "sentinels"
_CONFIGURATION = "/realm/.well-known/openid-configuration"


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class IssuerStandIn:
    """Serves while it is entered. ``keys`` are by name; ``asked`` are the paths that were asked."""

    keys: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = field(
        default_factory=lambda: {"one": rsa_key()}
    )
    asked: list[str] = field(default_factory=list)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def __enter__(self) -> IssuerStandIn:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stand_in.asked.append(self.path)
                status, body = stand_in.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/realm"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def answer(self, path: str) -> tuple[int, bytes]:
        if path in self.answers:
            return self.answers[path]
        if path == _CONFIGURATION:
            told = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
            return 200, json.dumps(told).encode()
        if path == "/realm/keys":
            return 200, json.dumps({"keys": [self.public(kid) for kid in self.keys]}).encode()
        return 404, b"{}"

    def public(self, kid: str) -> dict[str, Any]:
        """A key as the issuer tells it."""
        key = self.keys[kid].public_key()
        algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPublicKey) else None
        made = (algorithm or jwt.algorithms.ECAlgorithm).to_jwk(key, as_dict=True)  # type: ignore[arg-type]  # each its own keys
        return {**made, "kid": kid, "use": "sig"}

    def public_pem(self, kid: str) -> bytes:
        return (
            self.keys[kid]
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )

    def token(
        self,
        *,
        kid: str = "one",
        algorithm: str = "RS256",
        key: Any = None,
        without: tuple[str, ...] = (),
        **claims: object,
    ) -> str:
        """A token of its making; ``key`` signs instead of the one of this name."""
        now = int(time.time())
        whole: Mapping[str, object] = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ann",
            "iat": now,
            "exp": now + 300,
            **claims,
        }
        told = {name: value for name, value in whole.items() if name not in without}
        signing = self.keys[kid] if key is None else key
        return jwt.encode(told, signing, algorithm=algorithm, headers={"kid": kid})
