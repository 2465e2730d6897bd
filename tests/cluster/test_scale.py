"""A hundred mixed nodes and two thousand waiting jobs, pass by pass.

Scheduler, Job controller and API server are real, nodes and what runs on them are simulated. After
each pass three promises are checked from outside of the planner:

- what was admitted fits: what is bound stays where it is, and the reference packer finds places for
  all the rest (it can only err on the red side, see ``tests.support.packing``);
- a lane that was left behind has a decision that says why, and one that fits a node before and
  after the pass, wherever the rest goes, is told so, and not that there is no room;
- what was created and not begun with stays under two seconds of the Job controller's work.
"""

from __future__ import annotations

import time
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Engine

from sentinels.core.capacity import Resources
from sentinels.core.pacing import FIRST_WINDOW, PROMISED_SECONDS
from sentinels.core.queueing import Caller
from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import SimulatedNodes
from tests.support.direct_api import Body, DirectApi
from tests.support.packing import Bin, pack
from tests.support.ward import Ward, open_ward

GI = 2**30
JOBS = 2000
ON_THEIR_WAY = 250
"""More than the first nodes in order hold: were they not counted, they would not fit."""
FITTING = {"launch_limit", "reserved", "no_slot"}
"""Decisions that say: there is room, and yet not now."""


@dataclass(frozen=True)
class Kind:
    """So many nodes of one kind."""

    count: int
    cpus: int
    gibibytes: int
    gpus: int = 0
    gpu_type: str = ""
    tainted: bool = False
    cordoned: bool = False
    pods: int = 110


FLEET = (
    Kind(25, 16, 64),
    Kind(15, 8, 64),
    Kind(5, 64, 256, pods=12),
    Kind(15, 16, 64, 1, "t4"),
    Kind(15, 32, 128, 4, "a100"),
    Kind(10, 64, 512, 8, "a100"),
    Kind(5, 96, 768, 8, "h100"),
    Kind(5, 32, 128, 4, "a100", tainted=True),
    Kind(5, 64, 256, cordoned=True),
)


def node(name: str, kind: Kind) -> Body:
    amounts = {
        "cpu": str(kind.cpus),
        "memory": f"{kind.gibibytes}Gi",
        "pods": str(kind.pods),
        "ephemeral-storage": "500Gi",
    }
    labels = {"kubernetes.io/hostname": name, "type": "kwok"}
    if kind.gpus:
        amounts["nvidia.com/gpu"] = str(kind.gpus)
        labels["sentinels.dev/gpu-type"] = kind.gpu_type
    taint = {"key": "maintenance", "value": "yes", "effect": "NoSchedule"}
    return {
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "spec": {"taints": [taint] if kind.tainted else [], "unschedulable": kind.cordoned},
        "status": {"allocatable": amounts, "capacity": amounts},
    }


@dataclass(frozen=True)
class Order:
    """So many jobs of one shape."""

    count: int
    resources: Mapping[str, object]
    priority: str = "normal"


ORDERS = (
    Order(500, {"cpu": 1, "memory": "2Gi"}),
    Order(300, {"cpu": 2, "memory": "8Gi"}),
    Order(150, {"cpu": 0.5, "memory": "16Gi"}, "low"),
    Order(120, {"cpu": 8, "memory": "16Gi"}, "high"),
    Order(60, {"cpu": 16, "memory": "64Gi"}),
    Order(200, {"cpu": 2, "memory": "8Gi", "gpu": 1}),
    Order(150, {"cpu": 4, "memory": "16Gi", "gpu": 1, "gpu_type": "t4"}),
    Order(150, {"cpu": 4, "memory": "16Gi", "gpu": 1, "gpu_type": "a100"}, "low"),
    Order(120, {"cpu": 8, "memory": "32Gi", "gpu": 2, "gpu_type": "a100"}),
    Order(80, {"cpu": 16, "memory": "64Gi", "gpu": 4, "gpu_type": "a100"}, "high"),
    Order(60, {"cpu": 32, "memory": "256Gi", "gpu": 8}),
    Order(40, {"cpu": 48, "memory": "512Gi", "gpu": 8, "gpu_type": "h100"}),
    Order(50, {"cpu": 60, "memory": "200Gi"}),
    Order(20, {"cpu": 4, "memory": "16Gi", "gpu": 2, "gpu_type": "b200"}, "urgent"),
)
"""The last can only run on nodes that come later; nothing else is before it then."""


@dataclass
class Picture:
    """What the cluster and the database say after a pass: what is free, and what is on its way.

    ``residents`` are the pods that were ever bound to a node, by the node's name.
    """

    bins: list[Bin]
    on_their_way: list[Resources]
    residents: Mapping[str, frozenset[str]]

    def rooms(self, request: Resources) -> set[tuple[str, frozenset[str]]]:
        """Nodes with room for it wherever all that is on its way may go, and who is there."""
        return {
            (one.name, self.residents.get(one.name, frozenset()))
            for one in self.bins
            if pack([*self.on_their_way, request], [one], tries=1) is not None
        }


