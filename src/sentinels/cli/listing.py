"""The columns of jobs. Before: ``jobs``, ``queue``, ``history``. Next: ``show``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sentinels.cli.show import Column, Row, mapping, rows
from sentinels.cli.times import local, ran, waited
from sentinels.cli.words import expected, needs, state, why


def _reason(job: Row) -> str:
    return str(job.get("reason") or "").replace("_", " ")


def _position(job: Row) -> object:
    return mapping(job.get("queue")).get("position")


def _waiting_for(job: Row) -> str:
    """Why it waits; of a sweep, why the first of those that do."""
    number = waiting_of(job)
    return f"{why(job)} (and {number - 1} more of it)" if number > 1 else why(job)


ID = Column("JOB", lambda job: job["id"], right=True)
NAME = Column("NAME", lambda job: job["name"])
USER = Column("USER", lambda job: job["user"])
TEAM = Column("TEAM", lambda job: job["team"], telling=True)
EXPERIMENT = Column("EXPERIMENT", lambda job: job["experiment"], wide=True)
IMAGE = Column("IMAGE", lambda job: job["image"], wide=True)
NEEDS = Column("NEEDS", needs)
PARAMS = Column(
    "PARAMS", lambda job: " ".join(f"{k}={v}" for k, v in mapping(job["params"]).items())
)
SUBMITTED = Column("PUSHED", lambda job: local(job["submitted_at"]))
WAITED = Column("WAITED", waited, right=True)
RAN = Column("RAN", ran, right=True)
STATE = Column("STATE", lambda job: job.get("swept") or job["state"])
REASON = Column("REASON", _reason)

JOBS: Sequence[Column] = (
    ID,
    NAME,
    USER,
    TEAM,
    STATE,
    REASON,
    EXPERIMENT,
    NEEDS,
    IMAGE,
    PARAMS,
    SUBMITTED,
    WAITED,
    RAN,
)
WAITING: Sequence[Column] = (
    Column("POS", _position, right=True),
    ID,
    NAME,
    USER,
    TEAM,
    Column("PRIORITY", lambda job: job["priority"]),
    NEEDS,
    EXPERIMENT,
    WAITED,
    Column("EXPECTED", lambda job: expected(mapping(job.get("queue")).get("expected"))),
    Column("WAITING FOR", _waiting_for),
)
ENDED: Sequence[Column] = (
    ID,
    NAME,
    USER,
    TEAM,
    Column("OUTCOME", state),
    EXPERIMENT,
    PARAMS,
    Column("ENDED", lambda job: local(job["finished_at"])),
    RAN,
    Column("MLFLOW", lambda job: mapping(job["links"]).get("mlflow"), wide=True),
)


def folded(jobs: Sequence[Row], answer: Mapping[str, object]) -> list[Row]:
    """The jobs, each one that stands for its sweep saying so."""
    sweeps = {each["sweep"]: each for each in rows(answer, "sweeps")}
    return [_for_all(job, sweeps.get(job.get("sweep"))) for job in jobs]


def waiting_of(job: Row) -> int:
    """How many waiting jobs a line of the queue stands for."""
    number = job.get("waiting")
    return number if isinstance(number, int) else 1


def _for_all(job: Row, sweep: Row | None) -> Row:
    if sweep is None:
        return job
    states = mapping(sweep.get("states"))
    told = " ".join(f"{number} {name}" for name, number in states.items())
    name = f"{job['name']} (sweep {sweep['sweep']})"
    waiting = states.get("queued")
    told_of = {"name": name, "swept": told, "waiting": waiting, "params": {}, "reason": None}
    return {**job, **told_of}


def running_on(nodes: Sequence[Row]) -> Sequence[Column]:
    """The columns of jobs that run, with the node that each is on."""
    places = {job: node["name"] for node in nodes for job in _jobs(node)}
    node = Column("NODE", lambda job: places.get(job["id"]))
    return (ID, NAME, USER, TEAM, STATE, NEEDS, EXPERIMENT, RAN, node)


def _jobs(node: Row) -> Sequence[object]:
    found = node.get("jobs")
    return found if isinstance(found, list) else ()
