"""Images and data on one machine: what is found, what is refused, and what is kept of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sentinels.clusters.local import images
from sentinels.clusters.local.data import LocalDataStore
from sentinels.clusters.local.engine import Engine
from sentinels.clusters.local.images import LocalImageStore
from sentinels.core.errors import Fault, InvalidSubmission
from sentinels.core.workload import Image, ImageKind

ELSEWHERE = "/etc/hostname"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A directory of code."""
    folder = tmp_path / "code"
    (folder / "lib").mkdir(parents=True)
    (folder / "main.py").write_text("print('hello')\n")
    (folder / "lib" / "a.py").write_text("A = 1\n")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> LocalImageStore:
    return LocalImageStore(tmp_path / "home", engine=lambda: None)


def fault_of(store: LocalImageStore, reference: str) -> Fault:
    """The one fault of an image that cannot be had."""
    with pytest.raises(InvalidSubmission) as caught:
        store.resolve(reference)
    (fault,) = caught.value.faults
    assert fault.field == "image"
    assert fault.value == reference
    return fault


def names(image: Image) -> list[str]:
    """The files of a stored copy."""
    root = Path(image.location)
    kept = (path for path in root.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(path.relative_to(root).as_posix() for path in kept)


def test_a_directory_is_kept_as_it_was_pushed(store: LocalImageStore, code: Path) -> None:
    image = store.resolve(str(code))
    (code / "main.py").write_text("print('edited')\n")
    assert image.kind is ImageKind.DIRECTORY
    assert Path(image.location, "main.py").read_text() == "print('hello')\n"
    assert names(image) == ["lib/a.py", "main.py"]
    assert image.digest is not None
    assert image.digest.startswith("sha256:")


def test_the_digest_is_of_the_content_wherever_it_lies(
    store: LocalImageStore, code: Path, tmp_path: Path
) -> None:
    digest = store.resolve(str(code)).digest
    copied = shutil.copytree(code, tmp_path / "copied")
    os.utime(copied / "main.py", (0, 0))
    assert store.resolve(str(copied)).digest == digest


def _edit(code: Path) -> None:
    (code / "main.py").write_text("print('other')\n")


def _rename(code: Path) -> None:
    (code / "main.py").rename(code / "train.py")


def _make_executable(code: Path) -> None:
    (code / "main.py").chmod(0o755)


def _make_link(code: Path) -> None:
    (code / "link.py").symlink_to("main.py")


@pytest.mark.parametrize("change", [_edit, _rename, _make_executable, _make_link])
def test_every_change_changes_the_digest(
    store: LocalImageStore, code: Path, change: Callable[[Path], None]
) -> None:
    digest = store.resolve(str(code)).digest
    change(code)
    assert store.resolve(str(code)).digest != digest


def test_what_is_no_code_is_left_out(store: LocalImageStore, code: Path) -> None:
    digest = store.resolve(str(code)).digest
    for name in (".git/config", "__pycache__/a.pyc", ".venv/bin/python", "lib/b.pyc"):
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_text("x")
    os.mkfifo(code / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(code / "socket"))
        assert store.resolve(str(code)).digest == digest


def test_links_stay_inside_the_copy_and_links_out_of_it_are_left_out(
    store: LocalImageStore, code: Path
) -> None:
    (code / "absolute.py").symlink_to(code / "main.py")
    (code / "inside").symlink_to("lib")
    (code / "outside").symlink_to(ELSEWHERE)
    (code / "dangling").symlink_to("nowhere")
    (code / "loop").symlink_to("loop")
    image = store.resolve(str(code))
    assert names(image) == ["absolute.py", "inside", "lib/a.py", "main.py"]
    assert Path(image.location, "absolute.py").resolve() == Path(image.location, "main.py")


def test_names_that_are_no_text_are_kept(store: LocalImageStore, code: Path) -> None:
    name = os.fsdecode(b"b\xff\n.txt")
    (code / name).write_text("x")
    assert name in names(store.resolve(str(code)))


def test_many_who_push_the_same_directory_at_once_share_one_copy(
    store: LocalImageStore, code: Path, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: store.resolve(str(code)).location, range(8)))
    assert [path.name for path in (tmp_path / "home" / "images").iterdir()] == [
        Path(location).name for location in found
    ]


