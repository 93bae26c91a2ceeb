"""Signing in by OpenID Connect, there and back, against a real provider over loopback."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from tests.unit.server.house import StoreHouse, Tab, serving
from tests.unit.server.openid import CLIENT, SECRET, Provider, Signer, providing, text_of
from wicket.accounts.tenants import User
from wicket.config.schema import Accounts, OidcTable
from wicket.errors import PermissionFault
from wicket.supervisor.id_token import Expected, read_token

OWNER = {"email": "owner@example.com", "password": "correct horse"}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with providing() as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, provider: Provider) -> StoreHouse:
    house = StoreHouse(tmp_path)
    table = OidcTable(
        issuer=provider.issuer,
        client_id=CLIENT,
        client_secret=SECRET,
        title="Sample",
        allowed_domains=("Example.com",),
    )
    house.reception.table = Accounts(oidc={"sample": table})
    return house


@pytest.fixture
def tab(house: StoreHouse) -> Iterator[Tab]:
    with serving(house) as address:
        assert Tab(address).enter("sign-up", **OWNER)[0] == 201
        yield Tab(address)


def go(url: str) -> str:
    """Where a provider's page sends the browser."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 302
        return answer.getheader("location") or ""
    finally:
        connection.close()


def begin(tab: Tab) -> str:
    status, _ = tab.ask("GET", "/auth/v1/oidc/sample/start")
    assert status == 303
    assert "httponly" in tab.last["set-cookie"].lower() and "samesite=lax" in tab.last["set-cookie"].lower()
    return tab.last["location"]


def finish(tab: Tab, back: str) -> str:
    parts = urlsplit(back)
    status, _ = tab.ask("GET", f"{parts.path}?{parts.query}", origin="", sec_fetch_site="cross-site")
    assert status == 303
    return tab.last["location"]


def users(house: StoreHouse) -> dict[str, User]:
    return {user.email: user for user in house.store.look(lambda rows: rows.all(User))}


def session_cookie(tab: Tab) -> bool:
    return "wicket_session" in tab.last.get("set-cookie", "") or "wicket_session" in tab.cookies


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_there_and_back(house: StoreHouse, tab: Tab, provider: Provider, algorithm: str) -> None:
    provider.signer = Signer("k", algorithm)
    provider.known = [Signer("other"), provider.signer]
    assert tab.ask("GET", "/auth/v1/state")[1]["oidc"] == [{"name": "sample", "title": "Sample"}]
    location = begin(tab)
    query = parse_qs(urlsplit(location).query)
    assert len(query["state"][0]) >= 43 and len(query["nonce"][0]) >= 43
    assert finish(tab, go(location)) == "/"
    status, session = tab.ask("GET", "/auth/v1/session")
    assert status == 200 and session["user"] == {
        "id": session["user"]["id"],
        "email": "ada@example.com",
        "name": "Ada",
        "has_password": False,
    }
    assert session["role"] == "member" and not session["is_operator"]
    provider.claims = {"email": "changed@elsewhere.org"}  # the subject is who it is
    assert finish(tab, go(begin(tab))) == "/"
    assert tab.ask("GET", "/auth/v1/session")[1]["user"]["email"] == "ada@example.com"
    assert set(users(house)) == {"owner@example.com", "ada@example.com"}


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": "another"}, "bad_id_token"),
        ({"aud": [CLIENT, "another"]}, "bad_id_token"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "bad_id_token"),
        ({"iss": "https://evil.example"}, "bad_id_token"),
        ({"nonce": "another"}, "bad_id_token"),
        ({"nonce": None}, "bad_id_token"),
        ({"exp": 1}, "bad_id_token"),
        ({"exp": None}, "bad_id_token"),
        ({"exp": "soon"}, "bad_id_token"),
        ({"exp": True}, "bad_id_token"),
        ({"iat": 9_999_999_999}, "bad_id_token"),
        ({"nbf": 9_999_999_999}, "bad_id_token"),
        ({"nbf": "soon"}, "bad_id_token"),
        ({"sub": ""}, "bad_id_token"),
        ({"sub": 7}, "bad_id_token"),
        ({"email_verified": False}, "unverified_email"),
        ({"email_verified": "true"}, "unverified_email"),
        ({"email": None}, "unverified_email"),
        ({"email": "ada@example.com.evil.org"}, "not_invited"),
        ({"email": "ada@evil-example.com"}, "not_invited"),
        ({"email": "owner@example.com"}, "signs_in_otherwise"),
        ({"email": "OWNER@EXAMPLE.COM"}, "signs_in_otherwise"),
    ],
    ids=str,
)
def test_a_token_that_is_not_as_it_must_be(
    house: StoreHouse, tab: Tab, provider: Provider, claims: dict[str, Any], code: str
) -> None:
    provider.claims = claims
    assert finish(tab, go(begin(tab))) == f"/#sign_in_error={code}"
    assert tab.ask("GET", "/auth/v1/session")[0] == 401
    assert set(users(house)) == {"owner@example.com"}


