"""An image registry over the OCI distribution API: ``core.ports.Registry``.

The name is asked for with a HEAD, which no registry counts as a pull; what an image is built for is
read once for each digest. Whoever pushes chooses the host, so nothing that it answers is shown,
only HTTPS is spoken unless the administrator lists the host, and a login is sent to where it
belongs. Comes in: a reference, logins. Goes out: its content, or why there is none. Before:
``functions/sites``. Next: ``registry_login``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus

import httpx

from sentinels.core.errors import NotAllowed, NotFound, RegistryUnavailable
from sentinels.core.image_reference import HUB, registry_of
from sentinels.core.ports import Content, Login
from sentinels.services.registry_login import authorization, login_for

_HUB_HOST = "registry-1.docker.io"
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPT = {"Accept": ", ".join(_MANIFESTS)}
_BODY_LIMIT = 4 * 2**20
_REDIRECTS = 3
_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class OciRegistry:
    """Every registry that an image may name."""

    def __init__(self, *, insecure: Collection[str] = (), seconds: float = 1.5) -> None:
        """``insecure`` hosts are asked over HTTP; each answer may take so many seconds."""
        self._insecure = frozenset(insecure)
        self._http = httpx.Client(timeout=seconds, follow_redirects=False)
        self._built_for = lru_cache(maxsize=4096)(self._read_architectures)

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def find(self, reference: str, logins: Sequence[Login]) -> Content:
        """See ``Registry.find``."""
        host, repository, wanted = registry_of(reference)
        asking = _Asking(self._http, host, repository, secure=host not in self._insecure)
        login = login_for(logins, host, repository)
        digest = asking.head(wanted, login)
        try:
            return Content(digest, self._built_for(asking, digest))
        except RegistryUnavailable:
            return Content(digest, ())  # that it is there is known

    @staticmethod
    def _read_architectures(asking: _Asking, digest: str) -> tuple[str, ...]:
        manifest = asking.get(f"manifests/{digest}")
        listed = manifest.get("manifests")
        if isinstance(listed, list):
            platforms = [each.get("platform") for each in listed if isinstance(each, dict)]
        else:
            config = manifest.get("config")
            blob = config.get("digest") if isinstance(config, dict) else None
            platforms = [asking.get(f"blobs/{blob}")] if blob else []
        found = {_architecture(each) for each in platforms if isinstance(each, dict)}
        return tuple(sorted(found - {""}))


def _architecture(platform: Mapping[str, object]) -> str:
    """Of what runs on Linux; an attestation is for nothing."""
    name = platform.get("architecture")
    is_one = platform.get("os") == "linux" and isinstance(name, str) and name != "unknown"
    return str(name) if is_one else ""


class _Asking:
    """Questions about one repository; equal to another about the same, for what is kept."""

    def __init__(self, http: httpx.Client, host: str, repository: str, *, secure: bool) -> None:
        self._http, self._host, self._repository = http, host, repository
        self._secure, self._authorization = secure, ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asking) and self._whole == other._whole

    def __hash__(self) -> int:
        return hash(self._whole)

    @property
    def _whole(self) -> tuple[str, str]:
        return self._host, self._repository

    def head(self, wanted: str, login: Login | None) -> str:
        """The digest of a tag or digest."""
        answer = self._send("HEAD", f"manifests/{wanted}")
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            self._authorization = self._authorized(answer, login)
            answer = self._send("HEAD", f"manifests/{wanted}") if self._authorization else answer
        self._check(answer, wanted)
        digest = str(answer.headers.get("Docker-Content-Digest", ""))
        if not digest.startswith("sha256:"):
            raise RegistryUnavailable(f"the registry {self._host} does not say what {wanted} is")
        return digest

    def get(self, path: str) -> Mapping[str, object]:
        """A manifest or a blob that is JSON; an empty one where it is none."""
        answer = self._send("GET", path)
        self._check(answer, path)
        try:
            found = json.loads(answer.content)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def _authorized(self, answer: httpx.Response, login: Login | None) -> str:
        challenge = answer.headers.get("WWW-Authenticate", "")
        scope = f"repository:{self._repository}:pull"
        try:
            return authorization(self._http, challenge, login, scope=scope, secure=self._secure)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._silent(error) from error

    def _send(self, method: str, path: str) -> httpx.Response:
        scheme = "https" if self._secure else "http"
        host = _HUB_HOST if self._host == HUB else self._host
        url = httpx.URL(f"{scheme}://{host}/v2/{self._repository}/{path}")
        try:
            return self._followed(method, url)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._silent(error) from error

    def _followed(self, method: str, url: httpx.URL) -> httpx.Response:
        """A blob may lie elsewhere, to which no login is sent."""
        own = url.host
        for _ in range(_REDIRECTS):
            headers = dict(_ACCEPT)
            if self._authorization and url.host == own:
                headers["Authorization"] = self._authorization
            answer = _limited(self._http, method, url, headers)
            if not answer.has_redirect_location:
                return answer
            url = url.join(answer.headers["Location"])
            if self._secure and url.scheme != "https":
                break
        raise RegistryUnavailable(f"the registry {self._host} leads nowhere")

    def _silent(self, error: Exception) -> RegistryUnavailable:
        why = str(error) or type(error).__name__
        return RegistryUnavailable(f"the registry {self._host} does not answer: {why}")

    def _check(self, answer: httpx.Response, wanted: str) -> None:
        status = answer.status_code
        if status in _DENIED:
            raise NotAllowed(f"the registry {self._host} does not let us see {self._repository}")
        if status == HTTPStatus.NOT_FOUND:
            raise NotFound(f"the registry {self._host} has no {wanted} of {self._repository}")
        if not answer.is_success:
            raise RegistryUnavailable(f"the registry {self._host} answers {status}")


def _limited(
    http: httpx.Client, method: str, url: httpx.URL, headers: Mapping[str, str]
) -> httpx.Response:
    """An answer, whose body is left out where it is too large to be what was asked for."""
    with http.stream(method, url, headers=headers) as answer:
        body = b""
        for part in answer.iter_bytes():
            body += part
            if len(body) > _BODY_LIMIT:
                body = b""
                break
    kept = {name: value for name, value in answer.headers.items() if name != "content-encoding"}
    return httpx.Response(answer.status_code, headers=kept, content=body)
