"""Images of the parts that the chart brings with it, made of packages: no registry is at hand.

Each speaks its upstream image's interface (settings, ports, folders, users), so that the chart
has no case for tests. Comes in: nothing. Goes out: ``tests.node.images.Image``. Next: a node
imports their archives.
"""

from __future__ import annotations

from tests.node.components.mlflow import mlflow_image
from tests.node.components.monitoring import (
    alertmanager_image,
    kube_state_metrics_image,
    node_exporter_image,
    prometheus_image,
)
from tests.node.components.postgres import postgres_image
from tests.node.components.search import search_image

COMPONENTS = {
    "postgres": postgres_image,
    "mlflow": mlflow_image,
    "prometheus": prometheus_image,
    "alertmanager": alertmanager_image,
    "node-exporter": node_exporter_image,
    "kube-state-metrics": kube_state_metrics_image,
    "search": search_image,
}
"""What makes each image: ``localhost/NAME:test`` when called without a name."""

__all__ = [
    "COMPONENTS",
    "alertmanager_image",
    "kube_state_metrics_image",
    "mlflow_image",
    "node_exporter_image",
    "postgres_image",
    "prometheus_image",
    "search_image",
]
