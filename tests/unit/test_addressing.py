"""Who is told of what, and where: the rules as a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.address import Service, canonical, service_of, unknown_webhooks
from sentinels.core.addressing import ENDS, SWEPT, TROUBLE, Happening, Listeners
from sentinels.core.audience import Audience, Choice, NoticeRules
from sentinels.core.job import JobId, JobState, Outcome, Reason, ReasonClass
from sentinels.core.notify_reading import NOTICE_KINDS
from sentinels.core.queueing import Delivery
from sentinels.core.submission import Notify
from sentinels.core.workload import WorkloadRef

DEFAULT = None
ANN, BOB, MAIL, CI = "@U024BE7LH", "@U024BE7LX", "ann@example.org", "webhook:ci"
TEAM, ONCALL = "#vision", "#oncall"


@dataclass(frozen=True)
class Case:
    """What happened, who chose what, and who is told under which name."""

    what: Happening
    told: dict[str | None, str]
    job: Notify = field(default_factory=Notify)
    owner: Choice = field(default_factory=Choice)
    team: Choice = field(default_factory=Choice)
    rules: NoticeRules = field(default_factory=lambda: NoticeRules(oncall=(ONCALL,)))


def on(*kinds: str) -> frozenset[str]:
    return frozenset(kinds)


def it(*kinds: str, **more: object) -> Happening:
    return Happening(kinds, **more)  # type: ignore[arg-type]


FAILED = it("failed", reason=Reason.EXITED_NONZERO)
LOST = it("failed", reason=Reason.NODE_LOST)
LONG = it("long_wait", "started")
SWEPT_FAILURE = it("failed", reason=Reason.EXITED_NONZERO, in_sweep=True)

CASES: dict[str, Case] = {
    "an owner who chose nothing is told of an end in the default channel": Case(
        FAILED, {DEFAULT: "failed"}
    ),
    "an owner with an address is told there and nowhere else": Case(
        FAILED, {ANN: "failed"}, owner=Choice((ANN,))
    ),
    "at all of their addresses": Case(
        FAILED, {ANN: "failed", MAIL: "failed"}, owner=Choice((ANN, MAIL))
    ),
    "the job's own address wins over the owner's": Case(
        FAILED, {BOB: "failed"}, job=Notify(to=(BOB,)), owner=Choice((ANN,))
    ),
    "the job's own kinds win over the owner's": Case(
        it("succeeded"), {}, job=Notify(on("failed")), owner=Choice((ANN,), on("succeeded"))
    ),
    "the owner's kinds win over the usual ones": Case(
        it("started"), {ANN: "started"}, owner=Choice((ANN,), on("started"))
    ),
    "who is to be left alone is told nothing": Case(FAILED, {}, owner=Choice((ANN,), on())),
    "a start is not told unless it was asked for": Case(it("started"), {}),
    "a start after a long wait is": Case(LONG, {DEFAULT: "long_wait"}),
    "and is told once to who wants both": Case(
        LONG, {ANN: "long_wait"}, owner=Choice((ANN,), on("started", "long_wait"))
    ),
    "under the one name that was asked for": Case(
        LONG, {ANN: "started"}, owner=Choice((ANN,), on("started"))
    ),
    "a requeue is not told unless it was asked for": Case(
        it("requeued", reason=Reason.EVICTED), {}
    ),
    "nobody is told what they did themselves": Case(
        it("cancelled", reason=Reason.CANCELLED, by_owner=True), {}
    ),
    "unless they ask for it": Case(
        it("cancelled", reason=Reason.CANCELLED, by_owner=True),
        {DEFAULT: "cancelled"},
        job=Notify(on("cancelled")),
    ),
    "a cancel by another is told": Case(
        it("cancelled", reason=Reason.CANCELLED), {DEFAULT: "cancelled"}
    ),
    "the team is told where it chose a channel": Case(
        FAILED, {ANN: "failed", TEAM: "failed"}, owner=Choice((ANN,)), team=Choice((TEAM,))
    ),
    "not of one person's reminders": Case(
        it("silent"), {ANN: "silent"}, owner=Choice((ANN,)), team=Choice((TEAM,))
    ),
    "unless it wants them": Case(
        it("silent"),
        {ANN: "silent", TEAM: "silent"},
        owner=Choice((ANN,)),
        team=Choice((TEAM,), on("silent")),
    ),
    "not of a job that asks for silence": Case(FAILED, {}, job=Notify(on()), team=Choice((TEAM,))),
    "one who is named twice is told once": Case(
        FAILED, {TEAM: "failed"}, job=Notify(to=(TEAM,)), team=Choice((TEAM,))
    ),
    "also where one of the names is the default channel": Case(
        FAILED, {DEFAULT: "failed"}, team=Choice(("#experiments",))
    ),
    "on-call is told of a failure of the infrastructure's": Case(
        LOST, {ANN: "failed", ONCALL: "failed"}, owner=Choice((ANN,))
    ),
    "whatever the job asks for": Case(LOST, {ONCALL: "failed"}, job=Notify(on())),
    "and of a requeue that looks like trouble": Case(
        it("requeued", reason=Reason.NODE_LOST), {ONCALL: "requeued"}
    ),
    "not of a user's failure": Case(FAILED, {ANN: "failed"}, owner=Choice((ANN,))),
    "without on-call nobody stands in": Case(
        it("requeued", reason=Reason.NODE_LOST), {}, rules=NoticeRules()
    ),
    "a sweep's jobs are told by chat": Case(
        SWEPT_FAILURE, {ANN: "failed"}, owner=Choice((ANN, MAIL, CI))
    ),
    "and one by one elsewhere if the job says of what": Case(
        SWEPT_FAILURE,
        {ANN: "failed", MAIL: "failed", CI: "failed"},
        job=Notify(on("failed")),
        owner=Choice((ANN, MAIL, CI)),
    ),
    "a reminder is one, in a sweep or not": Case(
        it("silent", in_sweep=True), {MAIL: "silent"}, owner=Choice((MAIL,))
    ),
    "an incoming webhook has one channel, whatever is named": Case(
        FAILED,
        {DEFAULT: "failed", MAIL: "failed"},
        owner=Choice((ANN, MAIL)),
        team=Choice((TEAM,)),
        rules=NoticeRules(one_channel=True),
    ),
}


def listeners(case: Case) -> Listeners:
    return Listeners(case.job, Audience(case.owner, case.team), case.rules)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_who_is_told(case: Case) -> None:
    assert listeners(case).told(case.what) == case.told


WELL, BADLY = JobState.SUCCEEDED, JobState.FAILED
SUMMARY = [
    (WELL, Notify(), Choice(), Choice(), [DEFAULT]),
    (WELL, Notify(), Choice((MAIL,)), Choice((TEAM,)), [MAIL, TEAM]),
    (WELL, Notify(on("failed")), Choice((CI,)), Choice(), []),
    (BADLY, Notify(on("failed")), Choice((CI,)), Choice(), [CI]),
    (WELL, Notify(on("started")), Choice(), Choice((TEAM,)), [TEAM]),
    (WELL, Notify(), Choice(), Choice((TEAM,), on("failed")), [DEFAULT]),
    (BADLY, Notify(), Choice(), Choice((TEAM,), on("failed")), [DEFAULT, TEAM]),
    (WELL, Notify(on()), Choice(), Choice((TEAM,)), []),
    (BADLY, Notify(), Choice(on=on("silent")), Choice((TEAM,), on("requeued")), []),
    (JobState.CANCELLED, Notify(), Choice(), Choice((TEAM,)), []),
]


@pytest.mark.parametrize(("state", "job", "owner", "team", "to"), SUMMARY)
def test_a_summary_goes_to_whoever_is_told_of_such_ends(
    state: JobState, job: Notify, owner: Choice, team: Choice, to: list[str | None]
) -> None:
    made = Listeners(job, Audience(owner, team), NoticeRules())
    assert made.told_summary(state, it("cancelled", by_owner=True)) == dict.fromkeys(to, SWEPT)


def test_each_delivery_is_worded_once_and_addressed_to_everybody() -> None:
    case = Case(FAILED, {}, owner=Choice((ANN,)), team=Choice((TEAM,)))
    worded = Delivery(WorkloadRef(JobId(7), 1), "failed", "messenger", body="✘", after_seconds=9)
    made = Listeners(case.job, Audience(case.owner, case.team), NoticeRules(delay_seconds=1.5))
    found = made.addressed([worded], FAILED)
    assert [(each.recipient, each.kind, each.body) for each in found] == [
        (ANN, "failed", "✘"),
        (TEAM, "failed", "✘"),
    ]
    assert {each.after_seconds for each in found} == {9}
    [quick, _] = made.addressed([Delivery(worded.ref, "failed", "messenger")], FAILED)
    assert quick.after_seconds == 1.5


_ADDRESSES = st.lists(
    st.sampled_from([ANN, ANN[1:], BOB, MAIL, CI, TEAM, "#experiments", ONCALL]), max_size=3
).map(lambda found: tuple(dict.fromkeys(map(canonical, found))))
_KINDS = st.none() | st.frozensets(st.sampled_from(list(NOTICE_KINDS)))
_CHOICES = st.builds(Choice, _ADDRESSES, _KINDS)
_HAPPENINGS = st.builds(
    Happening,
    st.sampled_from([*((kind,) for kind in NOTICE_KINDS), ("long_wait", "started")]),
    st.none() | st.sampled_from(list(Reason)),
    st.booleans(),
    st.booleans(),
)
_RULES = st.builds(NoticeRules, oncall=_ADDRESSES, one_channel=st.booleans())


@given(_HAPPENINGS, st.builds(Notify, _KINDS, _ADDRESSES), _CHOICES, _CHOICES, _RULES)
def test_nobody_is_told_who_did_not_choose_it_and_nobody_twice(
    what: Happening, job: Notify, owner: Choice, team: Choice, rules: NoticeRules
) -> None:
    told = Listeners(job, Audience(owner, team), rules).told(what)
    named = {*job.to, *owner.to, *team.to, *rules.oncall, None}
    assert set(told) <= named
    assert "#experiments" not in told
    assert ANN[1:] not in told
    assert set(told.values()) <= set(what.kinds)
    if rules.one_channel:
        assert [a for a in told if a and service_of(a) is Service.SLACK] == []
    if job.on == frozenset():
        assert set(told) <= {None if rules.one_channel else a for a in rules.oncall} | set(
            rules.oncall
        ) | {None}


def test_every_reason_of_the_infrastructures_that_fails_a_job_is_on_calls() -> None:
    rules = NoticeRules(oncall=(ONCALL,))
    silent = Listeners(Notify(on()), Audience(), rules)
    for reason, kind in product(Reason, ("failed", "requeued")):
        theirs = reason.reason_class is ReasonClass.INFRASTRUCTURE
        expected = theirs and (kind == "failed" or reason in TROUBLE)
        assert bool(silent.told(it(kind, reason=reason))) == expected
    assert all(reason.outcome is Outcome.REQUEUE for reason in TROUBLE)
    assert set(NOTICE_KINDS) >= ENDS


@pytest.mark.parametrize(
    ("address", "service"),
    [
        (None, Service.SLACK),
        ("#vision", Service.SLACK),
        ("@ann", Service.SLACK),
        ("C024BE91L", Service.SLACK),
        ("ann@example.org", Service.MAIL),
        ("ann@mail", Service.MAIL),
        ("webhook:ci-2", Service.WEBHOOK),
    ],
)
def test_an_address_names_its_service(address: str | None, service: Service) -> None:
    assert service_of(address) is service


def test_a_webhook_that_nobody_set_up_says_which_there_are() -> None:
    [fault] = unknown_webhooks("notify.channel", ["#vision", "webhook:boart"], ["ci", "board"])
    assert fault.message == "there is no such webhook; there are: board, ci"
    assert fault.remedy == "did you mean webhook:board?"
    assert unknown_webhooks("notify.channel", ["webhook:ci", MAIL], ["ci"]) == []
