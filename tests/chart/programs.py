"""The programs that tests of the chart need: helm, DNS, kube-state-metrics, Prometheus.

Comes in: the modules in ``programs/`` and ``prometheus/``, Go. Goes out: a folder with the built
programs. Before: ``tests/cluster/programs.py``, which builds them. Next:
``tests/node/services.py``, tests here.
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
PROMETHEUS_VERSION = "3.15.0"
# Of the discoveries of what to watch, only that of Kubernetes: the others are most of the program.
PROMETHEUS = Module(
    Path(__file__).with_name("prometheus"),
    f"Prometheus {PROMETHEUS_VERSION}",
    {
        "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
        "promtool": "github.com/prometheus/prometheus/cmd/promtool",
    },
    {"github.com/prometheus/common/version.Version": PROMETHEUS_VERSION},
    tags=("remove_all_sd", "enable_kubernetes_sd"),
)


def chart_programs() -> Path:
    """The folder of ``coredns``, ``helm`` and ``kube-state-metrics``; builds them once.

    Raises ``NoPrograms``.
    """
    return ensure_programs(MODULE)


def prometheus_programs() -> Path:
    """The folder of ``prometheus`` and ``promtool``; builds them once. Raises ``NoPrograms``."""
    return ensure_programs(PROMETHEUS)
