"""Which program a workload starts, and how an end looks to whom it happens on one machine."""

from __future__ import annotations

import os
import signal
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from sentinels.clusters.local.cluster import LocalCluster
from sentinels.clusters.local.engine import Engine, container_name
from sentinels.clusters.local.folders import read_record
from sentinels.clusters.local.images import LocalImageStore
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.job import JobId, Reason
from sentinels.core.workload import WorkloadRef
from tests.contract.cluster_contract import FOREVER, POLITE
from tests.contract.rig import REF, Rig, await_true

GROWS = "x = bytearray(200 * 2**20); import time; time.sleep(30)"
FORKS = f"""
import os, time
if os.fork() == 0:
    {GROWS}
time.sleep(30)
"""
DETACHES = f"""
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        {GROWS}
    os._exit(0)
time.sleep(30)
"""


@pytest.fixture
def rig(process_rig: Rig) -> Rig:
    return process_rig


def _code(rig: Rig, **programs: str) -> None:
    for name, text in programs.items():
        Path(rig.image.location, f"{name}.py").write_text(text)


def test_without_main_py_the_default_program_is_train_py(rig: Rig) -> None:
    _code(rig, train="print('train')")
    rig.finish(replace(rig.shell(""), command=None))
    assert rig.log(REF) == "train\n"


def test_main_py_goes_before_train_py(rig: Rig) -> None:
    _code(rig, train="print('train')", main="print('main')")
    rig.finish(replace(rig.shell(""), command=None))
    assert rig.log(REF) == "main\n"


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("no-such-program", 127, "there is no program 'no-such-program' to start"),
        ("./no-such-program", 127, "there is no program './no-such-program' to start"),
        ("./note.txt", 126, "'./note.txt' cannot be started: Permission denied"),
        ("nul\0byte", 126, "cannot be started: embedded null byte"),
    ],
)
def test_a_command_that_cannot_be_started_is_named(
    rig: Rig, command: str, code: int, message: str
) -> None:
    seen = rig.finish(replace(rig.shell(""), command=(command,)))
    assert (seen.reason, seen.exit_code) == (Reason.EXITED_NONZERO, code)
    assert message in seen.message


@pytest.mark.parametrize("program", [GROWS, FORKS, DETACHES], ids=["itself", "child", "detached"])
def test_whoever_of_a_program_takes_too_much_memory_ends_all_of_it(rig: Rig, program: str) -> None:
    workload = replace(rig.shell("", time_limit=20), command=(sys.executable, "-c", program))
    seen = rig.finish(workload)
    assert seen.reason is Reason.OUT_OF_MEMORY
    assert "asked for 96 MiB" in seen.message
    assert (seen.usage.peak_memory_bytes or 0) > 96 * 2**20
    assert rig.processes(REF) == []


def test_at_its_time_limit_a_program_can_say_goodbye(rig: Rig) -> None:
    seen = rig.finish(rig.shell("trap 'echo bye; exit 0' TERM; sleep 30 & wait", time_limit=1))
    assert seen.reason is Reason.DEADLINE_EXCEEDED
    assert rig.log(REF) == "bye\n"


def test_at_its_time_limit_a_program_that_does_not_listen_is_killed(rig: Rig) -> None:
    script = f"trap 'echo no' TERM; {FOREVER}"
    assert rig.finish(rig.shell(script, time_limit=1)).reason is Reason.DEADLINE_EXCEEDED
    assert "no" in rig.log(REF).splitlines(), "it was asked first"
    assert rig.processes(REF) == []


def test_the_grace_is_as_long_as_it_takes_and_no_longer(rig: Rig) -> None:
    patient = LocalCluster(rig.home, grace_seconds=10)
    patient.launch(rig.shell(POLITE))
    rig.await_log(REF, "begun")
    patient.stop(REF, why=Reason.CANCELLED)
    seen = rig.await_end(REF)
    assert (seen.reason, seen.exit_code) == (Reason.CANCELLED, 0)


