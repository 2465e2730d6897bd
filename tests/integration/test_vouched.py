"""People whom an issuer of OpenID Connect vouches for, from the token to the answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sentinels.core.identity import ClaimNames
from sentinels.core.people import AuditFilter
from sentinels.core.rights import Role
from sentinels.db.people import PostgresPeople
from sentinels.functions.wiring import make_vouchers
from sentinels.services.oidc import OidcIssuer
from sentinels.settings import Settings
from tests.conftest import TOKEN
from tests.standins.issuer import AUDIENCE, IssuerStandIn, rsa_key
from tests.support.desk import Desk
from tests.support.front import Client, LoggedCluster, make_door, serving
from tests.support.people import promote


@dataclass
class Stopwatch:
    """Time that passes when it is told to."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Place:
    """A server that takes an issuer's tokens."""

    port: int
    issuer: IssuerStandIn
    desk: Desk
    stopwatch: Stopwatch = field(default_factory=Stopwatch)

    def as_one(self, token: str) -> Client:
        return Client(self.port, token)


@pytest.fixture
def place(desk: Desk) -> Iterator[Place]:
    stopwatch = Stopwatch()
    with IssuerStandIn() as issuer:
        names = ClaimNames(user="sub", team="team", role="groups")
        voucher = OidcIssuer(issuer.url, AUDIENCE, names, stopwatch=stopwatch)
        door = replace(make_door(desk, LoggedCluster(), None), vouchers=(voucher,))
        with serving(door) as port:
            yield Place(port, issuer, desk, stopwatch)


def test_a_token_of_the_issuer_is_who_it_says_in_the_team_and_role_that_it_says(
    place: Place,
) -> None:
    token = place.issuer.token(sub="olga@example.org", team="default", groups=["x", "lead"])
    olga = place.as_one(token)
    pushed = olga.push(name="hers")
    assert (pushed.status, pushed.json["jobs"][0]["user"]) == (201, "olga@example.org")
    [found] = [u for u in olga.get("/v1/users").json["users"] if u["name"] == "olga@example.org"]
    assert (found["team"], found["role"]) == ("default", "lead")
    fewer = place.as_one(place.issuer.token(sub="olga@example.org", team="default"))
    [found] = [u for u in fewer.get("/v1/users").json["users"] if u["name"] == "olga@example.org"]
    assert found["role"] == "member", "a claim that the issuer leaves out gives nothing"
    assert place.issuer.asked == ["/realm/.well-known/openid-configuration", "/realm/keys"]


def test_who_comes_and_what_they_become_is_in_the_audit(place: Place) -> None:
    place.as_one(place.issuer.token(sub="olga", team="default")).get("/v1/jobs")
    place.as_one(place.issuer.token(sub="olga", team="default")).get("/v1/jobs")
    operator = replace(place.desk.caller, role=Role.OPERATOR)
    found = PostgresPeople(place.desk.engine).audited(operator, AuditFilter(), limit=10)
    assert [(deed.actor, deed.act, deed.subject) for deed in found] == [
        (place.issuer.url, "user.set", "olga")
    ]


def test_who_is_in_no_team_here_is_told_who_they_are_and_what_to_do(place: Place) -> None:
    for claims, said in (
        ({}, "who is in no team here"),
        ({"team": "vanished"}, "of team vanished, which is not here"),
    ):
        answer = place.as_one(place.issuer.token(sub="olga", **claims)).get("/v1/jobs")
        assert answer.status == 403
        assert f"you are olga{',' if not claims else ''} {said}" in answer.json["detail"]
        assert "sentinels" in answer.json["remedy"]
    promote(place.desk.engine, "ann", Role.OPERATOR)
    let_in = Client(place.port, TOKEN).post("/v1/users", {"name": "olga", "team": "default"})
    assert let_in.status == 200
    assert place.as_one(place.issuer.token(sub="olga")).get("/v1/jobs").status == 200


