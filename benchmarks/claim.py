"""Claiming 50 jobs: lanes against a bare ``SKIP LOCKED LIMIT 50``, shallow, deep and obstructed.

200 teams (Zipf) × 4 priorities × 4 shapes, the same rows for both designs. The bare queue has its
best possible index and no notion of team, quota or fit.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from sqlalchemy import Connection, text

from benchmarks.measure import Result, at_least, at_most, interleaved, ms
from sentinels.db.engine import make_engine, statement

TEAMS, SHALLOW, DEEP, OBSTACLE = 200, 10_000, 1_000_000, 500_000
ROUNDS = 150

_BARE_TABLE = """
CREATE TABLE bare (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, team_id int NOT NULL,
    priority int NOT NULL, state text NOT NULL DEFAULT 'queued',
    created_at timestamptz NOT NULL DEFAULT now(), config jsonb NOT NULL);
CREATE INDEX bare_ready ON bare (priority DESC, created_at, id) WHERE state = 'queued';
"""
_BARE_CLAIM = text("""
WITH c AS MATERIALIZED (
    SELECT id FROM bare WHERE state = 'queued'
     ORDER BY priority DESC, created_at, id LIMIT 50 FOR UPDATE SKIP LOCKED)
UPDATE bare b SET state = 'dispatched' FROM c WHERE b.id = c.id RETURNING b.id""")
_EMPTY = "TRUNCATE bare, jobs, queue, lanes, attempts, job_events RESTART IDENTITY"
_LANES = """
INSERT INTO lanes (team_id, priority, shape_id, ready, last_push)
SELECT t, p * 10, s, true, now() - interval '1 day'
  FROM generate_series(1, :teams) t, generate_series(1, 4) p, generate_series(1, 4) s"""
_SPREAD = """
CREATE TEMP TABLE spread AS
SELECT n AS id,
       least(:teams, greatest(1, floor(power(:teams, random()))))::int AS team_id,
       (ARRAY[10,10,10,10,10,10,10,20,20,30])[1 + floor(random() * 10)::int] AS priority,
       (ARRAY[1,1,1,1,1,1,2,2,3,4])[1 + floor(random() * 10)::int] AS shape_id
  FROM generate_series(1, :count) n"""
_JOBS = """
INSERT INTO jobs (id, team_id, user_id, name, experiment, image, config, priority, shape_id)
OVERRIDING SYSTEM VALUE
SELECT id, team_id, 1, 'digits', 'digits', '{}', '{}', priority, shape_id FROM spread ORDER BY id"""
_QUEUE = """
INSERT INTO queue (lane_id, job_id, enqueued_at)
SELECT l.id, s.id, now() - interval '1 hour' FROM spread s
  JOIN lanes l USING (team_id, priority, shape_id) ORDER BY s.id"""
_BARE_ROWS = """
INSERT INTO bare (team_id, priority, created_at, config)
SELECT team_id, priority, now() - interval '1 hour' + id * interval '1 microsecond',
       '{"image": "train:1.2.3", "command": ["python", "train.py"]}' FROM spread ORDER BY id"""
_OBSTACLE = """
WITH lane AS (INSERT INTO lanes (team_id, priority, shape_id, ready, last_push)
              VALUES (9999, 90, 1, true, now() - interval '1 day') RETURNING id)
INSERT INTO queue (lane_id, job_id, enqueued_at)
SELECT lane.id, 100000000 + n, now() - interval '2 hours' FROM lane, generate_series(1, :count) n"""
_VACUUM = "VACUUM ANALYZE bare, jobs, queue, lanes, attempts, job_events"


def run(url: str) -> list[Result]:
    """The claim's ratios."""
    # Dispatch's own session settings, for both designs; only the filling needs more time.
    engine = make_engine(url, generic_plans=True).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql(_BARE_TABLE)
        connection.exec_driver_sql(
            f"INSERT INTO teams (name) SELECT 'team-' || n FROM generate_series(1, {TEAMS}) n"
        )
        connection.exec_driver_sql(
            "INSERT INTO shapes (cpu_millis, memory_bytes, gpus)"
            " SELECT 1000 * n, 1073741824, 0 FROM generate_series(1, 4) n"
        )
        shallow = _times(connection, SHALLOW)
        deep = _times(connection, DEEP)
        connection.execute(text(_OBSTACLE), {"count": OBSTACLE})
        connection.exec_driver_sql(_VACUUM)
        connection.exec_driver_sql("CHECKPOINT")
        obstructed = _measure(connection)
    engine.dispose()
    return _report(shallow, deep, obstructed)


def _report(
    shallow: dict[str, float], deep: dict[str, float], obstructed: dict[str, float]
) -> list[Result]:
    pairs = {"10k": shallow, "1M": deep}
    results = [
        at_least(
            f"claim 50 from 10 lanes, {depth} waiting, against bare SKIP LOCKED LIMIT 50",
            times["bare"] / times["lanes"],
            0.5,
            f"lanes {ms(times['lanes'])}, bare {ms(times['bare'])}",
        )
        for depth, times in pairs.items()
    ]
    results.append(
        at_most(
            "the same claim, 1M against 10k waiting",
            deep["lanes"] / shallow["lanes"],
            2,
            f"bare {deep['bare'] / shallow['bare']:.2f}",
        )
    )
    results.append(
        at_most(
            "the same claim, behind 500k rows of a team over its quota",
            obstructed["lanes"] / deep["lanes"],
            1.5,
            f"lanes {ms(obstructed['lanes'])}",
        )
    )
    heads = {"10k": shallow, "1M": deep, "1M + 500k": obstructed}
    told = ", ".join(f"{depth} {ms(times['heads'])}" for depth, times in heads.items())
    results.append(Result("reading all lane heads, once a pass", told))
    return results


def _times(connection: Connection, count: int) -> dict[str, float]:
    connection.exec_driver_sql(_EMPTY)
    connection.exec_driver_sql("DROP TABLE IF EXISTS spread")
    connection.exec_driver_sql("SELECT setseed(0.5)")
    connection.execute(text(_LANES), {"teams": TEAMS})
    connection.execute(
        text(_SPREAD.replace("::int", "\\:\\:int")), {"teams": TEAMS, "count": count}
    )
    for fill in (_JOBS, _QUEUE, _BARE_ROWS):
        connection.exec_driver_sql(fill)
    connection.exec_driver_sql(
        "UPDATE lanes SET ready = EXISTS (SELECT FROM queue WHERE lane_id = lanes.id)"
    )
    connection.exec_driver_sql(_VACUUM)
    connection.exec_driver_sql("CHECKPOINT")
    return _measure(connection)


def _measure(connection: Connection) -> dict[str, float]:
    lanes = [
        row[0]
        for row in connection.exec_driver_sql(
            "SELECT lane_id FROM queue JOIN lanes ON lanes.id = lane_id AND team_id <> 9999"
            " GROUP BY 1 ORDER BY count(*) DESC LIMIT 100"
        )
    ]
    chooser = random.Random(7)

    def claim() -> object:
        asked = {"lane_ids": chooser.sample(lanes, 10), "counts": [5] * 10, "lease_seconds": 30}
        return connection.execute(statement("claim_jobs"), asked).all()

    candidates: dict[str, Callable[[], object]] = {
        "lanes": claim,
        "bare": lambda: connection.execute(_BARE_CLAIM).all(),
        "heads": lambda: connection.execute(statement("lane_heads"), {"depth": 50}).all(),
    }
    return interleaved(candidates, rounds=ROUNDS, warm_up=10)
