"""The table of rights, as a handler asks it and as a statement filters by it."""

from __future__ import annotations

import itertools

import pytest

from sentinels.core.rights import Act, Holder, Role, may, reach, read_member

ME = Holder(1, 1)
HOLDERS = (ME, Holder(2, 1), Holder(3, 2))


@pytest.mark.parametrize(("role", "act"), list(itertools.product(Role, Act)))
def test_a_filter_lets_through_exactly_what_the_table_allows(role: Role, act: Act) -> None:
    if not may(role, ME, act, ME):
        return  # nothing of the kind is asked of the database
    found = reach(role, ME, act)
    for holder in HOLDERS:
        passes = found.team_id in (None, holder.team_id) and found.user_id in (None, holder.user_id)
        assert passes == may(role, ME, act, holder), (role, act, holder)


@pytest.mark.parametrize(("act", "holder"), list(itertools.product(Act, HOLDERS)))
def test_each_role_may_do_what_those_before_it_may(act: Act, holder: Holder) -> None:
    allowed = [may(role, ME, act, holder) for role in Role]
    assert allowed == sorted(allowed)
    assert allowed[-1], "an operator may do everything"


def test_what_one_pushed_in_another_team_is_that_teams() -> None:
    mine_before_i_moved = Holder(ME.user_id, 2)
    assert not may(Role.MEMBER, ME, Act.SEE, mine_before_i_moved)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("ann", ("ann", None)),
        ("ann:lead", ("ann", Role.LEAD)),
        ("ann:king", ("ann:king", None)),
        ("system:serviceaccount:ci:robot", ("system:serviceaccount:ci:robot", None)),
        ("a:b:operator", ("a:b", Role.OPERATOR)),
    ],
)
def test_a_user_may_be_named_with_a_role(text: str, meant: tuple[str, Role | None]) -> None:
    assert read_member(text) == meant
