"""Lines at which the process may die without harm, by name.

``SENTINELS_CRASH_AT=<name>`` ends the process there; a test walks through every name. Comes in: a
name. Goes out: nothing, or the end of the process.
"""

from __future__ import annotations

FAILPOINTS: tuple[str, ...] = (
    "submit.before_commit",
    "submit.after_commit",
    "dispatch.before_claim_commit",
    "dispatch.after_claim_commit",
    "dispatch.after_run_opened",
    "dispatch.after_launch",
    "dispatch.after_launch_recorded",
    "local.after_folder",
    "local.after_spawn",
    "settle.after_observe",
    "settle.after_move",
    "settle.after_release",
    "notify.after_send",
    "notify.after_delivered",
)
"""In the order in which a job passes them."""
