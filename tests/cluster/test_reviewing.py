"""A real API server says whose a service account's token is, asked as submit's own account."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinels.clusters.kubernetes.api import Api
from sentinels.clusters.kubernetes.reviewing import TokenReviewer
from sentinels.core.errors import IssuerUnavailable, UnknownCaller
from sentinels.core.identity import Identity, issuer_of, read_accounts
from sentinels.core.rights import Role
from tests.cluster.programs import ensure_programs
from tests.support.accounts import SYSTEM, Actor, Site, set_up

AUDIENCE = "sentinels-people"
RULES = f"{SYSTEM}/robot=vision:lead, {SYSTEM}/sentinels-*=ops"


@pytest.fixture(scope="module")
def site(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    kubectl = ensure_programs() / "kubectl"
    with set_up(kubeconfig, kubectl, tmp_path_factory.mktemp("reviews")) as found:
        found.kubectl("-n", SYSTEM, "create", "serviceaccount", "robot")
        found.kubectl("-n", SYSTEM, "create", "serviceaccount", "unknown")
        try:
            yield found
        finally:
            found.kubectl("-n", SYSTEM, "delete", "serviceaccount", "robot", "unknown")


@pytest.fixture(scope="module")
def submit(site: Site) -> Iterator[Actor]:
    actor = site.actor("submit")
    try:
        yield actor
    finally:
        actor.api.close()


def reviewer(actor: Actor) -> TokenReviewer:
    return TokenReviewer(actor.api, AUDIENCE, read_accounts(RULES))


def token(site: Site, account: str, audience: str = AUDIENCE) -> str:
    words = ("create", "token", account, "--audience", audience) if audience else ()
    return site.kubectl("-n", SYSTEM, *(words or ("create", "token", account))).strip()


def test_an_account_is_who_the_rules_say(site: Site, submit: Actor) -> None:
    given = token(site, "robot")
    assert reviewer(submit).knows(issuer_of(given) or "")
    name = f"system:serviceaccount:{SYSTEM}:robot"
    assert reviewer(submit).identify(given) == Identity(name, "vision", Role.LEAD, "Kubernetes")
    named = reviewer(submit).identify(token(site, "sentinels-notify"))
    assert (named.team, named.role) == ("ops", Role.MEMBER)


@pytest.mark.parametrize("audience", ["somebody-else", ""])
def test_a_token_for_another_audience_is_not_taken(
    site: Site, submit: Actor, audience: str
) -> None:
    """The empty one is a token for the API server itself: what every pod has."""
    with pytest.raises(UnknownCaller, match="does not know this token for the audience") as why:
        reviewer(submit).identify(token(site, "robot", audience))
    assert f"--audience {AUDIENCE}" in (why.value.remedy or "")


def test_a_token_that_was_changed_is_not_taken(site: Site, submit: Actor) -> None:
    head, claims, mark = token(site, "robot").split(".")
    _, others, _ = token(site, "sentinels-notify").split(".")
    for forged in (f"{head}.{others}.{mark}", f"{head}.{claims}.", "a.b.c"):
        with pytest.raises(UnknownCaller):
            reviewer(submit).identify(forged)


def test_an_account_that_no_rule_names_may_not_come_in(site: Site, submit: Actor) -> None:
    with pytest.raises(UnknownCaller, match="who may not come in here"):
        reviewer(submit).identify(token(site, "unknown"))


def is_taken(reviewer: TokenReviewer, token: str) -> bool:
    try:
        reviewer.identify(token)
    except UnknownCaller:
        return False
    return True


def test_a_deleted_accounts_token_is_soon_not_taken_any_more(site: Site, submit: Actor) -> None:
    site.kubectl("-n", SYSTEM, "create", "serviceaccount", "sentinels-fleeting")
    now = [0.0]
    made = TokenReviewer(submit.api, AUDIENCE, read_accounts(RULES), stopwatch=lambda: now[0])
    given = token(site, "sentinels-fleeting")
    made.identify(given)
    site.kubectl("-n", SYSTEM, "delete", "serviceaccount", "sentinels-fleeting")
    before = len(submit.api.answers)
    assert is_taken(made, given)
    assert len(submit.api.answers) == before, "believed, not asked again"
    end = time.monotonic() + 40  # an API server believes itself for some seconds, too
    while is_taken(made, given):
        assert time.monotonic() < end
        now[0] += 31.0
        time.sleep(0.2)


def test_an_account_that_may_not_review_is_no_accident(site: Site) -> None:
    nobody = site.nobody()
    try:
        with pytest.raises(IssuerUnavailable, match="does not review tokens") as why:
            reviewer(nobody).identify(token(site, "robot"))
    finally:
        nobody.api.close()
    assert "accounts.yaml" in (why.value.remedy or "")


def test_an_api_server_that_is_away_is_no_accident(tmp_path: Path, site: Site) -> None:
    away = tmp_path / "kubeconfig"
    text = site.kubeconfig.read_text()
    config = json.loads(text)
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    away.write_text(json.dumps(config))
    api = Api(str(away))
    try:
        with pytest.raises(IssuerUnavailable):
            TokenReviewer(api, AUDIENCE, read_accounts(RULES)).identify(token(site, "robot"))
    finally:
        api.close()
