"""The Grafana dashboards of the chart, written in code.

``python -m helm.dashboards`` makes the files in ``helm/sentinels/files/dashboards``, which the
chart's Grafana shows. They ask the recording rules of ``helm/sentinels/files/recording.yml``
wherever those know the answer. Read ``parts`` first.
"""

import warnings

with warnings.catch_warnings():
    # It would rather have the format of Kubernetes's objects, which Grafana 12 reads from no file.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import dashboard, prometheus  # noqa: F401  # for the others
