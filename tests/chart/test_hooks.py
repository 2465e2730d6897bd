"""The bootstrap runs at the right time, ends by itself and leaves nothing behind."""

from __future__ import annotations

from tests.chart.cases import Case
from tests.chart.manifests import pods, title
from tests.chart.rendering import Helm, Release, documents

_DELETION = {"before-hook-creation", "hook-succeeded"}


def test_every_hook_says_when_it_is_deleted(release: Release) -> None:
    for hook in release.hooks:
        assert set(hook.get("delete_policies") or []) & _DELETION, hook["name"]
        assert "before-hook-creation" in hook["delete_policies"], hook["name"]


def test_a_hooks_job_ends_by_itself(release: Release) -> None:
    for hook in release.hooks:
        for each in documents(hook["manifest"]):
            if each["kind"] == "Job":
                assert each["spec"]["activeDeadlineSeconds"] > 0, title(each)
                assert each["spec"]["backoffLimit"] <= 6, title(each)


def test_the_bootstrap_runs_after_an_install_an_upgrade_and_a_rollback(release: Release) -> None:
    jobs = [hook for hook in release.hooks if hook["kind"] == "Job"]
    needed = {"post-install", "post-upgrade", "post-rollback"}

    assert any(set(hook["events"]) >= needed for hook in jobs)


def test_what_a_hook_needs_is_not_a_later_hook(release: Release) -> None:
    weights = {(hook["kind"], hook["name"]): int(hook.get("weight") or 0) for hook in release.hooks}
    for pod in pods([each for hook in release.hooks for each in documents(hook["manifest"])]):
        account = ("ServiceAccount", pod.spec.get("serviceAccountName", ""))
        own = weights.get((pod.workload["kind"], pod.workload["metadata"]["name"]), 0)
        assert weights.get(account, own - 1) < own, pod.title


def test_no_object_of_a_kind_that_knative_brings_is_the_releases_own(release: Release) -> None:
    own = [title(each) for each in release.objects if ".knative.dev/" in each["apiVersion"]]

    assert own == []


def test_what_is_kept_is_kept_only_if_data_is_to_be_kept(release: Release, case: Case) -> None:
    marked = {
        title(each)
        for each in release.objects
        if each["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
    }
    left = {
        each["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"]
        for each in release.objects
        if each["kind"] == "StatefulSet"
    }
    if case.values.get("keepData", True):
        assert left <= {"Retain"}
        claims = {
            title(each) for each in release.objects if each["kind"] == "PersistentVolumeClaim"
        }
        assert claims <= marked
    else:
        assert left <= {"Delete"}
        assert marked == set()


def test_a_kept_volume_keeps_its_password(helm: Helm) -> None:
    for each in helm.release().objects:
        if each["kind"] == "Secret" and "password" in each.get("stringData", {}):
            assert each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep", title(each)