@dataclass
class Watchman:
    """Looks from outside after each pass."""

    ward: Ward
    before: Picture | None = None
    decided: Counter[str] = field(default_factory=Counter)
    on_their_way_at_most: int = 0

    def look(self) -> None:
        picture = self.picture()
        packed = pack(picture.on_their_way, picture.bins)
        assert packed is not None, f"no place for all of {picture.on_their_way}"
        self.on_their_way_at_most = max(self.on_their_way_at_most, len(picture.on_their_way))
        self.lanes(picture)
        self.before = picture

    def picture(self) -> Picture:
        live = {
            str(name): Resources(int(cpu), int(memory), int(gpus), str(kind) or None)
            for name, cpu, memory, gpus, kind in self.ward.desk.ask(LIVE_REQUESTS)
        }
        pods = self.ward.api.items("/api/v1/pods", resourceVersion=0)
        bound = [pod for pod in pods if pod["spec"].get("nodeName")]
        placed = {pod["metadata"]["labels"].get("job-name") for pod in bound}
        residents: dict[str, set[str]] = {}
        held: dict[str, list[Resources]] = {}
        for pod in bound:
            residents.setdefault(pod["spec"]["nodeName"], set()).add(pod["metadata"]["name"])
            if pod["status"].get("phase") not in {"Succeeded", "Failed"}:
                held.setdefault(pod["spec"]["nodeName"], []).append(asked_of(pod))
        nodes = self.ward.api.items("/api/v1/nodes", resourceVersion=0)
        bins = [left(one, held.get(one["metadata"]["name"], [])) for one in nodes if is_open(one)]
        on_their_way = [live[name] for name in live if name not in placed]
        return Picture(bins, on_their_way, {name: frozenset(r) for name, r in residents.items()})

    def lanes(self, picture: Picture) -> None:
        for lane, cpu, memory, gpus, kind, code, sentence in self.ward.desk.ask(WAITING_LANES):
            assert code is not None, f"lane {lane} waits and nothing says why"
            self.decided[str(code)] += 1
            request = Resources(int(cpu), int(memory), int(gpus), str(kind) or None)
            before = self.before.rooms(request) if self.before else set()
            # The same node, to which nothing came or went in between.
            if room := before & picture.rooms(request):
                assert code in FITTING, f"{request} fits {room}, and is told: {sentence}"


LIVE_REQUESTS = """
SELECT 'sentinels-' || a.job_id || '-' || a.attempt, s.cpu_millis, s.memory_bytes, s.gpus,
       s.gpu_type
  FROM attempts a JOIN shapes s ON s.id = a.shape_id WHERE a.live"""
WAITING_LANES = """
SELECT l.id, s.cpu_millis, s.memory_bytes, s.gpus, s.gpu_type, d.code, d.sentence
  FROM lanes l JOIN shapes s ON s.id = l.shape_id
  LEFT JOIN LATERAL (SELECT code, sentence FROM decisions d WHERE d.lane_id = l.id
                      ORDER BY d.id DESC LIMIT 1) d ON true
 WHERE EXISTS (SELECT FROM queue q WHERE q.lane_id = l.id)"""


def asked_of(pod: Body) -> Resources:
    """What a pod of one container asks for."""
    asked = pod["spec"]["containers"][0].get("resources", {}).get("requests", {})
    return Resources(
        millis(asked.get("cpu", "0")), size(asked.get("memory", "0")), int(asked.get(GPU, 0))
    )


def left(one: Body, held: list[Resources]) -> Bin:
    offered = one["status"]["allocatable"]
    free = Resources(
        millis(offered["cpu"]) - sum(each.cpu_millis for each in held),
        size(offered["memory"]) - sum(each.memory_bytes for each in held),
        int(offered.get(GPU, 0)) - sum(each.gpus for each in held),
        one["metadata"]["labels"].get("sentinels.dev/gpu-type"),
    )
    return Bin(one["metadata"]["name"], free, int(offered["pods"]) - len(held))


def is_open(one: Body) -> bool:
    spec = one["spec"]
    ready = {each["type"]: each["status"] for each in one["status"].get("conditions", [])}
    return not (spec.get("unschedulable") or spec.get("taints")) and ready.get("Ready") == "True"


GPU = "nvidia.com/gpu"
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def millis(quantity: str) -> int:
    return int(quantity[:-1]) if quantity.endswith("m") else round(float(quantity) * 1000)


def size(quantity: str) -> int:
    return int(quantity[:-2]) * UNITS[quantity[-2:]] if quantity[-2:] in UNITS else int(quantity)


@pytest.fixture
def fleet(control_plane: ControlPlane, simulated: SimulatedNodes) -> Iterator[DirectApi]:
    """The hundred nodes, ready; and gone after that."""
    api = DirectApi(control_plane.kubeconfig)
    names = []
    try:
        for number, kind in enumerate(each for each in FLEET for _ in range(each.count)):
            names.append(f"scale-{number:03}")
            api.post("/api/v1/nodes", node(names[-1], kind))
        await_ready(api, names)
        yield api
    finally:
        for one in api.items("/api/v1/nodes"):
            if one["metadata"]["name"].startswith("scale-"):
                api.delete(f"/api/v1/nodes/{one['metadata']['name']}")


