"""The local cluster keeps the cluster's promises with processes, and with containers."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest

from sentinels.clusters.local.cluster import LocalCluster
from sentinels.clusters.local.engine import Engine, EngineFinder, container_name
from sentinels.clusters.local.folders import read_record
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.job import Reason
from tests.contract.cluster_contract import FOREVER, MachineContract
from tests.contract.rig import REF, Rig, await_true


class TestProcesses(MachineContract):
    """Directories of code, run as processes."""

    @pytest.fixture
    def rig(self, process_rig: Rig) -> Rig:
        return process_rig


@pytest.mark.container
class TestContainers(MachineContract):
    """Images, run as containers."""

    @pytest.fixture
    def rig(self, container_rig: Rig) -> Rig:
        return container_rig

    def test_nothing_is_left_of_a_container_whose_runner_was_killed(
        self, rig: Rig, container_engine: Engine
    ) -> None:
        rig.cluster.launch(rig.shell(FOREVER))
        rig.await_log(REF, "begun")
        os.kill(rig.runner(REF), signal.SIGKILL)
        assert rig.await_end(REF).reason is Reason.WORKLOAD_LOST
        assert _containers(rig, container_engine) == ""

    def test_nothing_is_left_of_a_container_that_ended(
        self, rig: Rig, container_engine: Engine
    ) -> None:
        rig.finish(rig.shell("true"))
        assert _containers(rig, container_engine) == ""

    def test_an_image_that_went_away_is_named_as_the_cause(self, rig: Rig) -> None:
        gone = replace(rig.image, location="0" * 64)
        seen = rig.finish(replace(rig.shell("true"), image=gone))
        assert seen.reason is Reason.IMAGE_UNAVAILABLE
        assert "build or pull it and push again" in seen.message

    def test_an_administrators_options_are_used_from_the_first_question_on(
        self, container_engine: Engine
    ) -> None:
        found = EngineFinder(options=("--log-level=error",))()
        assert found == Engine(container_engine.name, ("--log-level=error",))
        assert EngineFinder(options=("--no-such-option",))() is None

    def test_an_engine_that_does_not_answer_now_leaves_the_launch_open(self, rig: Rig) -> None:
        cluster = LocalCluster(rig.home, engine=lambda: None)
        with pytest.raises(ClusterUnavailable, match="no container engine answers"):
            cluster.launch(rig.shell("true"))
        assert cluster.held() == frozenset()
        await_true(lambda: rig.finish(rig.shell("true")).reason is None)


def _containers(rig: Rig, engine: Engine) -> str | None:
    spec = read_record(rig.folder(REF).spec)
    assert spec is not None
    name = container_name(REF.name, str(spec["uid"]))
    return engine.ask("ps", "--all", "--quiet", "--filter", f"name={name}")
