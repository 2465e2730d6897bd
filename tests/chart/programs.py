"""The programs that tests of the chart need: helm, a cluster's DNS, kube-state-metrics.

Comes in: the module in ``programs/``, Go. Goes out: a folder with the built programs. Before:
``tests/cluster/programs.py``, which builds them. Next: ``tests/node/services.py``, tests here.
"""

from __future__ import annotations

from pathlib import Path

from tests.cluster.programs import Module, ensure_programs

HELM_VERSION = "v4.2.3"
MODULE = Module(
    Path(__file__).with_name("programs"),
    f"helm {HELM_VERSION}, CoreDNS and kube-state-metrics",
    {
        "coredns": "./coredns",
        "helm": "helm.sh/helm/v4/cmd/helm",
        "kube-state-metrics": "k8s.io/kube-state-metrics/v2",
    },
    {"helm.sh/helm/v4/internal/version.version": HELM_VERSION},
)


def chart_programs() -> Path:
    """The folder of ``coredns``, ``helm`` and ``kube-state-metrics``; builds them once.

    Raises ``NoPrograms``.
    """
    return ensure_programs(MODULE)