def test_a_token_of_another_key_is_refused(tab: Tab, provider: Provider) -> None:
    provider.known = [Signer("first")]  # the same name, another key
    assert finish(tab, go(begin(tab))) == "/#sign_in_error=bad_id_token"


def test_a_new_key_is_asked_for_but_not_for_every_forgery(
    house: StoreHouse, tab: Tab, provider: Provider
) -> None:
    assert finish(tab, go(begin(tab))) == "/"
    provider.signer = Signer("second")
    provider.known = [provider.signer]
    assert finish(tab, go(begin(tab))) == "/#sign_in_error=bad_id_token"  # asked a moment ago
    assert provider.asked.count("keys") == 1
    for facts in house.reception.openid._facts.values():
        facts.keys_asked_s -= 100
    assert finish(tab, go(begin(tab))) == "/"
    assert provider.asked.count("keys") == 2 and provider.asked.count("discovery") == 1


def test_each_answer_is_taken_once_and_by_the_browser_that_asked(house: StoreHouse, tab: Tab) -> None:
    back = go(begin(tab))
    thief = Tab((tab.host.partition(":")[0], int(tab.host.partition(":")[2])))
    assert finish(thief, back) == "/#sign_in_error=unknown_state"
    assert finish(tab, back) == "/#sign_in_error=unknown_state"  # the thief has used it up
    back = go(begin(tab))
    assert finish(tab, back) == "/"
    assert finish(tab, back) == "/#sign_in_error=unknown_state"
    for query in ("", "?state=&code=x", "?error=access_denied", "?state=' OR 1=1 --".replace(" ", "%20")):
        assert finish(tab, f"http://x/auth/v1/oidc/sample/callback{query}") == "/#sign_in_error=unknown_state"


def test_an_answer_of_another_provider_or_a_refusal(tab: Tab) -> None:
    back = go(begin(tab))
    begun = back.replace("iss=http", "iss=https")
    assert finish(tab, begun) == "/#sign_in_error=wrong_issuer"
    state = parse_qs(urlsplit(go(begin(tab))).query)["state"][0]
    url = f"http://x/auth/v1/oidc/sample/callback?error=access_denied&state={state}"
    assert finish(tab, url) == "/#sign_in_error=provider_refused"
    back = go(begin(tab))
    assert finish(tab, back.replace("code=", "code=x")) == "/#sign_in_error=provider_refused"


def test_a_user_added_without_a_password_comes_in_that_way_only(
    house: StoreHouse, tab: Tab, provider: Provider
) -> None:
    from tests.unit.server.house import Browser

    operator = Browser((tab.host.partition(":")[0], int(tab.host.partition(":")[2])))
    body = {"email": "Eve@elsewhere.org", "role": "viewer", "external": True}
    status, _, made = operator.ask("POST", "/admin/v1/users", body)
    assert status == 201 and "password" not in made
    assert tab.enter("sign-in", email="eve@elsewhere.org", password="anything at all")[0] == 401
    provider.claims = {"email": "eve@elsewhere.org", "sub": "eve"}
    assert finish(tab, go(begin(tab))) == "/"
    assert tab.ask("GET", "/auth/v1/session")[1]["role"] == "viewer"
    provider.claims = {"email": "eve@elsewhere.org", "sub": "mallory"}
    assert finish(tab, go(begin(tab))) == "/#sign_in_error=signs_in_otherwise"
    operator.ask("PATCH", f"/admin/v1/users/{made['id']}", {"status": "suspended"})
    provider.claims = {"email": "eve@elsewhere.org", "sub": "eve"}
    assert finish(tab, go(begin(tab))) == "/#sign_in_error=suspended_user"