def await_ready(api: DirectApi, names: list[str]) -> None:
    deadline = time.monotonic() + 60
    while True:
        nodes = api.items("/api/v1/nodes", resourceVersion=0)
        ready = {
            one["metadata"]["name"]
            for one in nodes
            for each in one["status"].get("conditions", [])
            if each["type"] == "Ready" and each["status"] == "True"
        }
        if ready.issuperset(names):
            return
        assert time.monotonic() < deadline, f"not ready: {set(names) - ready}"
        time.sleep(0.2)


def bound_on(api: DirectApi, name: str) -> set[str]:
    pods = api.items("/api/v1/pods", fieldSelector=f"spec.nodeName={name}")
    return {pod["metadata"]["name"] for pod in pods}


@pytest.mark.timeout(450)
def test_two_thousand_jobs_flow_through_a_hundred_mixed_nodes(
    fleet: DirectApi, engine: Engine, caller: Caller
) -> None:
    assert sum(order.count for order in ORDERS) == JOBS
    with open_ward(engine, caller, fleet.kubeconfig, max_launches=200) as ward:
        push_all(ward)
        watchman, deadline = Watchman(ward), time.monotonic() + 360
        story = Story(ward, fleet)
        while not ward.all_ended():
            assert time.monotonic() < deadline, (ward.states(), ward.unended())
            ward.tick()
            watchman.look()
            story.go_on()
        ward.judge()
        assert ward.states() == {"succeeded": JOBS}
        story.judge()
        judge_pace(ward)


@pytest.mark.timeout(150)
def test_what_no_node_has_yet_is_kept_count_of(
    fleet: DirectApi, control_plane: ControlPlane, engine: Engine, caller: Caller
) -> None:
    """Passes on end, while the scheduler is away and nothing that they launch reaches a node."""
    with open_ward(engine, caller, fleet.kubeconfig, max_launches=200) as ward:
        push_all(ward)
        watchman = Watchman(ward)
        control_plane.kill("scheduler")
        try:
            deadline = time.monotonic() + 90
            while watchman.on_their_way_at_most < ON_THEIR_WAY:
                assert time.monotonic() < deadline, watchman.on_their_way_at_most
                ward.tick()
                watchman.look()
        finally:
            control_plane.start_part("scheduler")


def push_all(ward: Ward) -> None:
    for order in ORDERS:
        ward.push(
            order.count,
            resources=dict(order.resources),
            priority=order.priority,
            env={"TEST_SECONDS": "3s"},
        )


@dataclass
class Story:
    """What happens to the nodes in the middle: some come, one is retired."""

    ward: Ward
    api: DirectApi
    came: list[str] = field(default_factory=list)
    retired: str = ""
    on_the_retired: set[str] = field(default_factory=set)

    def go_on(self) -> None:
        ended = self.ward.states().get("succeeded", 0)
        if not self.came and ended > JOBS // 4:
            self._come()
        if not self.retired and ended > JOBS // 2:
            self._retire()

    def _come(self) -> None:
        """Two nodes with GPUs that nobody had: the very next pass uses them."""
        waiting = self.ward.desk.ask(
            "SELECT DISTINCT ON (lane_id) code FROM decisions WHERE facts ->> 'gpu_type' = 'b200'"
            " ORDER BY lane_id, id DESC"
        )
        assert waiting == [("no_gpu_type",)]
        self.came = ["scale-new-0", "scale-new-1"]
        for name in self.came:
            self.api.post("/api/v1/nodes", node(name, Kind(1, 64, 256, 8, "b200")))
        await_ready(self.api, self.came)
        self.ward.tick()
        launched = self.ward.desk.ask(
            "SELECT count(*) FROM attempts a JOIN shapes s ON s.id = a.shape_id"
            " WHERE s.gpu_type = 'b200'"
        )
        assert launched != [(0,)], "new nodes were not used by the next pass"

    def _retire(self) -> None:
        self.retired = "scale-000"
        self.ward.desk.change("UPDATE nodes SET wish = 'close' WHERE name = 'scale-000'")
        self.ward.tick()
        spec = self.api.get(f"/api/v1/nodes/{self.retired}")["spec"]
        assert spec["unschedulable"] is True
        self.on_the_retired = bound_on(self.api, self.retired)

    def judge(self) -> None:
        assert self.came
        assert self.retired
        assert bound_on(self.api, self.retired) <= self.on_the_retired


def judge_pace(ward: Ward) -> None:
    """What is created and not begun with stays under what the cluster begins with in two seconds,
    measured where it was fastest. A machine that falls behind makes Jobs wait longer, not more.
    """
    jobs = ward.auditor.snapshot()
    begun = sorted(job.begun_at for job in jobs if job.begun_at is not None)
    most = max(ward.auditor.backlog(job.seen_at) for job in jobs)
    best = max(bisect(begun, at + PROMISED_SECONDS) - nth for nth, at in enumerate(begun))
    assert most <= max(FIRST_WINDOW, best), f"{most} were waiting to be begun with, {best} went"
