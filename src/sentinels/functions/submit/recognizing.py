"""Who asks: by a token of ours, or by one that somebody else made and vouches for.

Comes in: a token. Goes out: a ``Caller``, or what is wrong with the token. Before: ``handler``,
``pages/entering``. Next: ``core/people``, ``core/identity``.
"""

from __future__ import annotations

from sentinels.core.errors import UnknownCaller
from sentinels.core.identity import issuer_of
from sentinels.core.queueing import Caller
from sentinels.functions.submit.door import FrontDoor

_TOKEN_LIMIT = 512
_VOUCHED_LIMIT = 16 * 1024


def recognize(door: FrontDoor, token: str) -> Caller:
    """Whose token this is. Raises ``UnknownCaller``, ``NotAllowed``, ``IssuerUnavailable``."""
    issuer = issuer_of(token) if len(token) <= _VOUCHED_LIMIT else None
    if issuer is not None:
        return _vouched(door, token, issuer)
    caller = door.people.caller_of(token) if 0 < len(token) <= _TOKEN_LIMIT else None
    if caller is None:
        raise UnknownCaller("nobody has this token")
    return caller


def _vouched(door: FrontDoor, token: str, issuer: str) -> Caller:
    for voucher in door.vouchers:
        if voucher.knows(issuer):
            return door.people.admit(voucher.identify(token))
    raise UnknownCaller(
        f"nobody here vouches for tokens of {issuer[:200]!r}",
        remedy="take one of Sentinels: sentinels token create; an administrator sets up issuers",
    )