def test_who_is_not_configured_or_not_there(house: StoreHouse, tab: Tab, provider: Provider) -> None:
    assert tab.ask("GET", "/auth/v1/oidc/nobody/start")[0] == 404
    provider.discovery = {"issuer": "https://evil.example"}
    status, answer = tab.ask("GET", "/auth/v1/oidc/sample/start")
    assert (status, answer["error"]["code"]) == (503, "oidc_discovery")
    provider.discovery = {"token_endpoint": "http://evil.example/token"}
    assert tab.ask("GET", "/auth/v1/oidc/sample/start")[1]["error"]["code"] == "oidc_discovery"
    table = house.reception.table.oidc["sample"]
    gone = msgspec.structs.replace(table, issuer="http://127.0.0.1:9")
    house.reception.table = Accounts(oidc={"sample": gone})
    status, answer = tab.ask("GET", "/auth/v1/oidc/sample/start")
    assert (status, answer["error"]["code"]) == (503, "oidc_unreachable")
    assert tab.ask("GET", "/auth/v1/oidc/sample/start", accept="text/html,*/*;q=0.8")[0] == 303
    assert tab.last["location"] == "/#sign_in_error=oidc_unreachable"


EXPECTED = Expected("https://issuer.example", CLIENT, "n")


def claims() -> dict[str, Any]:
    now = time.time()
    return {"iss": EXPECTED.issuer, "aud": CLIENT, "sub": "s", "exp": now + 60, "iat": now, "nonce": "n"}


@pytest.fixture(scope="module")
def signers() -> dict[str, Signer]:
    return {algorithm: Signer(algorithm, algorithm) for algorithm in ("RS256", "ES256")}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_every_other_byte_of_a_signature_counts(signers: dict[str, Signer], algorithm: str) -> None:
    signer = signers[algorithm]
    keys, token = [signer.public], signer.sign(claims())
    assert read_token(token, keys, EXPECTED, time.time()).subject == "s"
    head, body, signature = token.split(".")
    other = text_of(json.dumps({**claims(), "sub": "another"}).encode())
    flipped = signature[:-4] + ("AAAA" if signature[-4:] != "AAAA" else "BBBB")
    forged = [
        f"{head}.{other}.{signature}",
        f"{head}.{body}.{flipped}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.{signature}.x",
        f"{head}.{body}.é",
        "..",
        "",
        text_of(b'{"alg":"none"}') + f".{body}.",
        text_of(json.dumps({"alg": "none", "kid": algorithm}).encode()) + f".{body}.{signature}",
        text_of(json.dumps({"alg": "HS256", "kid": algorithm}).encode()) + f".{body}.{signature}",
        text_of(json.dumps({"alg": ["RS256"], "kid": algorithm}).encode()) + f".{body}.{signature}",
        text_of(b"[" * 100_000) + f".{body}.{signature}",
        signer.sign(claims(), crit=["x"]),
        signer.sign(claims(), kid="another"),
        signer.sign(claims(), alg={"RS256": "ES256", "ES256": "RS256"}[algorithm]),
    ]
    for token in forged:
        with pytest.raises(PermissionFault):
            read_token(token, keys, EXPECTED, time.time())
    for wrong in (
        [],
        [{}],
        [{**signer.public, "use": "enc"}],
        [{"kty": "RSA"}, {"kty": "EC", "crv": "P-256"}],
    ):
        with pytest.raises(PermissionFault):
            read_token(signer.sign(claims()), wrong, EXPECTED, time.time())


def test_a_short_rsa_key_is_no_key(signers: dict[str, Signer]) -> None:
    weak = {**signers["RS256"].public, "n": text_of(b"\xff" * 128)}
    with pytest.raises(PermissionFault):
        read_token(signers["RS256"].sign(claims()), [weak], EXPECTED, time.time())
