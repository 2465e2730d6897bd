"""People are told at a pace that they and Slack bear: bursts as one message, everything once."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random

import pytest

from sentinels.core.address import Service
from sentinels.core.audience import NoticeRules
from sentinels.core.job import JobId, Reason
from sentinels.core.notifying import deliver_due, workload_changed
from sentinels.core.telling import PACES, Pace
from sentinels.functions.notify.handler import Teller
from sentinels.services.slack import SlackBot, SlackWebhook
from sentinels.services.smtp import mail_from
from sentinels.settings import Settings
from tests.integration.test_settling import finished
from tests.standins.mail import MailStandIn
from tests.standins.slack import (
    CLOSES,
    Message,
    SlackStandIn,
    broken,
    rate_limited,
    refused,
)
from tests.support.desk import Desk, ref

RULES = NoticeRules(delay_seconds=1.5)


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def told(desk: Desk, slack: SlackStandIn) -> Desk:
    """A desk whose people are told by Slack's stand-in."""
    desk.messenger = SlackBot("xoxb-test", "#experiments", slack.api_url)
    desk.limits = replace(desk.limits, rules=RULES)
    return desk


def launched(desk: Desk, count: int, **config: object) -> list[JobId]:
    """So many jobs of one push, running."""
    small = {"cpu": 0.01, "memory": "1Mi"}
    sweep = {"sweep": {"N": list(range(count))}} if count > 1 else {}
    given = {"resources": small, **sweep, **config}
    ids = list(desk.push(**given).job_ids)
    desk.max_launches = 200
    desk.tick()
    return ids


def one_by_one(desk: Desk, count: int, **config: object) -> list[JobId]:
    """So many jobs of a push each, running."""
    small = {"cpu": 0.01, "memory": "1Mi"}
    ids = [desk.job(resources=small, **config) for _ in range(count)]
    desk.max_launches = 200
    desk.tick()
    return ids


def end(desk: Desk, job_id: int, reason: Reason | None = None) -> None:
    """Its workload has ended, and nobody has looked yet."""
    desk.cluster.seen[ref(job_id)] = finished(reason, exit_code=0 if reason is None else 1)


def ids_in(messages: list[Message]) -> Counter[int]:
    """How often each job is told of, wherever and however."""
    found: Counter[int] = Counter()
    for message in messages:
        for number in re.findall(r"(?:^|\n)(?:. )?job (\d+) ", message.text):
            found[int(number)] += 1
        for words in re.findall(r"(?:^|\n)succeeded: (.*)", message.text):
            for word in words.split(", "):
                first, _, last = word.partition("–")
                found.update(range(int(first), int(last or first) + 1))
    return found


def states(desk: Desk) -> set[str]:
    rows = desk.ask("SELECT DISTINCT state FROM outbox WHERE channel = 'messenger'")
    return {str(state) for (state,) in rows}


def test_fifty_ends_at_once_are_a_few_messages_within_slacks_rate(
    told: Desk, slack: SlackStandIn
) -> None:
    told.pause, slack.gap = time.sleep, 1.0
    ids = one_by_one(told, 50)
    for job_id in ids:
        end(told, job_id, Reason.EXITED_NONZERO if job_id % 10 == 0 else None)
    # As in the function: events come at once, and one thread of each process tells.
    tells = [Teller(told.tell) for _ in range(2)]
    ports = [replace(told.notify(), tell=each.run, tell_soon=each.start) for each in tells]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda job: workload_changed(ports[job % 2], ref(job)), ids))
    slack.wait_for(1)
    deliver_due(ports[0])
    for _ in range(200):
        if states(told) == {"delivered"}:
            break
        time.sleep(0.05)
    assert slack.refused_for_rate == 0, "we keep to the rate, and are not held to it"
    assert 1 <= len(slack.messages) <= 3
    assert ids_in(slack.messages) == Counter(dict.fromkeys(ids, 1))
    assert states(told) == {"delivered"}
    [failed] = [message for message in slack.messages if "failed" in message.text]
    for job_id in (job_id for job_id in ids if job_id % 10 == 0):
        assert f"job {job_id} digits (ann) failed" in failed.text


def test_with_slack_down_jobs_go_on_and_everything_is_told_once_when_it_is_back(
    told: Desk, slack: SlackStandIn
) -> None:
    slack.down = True
    first = one_by_one(told, 6)
    for job_id in first:
        end(told, job_id)
        workload_changed(told.notify(), ref(job_id))
    assert {told.state(job_id) for job_id in first} == {"succeeded"}
    for _ in range(8):
        told.later(30)
        deliver_due(told.notify())
    assert (slack.messages, states(told)) == ([], {"pending"})
    asked = slack.requests
    assert asked < 10, "what does not answer is asked ever more seldom"
    slack.down = False
    [last] = one_by_one(told, 1)
    end(told, last)
    workload_changed(told.notify(), ref(last))
    told.later(600)
    deliver_due(told.notify())
    assert ids_in(slack.messages) == Counter(dict.fromkeys([*first, last], 1))
    assert states(told) == {"delivered"}
    deliver_due(told.notify())
    assert sum(ids_in(slack.messages).values()) == 7


