"""``$(VAR)`` expands as Kubernetes's own tests of its expansion say."""

from __future__ import annotations

import pytest

from sentinels.core.expansion import expand, expand_all, expand_env

VARIABLES = {"VAR_A": "A", "VAR_B": "B", "VAR_C": "C", "VAR_REF": "$(VAR_A)", "VAR_EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(VAR_A)", "A"),
        ("___$(VAR_B)___", "___B___"),
        ("___$(VAR_C)", "___C"),
        ("$(VAR_A)-$(VAR_A)", "A-A"),
        ("$(VAR_REF)", "$(VAR_A)"),
        ("%%$(VAR_REF)--$(VAR_REF)%%", "%%$(VAR_A)--$(VAR_A)%%"),
        ("foo$(VAR_EMPTY)bar", "foobar"),
        ("foo$(VAR_Awhoops!", "foo$(VAR_Awhoops!"),
        ("f00__(VAR_A)__", "f00__(VAR_A)__"),
        ("$?_boo_$!", "$?_boo_$!"),
        ("$VAR_A", "$VAR_A"),
        ("$(VAR_DNE)", "$(VAR_DNE)"),
        ("$$$$$$(BIG_MONEY)", "$$$(BIG_MONEY)"),
        ("$$$$$$(VAR_A)", "$$$(VAR_A)"),
        ("$$$$$$$(GOOD_ODDS)", "$$$$(GOOD_ODDS)"),
        ("$$$$$$$(VAR_A)", "$$$A"),
        ("$$(VAR_A)", "$(VAR_A)"),
        ("$VAR_A)", "$VAR_A)"),
        ("${VAR_A}", "${VAR_A}"),
        ("$(VAR_B)_______$(A", "B_______$(A"),
        ("$(VAR_C)_______$(", "C_______$("),
        ("$(VAR_A)foobarzab$", "Afoobarzab$"),
        ("foo-\\$(VAR_A", "foo-\\$(VAR_A"),
        ("foo\\$(VAR_C)bar", "foo\\Cbar"),
        ("foo\\\\$(VAR_C)bar", "foo\\\\Cbar"),
        ("--$($($($($--", "--$($($($($--"),
        ("$($($($($--foo$(", "$($($($($--foo$("),
        ("foo0--$($($($(", "foo0--$($($($("),
        ("$(VAR_A$(VAR_B))", "$(VAR_A$(VAR_B))"),
        ("$(VAR_A$(VAR_B)", "$(VAR_A$(VAR_B)"),
        ("$(foo$$var)", "$(foo$$var)"),
        ("\n", "\n"),
    ],
)
def test_a_reference_is_replaced_and_anything_else_stays(text: str, expanded: str) -> None:
    assert expand(text, VARIABLES) == expanded


def test_each_word_is_expanded_by_itself() -> None:
    assert expand_all(["$(VAR_A)", "--x=$(VAR_B)"], VARIABLES) == ["A", "--x=B"]


def test_a_variable_may_refer_to_those_before_it_only() -> None:
    env = {"ONE": "$(BASE)1", "TWO": "$(ONE)2", "EARLY": "$(LATE)", "LATE": "x"}
    assert expand_env(env, {"BASE": "b"}) == {
        "ONE": "b1",
        "TWO": "b12",
        "EARLY": "$(LATE)",
        "LATE": "x",
    }
