"""Images as real registries have them: open, behind a password, behind a token issuer, silent."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from sentinels.clusters.kubernetes.images import ReferenceImageStore
from sentinels.core.errors import InvalidSubmission, NotAllowed, NotFound, RegistryUnavailable
from sentinels.core.ports import Login, Unpinned
from sentinels.functions.bounded import bounded
from sentinels.services.registry import OciRegistry
from tests.cluster.programs import NoPrograms, need
from tests.services.conftest import do_without
from tests.support.registries import (
    PASSWORD,
    USER,
    Registry,
    guarded_registry,
    open_registry,
    slow_registry,
    token_registry,
)


@pytest.fixture(autouse=True)
def program() -> None:
    try:
        need("docker-registry")
    except NoPrograms as why:
        do_without(str(why))


@contextmanager
def asking(*insecure: str) -> Iterator[OciRegistry]:
    registry = OciRegistry(insecure=insecure)
    try:
        yield registry
    finally:
        registry.close()


def login(place: str, password: str = PASSWORD) -> Sequence[Login]:
    return [Login("elsewhere.example", "other", "x"), Login(place, USER, password)]


@pytest.fixture
def anybodys(tmp_path: Path) -> Iterator[Registry]:
    with open_registry(tmp_path) as registry:
        yield registry


def test_a_tag_is_its_digest_and_the_processors_that_it_is_built_for(anybodys: Registry) -> None:
    one, several = (
        anybodys.push("team/one:1", "arm64"),
        anybodys.push("team/all:2", "amd64", "arm64"),
    )
    with asking(anybodys.host) as registry:
        found = registry.find(f"{anybodys.host}/team/one:1", [])
        assert (found.digest, found.architectures) == (one, ("arm64",))
        found = registry.find(f"{anybodys.host}/team/all:2", [])
        assert (found.digest, found.architectures) == (several, ("amd64", "arm64"))
        assert registry.find(f"{anybodys.host}/team/all@{several}", []) == found


def test_what_a_registry_has_not_is_not_found(anybodys: Registry) -> None:
    anybodys.push("team/one:1", "amd64")
    with asking(anybodys.host) as registry:
        for name in ("team/one:2", "team/none:1", f"team/one@sha256:{'0' * 64}"):
            with pytest.raises(NotFound):
                registry.find(f"{anybodys.host}/{name}", [])


def test_a_password_is_sent_only_where_it_belongs(tmp_path: Path) -> None:
    with guarded_registry(tmp_path) as guarded, asking(guarded.host) as registry:
        digest = guarded.push("team/one:1", "amd64")
        name = f"{guarded.host}/team/one:1"
        for place in (guarded.host, f"https://{guarded.host}/v1/", f"{guarded.host}/team"):
            assert registry.find(name, login(place)).digest == digest
        for logins in ([], login(guarded.host, "wrong"), login(f"{guarded.host}/tea")):
            with pytest.raises(NotAllowed):
                registry.find(name, logins)


def test_a_token_is_fetched_with_the_password_and_opens_one_repository(tmp_path: Path) -> None:
    with token_registry(tmp_path) as (closed, issuer), asking(closed.host) as registry:
        closed.headers = {"Authorization": f"Bearer {issuer.token('team/one', 'pull', 'push')}"}
        digest = closed.push("team/one:1", "amd64", "arm64")
        name = f"{closed.host}/team/one:1"
        found = registry.find(name, login(closed.host))
        assert (found.digest, found.architectures) == (digest, ("amd64", "arm64"))
        assert issuer.asked == [("repository:team/one:pull", True)]
        with pytest.raises(NotAllowed):
            registry.find(name, [])
        with pytest.raises(NotFound):
            registry.find(f"{closed.host}/team/one:2", login(closed.host))


def test_https_is_spoken_unless_the_registry_is_listed(anybodys: Registry) -> None:
    anybodys.push("team/one:1", "amd64")
    with asking() as registry, pytest.raises(RegistryUnavailable):
        registry.find(f"{anybodys.host}/team/one:1", [])


def test_a_refusal_says_what_to_do_and_silence_is_none(tmp_path: Path) -> None:
    with guarded_registry(tmp_path) as guarded, asking(guarded.host) as registry:
        digest = guarded.push("team/one:1", "amd64")
        name = f"{guarded.host}/team/one"
        known = ReferenceImageStore(registry.find, lambda _: login(guarded.host))
        image = known.resolve(f"{name}:1", team="vision")
        assert (image.digest, image.location) == (digest, f"{name}@{digest}")
        assert image.architectures == ("amd64",)
        with pytest.raises(InvalidSubmission, match="has no 2 of team/one"):
            known.resolve(f"{name}:2", team="vision")
        unknown = ReferenceImageStore(registry.find, lambda _: ())
        with pytest.raises(InvalidSubmission, match="give team vision a pull secret"):
            unknown.resolve(f"{name}:1", team="vision")


def test_who_is_slow_or_away_lets_the_image_through_as_it_is_named_within_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        away = f"127.0.0.1:{nobody.getsockname()[1]}"
    with slow_registry(5) as slow, asking(slow, away) as registry:
        store = ReferenceImageStore(
            registry.find, lambda _: (), within=lambda call: bounded(call, 0.5)
        )
        for host in (slow, away):
            began = time.monotonic()
            with pytest.raises(Unpinned, match="is taken as it is named") as unpinned:
                store.resolve(f"{host}/team/one:1")
            assert time.monotonic() - began < 2
            assert unpinned.value.image.location == f"{host}/team/one:1"


def test_an_image_that_is_only_on_the_nodes_is_not_asked_for(anybodys: Registry) -> None:
    with asking(anybodys.host) as registry:
        store = ReferenceImageStore(registry.find, lambda _: (), unchecked={anybodys.host})
        assert store.resolve(f"{anybodys.host}/team/none:1").digest is None