def test_who_asks_to_wait_is_waited_for_and_nobody_else(told: Desk, slack: SlackStandIn) -> None:
    [busy] = one_by_one(told, 1, notify={"channel": "#busy"})
    [other] = one_by_one(told, 1, notify={"channel": "#other"})
    slack.answer_next(rate_limited(30))
    for job_id in (busy, other):
        end(told, job_id)
    told.tick()
    told.later(1.5)
    deliver_due(told.notify())
    assert [message.channel for message in slack.messages] == ["#other"]
    told.later(25)
    deliver_due(told.notify())
    assert len(slack.messages) == 1
    told.later(6)
    deliver_due(told.notify())
    assert [message.channel for message in slack.messages] == ["#other", "#busy"]


def test_who_cannot_be_told_at_their_address_is_told_in_the_default_channel(
    told: Desk, slack: SlackStandIn
) -> None:
    [gone] = one_by_one(told, 1, notify={"channel": "#gone"})
    [other] = one_by_one(told, 1)
    slack.answer_next(refused("channel_not_found"))
    for job_id in (gone, other):
        end(told, job_id)
    told.tick()
    deliver_due(told.notify())
    told.later(60)
    deliver_due(told.notify())
    [(state, error)] = told.ask("SELECT state, error FROM outbox WHERE recipient = '#gone'")
    assert state == "failed"
    assert "channel_not_found" in str(error)
    assert ids_in(slack.messages) == Counter({gone: 1, other: 1})
    assert {message.channel for message in slack.messages} == {"#experiments"}
    assert "(It could not be told to #gone: Slack refused the message: channel_not_found" in (
        "".join(message.text for message in slack.messages)
    )


def test_a_recipient_who_is_told_much_is_told_in_ever_larger_pieces(
    told: Desk, slack: SlackStandIn
) -> None:
    ids = one_by_one(told, 100)
    for job_id in ids:
        end(told, job_id)
        workload_changed(replace(told.notify(), tell_soon=lambda: None), ref(job_id))
        told.later(2)
        deliver_due(told.notify())
    told.later(120)
    deliver_due(told.notify())
    assert ids_in(slack.messages) == Counter(dict.fromkeys(ids, 1))
    assert len(slack.messages) < 20, "a job every two seconds is no message every two seconds"


def test_after_a_quiet_while_a_notice_comes_at_once_again(told: Desk, slack: SlackStandIn) -> None:
    for job_id in one_by_one(told, 8):
        end(told, job_id)
        told.tick()
        deliver_due(told.notify())
    for _ in range(2):
        told.later(300)
        deliver_due(told.notify())
    [last] = one_by_one(told, 1)
    end(told, last)
    told.tick()
    told.pauses.clear()
    deliver_due(told.notify())
    assert f"job {last} " in slack.messages[-1].text
    assert sum(told.pauses) < 2


def test_two_processes_at_once_tell_everybody_once(told: Desk, slack: SlackStandIn) -> None:
    told.pause, slack.gap = time.sleep, 1.0
    told.limits = replace(told.limits, rules=NoticeRules())
    channels = [f"#team-{number}" for number in range(6)]
    ids = [job for name in channels for job in one_by_one(told, 5, notify={"channel": name})]
    for job_id in ids:
        end(told, job_id)
    told.tick()
    barrier = threading.Barrier(4)

    def go(_: int) -> int:
        barrier.wait()
        return told.tell()

    with ThreadPoolExecutor(4) as threads:
        arrived = sum(threads.map(go, range(4)))
    assert arrived == len(ids)
    assert ids_in(slack.messages) == Counter(dict.fromkeys(ids, 1))
    assert Counter(message.channel for message in slack.messages) == Counter(channels)
    assert slack.refused_for_rate == 0


def test_a_sweep_is_one_thread_and_one_summary(told: Desk, slack: SlackStandIn) -> None:
    ids = launched(told, 5, name="grid")
    for job_id in ids:
        end(told, job_id, Reason.EXITED_NONZERO if job_id == ids[2] else None)
        workload_changed(told.notify(), ref(job_id))
        told.later(60)
    deliver_due(told.notify())
    parent, *replies, summary = slack.messages
    assert parent.thread is None
    assert parent.text.startswith(f"▶ sweep {ids[0]} grid (ann): 5 jobs")
    assert {reply.thread for reply in replies} == {parent.ts}
    assert not any(reply.is_broadcast for reply in replies)
    assert ids_in(replies) == Counter(dict.fromkeys(ids, 1))
    assert (summary.thread, summary.is_broadcast) == (parent.ts, True)
    first, failure, *_ = summary.text.splitlines()
    assert first.startswith(f"✘ sweep {ids[0]} grid (ann) is over after ")
    assert first.endswith("5 jobs, 4 succeeded, 1 failed")
    assert failure.startswith(f"{ids[2]} (N=2) failed: ")
    assert f"sentinels sweep {ids[0]}" in summary.text


