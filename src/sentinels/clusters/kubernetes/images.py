"""Container images as a submission names them: ``core.ports.ImageStore``.

The registry is asked with what the team's pods pull with, and what it says is pinned: a job runs
what its tag meant when it was pushed. Where it is silent the image goes on as it is named, and the
node's runtime finds out. Comes in: what the user typed. Goes out: an ``Image``. Before:
``core/preflight``. Next: ``secrets``, ``services/registry``, ``manifest``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from sentinels.core.errors import (
    ClusterUnavailable,
    Conflict,
    Fault,
    InvalidSubmission,
    NotAllowed,
    NotFound,
    Unavailable,
)
from sentinels.core.image_reference import is_directory, registry_of, untagged
from sentinels.core.ports import Content, Login, Program, Unpinned
from sentinels.core.workload import Image, ImageKind

_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")
EVERY = "*"

Find = Callable[[str, Sequence[Login]], Content]
"""``Registry.find``."""
Within = Callable[[Callable[[], Content]], Content]
"""Calls within bounded time. Raises ``Unavailable`` where it is over."""


class ReferenceImageStore:
    """Every reference that can name a container image."""

    def __init__(
        self,
        find: Find,
        logins: Callable[[str], Sequence[Login]],
        *,
        within: Within = lambda call: call(),
        unchecked: Collection[str] = (),
    ) -> None:
        """``logins`` are a team's; images of ``unchecked`` hosts (``*``: all) are not looked up."""
        self._within = within
        self._find = find
        self._logins = logins
        self._unchecked = frozenset(unchecked)

    def resolve(self, reference: str, *, team: str = "default") -> Image:
        """See ``ImageStore.resolve``."""
        if is_directory(reference):
            message = "a cluster runs container images; this is a directory"
            remedy = "build an image of it and push that to your registry"
            raise _refusal(message, reference, remedy)
        named = _as_named(reference)
        host, _, _ = registry_of(reference)
        if self._unchecked & {EVERY, host}:
            return named
        try:
            found = self._within(lambda: self._look_up(reference, team))
        except NotFound as absent:
            remedy = "push it there, or correct the name: sentinels push HOST/TEAM/IMAGE:TAG"
            raise _refusal(str(absent), reference, remedy) from absent
        except NotAllowed as denied:
            raise _refusal(str(denied), reference, _pull_secret(team)) from denied
        except Unavailable as trouble:
            raise Unpinned(f"the image is taken as it is named: {trouble}", named) from trouble
        return _pinned(named, found.digest, found.architectures)

    def pin(self, image: Image, *, seen: str | None) -> Image:
        """See ``ImageStore.pin``; that the registry still has it, the node's runtime finds out."""
        if image.digest is not None:
            return image
        found = _DIGEST.search(seen or "")
        if found is None:
            raise Conflict(
                f"nothing tells what exactly {image.reference} was: it was named by its tag, and no"
                " node has said what it ran",
                remedy="take what the tag means now: --by-tag",
            )
        return _pinned(image, found[1])

    def program(self, image: Image, command: Sequence[str] | None) -> Program | None:  # noqa: ARG002  # the port's
        """See ``ImageStore.program``: an image's files are not looked at."""
        return None

    def _look_up(self, reference: str, team: str) -> Content:
        try:
            logins, silent = self._logins(team), None
        except ClusterUnavailable as trouble:
            logins, silent = (), trouble  # many an image needs no login
        try:
            return self._find(reference, logins)
        except NotAllowed:
            if silent is not None:
                raise silent from None
            raise


def _as_named(reference: str) -> Image:
    found = _DIGEST.search(reference)
    return Image(ImageKind.CONTAINER, reference, found.group(1) if found else None, reference)


def _pinned(image: Image, digest: str, architectures: tuple[str, ...] = ()) -> Image:
    location = f"{untagged(image.reference)}@{digest}"
    return replace(image, digest=digest, location=location, architectures=architectures)


def _pull_secret(team: str) -> str:
    return (
        f"correct the name, or give team {team} a pull secret: kubectl create secret"
        " docker-registry, named in imagePullSecrets of its namespace's default service account"
    )


def _refusal(message: str, reference: str, remedy: str) -> InvalidSubmission:
    return InvalidSubmission([Fault("image", message, value=reference, remedy=remedy)])
