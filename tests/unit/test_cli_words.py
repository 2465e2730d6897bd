"""What people read: times, places, columns; and what the flags of a push mean."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import get_args, get_type_hints

import pytest
import typer

from sentinels.cli.main import COMMANDS
from sentinels.cli.push import push
from sentinels.cli.push_flags import read_flags
from sentinels.cli.show import fitted
from sentinels.cli.times import ago, length
from sentinels.cli.width import cropped, padded, width
from sentinels.cli.words import ids, ordinal, outcome, place
from sentinels.core.errors import Fault
from sentinels.core.submission_reading import read_submission


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.84, "0.8s"),
        (9.99, "10.0s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (200, "3m 20s"),
        (3599.6, "1h 00m"),
        (7380, "2h 03m"),
        (187200, "2d 4h"),
    ],
)
def test_a_length_of_time_is_told_in_its_two_largest_units(
    seconds: float | None, words: str
) -> None:
    assert length(seconds) == words


def test_a_moment_is_told_with_how_long_ago_it_was() -> None:
    now = datetime.now(UTC)
    assert ago((now - timedelta(minutes=3, seconds=20)).isoformat()).endswith("(3m 20s ago)")
    assert ago(now.isoformat()).endswith("(just now)")
    assert ago(None) == ""


def test_ordinals_are_english() -> None:
    told = [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)]
    assert told == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]


def test_a_job_that_may_not_be_considered_yet_has_no_place() -> None:
    assert place({"position": 3, "waiting": 9}) == "3rd of 9"
    assert place({"position": None, "waiting": 9}) == "not in line yet"


def test_a_sweeps_jobs_are_named_by_the_first_and_the_last() -> None:
    assert ids([{"id": 12}]) == "12"
    assert ids([{"id": number} for number in range(12, 18)]) == "12–17"


def test_an_outcome_says_why_only_where_it_is_not_a_success() -> None:
    ended = {"id": 1, "name": "a", "message": "m"}
    assert outcome({**ended, "state": "succeeded"}) == "✔ job 1 a succeeded"
    assert outcome({**ended, "state": "failed"}) == "✘ job 1 a failed: m"


@pytest.mark.parametrize(
    ("text", "places"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0), ("ＡＢ", 4)]
)
def test_wide_and_combining_characters_take_the_room_they_take(text: str, places: int) -> None:
    assert width(text) == places
    assert width(padded(text, 10)) == 10
    assert width(padded(text, 10, right=True)) == 10


@pytest.mark.parametrize("text", ["a long text", "日本語のテキスト", "e\u0301" * 20])
@pytest.mark.parametrize("places", [1, 2, 5, 7])
def test_a_cropped_text_never_takes_more_room_than_there_is(text: str, places: int) -> None:
    assert width(cropped(text, places)) <= places
    assert cropped(text, places).endswith("…")
    assert cropped(text, 100) == text


def test_the_widest_columns_give_way_and_none_becomes_unreadable() -> None:
    assert fitted([4, 10, 80], 100) == [4, 10, 80]
    assert fitted([4, 10, 80], 60) == [4, 10, 42]
    assert fitted([4, 40, 80], 20) == [4, 12, 12]


def test_every_key_of_the_config_has_a_flag_and_every_flag_is_read() -> None:
    flags: dict[str, object] = {
        "name": "n",
        "experiment": "e",
        "command": ["python", "a.py"],
        "arg": ["--fast"],
        "cpu": "2",
        "memory": "4Gi",
        "gpu": 1,
        "gpu_type": "a100",
        "param": ["C=0.1", "solver=lbfgs", "fast=true"],
        "sweep": ["depth=1,2", "lr=1e-5..0.1:log"],
        "samples": 5,
        "seed": 7,
        "at_once": 2,
        "env": ["A=b=c"],
        "secret": ["T=hf/token"],
        "data": ["digits/train"],
        "time_limit": "2h",
        "priority": "high",
        "after": [41],
        "retry_oom": "x2,16Gi,3",
        "retry_exit": ["33=3"],
        "retry_pattern": ["ECC error=2,avoid", "NCCL=3"],
        "retry_backoff": "30s..10m",
        "notify_on": ["failed"],
        "notify_channel": ["#vision"],
        "label": ["ticket=ML-12"],
    }
    read = read_flags(flags)
    assert read.faults == []
    assert read.config == {
        "name": "n",
        "experiment": "e",
        "command": ["python", "a.py"],
        "args": ["--fast"],
        "resources": {"cpu": "2", "memory": "4Gi", "gpu": 1, "gpu_type": "a100"},
        "params": {"C": 0.1, "solver": "lbfgs", "fast": True},
        "sweep": {"depth": [1, 2], "lr": {"min": 1e-5, "max": 0.1, "scale": "log"}},
        "samples": 5,
        "seed": 7,
        "at_once": 2,
        "env": {"A": "b=c"},
        "secrets": {"T": "hf/token"},
        "data": ["digits/train"],
        "time_limit": "2h",
        "priority": "high",
        "after": [41],
        "retry": {
            "oom": {"memory": "x2", "max": "16Gi", "tries": 3},
            "exit": {"33": 3},
            "pattern": {"ECC error": {"tries": 2, "avoid_node": True}, "NCCL": 3},
            "backoff": "30s..10m",
        },
        "notify": {"on": ["failed"], "channel": "#vision"},
        "labels": {"ticket": "ML-12"},
    }
    assert read_submission("team/train:1", read.config).retry.exit_codes == {33: 3}
    options = {
        name
        for name, hint in get_type_hints(push, include_extras=True).items()
        if any(isinstance(extra, typer.models.OptionInfo) for extra in get_args(hint)[1:])
    }
    asides = {"config", "fit", "key", "dry_run", "check", "again"}
    asides |= {"wait", "follow", "quiet", "output"}
    assert options - set(flags) == asides


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("param", ["C"], "C is not NAME=VALUE"),
        ("env", ["=x"], "=x is not NAME=VALUE"),
        ("label", ["a=1", "a=2"], "a is given twice"),
        ("retry_oom", "x2,1Gi,3,4", "is not FACTOR"),
    ],
)
def test_a_flag_that_cannot_be_read_is_named_with_what_it_should_be(
    flag: str, value: object, message: str
) -> None:
    [fault] = read_flags({flag: value}).faults
    assert fault.field == f"--{flag.replace('_', '-')}"
    assert fault.message.startswith(message)


def test_a_fault_of_what_a_flag_set_is_told_of_the_flag_and_no_line_of_the_file() -> None:
    flags = read_flags({"cpu": "64x", "label": ["ticket=%"], "data": ["/etc"]})
    named = [flags.named(Fault(field, "m", line=2)) for field in ("resources.cpu", "labels.ticket")]
    assert [(fault.field, fault.line) for fault in named] == [
        ("--cpu", None),
        ("--label ticket", None),
    ]
    assert flags.named(Fault("data[0]", "m")).field == "--data"
    of_the_file = Fault("labels.owner", "m", line=7)
    assert flags.named(of_the_file) == of_the_file
    assert flags.named(Fault("resources.cpus", "m")).field == "resources.cpus"


def test_every_command_has_an_example_that_types_it() -> None:
    for name, command in COMMANDS.items():
        assert re.match(rf"sentinels {name}\b", command.example)
        assert command.help.endswith(".")
