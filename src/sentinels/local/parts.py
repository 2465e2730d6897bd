"""The parts of one machine's Sentinels as data: what is run, with which settings, on which port.

Comes in: the data folder, the ports, the environment of whoever typed ``up``. Goes out: ``Part``s.
Functions and MLflow see nothing of the environment but what is named here. Next: ``supervisor``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from sentinels.local.home import Home
from sentinels.local.supervisor import Part
from sentinels.settings import Settings

FUNCTIONS = ("submit", "dispatch", "notify")

_FUNCTIONS_FOLDER = Path(__file__).parents[1] / "functions"
_SYSTEM_VARIABLES = (
    *(
        "PATH",
        "PYTHONPATH",
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TZ",
        "TMPDIR",
    ),
    *("XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS"),
    *("DOCKER_HOST", "DOCKER_CONFIG", "CONTAINER_HOST", "CONTAINERS_CONF"),
    *("CONTAINERS_STORAGE_CONF", "REGISTRY_AUTH_FILE"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"),
)
"""What programs need to know of a machine: files, engines, certificates, proxies."""

_THREADS = "16"


def function_settings(
    environ: Mapping[str, str],
    *,
    home: Home,
    ports: Mapping[str, int],
    database_url: str,
    tracker_url: str,
    kubeconfig: str = "",
) -> dict[str, str]:
    """The functions' settings as variables: this machine's, and the user's for what is left."""
    names = [f"SENTINELS_{field.name.upper()}" for field in fields(Settings)]
    given = {name: environ[name] for name in names if name in environ}
    if not kubeconfig:
        given.setdefault("SENTINELS_DATA_STORE", str(home.data))
    if tracker_url:
        given["SENTINELS_TRACKER_URL"] = tracker_url
    if kubeconfig:
        given["SENTINELS_KUBECONFIG"] = kubeconfig
    return given | {
        "SENTINELS_CLUSTER": "kubernetes" if kubeconfig else "local",
        "SENTINELS_HOME": str(home.path),
        "SENTINELS_DATABASE_URL": database_url,
        "SENTINELS_SINK": f"http://127.0.0.1:{ports['dispatch']}",
        "SENTINELS_NOTIFY_URL": f"http://127.0.0.1:{ports['notify']}",
    }


def function_parts(
    environ: Mapping[str, str],
    settings: Mapping[str, str],
    *,
    home: Home,
    ports: Mapping[str, int],
) -> Sequence[Part]:
    """The three functions, each the same functions-framework target that runs on Knative."""
    env = _system(environ) | dict(settings) | {"THREADS": _THREADS, "PYTHONUNBUFFERED": "1"}
    return [
        Part(
            name=name,
            module="functions_framework",
            arguments=(
                *("--source", str(_FUNCTIONS_FOLDER / name / "main.py"), "--target", name),
                *("--host", "127.0.0.1", "--port", str(ports[name])),
            ),
            env=env,
            port=ports[name],
            ready_path="/readyz" if name == "submit" else "/healthz",
            log=home.open_log(name),
        )
        for name in FUNCTIONS
    ]


def mlflow_part(
    environ: Mapping[str, str],
    *,
    home: Home,
    ports: Mapping[str, int],
    database_url: str,
    address: str,
) -> Part:
    """The MLflow server, with a database of its own and artifacts below the data folder."""
    artifacts = home.path / "mlflow" / "artifacts"
    artifacts.mkdir(mode=0o700, parents=True, exist_ok=True)
    env = {
        "SENTINELS_HOME": str(home.path),
        "MLFLOW_BACKEND_STORE_URI": database_url,
        "MLFLOW_ARTIFACTS_DESTINATION": str(artifacts),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONUNBUFFERED": "1",
    }
    return Part(
        name="mlflow",
        module="mlflow",
        arguments=(
            "server",
            "--workers",
            "1",
            "--host",
            address,
            "--port",
            str(ports["mlflow"]),
        ),
        env=_system(environ) | env,
        port=ports["mlflow"],
        host=address,
        ready_path="/health",
        log=home.open_log("mlflow"),
        ready_seconds=180.0,
        grace_seconds=10.0,
    )


def _system(environ: Mapping[str, str]) -> dict[str, str]:
    known = {name: environ[name] for name in _SYSTEM_VARIABLES if name in environ}
    without_proxy = [environ.get("NO_PROXY") or environ.get("no_proxy"), "127.0.0.1", "localhost"]
    direct = ",".join(host for host in without_proxy if host)
    return known | {"NO_PROXY": direct, "no_proxy": direct}
