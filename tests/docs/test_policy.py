"""What docs/policy.md says of the policy is what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from sentinels.core.config_file import read_config_text
from sentinels.core.policy import Policy
from sentinels.core.policy_reading import KEYS, QUOTA_KEYS, read_policy

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "policy.md").read_text("utf-8")


def test_the_example_is_a_whole_policy_with_every_key() -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    document, lines = read_config_text(block)
    policy = read_policy(document, lines=lines)

    assert set(document) == set(KEYS)
    assert {path.rpartition(".")[2] for path in lines if ".quota." in path} >= set(QUOTA_KEYS)
    usual = Policy()
    for same in ("ageing_seconds", "ageing_limit", "half_life_seconds", "reserve_after_seconds"):
        assert getattr(policy, same) == getattr(usual, same)
    assert policy.preemption.by == {"urgent"}
