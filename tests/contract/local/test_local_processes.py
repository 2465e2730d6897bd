"""What only a machine's processes can get wrong: kills, orphans, races, and what they may see."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from sentinels.clusters.local.cluster import LocalCluster
from sentinels.clusters.local.folders import write_record
from sentinels.clusters.local.processes import marked
from sentinels.core.capacity import Resources
from sentinels.core.errors import ClusterUnavailable, LaunchRejected
from sentinels.core.job import JobId, Reason
from sentinels.core.log_position import START
from sentinels.core.observation import Pending
from sentinels.core.workload import WorkloadRef
from tests.contract.cluster_contract import FOREVER, read
from tests.contract.rig import REF, Rig, await_true

LEAVES_AN_ORPHAN = f"setsid sh -c '{FOREVER}' & sleep 0.2; echo left"
CRASHES = """
import sys
from pathlib import Path
from sentinels.clusters.local.cluster import LocalCluster
from sentinels.core.capacity import Resources
from sentinels.core.job import JobId
from sentinels.core.workload import Image, ImageKind, Workload, WorkloadRef
from sentinels.settings import make_failpoint

home, location, crash_at = sys.argv[1:]
image = Image(ImageKind.DIRECTORY, location, None, location)
cluster = LocalCluster(Path(home), grace_seconds=0.4, failpoint=make_failpoint(crash_at))
command = ("sh", "-c", "echo started; sleep 0.3")
ref = WorkloadRef(JobId(7), 1)
cluster.launch(Workload(ref, image, command, (), {}, Resources(500, 96 * 2**20)))
"""


@pytest.fixture
def rig(process_rig: Rig) -> Rig:
    return process_rig


def test_what_a_program_leaves_behind_in_a_session_of_its_own_is_ended(rig: Rig) -> None:
    seen = rig.finish(rig.shell(LEAVES_AN_ORPHAN))
    assert seen.reason is None
    assert "left" in rig.log(REF)
    assert rig.processes(REF) == []


def test_nothing_runs_on_when_the_runner_was_killed(rig: Rig) -> None:
    rig.cluster.launch(rig.shell(f"{LEAVES_AN_ORPHAN}; {FOREVER}"))
    rig.await_log(REF, "left\nbegun")
    os.kill(rig.runner(REF), signal.SIGKILL)
    seen = rig.await_end(REF)
    assert seen.reason is Reason.WORKLOAD_LOST
    assert rig.processes(REF) == []
    assert read(rig, START).ended


def test_a_program_whose_runner_was_killed_is_never_started_again(rig: Rig) -> None:
    workload = rig.shell("echo started; sleep 30")
    rig.cluster.launch(workload)
    rig.await_log(REF, "started")
    os.kill(rig.runner(REF), signal.SIGKILL)
    rig.await_end(REF)
    _run_second_runner(rig)
    assert not rig.folder(REF).exit.exists(), "it did not even try"
    rig.cluster.launch(workload)
    assert rig.await_end(REF).reason is Reason.WORKLOAD_LOST
    assert rig.log(REF) == "started\n"


def test_a_runner_killed_while_it_sends_outputs_has_kept_the_outcome(rig: Rig) -> None:
    rig.listener.may_answer.clear()
    workload = rig.shell('echo 1 > "$SENTINELS_OUTPUT/m"; exit 3')
    rig.cluster.launch(workload)
    assert rig.listener.put_begun.wait(20)
    assert not rig.cluster.collect_outputs(workload), "the runner is still at it"
    os.kill(rig.runner(REF), signal.SIGKILL)
    seen = rig.await_end(REF)
    assert (seen.reason, seen.exit_code) == (Reason.EXITED_NONZERO, 3)
    assert not seen.outputs_complete
    rig.listener.may_answer.set()
    assert rig.cluster.collect_outputs(workload)
    assert rig.await_end(REF).outputs_complete


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGKILL, "SIGKILL"), (signal.SIGRTMIN + 3, "signal 37")]
)
def test_a_signal_from_elsewhere_is_told_apart(rig: Rig, number: int, name: str) -> None:
    rig.cluster.launch(rig.shell(FOREVER))
    rig.await_log(REF, "begun")
    main = psutil.Process(rig.runner(REF)).children()[0]
    main.send_signal(number)
    seen = rig.await_end(REF)
    assert (seen.reason, seen.exit_code) == (Reason.KILLED, 128 + number)
    assert name in seen.message


def test_a_runner_that_is_told_to_go_evicts_its_workload(rig: Rig) -> None:
    rig.cluster.launch(rig.shell(FOREVER))
    rig.await_log(REF, "begun")
    os.kill(rig.runner(REF), signal.SIGTERM)
    assert rig.await_end(REF).reason is Reason.EVICTED


def test_a_program_that_ignores_the_polite_signal_is_killed_after_the_grace(rig: Rig) -> None:
    rig.cluster.launch(rig.shell(f"trap '' TERM; {FOREVER}"))
    rig.await_log(REF, "begun")
    rig.cluster.stop(REF, why=Reason.CANCELLED)
    seen = rig.await_end(REF)
    assert seen.reason is Reason.CANCELLED
    assert seen.started_at is not None
    assert (seen.finished_at - seen.started_at).total_seconds() >= 0.4


def test_memory_is_summed_over_all_that_a_program_starts(rig: Rig) -> None:
    one = f"{sys.executable} -c 'x = bytearray(60 * 2**20); import time; time.sleep(30)'"
    workload = rig.shell(f"{one} & setsid {one} & wait")
    assert rig.finish(replace(workload, time_limit=15)).reason is Reason.OUT_OF_MEMORY
    assert rig.processes(REF) == []


def test_memory_that_processes_share_counts_once(rig: Rig) -> None:
    script = """
