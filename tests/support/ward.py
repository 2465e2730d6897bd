"""The verbs over a real PostgreSQL and a real Kubernetes API, with an auditor beside them.

Wired by the functions' own wiring, in this process (``tick``, ``settle``) and in processes of their
own (``functions``). Every ward has namespaces of its own, which go with it.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import IO, cast

from sqlalchemy import Engine

from sentinels.core.ports import Program
from sentinels.core.queueing import Caller, PassReport
from sentinels.core.settling import SettlingLimits
from sentinels.core.workload import Image, ImageKind
from sentinels.functions.wiring import make_cluster
from sentinels.settings import Settings
from tests.support.auditor import Auditor
from tests.support.desk import Desk, nothing
from tests.support.direct_api import ApiError, DirectApi
from tests.support.scripted import ScriptedCluster

ROOT = Path(__file__).parents[2]
LIVE = "('queued', 'dispatched', 'running')"


class AnyContainer:
    """Takes every reference for a container image."""

    def resolve(self, reference: str, *, team: str = "default") -> Image:
        digest = "sha256:" + "0" * 64
        return Image(ImageKind.CONTAINER, reference, digest, f"{reference}@{digest}")

    def program(self, image: Image, command: Sequence[str] | None) -> Program | None:
        return None

    def pin(self, image: Image, *, seen: str | None) -> Image:
        return image


@dataclass
class Ward:
    """One team's queue over one cluster. ``desk`` has the verbs, ``auditor`` saw every Job."""

    desk: Desk
    api: DirectApi
    auditor: Auditor
    settings: Settings
    passes: list[PassReport] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        return f"{self.settings.namespace_prefix}{self.desk.caller.team}"

    def push(self, count: int, **config: object) -> list[int]:
        """So many jobs of one shape, in one push."""
        sweep = {"N": list(range(count))} if count > 1 else {}
        given = {"resources": {"cpu": 0.1, "memory": "64Mi"}, "sweep": sweep, **config}
        return list(map(int, self.desk.push(**given).job_ids))

    def tick(self) -> PassReport:
        report = self.desk.tick()
        self.passes.append(report)
        return report

    def states(self) -> dict[str, int]:
        rows = self.desk.ask("SELECT state, count(*) FROM jobs GROUP BY state")
        return {str(state): int(str(count)) for state, count in rows}

    def all_ended(self) -> bool:
        return self.desk.ask(f"SELECT count(*) FROM jobs WHERE state IN {LIVE}") == [(0,)]

    def unended(self) -> list[tuple[object, ...]]:
        """What still has to end, for the message of a test that waits too long."""
        return self.desk.ask(
            "SELECT j.id, j.state, j.attempt, a.launched_at IS NOT NULL, a.lease_until"
            "  FROM jobs j LEFT JOIN attempts a ON a.job_id = j.id AND a.attempt = j.attempt"
            f" WHERE j.state IN {LIVE} ORDER BY j.id LIMIT 20"
        )

    def changed_ends(self) -> list[tuple[object, ...]]:
        """Jobs that left a terminal state, or entered one twice: there must be none."""
        return self.desk.ask(
            "SELECT job_id, attempt, from_state, to_state, actor FROM job_events"
            " WHERE from_state IN ('succeeded', 'failed', 'cancelled')"
            " UNION ALL SELECT job_id, 0, NULL, max(to_state), count(*)::text FROM job_events"
            " WHERE to_state IN ('succeeded', 'failed', 'cancelled')"
            " GROUP BY job_id HAVING count(*) > 1"
        )

    def broken_stories(self) -> list[tuple[object, ...]]:
        """Events that do not begin where the one before them ended: there must be none."""
        return self.desk.ask(
            "SELECT * FROM (SELECT job_id, id, from_state, to_state, lag(to_state) OVER"
            " (PARTITION BY job_id ORDER BY id) AS before FROM job_events) story"
            " WHERE from_state IS DISTINCT FROM before"
        )

    def judge(self) -> None:
        """Nothing twice, nothing lost, no end taken back: of everything that was ever there."""
        self.auditor.look_again()
        for what, found in (
            ("attempts with two Jobs", self.auditor.twins()),
            ("Jobs with two ends", self.auditor.turncoats()),
            ("jobs whose end was changed", self.changed_ends()),
            ("stories with a gap", self.broken_stories()),
        ):
            assert not found, f"{what}: {found}"
        launched = self.desk.ask(
            "SELECT job_id, attempt FROM attempts WHERE launched_at IS NOT NULL"
        )
        known = self.desk.ask("SELECT job_id, attempt FROM attempts")
        seen = self.auditor.attempts()
        assert set(launched) <= seen, "a row says launched, and no Job was ever there"
        assert seen <= set(known), "a Job was there that no row explains"

    @property
    def environment(self) -> dict[str, str]:
        """What a process of the functions is given."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
        defaults = Settings()
        changed = {
            f"SENTINELS_{name.upper()}": str(getattr(self.settings, name))
            for name in Settings.__dataclass_fields__
            if getattr(self.settings, name) != getattr(defaults, name)
        }
        return {**kept, **changed, "PYTHONPATH": str(ROOT)}


@contextmanager
def open_ward(
    engine: Engine,
    caller: Caller,
    kubeconfig: Path,
    *,
    through: Path | None = None,
    **settings: str | float,
) -> Iterator[Ward]:
    """A ward on the cluster of ``kubeconfig``; the product gets there by ``through``, if given."""
    api = DirectApi(kubeconfig)
    prefix = f"t{secrets.token_hex(3)}-"
    chosen = replace(
        Settings(),
        cluster="kubernetes",
        database_url=engine.url.render_as_string(hide_password=False),
        kubeconfig=str(through or kubeconfig),
        namespace_prefix=prefix,
        **settings,  # type: ignore[arg-type]  # whatever the test says of settings
    )
    cluster = cast("ScriptedCluster", make_cluster(chosen, nothing))
    limits = SettlingLimits(
        lease_seconds=chosen.lease_seconds,
        infrastructure_tries=chosen.infrastructure_tries,
        tracked=False,
    )
    desk = Desk(
        engine,
        caller,
        cluster=cluster,
        images=AnyContainer(),
        limits=limits,
        max_launches=chosen.max_launches,
        paced=True,
    )
    namespace = f"{prefix}{caller.team}"
    api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    try:
        with Auditor(api, prefix) as auditor:
            yield Ward(desk, api, auditor, chosen)
    finally:
        # It takes everything in it along; that is not waited for.
        api.delete(f"/api/v1/namespaces/{namespace}")


def until(done: Callable[[], bool], *, seconds: float, say: Callable[[], object]) -> None:
    """Wait for a condition; fail with what ``say`` says."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, say()
        time.sleep(0.1)


