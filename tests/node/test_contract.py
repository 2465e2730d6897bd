"""What every cluster promises, asked of Kubernetes with a real node."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.cluster_contract import ClusterContract
from tests.contract.listener import Listener, listening
from tests.contract.rig import REF, Rig, await_true
from tests.node.conftest import SHELL_IMAGE
from tests.node.machine import RealNode
from tests.node.network import Segment
from tests.support.image import IMAGE, built_image

from sentinels.clusters.kubernetes.api import Api
from sentinels.clusters.kubernetes.cluster import KubernetesCluster
from sentinels.clusters.kubernetes.holding import let_all_go
from sentinels.clusters.kubernetes.options import Options
from sentinels.core.errors import NotFound
from sentinels.core.log_position import START
from sentinels.core.workload import Image, ImageKind

pytestmark = [pytest.mark.node, pytest.mark.timeout(180)]
GRACE_SECONDS = 4.0
_RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


@pytest.fixture(scope="module")
def node(real_node: RealNode) -> RealNode:
    """The node, with the image that sends outputs."""
    real_node.import_image(built_image())
    return real_node


@pytest.fixture
def listener(segment: Segment) -> Iterator[Listener]:
    """Where outputs go, as pods reach it."""
    with listening(address=segment.address) as found:
        yield found


@pytest.fixture
def prefix() -> str:
    """What a test's namespaces begin with, and no other's."""
    return f"c{secrets.token_hex(3)}-"


@pytest.fixture
def rig(node: RealNode, listener: Listener, prefix: str, tmp_path: Path) -> Iterator[Rig]:
    """A namespace of a test's own, with a data store in a folder of the node."""
    namespace = f"{prefix}default"
    node.kubectl("create", "namespace", namespace)
    node.kubectl("label", "namespace", namespace, _RESTRICTED)
    store = _store(tmp_path / "data")
    node.kubectl("apply", "-f", "-", input=json.dumps(_volume(namespace, store)))
    api = Api(str(node.kubeconfig))
    options = Options(
        namespace_prefix=prefix,
        sidecar_image=IMAGE,
        data_claim="data",
        grace_seconds=GRACE_SECONDS,
    )
    image = Image(ImageKind.CONTAINER, SHELL_IMAGE, None, SHELL_IMAGE)
    try:
        yield Rig(KubernetesCluster(api, options), image, listener, tmp_path, patience=60)
    finally:
        node.kubectl("delete", "namespace", namespace, "--wait=false")
        let_all_go(api, prefix)
        api.close()
        node.kubectl("delete", "pv", namespace, "--wait=false")


def _store(folder: Path) -> Path:
    (folder / "digits").mkdir(parents=True)
    (folder / "digits" / "train.csv").write_text("1,2,3\n")
    return folder


def _volume(namespace: str, folder: Path) -> dict[str, object]:
    """A folder of the node as a claim that a team's pods may read."""
    common = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    size = {"storage": "1Mi"}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": namespace},
        "spec": {**common, "capacity": size, "hostPath": {"path": str(folder)}},
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": namespace},
        "spec": {**common, "resources": {"requests": size}, "volumeName": namespace},
    }
    return {"apiVersion": "v1", "kind": "List", "items": [volume, claim]}


class TestKubernetesCluster(ClusterContract):
    """The suite, and what is Kubernetes's own."""

    def test_outputs_that_did_not_arrive_are_gone_and_reported_so(self, rig: Rig) -> None:
        rig.listener.status = 503
        workload = rig.shell('echo 1 > "$SENTINELS_OUTPUT/m"')
        seen = rig.finish(workload)
        assert (seen.reason, seen.outputs_complete) == (None, False)
        with pytest.raises(NotFound):
            rig.cluster.collect_outputs(workload)

    def test_the_log_goes_with_the_pod(self, rig: Rig, node: RealNode, prefix: str) -> None:
        rig.finish(rig.shell("echo kept"))
        assert not rig.cluster.keeps_logs
        assert rig.log(REF) == "kept\n"
        rig.cluster.release(REF)
        here = ("--namespace", f"{prefix}default")
        node.kubectl(*here, "delete", "job", "--all", "--cascade=foreground", "--timeout=50s")
        assert rig.cluster.read_log(REF, after=START, limit=100) is None

    @pytest.mark.parametrize("how", [("--force", "--grace-period=0"), ()], ids=["force", "plain"])
    def test_a_pod_that_is_deleted_stays_until_its_outcome_is_committed(
        self, rig: Rig, node: RealNode, prefix: str, how: tuple[str, ...]
    ) -> None:
        seen = rig.finish(rig.shell("echo the last line; exit 3"))
        here = ("--namespace", f"{prefix}default")
        node.kubectl(*here, "delete", "pod", "--all", "--wait=false", *how)
        assert rig.testimony(seen).lines.texts == ("the last line",)
        assert rig.await_end(REF).exit_code == 3
        rig.cluster.release(REF)
        await_true(lambda: not node.kubectl(*here, "get", "pod", "-o", "name"))
        assert rig.testimony(seen).lines.texts == ("the last line",)
        assert rig.testimony(seen).lines.source == "its pod's status"

    def test_kubernetes_own_words_are_testified_where_something_went_wrong(self, rig: Rig) -> None:
        said = rig.testimony(rig.finish(rig.shell("exit 3")))
        assert {"pod", "job"} == {event.about for event in said.events}
        assert "Started" in {event.reason for event in said.events}
        assert {each.name: each.bad for each in said.conditions}["Ready"] is False
        assert said.gaps == ()
