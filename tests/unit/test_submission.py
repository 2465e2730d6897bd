"""A submission is read with every fault at once, and comes back from its config as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinels.core.capacity import Resources
from sentinels.core.errors import Fault, InvalidSubmission
from sentinels.core.notify_reading import NOTICE_KINDS
from sentinels.core.param_reading import param_variable
from sentinels.core.quantity import MAX_MEMORY_BYTES
from sentinels.core.sampling import expand_sweep
from sentinels.core.submission import (
    LinePattern,
    MemoryGrowth,
    Notify,
    ParamValue,
    Retry,
    Span,
    Submission,
)
from sentinels.core.submission_reading import read_submission, submission_to_config
from sentinels.core.text import has_control

EXAMPLES = settings(max_examples=200, deadline=None)
IMAGE = "team/train:1.4"
GI = 2**30

SAMPLE: dict[str, object] = {
    "name": "digits-logreg",
    "experiment": "digits",
    "command": ["python", "train.py"],
    "args": ["--C=$(SENTINELS_PARAM_C)"],
    "env": {"OMP_NUM_THREADS": "2"},
    "secrets": {"HF_TOKEN": "hf/token"},
    "params": {"solver": "lbfgs"},
    "sweep": {"C": [0.01, 0.1, 1], "lr": {"min": 1e-5, "max": 0.1, "scale": "log"}},
    "samples": 20,
    "seed": 7,
    "at_once": 4,
    "resources": {"cpu": 2, "memory": "4Gi", "gpu": 1, "gpu_type": "a100"},
    "data": ["digits/train"],
    "time_limit": "2h",
    "priority": "normal",
    "after": [41],
    "retry": {
        "oom": {"memory": "x1.5", "max": "16Gi", "tries": 2},
        "exit": {"33": 3},
        "pattern": {"CUDA error: ECC": {"tries": 2, "avoid_node": True}, "NCCL error": 3},
        "backoff": "30s..10m",
    },
    "notify": {"on": ["failed", "succeeded"], "channel": "#vision"},
    "labels": {"ticket": "ML-12"},
}


def faults_of(
    config: object, image: object = IMAGE, *, lines: Mapping[str, int] | None = None
) -> tuple[Fault, ...]:
    with pytest.raises(InvalidSubmission) as invalid:
        read_submission(image, config, lines=lines)
    return invalid.value.faults


def fields_of(config: object, image: object = IMAGE) -> list[str]:
    return [fault.field for fault in faults_of(config, image)]


def test_every_key_of_the_documented_config_is_understood() -> None:
    assert read_submission(IMAGE, SAMPLE) == Submission(
        image=IMAGE,
        name="digits-logreg",
        experiment="digits",
        resources=Resources(2000, 4 * GI, 1, "a100"),
        command=("python", "train.py"),
        args=("--C=$(SENTINELS_PARAM_C)",),
        env={"OMP_NUM_THREADS": "2"},
        secrets={"HF_TOKEN": "hf/token"},
        params={"solver": "lbfgs"},
        sweep={"C": (0.01, 0.1, 1), "lr": Span(1e-5, 0.1, is_log=True)},
        samples=20,
        seed=7,
        at_once=4,
        data=("digits/train",),
        time_limit=7200,
        priority="normal",
        after=(41,),
        retry=Retry(
            MemoryGrowth(1.5, 16 * GI, 2),
            {33: 3},
            30,
            600,
            (LinePattern("CUDA error: ECC", 2, avoid_node=True), LinePattern("NCCL error", 3)),
        ),
        notify=Notify(frozenset({"failed", "succeeded"}), ("#vision",)),
        labels={"ticket": "ML-12"},
    )


@pytest.mark.parametrize("config", [{}, None, dict.fromkeys(SAMPLE)])
def test_whatever_is_left_out_or_null_has_its_default(config: object) -> None:
    assert read_submission(IMAGE, config) == Submission(
        image=IMAGE, name="train", experiment="train", resources=Resources(1000, GI)
    )


def test_the_experiment_is_the_name_unless_it_is_given() -> None:
    assert read_submission(IMAGE, {"name": "x"}).experiment == "x"
    assert read_submission(IMAGE, {"experiment": "über alles: ein Test"}).name == "train"


NAMES = {
    "/home/ann/My Project!": "My-Project",
    "/code/train/": "train",
    "/": "job",
    "/code/日本": "job",
    "/code/2024": "job-2024",
    "/code/" + "x" * 100: "x" * 63,
    "train": "train",
    "localhost:5000/team/train": "train",
    "ghcr.io/team/train:v1.2@sha256:" + "a" * 64: "train",
}


@pytest.mark.parametrize(("image", "name"), NAMES.items())
def test_the_name_comes_from_the_image(image: str, name: str) -> None:
    submission = read_submission(image, {})
    assert submission.name == name
    assert read_submission(image, {"name": name}) == submission


NO_IMAGES: list[object] = [
    *(None, "", 7, ["a"], "Train", "team/Train", "a b", "./train", "../train", "~/train"),
    *(
        "train:",
        ":1",
        "a::b",
        "a//b",
        "/a\x00",
        "/a\x1b[31m",
        "a@sha256:12",
        "-a",
        "a/-b",
        "http://a/b",
    ),
    *("a:b:c", "a@b", "x" * 2000, "/" + "x" * 2000, "a:" + "b" * 200, "größe"),
]


@pytest.mark.parametrize("image", NO_IMAGES)
def test_an_image_that_is_none_is_refused(image: object) -> None:
    (fault,) = faults_of({}, image)
    assert fault.field == "image"
    assert not has_control(str(fault) + (fault.value or ""))


def test_all_faults_are_told_at_once_with_value_remedy_and_line() -> None:
    config = {
        "nmae": "x",
        "resources": {"cpu": -1, "memory": "much", "gpus": 2},
        "time_limit": "22:30",
        "data": ["/etc/passwd"],
        "params": {"C": 1},
        "sweep": {"C": [1, 2]},
    }
    lines = {"nmae": 1, "resources": 2, "resources.cpu": 4, "data": 9, "data[0]": 10, "sweep": 12}
    found = {fault.field: fault for fault in faults_of(config, "No Image", lines=lines)}
    assert list(found) == [
        *("image", "nmae", "resources.gpus", "resources.cpu", "resources.memory"),
        *("data[0]", "time_limit", "sweep.C"),
    ]
    assert found["nmae"] == Fault("nmae", "unknown key", None, "did you mean name?", 1)
    assert found["resources.gpus"].remedy == "did you mean gpu?"
    assert (found["resources.cpu"].value, found["resources.cpu"].line) == ("-1", 4)
    assert (found["resources.memory"].value, found["resources.memory"].line) == ("much", 2)
    assert (found["data[0]"].value, found["data[0]"].line) == ("/etc/passwd", 10)
    assert (found["time_limit"].value, found["time_limit"].line) == ("22:30", None)
    assert found["sweep.C"].line == 12


MEANT = {
    "sweeps": "sweep",
    "expirement": "experiment",
    "cpu": "resources.cpu",
    "gpus": "resources.gpu",
    "timeout": "time_limit",
    "channel": "notify.channel",
    "image": "IMAGE, the argument of sentinels push",
}


@pytest.mark.parametrize(("key", "meant"), MEANT.items())
def test_an_unknown_key_says_what_was_meant(key: str, meant: str) -> None:
    (fault,) = faults_of({key: 1})
    assert fault.remedy == f"did you mean {meant}?"


def test_an_unknown_key_like_none_is_told_the_known_ones() -> None:
    (fault,) = faults_of({"zzz": 1})
    assert fault.remedy is not None
    assert fault.remedy.startswith("known: name, experiment, command")


BAD: list[tuple[object, list[str]]] = [
    ([], ["config"]),
    ("text", ["config"]),
    ({1: 2}, ["config"]),
    ({"name": 2024}, ["name"]),
    ({"name": "2024"}, ["name"]),
    ({"name": ""}, ["name"]),
    ({"name": "-x"}, ["name"]),
    ({"name": "a/b"}, ["name"]),
    ({"name": "x" * 64}, ["name"]),
    ({"name": "a\nb"}, ["name"]),
    ({"name": "\x1b[31mred"}, ["name"]),
    ({"name": "größe"}, ["name"]),
    ({"experiment": ""}, ["experiment"]),
    ({"experiment": " x"}, ["experiment"]),
    ({"experiment": "x" * 201}, ["experiment"]),
    ({"experiment": "a\u202eb"}, ["experiment"]),
    ({"command": "python train.py"}, ["command"]),
    ({"command": []}, ["command"]),
    ({"command": [""]}, ["command[0]"]),
    ({"command": ["python", 3]}, ["command[1]"]),
    ({"args": ["x"] * 65}, ["args"]),
    ({"args": ["a", "b\x00"]}, ["args[1]"]),
    ({"args": ["x" * 20_000, "x" * 20_000]}, ["args"]),
    ({"args": ["é" * 20_000]}, ["args"]),
    ({"args": ["x" * 200_000]}, ["args[0]"]),
    ({"env": []}, ["env"]),
    ({"env": {"A": 1}}, ["env.A"]),
    ({"env": {"A": True, "B": None}}, ["env.A", "env.B"]),
    ({"env": {"1A": "x", "A-B": "x", "": "x"}}, ["env.1A", "env.A-B", "env."]),
    ({"env": {"SENTINELS_JOB_ID": "7"}}, ["env.SENTINELS_JOB_ID"]),
    ({"env": {"MLFLOW_RUN_ID": "7"}}, ["env.MLFLOW_RUN_ID"]),
    ({"env": {f"A{i}": "" for i in range(101)}}, ["env"]),
    ({"env": {"A": "x" * 20_000, "B": "x" * 20_000}}, ["env"]),
    ({"params": {"a b": 1, "": 1, "1": 1}}, ["params.a b", "params.", "params.1"]),
    ({"params": {"a": [1]}}, ["params.a"]),
    ({"params": {"a": float("nan"), "b": float("inf")}}, ["params.a", "params.b"]),
    ({"params": {"a": 10**30}}, ["params.a"]),
    ({"params": {"a": "\x1b]0;x\x07"}}, ["params.a"]),
    ({"params": {"a": "x" * 6001}}, ["params.a"]),
    ({"params": {f"p{i}": 1 for i in range(101)}}, ["params"]),
    ({"params": {f"p{i}": "x" * 5000 for i in range(10)}}, ["params"]),
    ({"params": {"lr": 1, "LR": 2}}, ["params.LR"]),
    ({"params": {"a.b": 1}, "sweep": {"a-b": [2]}}, ["sweep.a-b"]),
    ({"retry": {"pattern": {"a": "b"}}}, ["retry.pattern.a"]),
    ({"retry": {"pattern": {"a": True}}}, ["retry.pattern.a.tries"]),
    ({"retry": {"pattern": {"a": {"tries": 0}}}}, ["retry.pattern.a.tries"]),
    ({"retry": {"pattern": {"a": {"avoid_node": 1}}}}, ["retry.pattern.a.avoid_node"]),
    ({"retry": {"pattern": {" ": 1}}}, ["retry.pattern"]),
    ({"retry": {"pattern": {"a": {"try": 1}}}}, ["retry.pattern.a.try"]),
    ({"retry": {"pattern": {f"p{i}": 1 for i in range(21)}}}, ["retry.pattern"]),
    ({"sweep": {"C": 1}}, ["sweep.C"]),
    ({"sweep": {"C": {"min": 1, "max": 2}}}, ["sweep.C"]),
    ({"sweep": {"C": {"min": 2, "max": 1}}, "samples": 2}, ["sweep.C"]),
    ({"sweep": {"C": {"min": 0, "max": 1, "scale": "log"}}, "samples": 2}, ["sweep.C.min"]),
    ({"sweep": {"C": {"min": 1, "max": 2.5, "scale": "cubic"}}, "samples": 2}, ["sweep.C.scale"]),
    (
        {"sweep": {"C": {"low": "a", "max": True}}, "samples": 2},
        ["sweep.C.low", "sweep.C.min", "sweep.C.max"],
    ),
    ({"sweep": {"C": {"min": 1, "max": float("inf")}}, "samples": 2}, ["sweep.C.max"]),
    ({"sweep": {"C": {"min": 1, "max": 3}}, "samples": 4}, ["samples"]),
    ({"sweep": {"C": [1, 1, 2]}, "samples": 3}, ["samples"]),
    ({"sweep": {"C": {"min": 1, "max": 3}}, "samples": 1001}, ["samples"]),
    ({"sweep": {"C": [1, 2]}, "seed": 1}, ["seed"]),
    ({"sweep": {"C": [1, 2]}, "at_once": 0}, ["at_once"]),
    ({"samples": 2, "at_once": 1}, ["samples", "at_once"]),
    ({"sweep": {"C": []}}, ["sweep.C"]),
    ({"sweep": {"C": None}}, ["sweep.C"]),
    ({"sweep": {"C": [[1]]}}, ["sweep.C[0]"]),
    ({"sweep": {"a": [*range(32)], "b": [*range(32)]}}, ["sweep"]),
    ({"sweep": {f"p{i}": [1, 2, 3] for i in range(100)}}, ["sweep"]),
    ({"resources": "many"}, ["resources"]),
    ({"resources": {"cpu": 0}}, ["resources.cpu"]),
    ({"resources": {"cpu": float("nan")}}, ["resources.cpu"]),
    ({"resources": {"cpu": 1e30}}, ["resources.cpu"]),
    ({"resources": {"cpu": 10_001}}, ["resources.cpu"]),
    ({"resources": {"cpu": True}}, ["resources.cpu"]),
    ({"resources": {"memory": 4}}, ["resources.memory"]),
    ({"resources": {"memory": "2000Ti"}}, ["resources.memory"]),
    ({"resources": {"gpu": -1}}, ["resources.gpu"]),
    ({"resources": {"gpu": 65}}, ["resources.gpu"]),
    ({"resources": {"gpu": 0.5}}, ["resources.gpu"]),
    ({"resources": {"gpu": True}}, ["resources.gpu"]),
    ({"resources": {"gpu_type": "a100"}}, ["resources.gpu_type"]),
    ({"resources": {"gpu": 1, "gpu_type": 100}}, ["resources.gpu_type"]),
    ({"data": "digits"}, ["data"]),
    ({"data": ["/etc", "..", "a/../b", "a\\b", "", "."]}, [f"data[{i}]" for i in range(6)]),
    ({"data": ["a\x00", 7]}, ["data[0]", "data[1]"]),
    ({"data": ["x"] * 101}, ["data"]),
    ({"time_limit": 0}, ["time_limit"]),
    ({"time_limit": "366d"}, ["time_limit"]),
    ({"time_limit": 1.5}, ["time_limit"]),
    ({"priority": 20}, ["priority"]),
    ({"priority": "very high"}, ["priority"]),
    ({"after": 41}, ["after"]),
    ({"after": [0, -1, 1.5, "7", True]}, [f"after[{i}]" for i in range(5)]),
    ({"after": [*range(1, 102)]}, ["after"]),
    ({"retry": 3}, ["retry"]),
    ({"retry": {"tries": 3}}, ["retry.tries"]),
    ({"retry": {"oom": {"memory": 1.5}}}, ["retry.oom.memory"]),
    ({"retry": {"oom": {"memory": "x1"}}}, ["retry.oom.memory"]),
    ({"retry": {"oom": {"tries": 0, "max": "none"}}}, ["retry.oom.max", "retry.oom.tries"]),
    ({"retry": {"oom": {"max": "512Mi"}}}, ["retry.oom.max"]),
    ({"retry": {"exit": {"0": 1, "256": 1, "x": 1, "033": 1, "9": 0}}}, [
        *("retry.exit.0", "retry.exit.256", "retry.exit.x", "retry.exit.033", "retry.exit.9"),
    ]),
    ({"retry": {"backoff": "10m..30s"}}, ["retry.backoff"]),
    ({"retry": {"backoff": "30s.."}}, ["retry.backoff"]),
    ({"retry": {"backoff": "8d"}}, ["retry.backoff"]),
    ({"retry": {"backoff": [30]}}, ["retry.backoff"]),
    ({"notify": {"on": "failed"}}, ["notify.on"]),
    ({"notify": {"on": ["failed", "fail", []]}}, ["notify.on[1]", "notify.on[2]"]),
    ({"notify": {"channel": None}}, ["notify.channel"]),
    ({"notify": {"channel": "a b"}}, ["notify.channel"]),
    ({"notify": {"channel": "<!channel>"}}, ["notify.channel"]),
    ({"notify": {"channel": ["#vision", "ann@", "webhook:CI", "a@b\r\nBcc: c@d", 7, None]}}, [
        *(f"notify.channel[{i}]" for i in range(1, 6)),
    ]),
    ({"notify": {"channel": ["#vision"] * 11}}, ["notify.channel"]),
    ({"notify": {"channel": {"to": "#vision"}}}, ["notify.channel"]),
    ({"labels": {"ticket": 12}}, ["labels.ticket"]),
    ({"labels": {"a b": "x", "c": "", "d": "x" * 64}}, ["labels.a b", "labels.c", "labels.d"]),
    ({"labels": {f"l{i}": "x" for i in range(33)}}, ["labels"]),
    ({"secrets": ["HF_TOKEN"]}, ["secrets"]),
    ({"secrets": {f"V{i}": "hf/token" for i in range(101)}}, ["secrets"]),
    ({"secrets": {"HF-TOKEN": "hf/token", "SENTINELS_X": "hf/token", "MLFLOW_RUN_ID": "hf/token"}},
     ["secrets.HF-TOKEN", "secrets.SENTINELS_X", "secrets.MLFLOW_RUN_ID"]),
    ({"secrets": {name: value for name, value in zip("abcdefghijklmno", [
        "hf_abc123", "hf/", "/token", "HF/token", "hf/to ken", "hf/..", "hf/.", "hf/..x", "h f/x",
        "-hf/x", "a..b/x", "x" * 254 + "/x", "hf/" + "x" * 254, 7, "a/b/c",
    ], strict=True)}}, [f"secrets.{name}" for name in "abcdefghijklmno"]),
    ({"env": {"A": "1", "B": "2"}, "secrets": {"B": "hf/token", "C": "hf/token"}}, ["secrets.B"]),
    ({"env": {"A": 1}, "secrets": {"A": "hf"}, "cpus": 1}, ["cpus", "env.A", "secrets.A"]),
]  # fmt: skip


def test_a_secret_written_where_its_name_belongs_is_not_repeated() -> None:
    [fault] = faults_of({"secrets": {"HF_TOKEN": "hf_abcdef123"}})
    assert "hf_abcdef123" not in f"{fault} {fault.value}"
    assert fault.remedy == "write name/key, as in hf/token"


@pytest.mark.parametrize(("config", "fields"), BAD, ids=[repr(config)[:60] for config, _ in BAD])
def test_what_is_wrong_is_named_and_nothing_else(config: object, fields: list[str]) -> None:
    assert fields_of(config) == fields


GOOD: list[dict[str, object]] = [
    {"args": ["-c", "import os\nprint(os.getcwd())\n\tpass", ""]},
    {"env": {"KEY": "a\nb", "EMPTY": "", "_x": "ü"}},
    {"resources": {"cpu": "250m", "memory": 2**30, "gpu": 0}},
    {"retry": {"backoff": 30}, "time_limit": 60},
    {"retry": {"exit": {"255": 10}, "oom": {}}},
    {"notify": {"on": [], "channel": "@ann"}},
    {"notify": {"channel": "#données"}},
    {"notify": {"channel": ["#vision", "@U024BE7LH", "Ann@Example.org", "webhook:ci"]}},
    {"notify": {"on": ["long_wait", "near_limit", "silent"]}},
    {"labels": {"team/ticket": "ML-12", "a": "0"}},
    {"secrets": {"_T": "hf.co-1/.netrc", "U": "0/A_b-c.d", "V": "a" * 63 + "/k"}, "env": {"X": ""}},
    {"params": {"a": None, "b": True, "c": 2**64, "d": "", "e.f": -0.5}},
    {"data": ["digits/train", "a..b", ".hidden/x", "with space"]},
    {"name": "v1.2_x"},
]


@pytest.mark.parametrize("config", GOOD, ids=repr)
def test_what_is_unusual_but_sound_is_taken(config: dict[str, object]) -> None:
    submission = read_submission(IMAGE, config)
    assert read_submission(IMAGE, submission_to_config(submission)) == submission


def test_a_number_where_text_is_wanted_says_how_to_quote_it() -> None:
    (fault,) = faults_of({"env": {"THREADS": 2}})
    assert (fault.message, fault.remedy) == ("must be text", 'quote it: "2"')


def test_a_variables_value_is_never_repeated() -> None:
    config = {"env": {"API_KEY": "hunter2\x1b", "LONG": "hunter2" * 10_000}}
    assert "hunter2" not in repr(faults_of(config))


def test_a_channel_lost_to_a_comment_is_explained() -> None:
    (fault,) = faults_of({"notify": {"channel": None}})
    assert fault.remedy is not None
    assert "a bare # begins a comment" in fault.remedy


@pytest.mark.parametrize(
    ("kind", "meant"), [("succeded", "succeeded"), ("long-wait", "long_wait"), ("fail", "failed")]
)
def test_a_kind_of_notice_that_is_none_says_what_was_meant(kind: str, meant: str) -> None:
    (fault,) = faults_of({"notify": {"on": [kind]}})
    assert fault.remedy == f"did you mean {meant}?"


def test_an_address_has_one_spelling() -> None:
    given = ["@U024BE7LH", "U024BE7LH", "Ann@Example.org", "ann@example.org", "#vision"]
    read = read_submission("/code", {"notify": {"channel": given}})
    assert read.notify.to == ("@U024BE7LH", "ann@example.org", "#vision")


def _nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


HOSTILE: dict[str, object] = {
    "nested 3,000 deep": {"params": _nested(3000)},
    "nested 21 deep": _nested(21),
    "10,001 values": {"data": ["x"] * 10_001},
    "9,990 unknown keys": {f"key{i}": i for i in range(9990)},
    "9,990 bad labels": {"labels": {f"a b{i}": i for i in range(9990)}},
    "5,000 swept": {"sweep": {f"p{i}": [1, 2] for i in range(3000)}},
    "long key": {"x" * 250_000: 1},
    "long values": {"name": "x" * 250_000, "priority": "\x1b" * 250_000, "after": [10**4000]},
    "huge numbers": {"resources": {"cpu": 10**4000, "memory": "9" * 5000, "gpu": 10**4000}},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_config_is_refused_at_once_in_few_words(case: str) -> None:
    started = perf_counter()
    faults = faults_of(HOSTILE[case])
    assert perf_counter() - started < 5
    assert len(faults) <= 101
    assert all(len(repr(fault)) < 500 for fault in faults)


def test_nesting_and_size_have_bounds_of_their_own() -> None:
    (deep,) = faults_of({"params": _nested(20)})
    assert deep == Fault("config", "is nested more than 20 deep")
    (many,) = faults_of({"data": ["x"] * 10_000})
    assert many == Fault("config", "has more than 10000 values")
    assert fields_of({"params": _nested(19)}) == ["params"]


@EXAMPLES
@given(
    st.dictionaries(
        st.sampled_from([*SAMPLE]) | st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=8,
        ),
    ),
    st.text() | st.integers(),
)
def test_any_input_is_read_or_refused_with_printable_words(config: object, image: object) -> None:
    try:
        read_submission(image, config)
    except InvalidSubmission as invalid:
        said = [f"{fault} {fault.value}" for fault in invalid.faults]
    else:
        said = []
    assert not any(has_control(line) for line in said)


_WORD = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=20)
_LABEL = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?\Z")
_NAME = _LABEL.filter(lambda name: not name.isdigit())
_SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _WORD
)
_SECONDS = st.integers(1, 86400)
_ENV = st.dictionaries(st.from_regex(r"\A[A-Z][A-Z_]{0,5}[0-9]\Z"), _WORD, max_size=4)
_RETRY = st.builds(
    lambda oom, codes, waits, lines: Retry(oom, codes, min(waits), max(waits), lines),
    st.none()
    | st.builds(
        MemoryGrowth,
        st.integers(1001, 100_000).map(lambda thousandths: thousandths / 1000),
        st.none() | st.integers(2**41, MAX_MEMORY_BYTES),
        st.integers(1, 10),
    ),
    st.dictionaries(st.integers(1, 255), st.integers(1, 10), max_size=3),
    st.tuples(_SECONDS, _SECONDS),
    st.lists(
        st.builds(LinePattern, _WORD.filter(str.strip), st.integers(1, 10), st.booleans()),
        max_size=3,
        unique_by=lambda pattern: pattern.text,
    ).map(tuple),
)
_NOTIFY = st.builds(
    Notify,
    st.none() | st.frozensets(st.sampled_from(list(NOTICE_KINDS))),
    st.lists(
        st.sampled_from(["#vision", "@ann", "@U024BE7LH", "ann@example.org", "webhook:ci"]),
        max_size=3,
        unique=True,
    ).map(tuple),
)
_RESOURCES = st.builds(
    Resources,
    st.integers(1, 10_000_000),
    st.integers(2**20, 2**40),
    st.integers(1, 64),
    st.none() | _NAME,
)


_SECRET = st.from_regex(r"\A[a-z][a-z0-9]{0,5}(\.[a-z]{1,3})?/[A-Za-z][A-Za-z0-9._-]{0,5}\Z")


@st.composite
def submissions(draw: st.DrawFn) -> Submission:
    names = draw(st.lists(st.from_regex(r"\A[a-z][a-z0-9]{0,5}\Z"), unique=True, max_size=6))
    swept = names[:2]
    params: dict[str, ParamValue] = {name: draw(_SCALAR) for name in names[2:]}
    return Submission(
        image=draw(
            st.sampled_from([IMAGE, "/code/digits", "localhost:5000/a/b@sha256:" + "0" * 64])
        ),
        name=draw(_NAME),
        experiment=draw(_WORD.map(str.strip).filter(bool)),
        resources=draw(_RESOURCES),
        command=draw(st.none() | st.lists(_WORD, min_size=1).map(lambda words: ("p", *words))),
        args=tuple(draw(st.lists(_WORD | st.just("a\n\tb"), max_size=5))),
        env=draw(_ENV),
        secrets=draw(st.dictionaries(st.sampled_from(["t_1", "t_2"]), _SECRET, max_size=2)),
        params=params,
        sweep={name: tuple(draw(st.lists(_SCALAR, min_size=1, max_size=4))) for name in swept},
        at_once=draw(st.none() | st.integers(1, 1000)) if swept else None,
        data=tuple(draw(st.lists(_NAME, max_size=3))),
        time_limit=draw(st.none() | st.integers(1, 365 * 86400)),
        priority=draw(_NAME),
        after=tuple(draw(st.lists(st.integers(1, 2**62), unique=True, max_size=3))),
        retry=draw(_RETRY),
        notify=draw(_NOTIFY),
        labels=draw(st.dictionaries(_LABEL, _LABEL, max_size=3)),
    )


@EXAMPLES
@given(submissions())
def test_a_submission_comes_back_from_its_config_through_json(submission: Submission) -> None:
    stored = json.loads(json.dumps(submission_to_config(submission)))
    assert read_submission(submission.image, stored) == submission
    assert list(read_submission(submission.image, stored).params) == list(submission.params)


@EXAMPLES
@given(submissions())
def test_a_sweep_is_every_combination_once_and_each_is_a_submission(submission: Submission) -> None:
    expanded = expand_sweep(submission)
    jobs = 1
    for values in submission.sweep.values():
        jobs *= len(values)
    assert len(expanded) == jobs
    for each in expanded:
        assert each.sweep == {}
        assert each.params.keys() == submission.params.keys() | submission.sweep.keys()
        assert read_submission(each.image, submission_to_config(each)) == each


def test_a_sweep_is_expanded_in_order_the_first_parameter_slowest() -> None:
    config = {"params": {"s": 1}, "sweep": {"b": [2, 1], "a": ["x", "y"]}, "name": "n"}
    expanded = expand_sweep(read_submission(IMAGE, config))
    assert [each.params for each in expanded] == [
        {"s": 1, "b": 2, "a": "x"},
        {"s": 1, "b": 2, "a": "y"},
        {"s": 1, "b": 1, "a": "x"},
        {"s": 1, "b": 1, "a": "y"},
    ]
    assert {each.name for each in expanded} == {"n"}
    assert expand_sweep(expanded[0]) == [expanded[0]]


def test_a_parameters_variable_is_one_that_a_program_can_read() -> None:
    assert param_variable("model.lr-max") == "SENTINELS_PARAM_MODEL_LR_MAX"
