"""The Job that a workload becomes: golden files, and what may never change in it.

``python -m tests.unit.test_kubernetes_manifest`` writes the golden files anew.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinels.clusters.kubernetes.manifest import job_manifest, spec_hash
from sentinels.clusters.kubernetes.options import Options, Toleration
from sentinels.core.capacity import Resources
from sentinels.core.job import JobId
from sentinels.core.workload import Image, ImageKind, Placement, Workload, WorkloadRef

GOLDEN = Path(__file__).with_name("golden")
IMAGE = Image(ImageKind.CONTAINER, "hub/train:1", None, "hub/train:1")
SMALLEST = Workload(
    ref=WorkloadRef(JobId(7), 1),
    image=IMAGE,
    command=None,
    args=(),
    env={},
    resources=Resources(500, 2**30),
)
FULL = replace(
    SMALLEST,
    ref=WorkloadRef(JobId(1234), 3),
    command=("python", "train.py"),
    args=("--C=$(SENTINELS_PARAM_C)",),
    env={"SENTINELS_PARAM_C": "0.1", "URL": "x?$(TOKEN)", "MLFLOW_RUN_ID": "r1"},
    resources=Resources(2500, 16 * 2**30, 2, "a100"),
    data=("digits/train",),
    time_limit=7200,
    outputs_url="http://mlflow/artifacts/r1",
    labels={"ticket": "ML-12", "not a/key!": "x"},
    secrets={"TOKEN": "hub/token"},
    team="vision",
    user="ann",
    placement=Placement("gpu-1", ("gpu-2", "gpu-3"), ("gpu-4",)),
)
OPTIONS = Options(
    sidecar_image="sentinels:1",
    data_claim="datasets",
    node_selector={"pool": "batch"},
    tolerations=(Toleration("pool", "batch", "NoSchedule"), Toleration("nvidia.com/gpu")),
)
CASES = {
    "job-smallest": (SMALLEST, Options(), {}),
    "job-full": (FULL, OPTIONS, {"nvidia.com/gpu.product": ["NVIDIA-A100-SXM4-40GB"]}),
    "job-baseline": (SMALLEST, Options(pod_security="baseline"), {}),
}


def rendered(name: str) -> str:
    job = json.loads(json.dumps(job_manifest(*CASES[name])))  # without YAML anchors
    return yaml.safe_dump(job, sort_keys=False)


def pod_of(workload: Workload, options: Options = OPTIONS) -> dict[str, Any]:
    job: Any = job_manifest(workload, options, {})
    found = job["spec"]["template"]["spec"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", CASES)
def test_the_job_is_what_was_agreed(name: str) -> None:
    assert rendered(name) == (GOLDEN / f"{name}.yaml").read_text()


def test_the_sidecar_asks_for_nothing_so_that_a_job_takes_what_it_asked_for() -> None:
    [sidecar] = pod_of(FULL)["initContainers"]
    assert sidecar["resources"]["requests"] == {"cpu": "0", "memory": "0"}
    assert sidecar["restartPolicy"] == "Always"


def test_without_a_run_or_an_image_there_is_no_sidecar() -> None:
    assert "initContainers" not in pod_of(replace(FULL, outputs_url=None))
    assert "initContainers" not in pod_of(FULL, Options())


def test_a_secret_is_there_before_what_may_refer_to_it() -> None:
    names = [variable["name"] for variable in pod_of(FULL)["containers"][0]["env"]]
    assert names.index("TOKEN") < names.index("URL")


def test_our_own_variables_are_not_the_users_to_set() -> None:
    env = pod_of(replace(FULL, env={"SENTINELS_OUTPUT": "/etc"}))["containers"][0]["env"]
    assert [each["value"] for each in env if each["name"] == "SENTINELS_OUTPUT"] == [
        "/sentinels/output"
    ]


@pytest.mark.parametrize("text", ["a\x1b[31mb", "x" * 10_000, "\u202eevil", "';DROP"])
def test_what_people_write_is_only_ever_a_safe_annotation(text: str) -> None:
    job: Any = job_manifest(replace(FULL, labels={"note": text}, user=text), OPTIONS, {})
    assert set(job["metadata"]["labels"]) == {
        f"sentinels.dev/{name}" for name in ("managed", "job", "attempt", "team")
    }
    for value in job["metadata"]["annotations"].values():
        assert value.isprintable()
        assert len(value) <= 2000


def test_a_workload_stays_itself_wherever_it_is_placed_and_whoever_tracks_it() -> None:
    same = [
        replace(FULL, placement=Placement("gpu-9")),
        replace(FULL, outputs_url=None),
        replace(FULL, env={**FULL.env, "MLFLOW_RUN_ID": "r2", "MLFLOW_TRACKING_URI": "x"}),
    ]
    assert {spec_hash(workload) for workload in same} == {spec_hash(FULL)}


@pytest.mark.parametrize(
    "change",
    [
        {"command": ("sh",)},
        {"args": ()},
        {"env": {"SENTINELS_PARAM_C": "0.2"}},
        {"resources": Resources(1, 1)},
        {"secrets": {}},
        {"time_limit": 1},
        {"team": "nlp"},
        {"image": replace(IMAGE, location="hub/train:2")},
    ],
)
def test_another_workload_is_told_apart(change: dict[str, Any]) -> None:
    assert spec_hash(replace(FULL, **change)) != spec_hash(FULL)


if __name__ == "__main__":
    for case in CASES:
        (GOLDEN / f"{case}.yaml").write_text(rendered(case))
