"""Tell people what is due: each recipient at their own pace, what is due together in one message.

Load, send, apply: a recipient is taken for a while, a message goes out, and what it told is marked.
Only a process that dies between a service's answer and that mark makes somebody be told twice.
Comes in: the outbox's notices, a messenger for each service. Goes out: messages. Before:
``notifying``. Next: ``composing``, then the ``Messenger`` port.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sentinels.core.address import Service, service_of
from sentinels.core.addressing import SWEPT
from sentinels.core.composing import (
    Group,
    Turn,
    compose,
    compose_in_thread,
    first_group,
)
from sentinels.core.errors import MessageRefused, MessengerUnavailable, ThreadLost
from sentinels.core.notice_queue import DueNotice, NoticeQueue, Pace, Recipient
from sentinels.core.ports import Failpoint, Messenger, Thread

PACES: Mapping[Service, Pace] = {
    Service.SLACK: Pace(1.1, 60.0),  # Slack takes about one message a second and channel
    Service.MAIL: Pace(5.0, 300.0),
    Service.WEBHOOK: Pace(0.0, 0.0),
}
LEASE_SECONDS = 120.0
MAX_TRIES = 200
"""With the longest wait of ten minutes between tries, more than a day."""
MOST_DUE = 500
MOST_TURNS = 200
AHEAD_SECONDS = 2.0
"""Who is told something is told, with it, what would be due within this."""
PATIENCE_SECONDS = 2.5
"""What is due within this is waited for; a burst's first notice is due when its last has come."""
MOST_WAITING_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class TellPorts:
    """What telling stands on. ``pause`` sleeps."""

    queue: NoticeQueue
    messengers: Mapping[Service, Messenger]
    failpoint: Failpoint
    pause: Callable[[float], None]


@dataclass(slots=True)
class _Round:
    """One round: what arrived, how long it has waited, and which services do not answer."""

    arrived: int = 0
    turns: int = 0
    waited: float = 0.0
    silent: dict[Service, MessengerUnavailable] = field(default_factory=dict)


def tell_due(ports: TellPorts) -> int:
    """Tell what is due now and in a moment, up to a bound; how many notices arrived."""
    round_ = _Round()
    while round_.turns < MOST_TURNS:
        round_.turns += 1
        recipient = ports.queue.take(lease_seconds=LEASE_SECONDS)
        if recipient is not None:
            _tell(ports, recipient, round_)
        elif not _rest(ports, round_):
            break
    return round_.arrived


def _rest(ports: TellPorts, round_: _Round) -> bool:
    """Wait for what is due in a moment; False where that would be too long."""
    soon = ports.queue.soon()
    if soon is None or round_.silent or not ports.messengers:
        return False
    wait = max(0.05, soon)
    if wait > PATIENCE_SECONDS or round_.waited + wait > MOST_WAITING_SECONDS:
        return False
    round_.waited += wait
    ports.pause(wait)
    return True


def _tell(ports: TellPorts, recipient: Recipient, round_: _Round) -> None:
    service = service_of(recipient.address)
    most = 1 if service is Service.WEBHOOK else MOST_DUE  # programs are told one by one
    due = ports.queue.due(recipient.address, ahead_seconds=AHEAD_SECONDS, most=most)
    messenger = ports.messengers.get(service)
    if messenger is None or not due:
        ports.queue.kept(recipient.address, _ids(due))
        return
    desk = _Desk(ports, recipient, messenger, PACES[service])
    try:
        if service in round_.silent:
            raise round_.silent[service]
        round_.arrived += desk.tell_first(due)
    except MessengerUnavailable as trouble:
        if trouble.retry_after is None and service is not Service.WEBHOOK:
            round_.silent[service] = trouble  # webhooks have nothing in common
        desk.postpone(due, trouble)


@dataclass(frozen=True, slots=True)
class _Desk:
    """One recipient who was taken, and what brings them messages."""

    ports: TellPorts
    recipient: Recipient
    messenger: Messenger
    pace: Pace

    def tell_first(self, due: Sequence[DueNotice]) -> int:
        """Send the first message that is due, and mark what it told; how many notices that is.

        Raises ``MessengerUnavailable``.
        """
        queue, address = self.ports.queue, self.recipient.address
        group = first_group(due, threads=self.messenger.has_threads)
        turn = self._turn(group)
        try:
            begun = self.messenger.send(turn.message)
        except ThreadLost:
            self._keep(group, None)
            queue.told(address, (), self.pace)
            return 0
        except MessageRefused as refused:
            self._give_up(turn.tells or _ids(group.notices), refused)
            return 0
        self.ports.failpoint("notify.after_send")
        if turn.opens_thread:
            self._keep(group, begun)
        queue.told(address, turn.tells, self.pace)
        self.ports.failpoint("notify.after_delivered")
        return len(turn.tells)

    def postpone(self, due: Sequence[DueNotice], trouble: MessengerUnavailable) -> None:
        """Try again later; what was tried too often is given up."""
        queue, address = self.ports.queue, self.recipient.address
        if hopeless := [notice.id for notice in due if notice.tries >= MAX_TRIES]:
            queue.failed(address, hopeless, str(trouble), self.pace)
        wait = trouble.retry_after or min(2.0 ** min(self.recipient.failures, 10), 600.0)
        left = [notice.id for notice in due if notice.tries < MAX_TRIES]
        queue.postpone(address, left, after_seconds=wait, error=str(trouble))

    def _give_up(self, ids: Sequence[int], refused: MessageRefused) -> None:
        """A person who cannot be told at their address is told in the default channel."""
        queue, address = self.ports.queue, self.recipient.address
        has_default = Service.SLACK in self.ports.messengers
        if address is None or service_of(address) is Service.WEBHOOK or not has_default:
            queue.failed(address, ids, str(refused), self.pace)
        else:
            queue.redirect(address, ids, str(refused), self.pace)

    def _turn(self, group: Group) -> Turn:
        told = replace(group, notices=[self._informed(notice) for notice in group.notices])
        if group.sweep_id is None:
            return compose(self.recipient.address, told)
        thread = self.ports.queue.thread(group.sweep_id, self.recipient.address)
        sweep = self.ports.queue.sweep(group.sweep_id)
        return compose_in_thread(self.recipient.address, told, sweep, thread)

    def _informed(self, notice: DueNotice) -> DueNotice:
        """A summary with what it is of, for programs."""
        if notice.kind != SWEPT or notice.job is None:
            return notice
        return replace(notice, sweep=self.ports.queue.sweep(notice.job.id))

    def _keep(self, group: Group, thread: Thread | None) -> None:
        """Remember the thread; None: there is none any more, and no other is begun."""
        if group.sweep_id is not None:
            found = thread or Thread("", "")
            self.ports.queue.keep_thread(group.sweep_id, self.recipient.address, found)


def _ids(notices: Sequence[DueNotice]) -> list[int]:
    return [notice.id for notice in notices]