@dataclass
class Functions:
    """Processes of the functions, which an arbiter forks anew whenever one is gone."""

    process: subprocess.Popen[str]
    alive: dict[int, str] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)

    def kill_one(self, function: str, random: Random) -> bool:
        """``kill -9`` for one of them; False where none was up."""
        running = [pid for pid, name in list(self.alive.items()) if name == function]
        if not running:
            return False
        victim = random.choice(running)
        self.alive.pop(victim, None)
        os.kill(victim, signal.SIGKILL)
        self.kills[function] += 1
        return True

    def listen(self, output: IO[str]) -> None:
        for line in output:
            name, _, pid = line.partition(" ")
            self.alive.pop(int(pid), None)
            if name != "gone":
                self.alive[int(pid)] = name


@contextmanager
def functions(ward: Ward, log: Path, wanted: Mapping[str, int]) -> Iterator[Functions]:
    """So many processes of each function, wired by their own composition roots."""
    words = [f"{name}={count}" for name, count in wanted.items()]
    with log.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.arbiter", *words],
            env=ward.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
            start_new_session=True,
        )
        found = Functions(process)
        assert process.stdout is not None
        listener = threading.Thread(target=found.listen, args=(process.stdout,))
        listener.start()
        try:
            yield found
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
            listener.join(20)
            process.stdout.close()


__all__ = ["ApiError", "Functions", "Ward", "functions", "open_ward", "until"]
