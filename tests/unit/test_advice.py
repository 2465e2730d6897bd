"""Advice fits: the same exit has different causes, and what helps one does nothing for another."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.advice import ADVICE, MOST, Case, advise, shares, sufficient
from sentinels.core.capacity import Resources
from sentinels.core.dossier import (
    Cause,
    Dossier,
    LastLines,
    NodeCondition,
    Scalar,
)
from sentinels.core.dossier import Testimony as Said
from sentinels.core.job import Reason
from sentinels.core.observation import Usage
from sentinels.core.quantity import parse_cpu, parse_memory
from sentinels.core.symptoms import EXIT_CODES, SIGNALS, SYMPTOMS, raised_in, symptom_in

GIB = 2**30
ASKED = Resources(2000, 4 * GIB)
PRESSED = (NodeCondition("MemoryPressure", bad=True),)


def case(
    reason: Reason | None,
    *lines: str,
    code: int | None = 1,
    detail: str = "",
    peak: int | None = None,
    gpus: int = 0,
    conditions: tuple[NodeCondition, ...] = (),
    **facts: Scalar,
) -> Case:
    said = Said(LastLines(lines), conditions=conditions, facts=facts)
    dossier = Dossier(Cause(reason, detail) if reason else None, code, said)
    return Case(12, dossier, replace(ASKED, gpus=gpus), Usage(peak_memory_bytes=peak))


def first(found: Case) -> str:
    return advise(found)[0]


def exited(*lines: str, **others: int) -> str:
    return first(case(Reason.EXITED_NONZERO, *lines, **others))


SAID = {
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0": "of its GPU",
    "RuntimeError: CUDA error: out of memory": "of its GPU",
    "tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating tensor "
    "with shape[64] on /job:localhost/replica:0/task:0/device:GPU:0": "of its GPU",
    "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory allocating 8589934592 "
    "bytes.": "of its GPU",
    "RuntimeError: DataLoader worker (pid 41) is killed by signal: Bus error. It is possible that "
    "dataloader's workers are out of shared memory.": "/dev/shm",
    "RuntimeError: DataLoader worker (pid(s) 12) is killed by signal: Killed.": "more --memory",
    "numpy._ArrayMemoryError: Unable to allocate 7.45 GiB for an array": "--memory",
    "MemoryError": "--memory",
    "ModuleNotFoundError: No module named 'torch.nn.x'": "no module torch.nn.x",
    "ImportError: libGL.so.1: cannot open shared object file: No such file": "libGL.so.1",
    "exec /usr/bin/python: exec format error": "kind of processor",
    "OSError: [Errno 28] No space left on device": "no room left",
    "OSError: [Errno 30] Read-only file system: '/data/x'": "$SENTINELS_OUTPUT",
    "PermissionError: [Errno 13] Permission denied: '/data/x'": "/data/x",
    "FileNotFoundError: [Errno 2] No such file or directory: 'train.csv'": "$SENTINELS_DATA",
    "socket.gaierror: [Errno -3] Temporary failure in name resolution": "--egress",
    "train.py: error: unrecognized arguments: --lr": "arguments",
}


@pytest.mark.parametrize(("line", "words"), SAID.items())
def test_what_a_program_says_when_it_dies_decides(line: str, words: str) -> None:
    assert words in exited("epoch 1", line)


def test_the_gpus_memory_is_not_the_machines() -> None:
    said = exited("torch.OutOfMemoryError: CUDA out of memory.", gpus=1)
    assert "more --memory does not help" in said


def test_a_gpu_that_was_not_asked_for_is_not_the_images_fault() -> None:
    line = "RuntimeError: No CUDA GPUs are available"
    assert "--gpu 1" in exited(line)
    assert "--gpu 1" not in exited(line, gpus=1)


def test_what_was_printed_before_the_error_that_ended_it_does_not_count() -> None:
    warned = "urllib3 NewConnectionError: retrying"
    error = ("Traceback (most recent call last):", '  File "t.py", line 1', "KeyError: 'x'")
    assert "sentinels logs 12" in exited(warned, *error)
    assert "--egress" in exited(*error, warned)


def test_of_several_errors_the_one_that_is_only_passed_on_is_not_the_cause() -> None:
    texts = (
        "[rank1]: Traceback (most recent call last):",
        '[rank1]:   File "train.py", line 7, in <module>',
        "[rank1]: ModuleNotFoundError: No module named 'apex'",
        "Traceback (most recent call last):",
        '  File "torchrun.py", line 90, in main',
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError:",
        "train.py FAILED",
    )
    found = raised_in(texts)
    assert found is not None
    assert found.lines[-1] == "ModuleNotFoundError: No module named 'apex'"
    assert "no module apex" in exited(*texts)


@pytest.mark.parametrize("code", EXIT_CODES)
def test_exit_codes_that_mean_something_by_themselves(code: int) -> None:
    assert exited(code=code) == EXIT_CODES[code]
    assert code < 128 or SIGNALS[code].startswith("SIG")


def test_out_of_memory_at_its_own_limit_asks_for_more() -> None:
    assert first(case(Reason.OUT_OF_MEMORY, code=137)).startswith("Ask for more than 4Gi")


def test_a_job_that_has_grown_already_is_not_told_to() -> None:
    said = first(replace(case(Reason.OUT_OF_MEMORY, code=137), grows=True))
    assert said.startswith("Ask for more than 4Gi")
    assert "by itself" not in said


def test_out_of_memory_on_a_node_that_ran_short_is_not_blamed_on_the_limit_alone() -> None:
    said = first(case(Reason.OUT_OF_MEMORY, code=137, peak=2 * GIB, conditions=PRESSED))
    assert "may have been the node's doing" in said
    assert "50%" in said
    assert "Push it again as it is" in said


def test_an_eviction_for_the_nodes_memory_says_that_the_limit_is_right() -> None:
    words = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 60Mi."
    said = first(case(Reason.EVICTED, detail=words))
    assert "not your limit of 4Gi" in said
    assert "Ask for more" not in said


def test_an_eviction_for_its_own_files_says_whose_they_are() -> None:
    own = 'Usage of EmptyDir volume "output" exceeds the limit "20Gi".'
    assert "more files than a job may keep" in first(case(Reason.EVICTED, pod_message=own))
    others = "The node was low on resource: ephemeral-storage."
    assert "nothing is wrong with your limits" in first(case(Reason.EVICTED, pod_message=others))


def test_killed_without_proof_is_judged_by_what_was_measured() -> None:
    unknown = first(case(Reason.KILLED, code=137))
    close = first(case(Reason.KILLED, code=137, peak=int(3.9 * GIB)))
    far = first(case(Reason.KILLED, code=137, peak=GIB))
    node = first(case(Reason.KILLED, code=137, peak=GIB, conditions=PRESSED))
    here = first(case(Reason.KILLED, code=137, peak=GIB, machine_oom_kills=1))
    assert "usual cause" in unknown
    assert "most likely for that" in close
    assert "hardly for that" in far
    assert "short of memory" in node
    assert node == here
    assert "Ask for more" not in far + node


def test_killed_by_another_signal_is_told_by_that() -> None:
    assert "segmentation fault" in first(case(Reason.KILLED, code=139))


def test_what_nobody_has_to_do_anything_about_has_no_advice() -> None:
    assert advise(case(Reason.CANCELLED)) == []
    assert advise(case(None, code=0)) == []


def test_a_success_is_told_what_would_have_sufficed() -> None:
    used = Usage(peak_memory_bytes=GIB, peak_cpu_cores=0.4)
    assert sufficient(ASKED, used) == ["--cpu 0.5", "--memory 1280Mi"]
    assert sufficient(ASKED, Usage(peak_memory_bytes=3 * GIB, peak_cpu_cores=1.9)) == []
    assert sufficient(ASKED, Usage()) == []
    assert sufficient(Resources(200, 128 * 2**20), Usage(2**20, None, None, None, 0.01)) == []
    [said] = advise(replace(case(None, code=0), usage=used))
    assert "--memory 1280Mi" in said


@given(st.integers(0, 2**44), st.floats(0, 512))
def test_what_would_have_sufficed_is_more_than_was_used(peak: int, cores: float) -> None:
    asked = Resources(10**6, 2**46)
    flags = dict(flag.split() for flag in sufficient(asked, Usage(peak, None, None, None, cores)))
    assert peak < parse_memory(flags["--memory"]) <= peak * 1.5 + 64 * 2**20
    assert cores * 1000 < parse_cpu(flags["--cpu"])


def test_shares_leave_out_what_was_not_measured() -> None:
    assert shares(ASKED, Usage()) == []
    usage = Usage(2 * GIB, 9.0, 37 * GIB, 62.0, 1.0)
    found = [(share.name, share.used, share.asked, share.part) for share in shares(ASKED, usage)]
    assert found == [
        ("memory", "2Gi", "4Gi", 0.5),
        ("CPU", "1.0", "2", 0.5),
        ("GPU", "62 %", "0×GPU", 0.62),
        ("GPU memory", "37Gi", "", None),
    ]


@given(
    st.sampled_from([None, *Reason]),
    st.lists(st.text(), max_size=6),
    st.one_of(st.none(), st.integers(-5, 300)),
)
def test_whatever_was_printed_there_is_advice_and_not_too_much(
    reason: Reason | None, lines: list[str], code: int | None
) -> None:
    found = advise(case(reason, *lines, code=code))
    assert len(found) <= MOST
    assert bool(found) == (reason in ADVICE)
    assert all("{" not in sentence.replace("{oom: {memory", "") for sentence in found)


@given(st.lists(st.text(max_size=30), max_size=30))
def test_symptoms_are_looked_for_in_whatever_was_printed(lines: list[str]) -> None:
    symptom_in(lines, asked_gpus=0)
    raised_in(lines)


def test_a_megabyte_of_anything_is_looked_through_in_no_time() -> None:
    for text in ("a" * 10**6, "error: " * 10**5, "('" * 10**5, "\x1b" * 10**6):
        symptom_in([text[:4000]] * 200, asked_gpus=0)
    assert SYMPTOMS
