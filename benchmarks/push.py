"""Storing a push: our statement against a bare insert of the same bytes, on 1 and 8 connections."""

from __future__ import annotations

import json
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import count

from sqlalchemy import create_engine, text

from benchmarks.measure import Result, at_least, interleaved, ms
from sentinels.core.capacity import Resources
from sentinels.db.engine import statement, transaction
from sentinels.db.lanes import ensure_lane, ensure_shape

CONFIG = {
    "name": "digits",
    "command": ["python", "train.py"],
    "env": {f"K{n}": "v" * 20 for n in range(4)},
    "data": ["digits/train"],
    "params": {"C": 0.1, "solver": "lbfgs"},
}
IMAGE = json.dumps({"kind": "container", "reference": "train:1.2.3", "digest": "sha256:0"})
_BARE_TABLE = """
CREATE TABLE bare_push (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, team_id int NOT NULL, image jsonb NOT NULL,
    config jsonb NOT NULL, idem_key text, created_at timestamptz NOT NULL DEFAULT now())"""
_BARE = text(
    "INSERT INTO bare_push (team_id, image, config, idem_key)"
    " VALUES (:team_id, CAST(:image AS jsonb), CAST(:config AS jsonb), :key) RETURNING id"
)
SECONDS_EACH, TURNS = 1.0, 5


class Pusher:
    """One connection that pushes both ways."""

    def __init__(self, url: str, name: str, team_id: int) -> None:
        """``name`` keeps the keys of several pushers apart."""
        self._engine = create_engine(url, pool_size=1)
        self._keys = (f"{name}-{number}" for number in count())
        self._team_id = team_id
        with transaction(self._engine) as connection:
            self._shape_id = ensure_shape(connection, Resources(1000, 1024**3))
            self._lane_id = ensure_lane(
                connection, team_id=team_id, priority=20, shape_id=self._shape_id
            )

    def ours(self) -> None:
        """Push through the product's statement."""
        record = {
            "name": "digits",
            "experiment": "digits",
            "config": CONFIG,
            "idem_key": next(self._keys),
        }
        asked = {
            "jobs": json.dumps([record]),
            "image": IMAGE,
            "team_id": self._team_id,
            "user_id": 1,
            "actor": "ann",
            "priority": 20,
            "shape_id": self._shape_id,
            "lane_id": self._lane_id,
            "request_digest": b"0" * 32,
            "waits_for": "[]",
            "rerun_of": None,
        }
        with transaction(self._engine) as connection:
            connection.execute(statement("submit_jobs"), asked).all()

    def bare(self) -> None:
        """Insert the same bytes into one table."""
        asked = {
            "team_id": self._team_id,
            "image": IMAGE,
            "config": json.dumps(CONFIG),
            "key": next(self._keys),
        }
        with transaction(self._engine) as connection:
            connection.execute(_BARE, asked).all()


def run(url: str) -> list[Result]:
    """The push's ratios."""
    engine = create_engine(url)
    with transaction(engine) as connection:
        connection.exec_driver_sql(_BARE_TABLE)
    engine.dispose()
    pusher = Pusher(url, "alone", 1)
    alone = interleaved({"ours": pusher.ours, "bare": pusher.bare}, rounds=400, warm_up=20)
    rates = _rates(url, clients=8)
    return [
        at_least(
            "push statement against a bare insert, 1 connection",
            alone["bare"] / alone["ours"],
            0.6,
            f"ours {ms(alone['ours'])}, bare {ms(alone['bare'])}",
        ),
        at_least(
            "push statement against a bare insert, 8 connections",
            rates["ours"] / rates["bare"],
            0.6,
            f"ours {rates['ours']:.0f}/s, bare {rates['bare']:.0f}/s",
        ),
    ]


def _rates(url: str, *, clients: int) -> dict[str, float]:
    seen: dict[str, list[float]] = {"ours": [], "bare": []}
    with ProcessPoolExecutor(clients) as processes:
        for turn in range(TURNS + 1):
            for way, rates in seen.items():
                names = [f"{way}-{turn}-{client}" for client in range(clients)]
                done = processes.map(_push_for_a_while, [url] * clients, names, [way] * clients)
                if turn:
                    rates.append(sum(done))
                else:
                    list(done)
    return {way: statistics.median(rates) for way, rates in seen.items()}


def _push_for_a_while(url: str, name: str, way: str) -> float:
    pusher = Pusher(url, name, team_id=1 + abs(hash(name)) % 20)
    push = pusher.ours if way == "ours" else pusher.bare
    push()
    done, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < SECONDS_EACH:
        push()
        done += 1
    return done / (time.perf_counter() - begin)