def test_each_recipient_of_a_sweep_has_a_thread_of_their_own(
    told: Desk, slack: SlackStandIn
) -> None:
    told.change("UPDATE teams SET notice_to = '{\"#vision\"}'")
    told.change("UPDATE users SET notice_to = '{@U024BE7LH}'")
    ids = launched(told, 2)
    for job_id in ids:
        end(told, job_id)
        workload_changed(told.notify(), ref(job_id))
        told.later(10)
    deliver_due(told.notify())
    by_channel = {
        channel: [m for m in slack.messages if str(m.channel) in channel]
        for channel in (("U024BE7LH", "D024BE7LH"), ("#vision",))
    }
    for messages in by_channel.values():
        parent, *others = messages
        assert parent.thread is None
        assert {message.thread for message in others} == {parent.ts}
        assert [message.is_broadcast for message in others][-1]


def test_a_sweep_that_ends_all_at_once_is_one_message(told: Desk, slack: SlackStandIn) -> None:
    ids = launched(told, 30)
    for job_id in ids:
        end(told, job_id)
    told.tick()
    deliver_due(told.notify())
    [only] = slack.messages
    assert "30 jobs, 30 succeeded" in only.text
    assert states(told) == {"delivered"}


def test_the_last_two_ends_of_a_sweep_at_the_same_time_make_one_summary(told: Desk) -> None:
    ports = replace(told.notify(), tell_soon=lambda: None)
    for _ in range(12):
        ids = launched(told, 2)
        for job_id in ids:
            end(told, job_id)
        both = threading.Barrier(2)

        def go(job_id: int, both: threading.Barrier = both) -> None:
            both.wait()
            workload_changed(ports, ref(job_id))

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(go, ids))
        summaries = told.ask(
            "SELECT count(*) FROM outbox WHERE kind = 'swept' AND job_id = :id", id=ids[0]
        )
        assert summaries == [(1,)]


def test_a_sweep_of_cancelled_jobs_is_over_too(told: Desk, slack: SlackStandIn) -> None:
    from sentinels.db.intake import PostgresIntake

    told.cluster.nodes = ()
    ids = told.push(sweep={"N": [1, 2, 3]}, notify={"on": ["cancelled"]}).job_ids
    intake = PostgresIntake(told.engine, told.failpoint, RULES)
    for job_id in ids:
        intake.cancel(told.caller, job_id)
    told.later(2)
    deliver_due(told.notify())
    [only] = slack.messages
    assert "3 jobs, 3 cancelled" in only.text


def test_who_wants_to_know_of_failures_is_not_told_of_a_sweep_without_one(
    told: Desk, slack: SlackStandIn
) -> None:
    for reason in (None, Reason.EXITED_NONZERO):
        ids = launched(told, 2, notify={"on": ["failed"]})
        for job_id in ids:
            end(told, job_id, reason if job_id == ids[1] else None)
        told.tick()
        told.later(60)
        deliver_due(told.notify())
        assert len(slack.messages) == (0 if reason is None else 1)


def test_a_thread_that_was_deleted_costs_nobody_a_notice(told: Desk, slack: SlackStandIn) -> None:
    ids = launched(told, 3)
    end(told, ids[0])
    workload_changed(told.notify(), ref(ids[0]))
    told.later(10)
    deliver_due(told.notify())
    told.change("UPDATE threads SET ts = '1600000000.000001'")
    for job_id in ids[1:]:
        end(told, job_id)
        workload_changed(told.notify(), ref(job_id))
        told.later(10)
    deliver_due(told.notify())
    assert ids_in(slack.messages) == Counter(dict.fromkeys(ids, 1))
    assert [m.thread for m in slack.messages[2:]] == [None] * len(slack.messages[2:])
    assert states(told) == {"delivered"}


def test_an_incoming_webhook_gets_digests_and_the_summary(desk: Desk, slack: SlackStandIn) -> None:
    desk.messenger = SlackWebhook(slack.webhook_url)
    desk.limits = replace(desk.limits, rules=NoticeRules(one_channel=True))
    ids = launched(desk, 6, notify={"channel": ["#vision", "@ann"]})
    for job_id in ids[:5]:
        end(desk, job_id)
    desk.tick()
    deliver_due(desk.notify())
    end(desk, ids[5])
    desk.tick()
    deliver_due(desk.notify())
    digest, last, summary = slack.messages
    assert digest.text.startswith("✔ 5 jobs ended: 5 succeeded")
    assert last.text.startswith(f"✔ job {ids[5]} ")
    assert summary.text.startswith(f"✔ sweep {ids[0]} digits (ann) is over")


