"""A config file is read strictly, with the line of every key, and never ends in a traceback."""

from __future__ import annotations

import json
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinels.core.config_file import (
    merge_flags,
    parse_config_text,
    read_config_text,
    read_scalar,
)
from sentinels.core.errors import Fault, InvalidSubmission
from sentinels.core.submission_reading import MAX_BODY_BYTES, read_submission
from sentinels.core.text import has_control

EXAMPLES = settings(max_examples=200, deadline=None)

SAMPLE = """\
name: digits-logreg
experiment: digits
command: [python, train.py]
args: ["--C=$(SENTINELS_PARAM_C)"]
env: {OMP_NUM_THREADS: "2"}
params: {C: 0.1, solver: lbfgs}
resources:
  cpu: 2
  memory: 4Gi
data:
  - digits/train
  - digits/test
retry: {exit: {33: 3}}
notify: {on: [failed], channel: "#vision"}
"""


def faults_of(text: str) -> tuple[Fault, ...]:
    with pytest.raises(InvalidSubmission) as invalid:
        read_config_text(text)
    return invalid.value.faults


def test_the_file_is_read_as_plain_data() -> None:
    data, _ = read_config_text(SAMPLE)
    assert data["params"] == {"C": 0.1, "solver": "lbfgs"}
    assert data["resources"] == {"cpu": 2, "memory": "4Gi"}
    assert data["retry"] == {"exit": {"33": 3}}
    assert data["notify"] == {"on": ["failed"], "channel": "#vision"}
    assert read_submission("team/train:1", data).name == "digits-logreg"


def test_the_line_of_every_path_is_known() -> None:
    _, lines = read_config_text(SAMPLE)
    assert (lines["name"], lines["resources"], lines["resources.cpu"]) == (1, 7, 8)
    assert (lines["data[1]"], lines["params.solver"], lines["retry.exit.33"]) == (12, 6, 13)


def test_a_fault_of_the_data_stands_on_its_line() -> None:
    data, lines = read_config_text(SAMPLE.replace("4Gi", "much").replace("digits/test", "/etc"))
    with pytest.raises(InvalidSubmission) as invalid:
        read_submission("team/train:1", data, lines=lines)
    places = {fault.field: fault.line for fault in invalid.value.faults}
    assert places == {"resources.memory": 9, "data[1]": 12}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "~"])
def test_an_empty_file_is_an_empty_config(text: str) -> None:
    assert read_config_text(text) == ({}, {})


SCALARS = {
    **{text: text for text in ("no", "yes", "on", "off", "y", "N", "adam", "1_000", "0x1F")},
    **{text: text for text in ("012", "-012", "012.5", "22:30", "2026-11-23", "1.2.3", "1e", ".")},
    **{text: text for text in (".inf", "-.inf", ".nan", "1e999", "9" * 400, "=", "٣")},
    **{"true": True, "True": True, "FALSE": False, "null": None, "~": None, "": None},
    **{"0": 0, "7": 7, "-7": -7, "+7": 7, "18446744073709551615": 2**64 - 1},
    **{"0.1": 0.1, ".5": 0.5, "1.": 1.0, "1e3": 1000.0, "-1.5e-3": -0.0015, "0.0": 0.0},
}


@pytest.mark.parametrize(("text", "value"), SCALARS.items())
def test_a_bare_word_means_what_it_looks_like(text: str, value: object) -> None:
    found = read_scalar(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", [text for text in SCALARS if text not in ("=", "")])
def test_quotes_make_text(text: str) -> None:
    assert read_config_text(f"name: '{text}'")[0] == {"name": text}
    assert read_config_text(f'name: "{text}"')[0] == {"name": text}


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".nan", "1e999"])
def test_a_number_in_a_file_is_finite(text: str) -> None:
    (fault,) = faults_of(f"params:\n  C: {text}")
    assert (fault.field, fault.line, fault.message) == ("params.C", 2, "must be a finite number")


def test_a_key_given_twice_is_named_with_both_lines() -> None:
    faults = faults_of("name: a\nenv:\n  A: x\n  A: y\nname: b\nname: c\n")
    assert [(fault.field, fault.line, fault.message) for fault in faults] == [
        ("env.A", 4, "stands on line 3 already"),
        ("name", 5, "stands on line 1 already"),
        ("name", 6, "stands on line 1 already"),
    ]


def test_what_yaml_would_do_behind_ones_back_is_refused_all_at_once() -> None:
    text = "a: &x {b: 1}\nc: *x\nd: !!str 5\n<<: {e: 1}\n1: f\n*x : g\n"
    faults = faults_of(text)
    assert [fault.line for fault in faults] == [1, 2, 3, 4, 5, 6]
    said = " ".join(fault.message for fault in faults)
    for word in ("anchors", "aliases", "tags", "merge keys", "keys must be text"):
        assert word in said
    assert all(fault.remedy for fault in faults)


def test_what_is_refused_is_left_out_and_the_rest_can_be_checked_too() -> None:
    parsed = parse_config_text("name: a\nname: b\n1: x\nresources: {cpu: -1}\n")
    assert parsed.data == {"name": "a", "resources": {"cpu": -1}}
    assert len(parsed.faults) == 2


