"""An image of an earlier push, by its content: the same, or an error that says what is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sentinels.clusters.local.engine import Engine
from sentinels.clusters.local.images import LocalImageStore
from sentinels.core.errors import ClusterUnavailable, Conflict, NotFound
from sentinels.core.image_reference import untagged
from sentinels.core.workload import Image, ImageKind
from tests.support.registries import unasked

DIGEST = "sha256:" + "ab" * 32


def container(reference: str, digest: str | None = None) -> Image:
    return Image(ImageKind.CONTAINER, reference, digest, reference)


def test_a_stored_copy_is_found_by_its_digest_also_where_the_data_folder_has_moved(
    tmp_path: Path,
) -> None:
    code = tmp_path / "code"
    (code / "lib").mkdir(parents=True)
    (code / "main.py").write_text("print()")
    (code / "lib" / "a.py").symlink_to("../main.py")
    image = LocalImageStore(tmp_path / "home", engine=lambda: None).resolve(str(code))
    (tmp_path / "home").rename(tmp_path / "moved")
    store = LocalImageStore(tmp_path / "moved", engine=lambda: None)
    pinned = store.pin(image, seen=None)
    assert Path(pinned.location).is_relative_to(tmp_path / "moved")
    assert (pinned.digest, pinned.reference) == (image.digest, image.reference)
    shutil.rmtree(pinned.location)
    with pytest.raises(NotFound, match=f"what was pushed as {code} is gone"):
        store.pin(image, seen=None)


def test_a_container_image_needs_an_engine_that_answers(tmp_path: Path) -> None:
    store = LocalImageStore(tmp_path, engine=lambda: None)
    with pytest.raises(ClusterUnavailable, match="no container engine answers"):
        store.pin(container("fit:1", DIGEST), seen=None)


@pytest.mark.container
def test_a_container_image_that_the_engine_has_no_more_is_gone(
    tmp_path: Path, container_engine: Engine
) -> None:
    store = LocalImageStore(tmp_path, engine=lambda: container_engine)
    lost = Image(ImageKind.CONTAINER, "fit:1", DIGEST, DIGEST.removeprefix("sha256:"))
    with pytest.raises(NotFound, match="what was pushed as fit:1 is gone"):
        store.pin(lost, seen=None)


def test_a_reference_with_its_digest_is_exact_already() -> None:
    image = container(f"team/fit:1@{DIGEST}", DIGEST)
    assert unasked().pin(image, seen=None) == image


@pytest.mark.parametrize(
    "seen", [f"docker.io/team/fit@{DIGEST}", f"docker-pullable://team/fit@{DIGEST}"]
)
def test_a_tag_is_made_exact_by_what_a_node_said_it_ran(seen: str) -> None:
    pinned = unasked().pin(container("r.example:5000/team/fit:1"), seen=seen)
    assert pinned.location == f"r.example:5000/team/fit@{DIGEST}"
    assert (pinned.digest, pinned.reference) == (DIGEST, "r.example:5000/team/fit:1")


@pytest.mark.parametrize("seen", [None, "", "sha256:" + "cd" * 32, "team/fit:1"])
def test_a_tag_of_which_nobody_said_what_it_was_is_not_guessed(seen: str | None) -> None:
    with pytest.raises(Conflict, match="nothing tells what exactly team/fit:1 was") as error:
        unasked().pin(container("team/fit:1"), seen=seen)
    assert "--by-tag" in str(error.value.remedy)


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("fit", "fit"),
        ("fit:1", "fit"),
        ("r.example:5000/fit", "r.example:5000/fit"),
        ("r.example:5000/a/fit:1.2", "r.example:5000/a/fit"),
        (f"a/fit:1@{DIGEST}", "a/fit"),
    ],
)
def test_a_repository_is_a_reference_without_tag_and_digest(
    reference: str, repository: str
) -> None:
    assert untagged(reference) == repository
