"""Kubernetes vouches for service accounts: TokenReview, with the audience that a token must be for.

What it said is believed for half a minute. Comes in: a token. Goes out: an ``Identity``, or in
words what is wrong. Before: ``functions/submit``. Next: ``api``, ``core/identity``.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

from sentinels.clusters.kubernetes.api import Answer, Api, Request
from sentinels.clusters.kubernetes.launch import message_of
from sentinels.clusters.kubernetes.names import at, text_at
from sentinels.core.errors import ClusterUnavailable, IssuerUnavailable, UnknownCaller
from sentinels.core.identity import AccountRule, Identity, from_account
from sentinels.core.ports import Json

_PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
_SECONDS = 5.0
_FRESH_SECONDS = 30.0
_KEPT = 1000


class TokenReviewer:
    """One API server, which knows its service accounts."""

    def __init__(
        self,
        api: Api,
        audience: str,
        rules: Sequence[AccountRule],
        *,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """Tokens for this audience; the rules say who may come."""
        self._api, self._audience, self._rules = api, audience, rules
        self._stopwatch, self._lock = stopwatch, threading.Lock()
        self._known: dict[bytes, tuple[float, str]] = {}

    def knows(self, issuer: str) -> bool:
        """See ``Voucher.knows``: only the API server can tell; so this one is asked last."""
        return bool(issuer)

    def identify(self, token: str) -> Identity:
        """See ``Voucher.identify``."""
        digest, now = hashlib.sha256(token.encode()).digest(), self._stopwatch()
        with self._lock:
            said_at, username = self._known.get(digest, (float("-inf"), ""))
        if now - said_at > _FRESH_SECONDS:
            username = self._username(self._asked(token))
            self._keep(digest, now, username)
        return from_account(username, self._rules)

    def _keep(self, digest: bytes, now: float, username: str) -> None:
        with self._lock:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[digest] = (now, username)

    def _asked(self, token: str) -> Answer:
        body: Json = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [self._audience]},
        }
        try:
            return self._api.request(Request("POST", _PATH, body=body, seconds=_SECONDS))
        except ClusterUnavailable as error:
            raise IssuerUnavailable(str(error), remedy=error.remedy) from error

    def _username(self, answer: Answer) -> str:
        if answer.status != HTTPStatus.CREATED:
            raise IssuerUnavailable(
                f"Kubernetes does not review tokens for Sentinels: {message_of(answer)}",
                remedy="an administrator: kubectl apply -f knative/accounts.yaml",
            )
        audiences = at(answer.json, "status", "audiences")
        meant = isinstance(audiences, list) and self._audience in audiences
        if at(answer.json, "status", "authenticated") is True and meant:
            return text_at(answer.json, "status", "user", "username")
        why = text_at(answer.json, "status", "error") or "it does not say why"
        raise UnknownCaller(
            f"Kubernetes does not know this token for the audience {self._audience!r}: {why[:300]}",
            remedy=f"get one: kubectl create token ACCOUNT --audience {self._audience}",
        )