def test_mail_gets_a_sweeps_summary_and_nothing_else_of_it(desk: Desk) -> None:
    with MailStandIn() as server:
        mail = mail_from(Settings(smtp_url=server.url, smtp_from="s@example.org"))
        assert mail is not None
        desk.others[Service.MAIL] = mail
        ids = launched(desk, 4, notify={"channel": "ann@example.org"})
        for job_id in ids:
            end(desk, job_id)
            workload_changed(desk.notify(), ref(job_id))
            desk.later(10)
        deliver_due(desk.notify())
        [got] = server.mails
    assert got.recipients == ("ann@example.org",)
    assert got.mail["Subject"].startswith(f"✔ sweep {ids[0]} digits (ann) is over")
    assert "4 jobs, 4 succeeded" in got.mail.get_content()


def test_what_no_service_brings_is_kept_and_the_rest_arrives(
    told: Desk, slack: SlackStandIn
) -> None:
    [job_id] = one_by_one(told, 1, notify={"channel": ["ann@example.org", "#vision"]})
    end(told, job_id)
    told.tick()
    told.later(2)
    deliver_due(told.notify())
    rows = told.ask("SELECT recipient, state FROM outbox WHERE channel = 'messenger' ORDER BY id")
    assert rows == [("ann@example.org", "kept"), ("#vision", "delivered")]
    assert [message.channel for message in slack.messages] == ["#vision"]


@pytest.mark.parametrize("name", ["a<!channel>b", "x\x1b[31mred", "<https://evil|click>"])
def test_what_a_program_says_harms_nobody(told: Desk, slack: SlackStandIn, name: str) -> None:
    [job_id] = one_by_one(told, 1)
    seen = finished(Reason.EXITED_NONZERO, exit_code=1)
    told.cluster.seen[ref(job_id)] = replace(seen, message=f"said {name}")
    told.tick()
    told.later(2)
    deliver_due(told.notify())
    [message] = slack.messages
    assert "<" not in message.text
    assert "\x1b" not in message.text


def test_a_pace_is_kept_between_messages(told: Desk, slack: SlackStandIn) -> None:
    assert PACES[Service.SLACK].least >= 1.0
    assert PACES[Service.WEBHOOK] == Pace(0.0, 0.0)
    told.limits = replace(told.limits, rules=NoticeRules())
    ids = launched(told, 3)
    end(told, ids[0])
    told.tick()
    deliver_due(told.notify())
    parent, reply = slack.messages
    assert sum(told.pauses) >= 1.0, "the reply comes a second after what it replies to"
    assert reply.thread == parent.ts


TROUBLES = (
    (rate_limited(2),),
    (broken(), broken(503)),
    (CLOSES,),
    (refused("internal_error"),),
    (refused("invalid_auth"),),
)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_on_the_way_everything_is_told_exactly_once(
    told: Desk, slack: SlackStandIn, seed: int
) -> None:
    chance = Random(seed)
    channels = ("#one", "#two", "@U024BE7LH")
    running: list[JobId] = []
    for name in channels:
        running += one_by_one(told, 8, notify={"channel": name})
        running += launched(told, 6, notify={"channel": name})
    chance.shuffle(running)
    ended = list(running)
    while running:
        for job_id in [running.pop() for _ in range(min(len(running), chance.randint(1, 6)))]:
            end(told, job_id, chance.choice([None, Reason.EXITED_NONZERO]))
            workload_changed(replace(told.notify(), tell_soon=lambda: None), ref(job_id))
        if chance.random() < 0.6:
            slack.answer_next(*chance.choice(TROUBLES))
        told.later(chance.choice([0.5, 2, 30]))
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda _: told.tell(), range(2)))
    for _ in range(12):
        told.later(700)
        told.tell()
    assert states(told) == {"delivered"}
    first = [m for m in slack.messages if not m.text.startswith("▶ sweep")]
    summaries = [m.text for m in first if " is over after " in m.text]
    assert len(summaries) == len(set(summaries)) == len(channels)
    in_full = ids_in([m for m in first if " is over after " not in m.text])
    assert max(in_full.values()) == 1, "nobody was told twice"
    by_summary = {job for job in ended if job not in in_full}
    sweeps = told.ask("SELECT id FROM jobs WHERE sweep_id IS NOT NULL")
    assert by_summary <= {job for (job,) in sweeps}, "what is not told is in a summary"
