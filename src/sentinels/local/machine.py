"""One machine's Sentinels as it runs: started in order, watched, ended in the reverse order.

Comes in: a data folder that this process holds, and options. Goes out: PostgreSQL ▸ MLflow (which
nobody waits for) ▸ the functions ▸ the ticker, and the file that tells the CLI where they are.
Next: ``supervisor``, ``postgres``, ``sources/ping``, ``evicting``.
"""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.metadata import version

from sentinels.core.errors import QueueUnavailable
from sentinels.core.rights import Role
from sentinels.db.migrate import status, upgrade
from sentinels.db.people import ensure_user
from sentinels.db.reporter import ensure_reporter
from sentinels.local.evicting import evict_workloads
from sentinels.local.home import Home, ServerInfo
from sentinels.local.leftovers import end_leftovers
from sentinels.local.options import UpOptions
from sentinels.local.parts import FUNCTIONS, function_parts, function_settings, mlflow_part
from sentinels.local.ports import Ports
from sentinels.local.postgres import EmbeddedPostgres
from sentinels.local.status_lines import StatusLines
from sentinels.local.supervisor import Process, Supervisor
from sentinels.settings import Settings
from sentinels.sources.ping import Ticker, every

_TEAM = "default"
_REPORTER = "sentinels_report"
"""Who asks SQL; it may only read the views."""
_WATCH_SECONDS = 0.2
_POSTGRES_PAUSE_SECONDS = 2.0


class Machine:
    """The running parts of one data folder; ``start``, ``watch`` until interrupted, ``stop``."""

    def __init__(self, options: UpOptions, environ: Mapping[str, str], lines: StatusLines) -> None:
        """Nothing is started yet; the caller holds the folder (``Home.claim``)."""
        self._options = options
        self._home = Home(options.home)
        given = {"SENTINELS_DATA_STORE": str(options.data.absolute())} if options.data else {}
        self._environ = dict(environ) | given
        self._lines = lines
        self._postgres = EmbeddedPostgres(options.home)
        self._postgres_tried = 0.0
        self._supervisor = Supervisor(lines.note)
        self._mlflow: Process | None = None
        self._undo = ExitStack()
        self._admits = False

    def start(self) -> ServerInfo:
        """Return when jobs can be pushed; MLflow may take some seconds more.

        Raises ``Unavailable`` or ``InvalidRequest``, after which ``stop`` cleans up.
        """
        Settings.from_env(self._environ)
        self._home.server_file.unlink(missing_ok=True)
        self._undo.callback(self._home.server_file.unlink, missing_ok=True)
        if end_leftovers(self._home):
            self._lines.note("ended what an earlier `sentinels up` that was killed had left")
        ports = self._choose_ports()
        self._start_postgres()
        self._start_mlflow(ports)
        info = self._start_functions(ports)
        tickers = [
            Ticker(f"http://127.0.0.1:{ports.of[name]}", every(self._options.tick))
            for name in ("dispatch", "notify")
        ]
        for ticker in tickers:
            self._undo.callback(ticker.stop)
        self._admits = True
        for ticker in tickers:
            ticker.start()
        self._home.write_server(info)
        return info

    def watch(self) -> None:
        """Start again whatever dies, until a signal raises KeyboardInterrupt."""
        while True:
            time.sleep(_WATCH_SECONDS)
            self._supervisor.restart_the_dead()
            if not self._postgres.is_running():
                self._revive_postgres()
            if self._mlflow is not None and self._mlflow.is_ready():
                self._part_line(self._mlflow, version("mlflow"))
                self._mlflow = None

    def stop(self) -> None:
        """Return when nothing of it runs, whatever had been started."""
        with self._lines.waiting("stopping"):
            self._undo.close()

    def _choose_ports(self) -> Ports:
        ports = Ports(self._home.path, wanted=self._options.port)
        self._undo.callback(ports.close)
        for part, old, new in ports.moved:
            self._lines.note(f"port {old} is taken by another program; {part} is on {new} now")
        return ports

    def _start_postgres(self) -> None:
        began = time.monotonic()
        with self._lines.waiting("starting PostgreSQL"):
            self._undo.callback(self._postgres.stop)
            self._postgres.start()
            self._postgres.ensure_database("sentinels")
            self._postgres.ensure_database("mlflow")
        folder = str(self._postgres.socket_folder)
        self._lines.done(f"postgresql {self._postgres.version}", folder, _since(began))

    def _start_mlflow(self, ports: Ports) -> None:
        if self._options.mlflow:
            url = self._postgres.url("mlflow")
            part = mlflow_part(
                self._environ,
                home=self._home,
                ports=ports.of,
                database_url=url,
                address=self._options.address,
            )
            self._undo.callback(self._supervisor.stop, ["mlflow"])
            self._mlflow = self._supervisor.start(part)

    def _start_functions(self, ports: Ports) -> ServerInfo:
        settings = function_settings(
            self._environ | {"SENTINELS_REPORT_DATABASE_URL": self._report_url()},
            home=self._home,
            ports=ports.of,
            database_url=self._postgres.url("sentinels"),
            tracker_url=self._tracker_url(ports),
            kubeconfig=str(self._options.kubeconfig or ""),
        )
        self._undo.callback(self._evict)
        self._undo.callback(self._supervisor.stop, FUNCTIONS)
        parts = function_parts(self._environ, settings, home=self._home, ports=ports.of)
        processes = [self._supervisor.start(part) for part in parts]
        token = self._home.token()
        self._migrate(token)
        for process in processes:
            with self._lines.waiting(f"starting {process.part.name}"):
                self._supervisor.await_ready(process)
            detail = f"ticks every {self._options.tick:g} s"
            self._part_line(process, "", detail if process.part.name == "dispatch" else "")
        return ServerInfo(
            url=f"http://127.0.0.1:{ports.of['submit']}",
            token=token,
            pid=os.getpid(),
            mlflow_url=settings.get("SENTINELS_TRACKER_URL", ""),
            on_cluster=self._options.kubeconfig is not None,
        )

    def _tracker_url(self, ports: Ports) -> str:
        return (
            f"http://{self._options.address}:{ports.of['mlflow']}" if self._options.mlflow else ""
        )

    def _migrate(self, token: str) -> None:
        began = time.monotonic()
        url = self._postgres.url("sentinels")
        with self._lines.waiting("bringing the database up to date"):
            upgrade(url)
            ensure_reporter(url, self._report_url())
            me = getpass.getuser()
            ensure_user(url, team=_TEAM, user=me, token=token, role=Role.OPERATOR)
        self._lines.done("database", f"schema {status(url).current}", _since(began))

    def _report_url(self) -> str:
        return self._postgres.url("sentinels", role=_REPORTER)

    def _part_line(self, process: Process, number: str, detail: str = "") -> None:
        part = process.part
        self._lines.done(f"{part.name} {number}".strip(), part.url, detail, _since(process.started))

    def _evict(self) -> None:
        """Stop the workloads, unless this ``up`` never came to admit one: then they are not its."""
        if self._admits:
            evict_workloads(self._home, self._lines)

    def _revive_postgres(self) -> None:
        if time.monotonic() - self._postgres_tried < _POSTGRES_PAUSE_SECONDS:
            return
        self._postgres_tried = time.monotonic()
        try:
            self._postgres.start()
        except QueueUnavailable as error:
            self._lines.note(f"{error}; trying again")
        else:
            self._lines.note(f"postgresql ended and was started again; see {self._postgres.log}")


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"