def test_our_own_tokens_work_beside_it(place: Place) -> None:
    assert Client(place.port, TOKEN).get("/v1/jobs").status == 200
    assert place.issuer.asked == []


def unsigned(issuer: IssuerStandIn) -> str:
    """``alg: none``."""
    return issuer.token(algorithm="none", key="")


def signed_with_the_public_key(issuer: IssuerStandIn) -> str:
    """HS256 over the issuer's public key, which everybody has."""
    _, claims, _ = issuer.token().split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "one"}).encode())
    signed = head.rstrip(b"=") + b"." + claims.encode()
    mac = hmac.new(issuer.public_pem("one"), signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def tampered(issuer: IssuerStandIn) -> str:
    head, _, mark = issuer.token().split(".")
    _, claims, _ = issuer.token(sub="somebody-else", team="default").split(".")
    return ".".join((head, claims, mark))


REFUSED: dict[str, tuple[Callable[[IssuerStandIn], str], str]] = {
    "a wrong signature": (lambda it: it.token(key=rsa_key()), "has a wrong signature"),
    "other claims than were signed": (tampered, "has a wrong signature"),
    "another audience": (
        lambda it: it.token(aud="mlflow"),
        "for another audience than 'sentinels'",
    ),
    "another issuer": (lambda it: it.token(iss="https://evil.example"), "nobody here vouches"),
    "no issuer": (lambda it: it.token(without=("iss",)), "nobody here vouches"),
    "it has expired": (lambda it: it.token(exp=1), "has expired"),
    "no expiry": (lambda it: it.token(without=("exp",)), "lacks a claim"),
    "no audience": (lambda it: it.token(without=("aud",)), "lacks a claim"),
    "an expiry that is no time": (lambda it: it.token(exp="soon"), "is no token of its making"),
    "not valid yet": (lambda it: it.token(nbf=2**32), "is not valid yet"),
    "unsigned": (unsigned, "is signed with 'none', which proves nothing"),
    "HS256 with the public key": (signed_with_the_public_key, "signed with 'HS256'"),
    "an unknown key": (
        lambda it: it.token(kid="one", key=rsa_key()).replace(
            it.token().split(".")[0],
            base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"two"}').decode().rstrip("="),
        ),
        "signed with the key 'two'",
    ),
    "an algorithm that is not the key's": (
        lambda it: it.token(
            kid="one", key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"
        ),
        "the key that it names is not one for that",
    ),
    "nobody": (lambda it: it.token(sub=""), "does not say who you are"),
    "a name with a line break": (lambda it: it.token(sub="a\nb"), "does not say who you are"),
    "a team that is a list": (lambda it: it.token(team=["default"]), "is no team's name"),
    "a head that is none": (
        lambda it: "e." + it.token().partition(".")[2],
        "no token of its making",
    ),
    "no JSON": (lambda _: "a.b.c", "nobody here vouches"),
    "only dots": (lambda _: "..", "nobody here vouches"),
    "too long": (lambda it: it.token(more="x" * 20_000), "nobody has this token"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_token_that_is_not_sound_is_a_401_that_says_what_is_wrong(
    place: Place, case: str
) -> None:
    make, said = REFUSED[case]
    answer = place.as_one(make(place.issuer)).get("/v1/jobs")
    assert (answer.status, said in answer.json["detail"]) == (401, True), answer.json["detail"]
    assert answer.json["remedy"]


def test_a_new_key_of_the_issuer_is_asked_for_and_an_unknown_one_not_at_each_request(
    place: Place,
) -> None:
    sound = {"team": "default"}
    assert place.as_one(place.issuer.token(**sound)).get("/v1/jobs").status == 200
    place.issuer.keys["two"] = ec.generate_private_key(ec.SECP256R1())
    token = place.issuer.token(kid="two", algorithm="ES256", **sound)
    before = len(place.issuer.asked)
    for _ in range(5):
        assert place.as_one(token).get("/v1/jobs").status == 401
    assert len(place.issuer.asked) == before, "it was asked a moment ago"
    place.stopwatch.now += 6
    assert place.as_one(token).get("/v1/jobs").status == 200
    assert len(place.issuer.asked) == before + 2


def test_an_issuer_that_is_away_is_a_503_and_known_keys_are_used_on(desk: Desk) -> None:
    stopwatch = Stopwatch()
    issuer = IssuerStandIn()
    with issuer:
        names = ClaimNames(team="team")
        voucher = OidcIssuer(issuer.url, AUDIENCE, names, stopwatch=stopwatch)
        fresh = OidcIssuer(issuer.url, AUDIENCE, names, stopwatch=stopwatch)
        token = issuer.token(team="default")
        assert voucher.identify(token).user == "ann"
    stopwatch.now += 7200
    door = make_door(desk, LoggedCluster(), None)
    with serving(replace(door, vouchers=(voucher,))) as port:
        assert Client(port, token).get("/v1/jobs").status == 200
    with serving(replace(door, vouchers=(fresh,))) as port:
        answer = Client(port, token).get("/v1/jobs")
        assert (answer.status, answer.json["type"]) == (503, "/problems/issuer-unavailable")
        assert "does not answer" in answer.json["detail"]
        assert Client(port, TOKEN).get("/v1/jobs").status == 200


@pytest.mark.parametrize(
    "said",
    [
        (500, b"{}"),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"issuer": "https://evil.example", "jwks_uri": "http://127.0.0.1:1/keys"}'),
        (200, b'{"jwks_uri": 5}'),
        (200, b"[" * 60_000),
    ],
)
def test_an_issuer_that_says_nonsense_is_a_503(place: Place, said: tuple[int, bytes]) -> None:
    place.issuer.answers["/realm/.well-known/openid-configuration"] = said
    answer = place.as_one(place.issuer.token(team="default")).get("/v1/jobs")
    assert (answer.status, answer.json["type"]) == (503, "/problems/issuer-unavailable")


@pytest.mark.parametrize(
    "keys", ['{"keys": 5}', '{"keys": [{"kid": "one", "kty": "RSA", "n": 5}]}', '{"keys": [1]}']
)
def test_keys_that_are_none_are_no_accident(place: Place, keys: str) -> None:
    place.issuer.answers["/realm/keys"] = (200, keys.encode())
    answer = place.as_one(place.issuer.token(team="default")).get("/v1/jobs")
    assert answer.status in (401, 503)
    assert answer.json["type"] != "/problems/internal-error"


def test_a_browser_enters_with_such_a_token_too(place: Place) -> None:
    token = place.issuer.token(team="default")
    entered = Client(place.port).ask(
        "POST", "/login", f"token={token}".encode(), {"Content-Type": "text/plain"}
    )
    assert (entered.status, entered.headers["Location"]) == (303, "/")
    over = place.issuer.token(exp=1)
    refused = Client(place.port).ask(
        "POST", "/login", f"token={over}".encode(), {"Content-Type": "text/plain"}
    )
    assert refused.status == 401
    assert b"has expired" in refused.body


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(oidc_issuer="https://i"), "needs SENTINELS_OIDC_AUDIENCE"),
        (
            Settings(token_review_audience="s", token_review_accounts="ci=vision"),
            "SENTINELS_TOKEN_REVIEW_ACCOUNTS: 'ci=vision' is not of the form",
        ),
    ],
)
def test_settings_that_would_let_in_nobody_end_the_process_with_a_sentence(
    settings: Settings, said: str
) -> None:
    with pytest.raises(SystemExit, match=said):
        make_vouchers(settings)


def test_who_vouches_follows_from_the_settings() -> None:
    assert make_vouchers(Settings()) == []
    both = Settings(oidc_issuer="https://i", oidc_audience="s", token_review_audience="s")
    issuer, kubernetes = make_vouchers(both)
    assert (issuer.knows("https://i"), issuer.knows("https://j")) == (True, False)
    assert (kubernetes.knows("https://j"), kubernetes.knows("")) == (True, False)
