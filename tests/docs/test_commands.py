"""The documents' commands are the program's."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from sentinels.cli.main import COMMANDS
from sentinels.core.config_file import read_config_text
from sentinels.core.submission_reading import read_submission
from sentinels.functions.submit.routes import ROUTES, OpenRoute
from sentinels.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text("utf-8")


def test_the_command_reference_is_current() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "sentinels.cli.reference"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    assert made == (ROOT / "docs" / "cli.md").read_text("utf-8")


def test_every_command_that_the_readme_shows_is_one() -> None:
    shown = re.findall(r"^(?:\$ |\.venv/bin/)sentinels (\w+)(.*?)(?:#.*)?$", README, re.MULTILINE)
    assert {name for name, _ in shown} >= {"up", "push", "queue", "status", "logs", "down"}
    for name, words in shown:
        said = subprocess.run(
            [sys.executable, "-c", "from sentinels.cli.main import run; run()", name, "--help"],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        flags = re.findall(r"(?<=\s)(--?[a-z][\w-]*)", words)
        assert name in COMMANDS
        assert [flag for flag in flags if flag not in said] == []


def test_the_readmes_config_is_sound() -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    data, lines = read_config_text(text)
    assert read_submission("/code", data, lines=lines).sweep


def test_every_example_is_sound() -> None:
    configs = sorted((ROOT / "examples").glob("*/config.yaml"))
    assert len(configs) >= 4
    for config in configs:
        data, lines = read_config_text(config.read_text("utf-8"))
        submission = read_submission(str(config.parent), data, lines=lines)
        assert submission.command is not None
        assert (config.parent / submission.command[-1]).is_file()


def test_every_key_of_the_config_is_documented_with_a_sound_value() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)`(?:, `.*)? \|", CONFIGURATION, re.MULTILINE)
    text = "\n".join(f"{name}: {value}" for name, value in rows)
    documented, _ = read_config_text(text)
    read = read_submission("/code", documented)
    assert read.name == "digits-logreg"
    assert read.notify.to == ("#vision",)
    assert (read.samples, read.seed, read.at_once) == (20, 7, 4)


def test_every_documented_setting_is_one_with_its_default() -> None:
    rows = re.findall(r"^\| `SENTINELS_(\w+)` \| .*? \| (.+) \|$", CONFIGURATION, re.MULTILINE)
    defaults = {field.name: str(field.default) for field in fields(Settings)}
    assert len(rows) >= 8
    for name, default in rows:
        real = defaults[name.lower()]
        if name not in ("HOME", "DATA_STORE"):  # `sentinels up` gives these
            said = default.strip("`").replace("none", "")
            assert said == real.removesuffix(".0"), name


def test_every_route_is_documented() -> None:
    text = (ROOT / "docs" / "http-api.md").read_text("utf-8")
    documented = re.findall(r"^\| `([A-Z]+ /\S+)` \|.*?(no token)? \|$", text, re.MULTILINE)
    assert documented == [
        (f"{route.method} {route.template}", "no token" if isinstance(route, OpenRoute) else "")
        for route in ROUTES
    ]