def test_the_git_commit_and_whether_it_is_dirty_are_recorded(
    store: LocalImageStore, code: Path
) -> None:
    git = ("git", "-c", "user.name=ann", "-c", "user.email=ann@example.org", "-C", str(code))
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run([*git, *words], check=True, timeout=20)
    clean = store.resolve(str(code))
    assert clean.git_commit is not None
    assert len(clean.git_commit) == 40
    assert not clean.git_dirty
    (code / "main.py").write_text("print('edited')\n")
    assert store.resolve(str(code)).git_dirty


def test_what_is_no_directory_of_code_is_refused(
    store: LocalImageStore, code: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    assert "does not exist" in fault_of(store, str(tmp_path / "gone")).message
    assert "is a file" in fault_of(store, str(code / "main.py")).message
    assert "is empty" in fault_of(store, str(tmp_path / "empty")).message


def test_a_directory_that_is_too_large_is_refused_before_it_is_copied(
    store: LocalImageStore, code: Path, tmp_path: Path
) -> None:
    with (code / "data.bin").open("wb") as file:
        file.truncate(images._MAX_BYTES + 1)
    fault = fault_of(store, str(code))
    assert "1 GiB" in fault.message
    assert "data store" in str(fault.remedy)
    assert not (tmp_path / "home" / "images").exists()


def test_a_container_image_needs_an_engine_that_answers(store: LocalImageStore) -> None:
    fault = fault_of(store, "team/train:1")
    assert fault.message == "no container engine answers on this machine"
    assert "push a directory of code" in str(fault.remedy)


@pytest.mark.container
def test_a_container_image_is_pinned_by_its_digest(
    tmp_path: Path, container_engine: Engine
) -> None:
    store = LocalImageStore(tmp_path, engine=lambda: container_engine)
    image = store.resolve("localhost/sentinels-test:latest")
    assert image.kind is ImageKind.CONTAINER
    assert image.digest == f"sha256:{image.location}"
    missing = fault_of(store, "localhost/no-such-image:1")
    assert missing.message == "there is no such image here"
    assert "pull or build it first" in str(missing.remedy)


def test_data_that_is_in_the_store_is_not_missing(data_store: Path) -> None:
    (data_store / "current").symlink_to("digits")
    store = LocalDataStore(str(data_store))
    assert store.missing(["digits", "digits/train.csv", "current/train.csv"]) == {}


def test_data_that_cannot_be_used_is_named_with_the_cause(data_store: Path) -> None:
    (data_store / "out").symlink_to(ELSEWHERE)
    (data_store / "loop").symlink_to("loop")
    os.mkfifo(data_store / "pipe")
    why = LocalDataStore(str(data_store)).missing(
        ["none", "../etc", "digits/../../x", ELSEWHERE, "out", "pipe", "loop", "a\0b", "\ud800"]
    )
    inside = "is not a path inside the data store"
    loop = why.pop("loop")
    assert why == {
        "none": "is not in the data store",
        "../etc": inside,
        "digits/../../x": inside,
        ELSEWHERE: inside,
        "out": "is a link that leads out of the data store",
        "pipe": "is neither a file nor a folder",
        "a\0b": inside,
        "\ud800": "is not a path",
    }
    assert loop


def test_a_device_is_no_data() -> None:
    assert LocalDataStore("/dev").missing(["null"]) == {"null": "is neither a file nor a folder"}


def test_without_a_data_store_all_data_is_missing() -> None:
    assert "there is no data store" in LocalDataStore("").missing(["digits"])["digits"]