import os, time
shared = bytearray(os.urandom(2**20)) * 50
for _ in range(3):
    if os.fork() == 0:
        time.sleep(0.5)
        os._exit(0)
for _ in range(3):
    os.wait()
"""
    workload = replace(rig.shell(""), command=(sys.executable, "-c", script))
    assert rig.finish(workload).reason is None


def test_eight_who_launch_at_once_start_one_program(rig: Rig) -> None:
    workload = rig.shell("echo started; sleep 0.3")
    gate = threading.Barrier(8)

    def launch(_: int) -> str:
        gate.wait(20)
        return rig.cluster.launch(workload)

    with ThreadPoolExecutor(8) as pool:
        uids = set(pool.map(launch, range(8)))
    assert uids == {rig.await_end(REF).uid}
    assert rig.log(REF) == "started\n"


@pytest.mark.parametrize("crash_at", ["local.after_folder", "local.after_spawn"])
def test_a_launch_that_was_cut_off_is_held_and_can_be_repeated(rig: Rig, crash_at: str) -> None:
    assert _launch_and_crash(rig, crash_at) == 86
    assert rig.cluster.held() == {REF}
    rig.cluster.launch(rig.shell("echo started; sleep 0.3"))
    assert rig.await_end(REF).reason is None
    assert rig.log(REF) == "started\n"


def test_a_runner_outlives_its_launcher_and_is_nobodys_child(rig: Rig) -> None:
    assert _launch_and_crash(rig, "local.after_spawn") == 86
    assert rig.await_end(REF).reason is None
    rig.cluster.launch(rig.shell(FOREVER, ref=WorkloadRef(JobId(8), 1)))
    assert psutil.Process().children() == []


def test_a_launch_that_was_cut_off_can_be_stopped_without_being_finished(rig: Rig) -> None:
    assert _launch_and_crash(rig, "local.after_folder") == 86
    assert isinstance(rig.observe(REF), Pending)
    rig.cluster.stop(REF, why=Reason.CANCELLED)
    assert rig.await_end(REF).reason is Reason.CANCELLED
    assert rig.log(REF) == ""


def test_a_program_sees_no_secret_and_no_setting(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTINELS_DATABASE_URL", "s3cr3t")
    monkeypatch.setenv("CLOUD_TOKEN", "s3cr3t")
    rig.finish(rig.shell("env; tr '\\0' '\\n' < /proc/$PPID/environ | grep ^SENTINELS"))
    assert "s3cr3t" not in rig.log(REF)


def test_nobody_else_can_read_the_variables_that_a_user_gave(rig: Rig) -> None:
    rig.finish(rig.shell("true", env={"TOKEN": "s3cr3t"}))
    assert rig.folder(REF).spec.stat().st_mode & 0o077 == 0


def test_a_program_cannot_take_the_place_of_its_own_output_folder(rig: Rig) -> None:
    rig.finish(rig.shell('echo "$SENTINELS_OUTPUT"', env={"SENTINELS_OUTPUT": "/elsewhere"}))
    assert rig.log(REF) == f"{rig.folder(REF).output}\n"


def test_a_program_gets_as_many_cpus_as_it_asked_for(rig: Rig) -> None:
    rig.finish(rig.shell("nproc"))
    assert rig.log(REF) == "1\n"


def test_a_program_that_writes_beside_itself_does_not_change_the_image(rig: Rig) -> None:
    rig.finish(rig.shell("cat note.txt; echo changed > note.txt; touch more"))
    assert rig.log(REF) == "as pushed\n"
    assert [path.name for path in Path(rig.image.location).iterdir()] == ["note.txt"]
    assert not rig.folder(REF).work.exists()


def test_without_a_command_the_directorys_main_program_runs_with_this_python(rig: Rig) -> None:
    main = Path(rig.image.location, "main.py")
    main.write_text("import sys; print(sys.executable, sys.argv[1:])")
    rig.finish(replace(rig.shell(""), command=None, args=("--fast",)))
    assert rig.log(REF) == f"{sys.executable} ['--fast']\n"


def test_what_can_never_be_started_is_rejected_and_leaves_nothing(rig: Rig) -> None:
    workload = rig.shell("true")
    gone = replace(rig.image, location=str(rig.home / "gone"))
    for broken, message in (
        (replace(workload, image=gone), "is gone; push again"),
        (replace(workload, command=None), "no main.py or train.py"),
        (rig.shell("true", resources=Resources(500, 2**26, gpus=1000)), "asks for 1000 GPUs"),
    ):
        with pytest.raises(LaunchRejected, match=message):
            rig.cluster.launch(broken)
    assert rig.cluster.held() == frozenset()


def test_a_data_folder_that_cannot_be_used_is_an_unavailable_cluster(
    rig: Rig, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ClusterUnavailable, match="data folder"):
        LocalCluster(tmp_path / "file").launch(rig.shell("true"))


def test_files_that_the_tracker_refuses_do_not_hold_back_the_others(rig: Rig) -> None:
    rig.listener.refused = "b"
    seen = rig.finish(rig.shell('cd "$SENTINELS_OUTPUT"; echo 1 | tee a b > c'))
    assert not seen.outputs_complete
    assert sorted(rig.listener.files) == ["a", "c"]


def test_a_second_runner_for_a_folder_starts_nothing(rig: Rig) -> None:
    rig.finish(rig.shell("echo started"))
    _run_second_runner(rig)
    assert rig.log(REF) == "started\n"


def test_a_request_to_stop_is_written_by_many_at_once(rig: Rig) -> None:
    rig.cluster.launch(rig.shell(FOREVER))
    rig.await_running(REF)
    folder = rig.folder(REF)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: write_record(folder.stop, {"why": "cancelled"}), range(64)))
    assert rig.await_end(REF).reason is Reason.CANCELLED


def test_orphans_that_end_do_not_pile_up_as_zombies(rig: Rig) -> None:
    rig.cluster.launch(rig.shell(f"for i in 1 2 3; do (true & ) & done; wait; {FOREVER}"))
    rig.await_log(REF, "begun")
    runner = psutil.Process(rig.runner(REF))
    await_true(lambda: len(runner.children()) == 1)


def test_a_runner_starts_without_what_it_does_not_need() -> None:
    names = "sentinels.clusters.local.runner, sentinels.clusters.local.program"
    code = f"import sys, {names}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    heavy = {"dataclasses", "http.client", "ssl", "uuid", "psutil", "sqlalchemy", "httpx"}
    assert heavy.isdisjoint(done.stdout.split())


def test_a_stranger_is_never_ended(rig: Rig) -> None:
    uid = f"not-ours-{os.getpid()}"
    stranger = subprocess.Popen(["sleep", "60"], env={"SENTINELS_WORKLOAD_UID": uid})
    try:
        rig.cluster.launch(rig.shell(FOREVER))
        rig.await_log(REF, "begun")
        os.kill(rig.runner(REF), signal.SIGKILL)
        rig.await_end(REF)
        assert stranger.poll() is None
        assert marked(uid) == [stranger.pid]
    finally:
        stranger.kill()
        stranger.wait()


def _launch_and_crash(rig: Rig, crash_at: str) -> int:
    words = [sys.executable, "-c", CRASHES, str(rig.home), rig.image.location, crash_at]
    return subprocess.run(words, check=False, timeout=30).returncode


def _run_second_runner(rig: Rig) -> None:
    words = [sys.executable, "-m", "sentinels.clusters.local.runner", str(rig.folder(REF).path)]
    subprocess.run(words, check=True, timeout=30)
