"""What keeps logs is told what a line is, and Kibana gets a view of them.

The store comes before there are teams: no job can print a line that is kept otherwise. Neither
fails an installation: jobs go on without. Comes in: addresses. Goes out: lines of the checklist.
Before: ``bootstrap``. Next: ``services/log_store``, ``services/kibana``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

from sentinels.core.errors import Unavailable
from sentinels.install.plan import Plan
from sentinels.install.waiting import Site
from sentinels.services.kibana import import_objects
from sentinels.services.log_store import SearchLogStore

_STORE_SECONDS = 180.0
"""How long a store that is being installed may take to answer."""
_KIBANA_SECONDS = 60.0
"""How long a Kibana that is ready may take to take a view."""
_ANSWER_SECONDS = 10.0
_PAUSE_SECONDS = 1.0


def prepare_store(site: Site, search_url: str) -> None:
    """Tell the store what a line is, if there is one."""
    if search_url:
        with closing(SearchLogStore(search_url, seconds=_ANSWER_SECONDS, rest_seconds=0)) as store:
            if _in_time(site, "search store", store.prepare, seconds=_STORE_SECONDS):
                site.checklist.done("search store", "knows what a line of a log is")


def bring_views(site: Site, plan: Plan) -> None:
    """Bring Kibana its view, if it is the release's."""
    if plan.kibana:

        def bring() -> None:
            import_objects(plan.kibana, plan.views, seconds=_ANSWER_SECONDS)

        if _in_time(site, "Kibana", bring, seconds=_KIBANA_SECONDS):
            site.checklist.done("Kibana", "has a view of the logs")


def _in_time(site: Site, part: str, do: Callable[[], None], *, seconds: float) -> bool:
    """Do it, again and again until it is done or the time is over, which is told."""
    end = min(site.deadline, time.monotonic() + seconds)
    while True:
        try:
            do()
            return True
        except Unavailable as trouble:
            if time.monotonic() > end:
                site.checklist.lacking(part, str(trouble), trouble.remedy or "")
                return False
            site.checklist.waiting(part, str(trouble))
            time.sleep(_PAUSE_SECONDS)
