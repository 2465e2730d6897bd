"""`helm lint --strict` has nothing to say."""

from __future__ import annotations

import pytest

from tests.chart.cases import Case
from tests.chart.rendering import CHART, Helm


def test_helm_lint_is_content(helm: Helm, case: Case) -> None:
    said = helm("lint", "--strict", str(CHART), "--namespace", case.namespace, values=case.values)

    assert "[WARNING]" not in said
    assert "[ERROR]" not in said


@pytest.mark.parametrize("runtime", ["knative", "deployment"])
def test_helm_lint_is_content_with_the_values_for_production(helm: Helm, runtime: str) -> None:
    values = str(CHART / "values-production.yaml")

    helm("lint", "--strict", str(CHART), "-f", values, "--set", f"functions.runtime={runtime}")
