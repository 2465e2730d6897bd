"""What every cluster promises: ``core.ports.Cluster``, asked of each adapter by the same suite.

A subclass gives the fixture ``rig``. Programs are shell scripts, which every image here can run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from sentinels.clock import utc_now
from sentinels.core.capacity import Resources
from sentinels.core.dossier import Part
from sentinels.core.job import JobId, Reason
from sentinels.core.log_position import START, Position
from sentinels.core.observation import Absent, Finished, Pending, Running
from sentinels.core.ports import LogChunk
from sentinels.core.workload import WorkloadRef
from tests.contract.rig import REF, SMALL, Rig, await_true

FOREVER = "echo begun; while :; do sleep 0.05; done"
POLITE = "trap 'exit 0' TERM; echo begun; while :; do sleep 0.05; done"
COUNTS = "i=0; while [ $i -lt {} ]; do i=$((i+1)); echo $i; done"


class ClusterContract:
    """The suite."""

    def test_a_program_that_ends_well_has_no_reason(self, rig: Rig) -> None:
        seen = rig.finish(rig.shell("echo hello; sleep 1.1"))
        assert (seen.reason, seen.exit_code, seen.message) == (None, 0, "")
        assert seen.started_at is not None
        assert seen.started_at < seen.finished_at
        assert seen.node
        assert rig.log(REF) == "hello\n"

    def test_the_exit_code_is_kept(self, rig: Rig) -> None:
        seen = rig.finish(rig.shell("exit 3"))
        assert (seen.reason, seen.exit_code) == (Reason.EXITED_NONZERO, 3)

    def test_a_program_that_is_not_there_is_the_users_fault(self, rig: Rig) -> None:
        seen = rig.finish(rig.shell("exec no-such-program"))
        assert (seen.reason, seen.exit_code) == (Reason.EXITED_NONZERO, 127)

    def test_more_memory_than_asked_for_is_told_apart(self, rig: Rig) -> None:
        seen = rig.finish(rig.shell("exec tail /dev/zero"))
        assert seen.reason is Reason.OUT_OF_MEMORY
        assert "asked for 96 MiB" in seen.message

    def test_the_time_limit_is_told_apart(self, rig: Rig) -> None:
        seen = rig.finish(rig.shell(FOREVER, time_limit=1))
        assert seen.reason is Reason.DEADLINE_EXCEEDED
        assert "time limit of 1s" in seen.message
        assert rig.log(REF) == "begun\n"

    @pytest.mark.parametrize("reason", [Reason.CANCELLED, Reason.EVICTED])
    def test_stop_ends_it_and_says_why(self, rig: Rig, reason: Reason) -> None:
        rig.cluster.launch(rig.shell(FOREVER))
        rig.await_log(REF, "begun")
        rig.cluster.stop(REF, why=reason)
        assert rig.await_end(REF).reason is reason

    def test_saying_goodbye_with_exit_code_0_is_no_success_when_it_was_evicted(
        self, rig: Rig
    ) -> None:
        rig.cluster.launch(rig.shell(POLITE))
        rig.await_log(REF, "begun")
        rig.cluster.stop(REF, why=Reason.EVICTED)
        assert rig.await_end(REF).reason is Reason.EVICTED

    def test_stopping_what_is_absent_or_over_changes_nothing(self, rig: Rig) -> None:
        rig.cluster.stop(WorkloadRef(JobId(99), 1), why=Reason.CANCELLED)
        rig.finish(rig.shell("true"))
        rig.cluster.stop(REF, why=Reason.CANCELLED)
        assert rig.await_end(REF).reason is None

    def test_launching_again_adopts_what_is_there(self, rig: Rig) -> None:
        workload = rig.shell("echo started; sleep 0.3")
        uid = rig.cluster.launch(workload)
        assert rig.cluster.launch(workload) == uid
        assert rig.await_end(REF).uid == uid
        assert rig.cluster.launch(workload) == uid
        assert rig.log(REF) == "started\n"

    def test_what_was_never_launched_is_absent_and_has_no_log(self, rig: Rig) -> None:
        unknown = WorkloadRef(JobId(8), 2)
        assert rig.observe(unknown) == Absent()
        assert rig.cluster.read_log(unknown, after=START, limit=10) is None
        assert rig.cluster.log_tail(unknown, 5) is None

    def test_it_is_held_until_released_and_its_log_stays_readable(self, rig: Rig) -> None:
        rig.finish(rig.shell("echo kept"))
        await_true(lambda: rig.cluster.held() == {REF})
        rig.cluster.release(REF)
        rig.cluster.release(REF)
        await_true(lambda: rig.cluster.held() == frozenset())
        assert rig.log(REF) == "kept\n"

    def test_the_log_can_be_followed_by_position(self, rig: Rig) -> None:
        rig.cluster.launch(rig.shell("echo begun; sleep 1; printf end"))
        rig.await_log(REF, "begun")
        first = read(rig, START, limit=16)
        assert (first.text, first.ended) == ("begun\n", False)
        assert first.joined or first.first_ns is not None
        rig.await_end(REF)
        rest = read(rig, first.position)
        assert (rest.text, rest.ended, rest.joined) == ("end", True, True)
        again = read(rig, rest.position)
        assert (again.text, again.ended, again.position) == ("", True, rest.position)

    def test_pieces_of_any_size_are_the_whole_also_of_one_long_line(self, rig: Rig) -> None:
        rig.finish(rig.shell(f"{COUNTS.format(300)}; printf '%040000d\\n' 0; echo end"))
        whole = rig.log(REF)
        assert whole == "".join(f"{n}\n" for n in range(1, 301)) + "0" * 40000 + "\nend\n"
        place, text, ended = START, "", False
        while not ended:
            piece = read(rig, place, limit=3000)
            assert len(piece.text) <= 3000
            place, text, ended = piece.position, text + piece.text, piece.ended
        assert text == whole

    def test_the_last_lines_are_found_from_the_end(self, rig: Rig) -> None:
        rig.finish(rig.shell(f"{COUNTS.format(40)}; printf 'no newline'"))
        for count, shown in ((0, ""), (1, "no newline"), (3, "39\n40\nno newline")):
            tail = rig.cluster.log_tail(REF, count)
            assert tail is not None
            assert tail.lines == count
            assert read(rig, tail.position).text == shown
        tail = rig.cluster.log_tail(REF, 100)
        assert tail is not None
        assert read(rig, tail.position).text.startswith("1\n2\n")

    def test_what_was_printed_since_a_time_is_found_and_each_line_has_its_own(
        self, rig: Rig
    ) -> None:
        rig.cluster.launch(rig.shell("echo early; sleep 1.2; echo late; echo later"))
        rig.await_end(REF)
        chunk = read(rig, START, timed=True)
        (early, late, later) = [at_ns for _, at_ns in chunk.marks]
        assert early < late < later
        assert (late - early) / 10**9 == pytest.approx(1.2, abs=0.5)
        assert abs(time.time_ns() - later) < 120 * 10**9
        for at_ns, shown in (
            (late, "late\nlater\n"),
            (early + 1, "late\nlater\n"),
            (later + 1, ""),
        ):
            assert read(rig, rig.cluster.log_since(REF, at_ns)).text == shown
        assert read(rig, rig.cluster.log_since(REF, 0)).text == chunk.text

    def test_bytes_that_are_no_text_and_that_steer_a_terminal_are_only_text(self, rig: Rig) -> None:
        rig.finish(rig.shell("printf 'a\\377\\376\\033[31mb\\rc\\n<!channel>\\000\\n'"))
        assert rig.log(REF) == "a\ufffd\ufffd\x1b[31mb\rc\n<!channel>\x00\n"

    def test_it_is_known_when_it_last_printed_something(self, rig: Rig) -> None:
        silent = WorkloadRef(REF.job_id, 2)
        rig.cluster.launch(rig.shell(FOREVER))
        rig.cluster.launch(rig.shell("while :; do sleep 0.05; done", ref=silent))
        rig.await_log(REF, "begun")
        rig.await_running(silent)
        unknown = WorkloadRef(JobId(8), 2)
        found = rig.cluster.last_output([REF, silent, unknown])
        assert set(found) == {REF}
        assert abs((utc_now() - found[REF]).total_seconds()) < 60

    def test_errors_are_in_the_log_too(self, rig: Rig) -> None:
        rig.finish(rig.shell("echo bad >&2"))
        assert rig.log(REF) == "bad\n"

    def test_variables_reach_it_and_references_are_expanded(self, rig: Rig) -> None:
        env = {"PARAM": "0.1", "TWICE": "$(PARAM)-$(PARAM)", "DOLLAR": "$$(PARAM)"}
        script = 'echo "$PARAM $TWICE $DOLLAR $0 $1 $OMP_NUM_THREADS"'
        rig.finish(rig.shell(script, args=("$(TWICE)", "$(NONE)"), env=env))
        assert rig.log(REF) == "0.1 0.1-0.1 $(PARAM) 0.1-0.1 $(NONE) 1\n"

    def test_what_it_leaves_in_its_output_folder_arrives_also_when_it_fails(self, rig: Rig) -> None:
        script = (
            'cd "$SENTINELS_OUTPUT"; mkdir -p "a b"; echo 1 > "a b/ä.txt"; echo 2 > m; '
            "ln -s /etc/hostname out; exit 1"
        )
        seen = rig.finish(rig.shell(script))
        assert seen.reason is Reason.EXITED_NONZERO
        assert seen.outputs_complete
        assert rig.listener.files == {"a b/ä.txt": b"1\n", "m": b"2\n"}

    def test_the_data_store_is_there_to_read(self, rig: Rig) -> None:
        rig.finish(rig.shell('cat "$SENTINELS_DATA/digits/train.csv"'))
        assert rig.log(REF) == "1,2,3\n"

    def test_a_node_reports_what_is_on_it_until_it_is_over(self, rig: Rig) -> None:
        rig.cluster.launch(rig.shell(FOREVER))
        rig.await_running(REF)
        (node,) = rig.cluster.snapshot().nodes
        assert node.ready
        assert node.allocatable.cpu_millis >= 1000
        await_true(lambda: _held_by(rig) == {REF.name: SMALL})
        rig.cluster.stop(REF, why=Reason.CANCELLED)
        rig.await_end(REF)
        await_true(lambda: _held_by(rig) == {})

    def test_attempts_of_one_job_are_workloads_of_their_own(self, rig: Rig) -> None:
        again = WorkloadRef(REF.job_id, 2)
        first = rig.cluster.launch(rig.shell("echo one"))
        second = rig.cluster.launch(rig.shell("echo two", ref=again))
        assert first != second
        rig.await_end(REF)
        rig.await_end(again)
        assert (rig.log(REF), rig.log(again)) == ("one\n", "two\n")

    def test_a_launched_workload_is_never_absent(self, rig: Rig) -> None:
        workload = rig.shell("true", resources=Resources(1000, 64 * 2**20))
        rig.cluster.launch(workload)
        assert isinstance(rig.observe(REF), Pending | Running | Finished)
        rig.await_end(REF)

    def test_what_it_printed_last_is_testified(self, rig: Rig) -> None:
        script = "n=0; while [ $n -lt 300 ]; do echo line $n; n=$((n+1)); done; exit 3"
        said = rig.testimony(rig.finish(rig.shell(script)))
        assert said.lines.texts == tuple(f"line {number}" for number in range(100, 300))
        assert not said.lines.whole
        assert not said.lacks(Part.LINES)

    def test_all_that_it_printed_is_testified_where_that_is_little(self, rig: Rig) -> None:
        said = rig.testimony(rig.finish(rig.shell("echo one; printf two")))
        assert (said.lines.texts, said.lines.whole) == (("one", "two"), True)
        assert said.gaps == ()

    def test_a_program_that_printed_nothing_leaves_no_gap(self, rig: Rig) -> None:
        said = rig.testimony(rig.finish(rig.shell("exit 1")))
        assert (said.lines.texts, said.gaps) == ((), ())

    def test_whatever_is_printed_is_testified_within_bounds(self, rig: Rig) -> None:
        nasty = r"printf '\033[31mred\033]8;;http://evil\007 \377\376 <!channel>\n'"
        long = "head -c 1000000 /dev/zero | tr '\\0' x"
        said = rig.testimony(rig.finish(rig.shell(f"{nasty}; {long}; exit 3")))
        *_, red, last = ("", *said.lines.texts)
        assert last.endswith("xxx")
        assert len(last) < 10_000
        assert red in ("", "\x1b[31mred\x1b]8;;http://evil\x07 \ufffd\ufffd <!channel>")

    def test_ends_of_many_are_testified_at_once(self, rig: Rig) -> None:
        refs = [WorkloadRef(JobId(number), 1) for number in range(7, 11)]
        for ref in refs:
            rig.cluster.launch(rig.shell(f"echo job {ref.job_id}; exit 1", ref=ref))
        ended = {ref: rig.await_end(ref) for ref in refs}
        found = rig.cluster.testimony(ended)
        assert {ref: said.lines.texts for ref, said in found.items()} == {
            ref: (f"job {ref.job_id}",) for ref in refs
        }

    def test_of_what_was_never_there_there_is_something_to_say_all_the_same(self, rig: Rig) -> None:
        unknown, now = WorkloadRef(JobId(8), 2), datetime.now(UTC)
        seen = Finished("", Reason.WORKLOAD_LOST, None, now, now)
        found = rig.cluster.testimony({unknown: seen})
        assert found[unknown].lines.texts == ()
        assert found[unknown].lacks(Part.LINES)


def read(rig: Rig, after: Position, *, limit: int = 10**6, timed: bool = False) -> LogChunk:
    """A piece of the log of a workload that has one."""
    chunk = rig.cluster.read_log(REF, after=after, limit=limit, timed=timed)
    assert chunk is not None
    return chunk


class MachineContract(ClusterContract):
    """What a cluster that sees its workloads' processes and folders promises besides."""

    def test_what_it_used_is_measured(self, rig: Rig) -> None:
        seen = rig.finish(rig.shell("sleep 0.3"))
        assert seen.usage.cpu_seconds is not None
        assert seen.usage.peak_memory_bytes

    def test_outputs_that_did_not_arrive_are_collected_later(self, rig: Rig) -> None:
        rig.listener.status = 503
        workload = rig.shell('echo 1 > "$SENTINELS_OUTPUT/m"')
        seen = rig.finish(workload)
        assert (seen.reason, seen.outputs_complete) == (None, False)
        assert not rig.cluster.collect_outputs(workload)
        rig.listener.status = 200
        assert rig.cluster.collect_outputs(workload)
        assert rig.await_end(REF).outputs_complete
        assert rig.listener.files == {"m": b"1\n"}

    def test_whoever_is_told_of_the_end_finds_it_ended(self, rig: Rig) -> None:
        seen: list[object] = []
        rig.listener.on_event = lambda: seen.append(rig.observe(REF))
        rig.cluster.launch(rig.shell("true"))
        await_true(lambda: rig.listener.events)
        assert isinstance(seen[0], Finished)
        (headers, data) = rig.listener.events[0]
        assert headers["ce-type"] == "dev.sentinels.workload.ended"
        assert headers["ce-subject"] == REF.name
        assert data == {"job_id": 7, "attempt": 1}


def _held_by(rig: Rig) -> Mapping[str, Resources]:
    (node,) = rig.cluster.snapshot().nodes
    return node.workloads