def test_an_empty_output_folder_is_complete_and_so_is_one_of_empty_folders(rig: Rig) -> None:
    assert rig.finish(rig.shell("true")).outputs_complete
    again = rig.shell('mkdir -p "$SENTINELS_OUTPUT/a/b"', ref=WorkloadRef(JobId(8), 1))
    assert rig.finish(again).outputs_complete
    assert rig.listener.files == {}


def test_without_a_tracker_run_outputs_wait_until_there_is_one(rig: Rig) -> None:
    script = 'echo 1 > "$SENTINELS_OUTPUT/m"'
    workload = replace(rig.shell(script), outputs_url=None)
    assert not rig.finish(workload).outputs_complete
    assert rig.cluster.collect_outputs(rig.shell(script))
    assert rig.await_end(REF).outputs_complete
    assert rig.listener.files == {"m": b"1\n"}


def test_two_workloads_get_different_cpus_while_there_are_enough(rig: Rig) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("this machine has one CPU")
    refs = [WorkloadRef(JobId(number), 1) for number in (7, 8)]
    for ref in refs:
        rig.cluster.launch(
            rig.shell(f"grep Cpus_allowed_list /proc/self/status; {FOREVER}", ref=ref)
        )
    for ref in refs:
        rig.await_log(ref, "begun")
    assert rig.log(refs[0]) != rig.log(refs[1])


def test_a_data_folder_that_cannot_be_used_does_not_look_empty(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    cluster = LocalCluster(tmp_path / "file")
    for question in (cluster.held, cluster.snapshot):
        with pytest.raises(ClusterUnavailable, match="data folder"):
            question()


def test_a_failed_hint_changes_nothing(rig: Rig) -> None:
    deaf = LocalCluster(rig.home, notify_url="http://127.0.0.1:9/", grace_seconds=1)
    deaf.launch(rig.shell("true"))
    assert rig.await_end(REF).reason is None


@pytest.mark.container
def test_a_tag_that_moves_after_the_push_does_not_change_what_runs(
    container_rig: Rig, container_engine: Engine, tmp_path: Path
) -> None:
    rig, images = container_rig, LocalImageStore(tmp_path, engine=lambda: container_engine)
    tag = "localhost/sentinels-test:moves"
    assert container_engine.ask("tag", rig.image.location, tag) is not None
    pushed = images.resolve(tag)
    with tarfile.open(tmp_path / "other.tar", "w"):
        assert container_engine.ask("import", str(tmp_path / "other.tar"), tag) is not None
    try:
        assert images.resolve(tag).digest != pushed.digest
        seen = rig.finish(replace(rig.shell("echo as pushed"), image=pushed))
        assert (seen.reason, rig.log(REF)) == (None, "as pushed\n")
    finally:
        container_engine.ask("rmi", "--force", tag, seconds=60)


@pytest.mark.container
def test_an_engines_client_does_not_outlive_its_runner(
    container_rig: Rig, container_engine: Engine
) -> None:
    rig = container_rig
    rig.cluster.launch(rig.shell(FOREVER))
    await_true(rig.folder(REF).started.exists)
    runner = psutil.Process(rig.runner(REF))
    await_true(lambda: _clients(runner))
    # As if it were just about to make the container, which nobody could see yet.
    _clients(runner)[0].suspend()
    runner.send_signal(signal.SIGKILL)
    assert rig.await_end(REF).reason is Reason.WORKLOAD_LOST
    spec = read_record(rig.folder(REF).spec)
    assert spec is not None
    name = container_name(REF.name, str(spec["uid"]))
    assert [found.cmdline() for found in psutil.process_iter() if name in _words(found)] == []
    words = ("ps", "--all", "--quiet", "--filter", f"name={name}")
    assert container_engine.ask(*words) == ""


def _clients(runner: psutil.Process) -> list[psutil.Process]:
    return [child for child in runner.children() if "run" in _words(child)]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
