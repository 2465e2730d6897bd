"""Pods of the node find each other by name, are reached from outside, and ask the API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.node.conftest import SHELL_IMAGE
from tests.node.images import cached_archive, python_image
from tests.node.machine import RealNode
from tests.node.services import ClusterServices
from tests.node.test_node import await_
from tests.node.volumes import Volumes

pytestmark = [pytest.mark.node, pytest.mark.timeout(120)]
_SPACE = "try-services"
_PYTHON_IMAGE = "localhost/python:1"
_PORT = 8000
_FETCH = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).read().decode())"
_OWN_POD = """
import json, pathlib, ssl, sys, urllib.request
own = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
space = (own / "namespace").read_text()
url = f"https://{sys.argv[1]}/api/v1/namespaces/{space}/pods/client"
head = {"Authorization": f"Bearer {(own / 'token').read_text()}"}
trusted = ssl.create_default_context(cafile=own / "ca.crt")
asked = urllib.request.Request(url, headers=head)
with urllib.request.urlopen(asked, context=trusted, timeout=5) as answer:
    print(json.load(answer)["metadata"]["name"])
"""
_AT_REST = "import time\nwhile True: time.sleep(1)"
_SERVE = f"""
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from web")
ThreadingHTTPServer(("", {_PORT}), Handler).serve_forever()
"""


class Pair:
    """A server behind a Service, and a pod that asks it."""

    def __init__(self, node: RealNode) -> None:
        self.node = node

    def kubectl(self, *words: str, input: str | None = None) -> str:
        return self.node.kubectl("--namespace", _SPACE, *words, input=input)

    def apply(self, *items: dict[str, Any]) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": items}
        self.kubectl("apply", "-f", "-", input=json.dumps(listed))

    def ask(self, script: str, *words: str) -> str:
        """What the script prints in the pod that asks."""
        return self.kubectl("exec", "client", "--", "python", "-c", script, *words).strip()


@pytest.fixture(scope="module")
def pair(real_node: RealNode, cluster_services: ClusterServices) -> Iterator[Pair]:
    """Two pods that run, one of them with a Service."""
    real_node.import_image(cached_archive(python_image(_PYTHON_IMAGE)))
    real_node.kubectl("create", "namespace", _SPACE)
    made = Pair(real_node)
    try:
        real_node.kubectl(
            *("wait", "--for=create", "serviceaccount/default", "-n", _SPACE, "--timeout=20s")
        )
        made.apply(_pod("web", _SERVE), _pod("client", _AT_REST), _service("web"))
        made.kubectl("wait", "pod/web", "pod/client", "--for=condition=Ready", "--timeout=40s")
        yield made
    finally:
        real_node.kubectl("delete", "namespace", _SPACE, "--wait=false")


@pytest.mark.parametrize("rest", ["", f".{_SPACE}.svc", f".{_SPACE}.svc.cluster.local"])
def test_a_pod_reaches_another_by_its_services_name(pair: Pair, rest: str) -> None:
    assert pair.ask(_FETCH, f"http://web{rest}") == "from web"


def test_a_pod_reaches_itself_by_its_services_name(pair: Pair) -> None:
    said = pair.kubectl("exec", "web", "--", "python", "-c", _FETCH, f"http://web.{_SPACE}")
    assert said.strip() == "from web"


def test_a_node_port_is_reached_from_outside(pair: Pair) -> None:
    found = pair.kubectl("get", "service", "web", "-o", "jsonpath={.spec.ports[0].nodePort}")
    url = f"http://{pair.node.address}:{found}"
    await_("the NodePort answers", lambda: _answer(url) == "from web", seconds=10)


def test_a_service_leads_nowhere_when_its_pod_has_gone(pair: Pair) -> None:
    pair.apply(_pod("shortly", _SERVE), _service("shortly"))
    pair.kubectl("wait", "pod/shortly", "--for=condition=Ready", "--timeout=40s")
    assert pair.ask(_FETCH, "http://shortly") == "from web"

    pair.kubectl("delete", "pod", "shortly", "--grace-period=0", "--force")

    refused = _refused(lambda: pair.ask(_FETCH, "http://shortly"))
    await_("it is refused", lambda: "Connection refused" in refused(), seconds=10)


def test_a_name_that_does_not_exist_is_told_at_once(pair: Pair) -> None:
    assert "Name or service not known" in _refused(lambda: pair.ask(_FETCH, "http://nobody"))()


def test_a_pod_asks_the_api_with_its_own_token(pair: Pair) -> None:
    pair.kubectl("create", "role", "reader", "--verb=get", "--resource=pods")
    own = f"--serviceaccount={_SPACE}:default"
    pair.kubectl("create", "rolebinding", "reader", "--role=reader", own)
    assert pair.ask(_OWN_POD, "kubernetes.default.svc") == "client"


def test_claims_bind_to_volumes_that_any_user_writes_to(pair: Pair, real_node: RealNode) -> None:
    volumes = Volumes(real_node).make(2)
    try:
        pair.apply(_stateful("kept", "id -u > /data/who && while :; do sleep 0.2; done"))
        pair.kubectl("rollout", "status", "statefulset/kept", "--timeout=40s")
        held = [folder / "who" for folder in volumes.folder.iterdir()]
        await_("both have written", lambda: all(each.exists() for each in held), seconds=10)
        assert {each.read_text() for each in held} == {"65532\n"}
    finally:
        pair.kubectl("delete", "statefulset", "kept")
        pair.kubectl("delete", "persistentvolumeclaims", "--all", "--timeout=40s")
        volumes.remove()
    assert not volumes.folder.exists()


def _pod(name: str, script: str) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "main",
        "image": _PYTHON_IMAGE,
        "command": ["python", "-c", script],
    }
    if script == _SERVE:
        container["readinessProbe"] = {"periodSeconds": 1, "tcpSocket": {"port": _PORT}}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    metadata = {"name": name, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _service(name: str) -> dict[str, Any]:
    ports = [{"port": 80, "targetPort": _PORT}]
    spec = {"type": "NodePort", "selector": {"app": name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _stateful(name: str, script: str) -> dict[str, Any]:
    main = {
        "name": "main",
        "image": SHELL_IMAGE,
        "command": ["sh", "-c", script],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    labels = {"app": name}
    spec = {
        "replicas": 2,
        "podManagementPolicy": "Parallel",
        "serviceName": name,
        "selector": {"matchLabels": labels},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": wanted}],
        "template": {
            "metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [main]},
        },
    }
    kind = {"apiVersion": "apps/v1", "kind": "StatefulSet"}
    return {**kind, "metadata": {"name": name}, "spec": spec}


def _answer(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return str(answer.read().decode())
    except urllib.error.URLError as error:
        return str(error)


def _refused(ask: Callable[[], str]) -> Callable[[], str]:
    def said() -> str:
        try:
            return ask()
        except RuntimeError as error:
            return str(error)

    return said
