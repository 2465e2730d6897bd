"""Ask every part at the same time, and wait for none longer than the rest.

Comes in: settings. Goes out: a check for each part, within ``LIMIT_SECONDS`` for all of them
together, however many hang. Before: ``health``. Next: ``services``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sentinels.core.asking import Asking
from sentinels.core.errors import SentinelsError
from sentinels.services.asking import shown
from sentinels.services.messengers import webhook_names
from sentinels.services.prometheus import check_prometheus
from sentinels.services.search import greet_search_store
from sentinels.services.slack import SlackBot, messenger_from
from sentinels.services.smtp import mail_from
from sentinels.settings import Settings

if TYPE_CHECKING:
    from sentinels.clusters.kubernetes.api import Api

LIMIT_SECONDS = 2.0
_ANSWER_SECONDS = 1.5
"""Less than the limit, so that what a service's own module says of its silence is heard."""

_log = logging.getLogger("sentinels.health")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; ``remedy`` is what to do where it is not well."""

    name: str
    ok: bool
    detail: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """A part to ask. ``look`` may take its time and may raise; ``remedy`` is for its silence."""

    name: str
    look: Callable[[], Sequence[Check]]
    remedy: str


def probes_from(settings: Settings, tracker_answers: Callable[[], bool]) -> tuple[Probe, ...]:
    """Every part besides the database. A part more is a line more."""
    found = (
        Probe("mlflow", partial(_tracker, settings, tracker_answers), _START_MLFLOW),
        Probe("slack", partial(_messenger, settings), "notices are kept, and sent when it answers"),
        Probe("mail", partial(_mail, settings), "notices by e-mail wait, and are sent later"),
        Probe("webhooks", partial(_webhooks, settings), "correct SENTINELS_WEBHOOKS"),
        Probe("search store", partial(_search_store, settings), "start the search store"),
        Probe("prometheus", partial(_prometheus, settings), "start Prometheus"),
    )
    return (*found, _knative_probe(settings)) if settings.knative_namespace else found


def sql_probe(settings: Settings, asking: Asking) -> Probe:
    """The role that SQL is asked as."""
    return Probe("sql", partial(_sql, settings, asking), "see docs/sql.md")


def ask_all(probes: Sequence[Probe], *, seconds: float = LIMIT_SECONDS) -> list[Check]:
    """The checks of all probes, in their order."""
    asked = [_Asked(probe) for probe in probes]
    end = time.monotonic() + seconds
    return [check for each in asked for check in each.checks(end, seconds)]


class _Asked:
    """A probe under way in a thread, which is left to itself where it takes too long."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._found: Sequence[Check] = ()
        self._over = threading.Event()
        threading.Thread(target=self._look, name=f"ask {probe.name}", daemon=True).start()

    def checks(self, end: float, seconds: float) -> Sequence[Check]:
        if self._over.wait(max(0.0, end - time.monotonic())):
            return self._found
        return [self._trouble(f"no answer within {seconds:g} s")]

    def _look(self) -> None:
        try:
            self._found = self._probe.look()
        except SentinelsError as error:
            self._found = [self._trouble(str(error), error.remedy)]
        except Exception as error:  # noqa: BLE001  # one part's surprise is not to hide the others
            _log.exception("a part could not be looked at", extra={"part": self._probe.name})
            self._found = [self._trouble(f"could not be looked at: {type(error).__name__}")]
        finally:
            self._over.set()

    def _trouble(self, detail: str, remedy: str | None = None) -> Check:
        return Check(self._probe.name, False, detail, remedy or self._probe.remedy)


_START_MLFLOW = "start MLflow; jobs go on, records are caught up"


def _tracker(settings: Settings, answers: Callable[[], bool]) -> list[Check]:
    if not settings.tracker_url:
        return [Check("mlflow", True, "not configured: experiments are not tracked")]
    if not answers():
        detail = f"MLflow at {shown(settings.tracker_url)} does not answer"
        return [Check("mlflow", False, detail, _START_MLFLOW)]
    return [Check("mlflow", True, "answers")]


def _messenger(settings: Settings) -> list[Check]:
    messenger = messenger_from(settings, timeout=int(LIMIT_SECONDS))
    if messenger is None:
        return [Check("slack", True, "not configured: notices are kept; see: sentinels notices")]
    if not isinstance(messenger, SlackBot):
        detail = "an incoming webhook; only a notice shows whether it works"
        return [Check("slack", True, detail)]
    who = messenger.identity()
    return [Check("slack", True, f"answers {who}; to {settings.slack_channel} by default")]


def _mail(settings: Settings) -> list[Check]:
    mail = mail_from(settings, timeout=_ANSWER_SECONDS)
    if mail is None:
        return []
    return [Check("mail", True, f"{mail.greet()} takes mail from {settings.smtp_from.strip()}")]


def _webhooks(settings: Settings) -> list[Check]:
    names = webhook_names(settings)
    return [Check("webhooks", True, f"signed for: {', '.join(names)}")] if names else []


def _search_store(settings: Settings) -> list[Check]:
    if not settings.search_url:
        return [Check("search store", True, "not configured: logs are kept by the cluster alone")]
    found = greet_search_store(settings.search_url, seconds=_ANSWER_SECONDS)
    return [Check("search store", True, f"{found} answers")]


def _prometheus(settings: Settings) -> list[Check]:
    if not settings.prometheus_url:
        return [Check("prometheus", True, "not configured: nobody is alerted")]
    check_prometheus(settings.prometheus_url, seconds=_ANSWER_SECONDS)
    return [Check("prometheus", True, "ready")]


def _sql(settings: Settings, asking: Asking) -> list[Check]:
    if not settings.report_database_url:
        return [Check("sql", True, "not configured: nobody can ask; see docs/sql.md")]
    asking.ask("SELECT 1")
    return [Check("sql", True, "can be asked")]


def _knative_probe(settings: Settings) -> Probe:
    from sentinels.clusters.kubernetes.api import Api

    look = partial(_knative, Api(settings.kubeconfig), settings.knative_namespace)
    return Probe("knative", look, "see: kubectl get pods -n knative-serving")


def _knative(api: Api, namespace: str) -> list[Check]:
    """A line for all that is ready, and one for each part that is not."""
    from sentinels.clusters.kubernetes.readiness import KNATIVE
    from sentinels.clusters.kubernetes.release import PART_OF, troubles_of

    found = troubles_of(api, namespace, PART_OF, kinds=KNATIVE)
    remedy = f"see: kubectl -n {namespace} get ksvc,broker,trigger,pingsource,apiserversource"
    troubles = [
        Check("knative", False, f"{part}: {why}", remedy) for part, why in found.items() if why
    ]
    if not found:
        return [Check("knative", False, f"nothing of ours is in {namespace}", "helm upgrade")]
    return troubles or [Check("knative", True, f"all {len(found)} objects are ready")]
