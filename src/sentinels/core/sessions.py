"""How a browser stays known: a code that opens a session once, and the session, as a port.

Neither opens the HTTP interface, which takes tokens alone. Adapter: ``db``. Before:
``functions/submit/pages``.
"""

from __future__ import annotations

from typing import Protocol

from sentinels.core.queueing import Caller

CODE_SECONDS = 60.0
"""A code stands in an address, which others may see: it opens one session, and soon."""
SESSION_SECONDS = 12 * 3600.0


class Sessions(Protocol):
    """Who looks at pages. All raise ``QueueUnavailable``."""

    def make_code(self, caller: Caller) -> str:
        """A code for the caller, good once within ``CODE_SECONDS``."""
        ...

    def redeem(self, code: str) -> str | None:
        """A session for a code; None where it was used, is too old or is none."""
        ...

    def begin(self, caller: Caller) -> str:
        """A session of ``SESSION_SECONDS``."""
        ...

    def caller_of(self, session: str) -> Caller | None:
        """Whose session this is; None where it is over."""
        ...

    def end(self, session: str) -> None:
        """Forget the session."""
        ...
