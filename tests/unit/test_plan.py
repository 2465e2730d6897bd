"""The chart's plan, as the bootstrap reads it from a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinels.core.errors import InvalidRequest
from sentinels.install.plan import Download, documents, read_plan

PLAN = """
release: sentinels
namespace: ml
timeout: 7m
keepData: true
runtime: knative
knative:
  install: true
  folder: ""
  manifests: [{url: "https://a.example/1.yaml", sha256: "ab"}, {url: "https://a.example/2.yaml"}]
  ingressClass: kourier
  domain: ml.example
teams:
  - {name: vision, users: [ada, grace], weight: 2, cpu: "64", egress: [10.0.0.0/8]}
  - {name: audio}
policy: {ageing: {every: 3h}}
"""
BROKER = "{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {name: sentinels}}"


def written(folder: Path, plan: str = PLAN, **files: str) -> Path:
    (folder / "plan.yaml").write_text(plan)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_it_holds_what_the_chart_said(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path))

    assert (plan.release, plan.namespace, plan.seconds, plan.keep_data) == (
        "sentinels",
        "ml",
        420,
        True,
    )
    assert (
        plan.selector == "app.kubernetes.io/instance=sentinels,app.kubernetes.io/part-of=sentinels"
    )
    assert (plan.knative.wanted, plan.knative.install, plan.knative.folder) == (True, True, None)
    assert plan.knative.downloads == [
        Download("https://a.example/1.yaml", "ab"),
        Download("https://a.example/2.yaml"),
    ]
    assert (plan.knative.ingress_class, plan.knative.domain) == ("kourier", "ml.example")
    vision, audio = plan.teams
    assert (vision.weight, vision.users) == (2.0, ["ada", "grace"])
    assert vision.flags == {"name": "vision", "cpu": "64", "egress": ["10.0.0.0/8"]}
    assert plan.policy == {"ageing": {"every": "3h"}}
    assert (audio.weight, audio.users, audio.flags) == (None, [], {"name": "audio"})


def test_the_objects_are_those_of_the_files_beside_it_in_the_order_of_their_names(
    tmp_path: Path,
) -> None:
    folder = written(tmp_path, b="kind: Second", a=f"{BROKER}\n---\n---\nkind: First\n")

    assert [each["kind"] for each in read_plan(folder).objects] == ["Broker", "First", "Second"]


def test_lists_are_taken_apart_and_what_is_no_object_is_left_out() -> None:
    found = documents("kind: List\nitems: [{kind: A}, {kind: B}]\n---\n# nothing\n---\n- 1\n")

    assert [each["kind"] for each in found] == ["A", "B"]


def test_another_runtime_wants_no_knative(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path, PLAN.replace("runtime: knative", "runtime: deployment")))

    assert plan.knative.wanted is False


def test_your_own_manifests_are_in_a_folder(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path, PLAN.replace('folder: ""', "folder: /etc/knative")))

    assert plan.knative.folder == Path("/etc/knative")


@pytest.mark.parametrize("text", ["release: [", "release: sentinels", "timeout: soon", ""])
def test_what_cannot_be_read_is_a_sentence_that_names_the_folder(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidRequest, match="has no plan that can be read") as error:
        read_plan(written(tmp_path, text))
    assert str(tmp_path) in str(error.value)
    assert error.value.remedy is not None
    assert "sentinels-bootstrap" in error.value.remedy


def test_a_folder_without_a_plan_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="has no plan"):
        read_plan(tmp_path)
