"""How an end is judged, what a container's command line says, and what a GPU is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sentinels.clusters.local.engine import Container, Engine, container_name
from sentinels.clusters.local.log_pipe import LogPipe
from sentinels.clusters.local.machine import gpu_type
from sentinels.clusters.local.watching import Cut, Ended, judge

CONTAINER = Container(
    name="sentinels-7-1-abc",
    image="0123",
    command=["python", "-u"],
    args=["--fast"],
    env={"A": "1=2"},
    cpus=0.5,
    memory_bytes=2**26,
    gpus=[],
    output="/home/output",
    data="/data",
)


@pytest.mark.parametrize(
    ("code", "cut", "ended"),
    [
        (0, None, Ended(exit_code=0)),
        (3, None, Ended("exited_nonzero", 3)),
        (-11, None, Ended("killed", 139, "SIGSEGV ended it, which Sentinels did not send")),
        (-40, None, Ended("killed", 168, "signal 40 ended it, which Sentinels did not send")),
        (-9, Cut("out_of_memory", "much"), Ended("out_of_memory", None, "much")),
        (0, Cut("evicted"), Ended("evicted", 0)),
        (1, Cut("cancelled"), Ended("cancelled", 1)),
        (0, Cut("deadline_exceeded", "late"), Ended("deadline_exceeded", 0, "late")),
    ],
)
def test_an_end_is_judged_by_its_exit_code_unless_it_was_cut_off(
    code: int, cut: Cut | None, ended: Ended
) -> None:
    assert judge(code, cut) == ended


def test_a_container_is_run_with_its_limits_and_nothing_of_the_machine_but_its_own() -> None:
    assert CONTAINER.run_words("podman") == [
        "run",
        *("--name", "sentinels-7-1-abc"),
        *("--label", "dev.sentinels.workload=sentinels-7-1-abc"),
        *("--pull=never", "--cpus=0.5", "--memory=67108864", "--memory-swap=67108864"),
        "--network=host",
        *("--volume", "/home/output:/sentinels/output"),
        *("--volume", "/data:/sentinels/data:ro"),
        *("--env", "A=1=2"),
        *("--entrypoint", "python"),
        *("0123", "-u", "--fast"),
    ]


def test_without_a_command_a_containers_own_is_run_with_the_arguments() -> None:
    plain = replace(CONTAINER, command=[], data=None)
    words = plain.run_words("docker")
    assert words[-2:] == ["0123", "--fast"]
    assert "--entrypoint" not in words


def test_each_engine_is_given_gpus_in_its_own_words() -> None:
    two = replace(CONTAINER, gpus=[0, 2])
    assert '"device=0,2"' in two.run_words("docker")
    assert [word for word in two.run_words("podman") if "nvidia" in word] == [
        "nvidia.com/gpu=0",
        "nvidia.com/gpu=2",
    ]


def test_an_administrators_options_stand_in_front_of_the_verb() -> None:
    engine = Engine("podman", ("--runtime", "runc"))
    assert engine.command("ps") == ["podman", "--runtime", "runc", "ps"]


def test_two_data_folders_never_share_a_containers_name() -> None:
    assert container_name("sentinels-7-1", "a" * 32) != container_name("sentinels-7-1", "b" * 32)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA H200", "h200"),
        ("Tesla T4", "t4"),
        ("NVIDIA GeForce RTX 4090", "4090"),
        ("Quadro", "quadro"),
    ],
)
def test_a_gpu_is_called_by_its_short_name(name: str, kind: str) -> None:
    assert gpu_type(name) == kind


def test_a_full_log_is_ended_with_a_note_and_the_program_goes_on(tmp_path: Path) -> None:
    pipe = LogPipe(tmp_path / "log", tmp_path / "log.times", limit=10)
    pipe.begin()
    with open(pipe.write_end, "wb", closefd=False) as program:
        program.write(b"x" * 2**20)
    pipe.end()
    log = (tmp_path / "log").read_bytes()
    assert log.startswith(b"x" * 10 + b"\n[sentinels: the log ends here")
    assert len(log) < 200
