"""What a user installs: the wheel has every file that the code reads, and nothing else."""

from __future__ import annotations

import configparser
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "sentinels"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True, timeout=120)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        yield wheel


def files_of(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_and_the_examples_and_nothing_else(
    wheel: zipfile.ZipFile,
) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}

    package = {f"sentinels/{name}" for name in files_of(PACKAGE)}
    examples = {f"sentinels/local/examples/{name}" for name in files_of(ROOT / "examples")}
    assert held == package | examples


def test_the_wheel_holds_what_is_no_python_but_is_read(wheel: zipfile.ZipFile) -> None:
    held = set(wheel.namelist())

    for name in ("py.typed", "db/sql/claim_jobs.sql", "db/migrations/env.py"):
        assert f"sentinels/{name}" in held
    assert "sentinels/local/examples/digits/config.yaml" in held
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in held)


def test_the_readers_links_are_links_into_the_package_and_stay_out_of_the_wheel(
    wheel: zipfile.ZipFile,
) -> None:
    for name in ("cli", "db", "functions"):
        assert (ROOT / name).readlink() == Path("src/sentinels") / name
        assert not [held for held in wheel.namelist() if held.startswith(f"{name}/")]


def test_the_command_is_the_cli(wheel: zipfile.ZipFile) -> None:
    name = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    entry_points = configparser.ConfigParser()
    entry_points.read_string(wheel.read(name).decode())

    assert dict(entry_points["console_scripts"]) == {"sentinels": "sentinels.cli.main:run"}
