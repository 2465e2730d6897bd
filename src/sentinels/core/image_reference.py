"""Image references: what a container image may be called, and the name a job gets from it.

The grammar is the distribution project's (reference/regexp.go): host[:port]/path[:tag][@digest].
Comes in: what the user typed. Goes out: whether it is one, and a default name.
"""

from __future__ import annotations

import re

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = (
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
_REFERENCE = re.compile(
    rf"(?:{_HOST}(?::[0-9]{{1,5}})?/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
IMAGE_LIMIT = 1000


def is_directory(image: str) -> bool:
    """Whether it names a directory of code: an absolute path."""
    return image.startswith("/")


def is_container_image(image: str) -> bool:
    """Whether it is a well-formed reference of a container image."""
    return _REFERENCE.fullmatch(image) is not None


HUB = "docker.io"
"""The registry of an image that names none."""


def registry_of(image: str) -> tuple[str, str, str]:
    """The registry, the repository in it and the tag or digest that an image's name means."""
    name, _, digest = image.partition("@")
    first, slash, rest = untagged(image).partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    host, repository = (first, rest) if is_host else (HUB, untagged(image))
    if host in (HUB, "index.docker.io"):
        host, repository = HUB, repository if "/" in repository else f"library/{repository}"
    tag = name.removeprefix(untagged(image)).removeprefix(":")
    return host, repository, digest or tag or "latest"


def untagged(image: str) -> str:
    """A container image's repository: without its tag and its digest."""
    name = image.partition("@")[0]
    path, slash, last = name.rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}"


def default_name(image: str) -> str:
    """A job's name from its image: the directory's, or the repository's last part."""
    if is_directory(image):
        last = image.rstrip("/").rpartition("/")[2]
    else:
        last = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-._")[:63].rstrip("-._")
    if not cleaned:
        return "job"
    # A name of digits would be taken for a job's id.
    return f"job-{cleaned[:59]}" if cleaned.isdigit() else cleaned