HOPELESS = {
    "name: a\n  b: c": (2, "':' too many"),
    "command: python train.py: x": (1, "':' too many"),
    "a:\n\tb: 1": (2, "tab"),
    "a: 1\nname: 'x\nb: 2\n": (2, "quote that is not closed"),
    "a: 1\ncommand: [python,\nb: 2\n": (2, "brackets without a closing ]"),
    "resources: {cpu: 1\n": (1, "brackets without a closing }"),
    "name: a\nfoo\nbar: 1": (2, "key without ':'"),
    "notify:\n  channel: @ann": (2, "begins with @; quote it"),
    'name: "\\d"': (1, "\\d in double quotes"),
    "name: *": (1, "quote it"),
    "name: {{ name }}": (1, "list or mapping for a key"),
    "name: a\n---\nname: b": (2, "must be one document"),
    "- name": (1, "must be a mapping"),
    "just text": (1, "must be a mapping"),
    "name: a\nb: \x1b[31m": (2, "control character U+001B"),
    "name: \ud800": (1, "control character U+D800"),
    "}": (1, "lacks a value"),
}


@pytest.mark.parametrize(("text", "expected"), HOPELESS.items())
def test_what_is_no_config_is_said_plainly_with_its_line(
    text: str, expected: tuple[int, str]
) -> None:
    fault = faults_of(text)[-1]
    assert fault.line == expected[0]
    assert expected[1] in fault.message


def test_faults_before_the_hopeless_one_are_told_too() -> None:
    assert [fault.line for fault in faults_of("a: &x 1\na: 2\nb: [")] == [1, 2, 3]


LARGE = {
    "3,000 brackets": ("a: " + "[" * 3000, "nested more than 20 deep"),
    "3,000 braces": ("{a: " * 3000, "nested more than 20 deep"),
    "3,000 dashes": ("- " * 3000, "nested more than 20 deep"),
    "600 indents": ("".join(" " * depth + "a:\n" for depth in range(600)), "nested more than"),
    "20,000 keys": ("".join(f"k{i}: {i}\n" for i in range(20_000)), "more than 10000 values"),
    "20,000 doubles": ("a: 1\n" * 20_000, "more faults than these 100"),
    "10 MB": ("a: " + "x" * 10_000_000, "larger than 256 KiB"),
    "10 MB of umlauts": ("a: " + "ü" * (MAX_BODY_BYTES // 2), "larger than 256 KiB"),
    "alias bomb": (
        "a: &a [x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(99)),
        "more faults than these 100",
    ),
}


@pytest.mark.parametrize("case", LARGE)
def test_a_hostile_file_is_refused_at_once(case: str) -> None:
    text, expected = LARGE[case]
    started = perf_counter()
    assert expected in faults_of(text)[-1].message
    assert perf_counter() - started < 5


def test_no_control_byte_of_the_file_reaches_a_message() -> None:
    for fault in faults_of('"a\\e[31m": &x 1\n"a\\e[31m": 2\n? "b\\u202e"\n: &y 1\n'):
        assert not has_control(str(fault))


_TEXT = st.text(st.characters(categories=("L", "N", "P", "S")), max_size=20)
_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


@EXAMPLES
@given(st.dictionaries(_TEXT, _PLAIN, max_size=5))
def test_a_config_in_json_means_the_same(data: dict[str, object]) -> None:
    assert read_config_text(json.dumps(data, ensure_ascii=False, indent=1))[0] == data


_CHARS = st.sampled_from(
    [*"abc:-[]{}#&*!|>'\"%@`, \n\t?~<=0123456789.e", "---", "...", "\n  ", ": "]
)


@EXAMPLES
@given(st.lists(_CHARS, max_size=60).map("".join) | st.text())
def test_any_text_is_read_or_refused_with_printable_words(text: str) -> None:
    try:
        data, lines = read_config_text(text)
    except InvalidSubmission as invalid:
        said = str(invalid)
    else:
        said = ""
        assert all(1 <= line <= text.count("\n") + text.count("\r") + 60 for line in lines.values())
        assert all(isinstance(key, str) for key in data)
    assert not has_control(said)


def test_flags_win_key_by_key_and_lists_win_whole() -> None:
    config = {"resources": {"cpu": 1, "gpu": 1}, "args": ["a", "b"], "name": "x", "env": None}
    flags = {"resources": {"cpu": 2}, "args": ["c"], "env": {"A": "1"}}
    merged = merge_flags(config, flags)
    assert merged == {
        "resources": {"cpu": 2, "gpu": 1},
        "args": ["c"],
        "name": "x",
        "env": {"A": "1"},
    }
    assert config["resources"] == {"cpu": 1, "gpu": 1}


def test_a_parameter_set_by_a_flag_is_no_longer_swept_and_the_other_way_round() -> None:
    config = {"params": {"a": 1, "b": 2}, "sweep": {"C": [1, 2], "d": [3]}}
    assert merge_flags(config, {"params": {"C": 5}}) == {
        "params": {"a": 1, "b": 2, "C": 5},
        "sweep": {"d": [3]},
    }
    assert merge_flags(config, {"sweep": {"a": [7, 8]}}) == {
        "params": {"b": 2},
        "sweep": {"C": [1, 2], "d": [3], "a": [7, 8]},
    }
