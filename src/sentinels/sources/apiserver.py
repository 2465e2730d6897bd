"""The watch over our Jobs: tells notify which has changed, as Knative's ApiServerSource would.

Only names are read and told, never a Job's environment. Many changes of one Job that come while it
is being told of are one event. What happens while the watch is down is told to nobody; the sweep of
each dispatch pass sees it. Comes in: changes by the API. Goes out: events. Next: ``delivering``.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus

from sentinels.clusters.kubernetes.api import Api, Request
from sentinels.clusters.kubernetes.names import MANAGED, at, text_at
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.ports import Json
from sentinels.sources.delivering import deliver

JOBS_PATH = "/apis/batch/v1/jobs"
_ONLY_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_ONLY_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_SELECTOR = f"{MANAGED}=true"
_WATCH_SECONDS = 240
_PAUSE_SECONDS = 1.0
_TRIES = 5
_KINDS: Mapping[str, str] = {"MODIFIED": "update", "DELETED": "delete"}
"""Kubernetes' word for a change, and ApiServerSource's; others are of no interest."""

_log = logging.getLogger("sentinels.sources")
Change = tuple[str, str, str]
"""What happened, the namespace, the Job's name."""


class Telling:
    """Changes that wait to be told, each once however often it came. Threads come and go."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._waiting: dict[Change, None] = {}
        self._changed = threading.Condition()

    def add(self, change: Change) -> None:
        """Have it told, unless it waits already."""
        with self._changed:
            self._waiting[change] = None
            self._changed.notify()

    def take(self) -> Change:
        """The one that has waited longest; waits for one."""
        with self._changed:
            while not self._waiting:
                self._changed.wait()
            change = next(iter(self._waiting))
            del self._waiting[change]
            return change


def tell_forever(telling: Telling, url: str, told: Callable[[bool], None]) -> None:
    """Tell notify at ``url`` of each change; what it does not take in some tries is left out."""
    while True:
        told(_tell(telling.take(), url))


def _tell(change: Change, url: str) -> bool:
    what, namespace, name = change
    attributes = {
        "type": f"dev.knative.apiserver.ref.{what}",
        "source": "sentinels.sources",
        "subject": f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}",
        "kind": "Job",
        "apiversion": "batch/v1",
        "namespace": namespace,
        "name": name,
    }
    reference = {"apiVersion": "batch/v1", "kind": "Job", "namespace": namespace, "name": name}
    for done in range(_TRIES):
        if deliver(url, attributes, reference):
            return True
        time.sleep(_PAUSE_SECONDS * 2**done)
    _log.warning("an event was left out; the next pass sees it", extra={"workload": name})
    return False


def watch_forever(api: Api, telling: Telling) -> None:
    """Have every change of our Jobs told; after each gap from now on."""
    while True:
        try:
            _watch(api, telling, _newest(api))
        except ClusterUnavailable as trouble:
            _log.warning("the watch over Jobs broke off", extra={"why": str(trouble)})
        time.sleep(_PAUSE_SECONDS)


def _newest(api: Api) -> str:
    query = {"labelSelector": _SELECTOR, "limit": "1"}
    answer = api.request(Request("GET", JOBS_PATH, query, accept=_ONLY_METADATA_LIST))
    if answer.status != HTTPStatus.OK:
        raise ClusterUnavailable(f"Jobs cannot be listed: {answer.status}")
    return text_at(answer.json, "metadata", "resourceVersion")


def _watch(api: Api, telling: Telling, version: str) -> None:
    """Follow the changes from ``version`` on for as long as the API server lets us."""
    while True:
        query = {
            "labelSelector": _SELECTOR,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        request = Request(
            "GET", JOBS_PATH, query, accept=_ONLY_METADATA, seconds=_WATCH_SECONDS + 30
        )
        for line in api.lines(request):
            event: Json = json.loads(line)
            found = at(event, "object")
            if text_at(event, "type") == "ERROR":
                # Too old: what has happened since cannot be told any more.
                raise ClusterUnavailable(text_at(found, "message"))
            version = text_at(found, "metadata", "resourceVersion")
            if what := _KINDS.get(text_at(event, "type")):
                metadata = at(found, "metadata")
                telling.add((what, text_at(metadata, "namespace"), text_at(metadata, "name")))
