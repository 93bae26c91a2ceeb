"""Signing up, in and out over real HTTP, with a browser's habits and without them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.server.house import ADMIN_KEY, Browser, StoreHouse, Tab, serving
from wicket.accounts.tenants import AuditEntry, Session, User

ADA = {"email": "ada@example.com", "password": "correct horse"}


@pytest.fixture
def house(tmp_path: Path) -> StoreHouse:
    return StoreHouse(tmp_path)


@pytest.fixture
def address(house: StoreHouse) -> Iterator[tuple[str, int]]:
    with serving(house) as address:
        yield address


@pytest.fixture
def tab(address: tuple[str, int]) -> Tab:
    return Tab(address)


@pytest.fixture
def owner(tab: Tab) -> Tab:
    status, _ = tab.enter("sign-up", **ADA, name="Ada", organisation="Engines")
    assert status == 201
    return tab


def code(answer: Any) -> str:
    return str(answer["error"]["code"])


def test_the_first_to_sign_up_is_the_owner(house: StoreHouse, tab: Tab) -> None:
    _, state = tab.ask("GET", "/auth/v1/state")
    assert state == {
        "has_owner": False,
        "sign_up": "invite",
        "needs_setup_code": False,
        "oidc": [],
        "session": None,
    }
    status, session = tab.enter("sign-up", **ADA, name="Ada", organisation="Engines")
    assert status == 201
    assert session["role"] == "owner" and session["is_operator"]
    assert session["organisation"]["name"] == "Engines"
    assert [team["name"] for team in session["teams"]] == ["default"]
    cookie = tab.last["set-cookie"].lower()
    assert cookie.startswith("wicket_session=")
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/"))
    assert "secure" not in cookie
    assert tab.ask("GET", "/auth/v1/session")[1] == session
    _, state = tab.ask("GET", "/auth/v1/state")
    assert state["has_owner"] and state["session"] == session
    kept = house.store.path.read_bytes() + house.store.path.with_name("wicket.db-wal").read_bytes()
    for secret in (ADA["password"], tab.session, session["csrf"]):
        assert secret.encode() not in kept


def test_the_second_needs_an_invitation(owner: Tab, address: tuple[str, int]) -> None:
    status, answer = Tab(address).enter("sign-up", email="b@example.com", password="correct horse")
    assert (status, code(answer)) == (403, "invitation_required")


@pytest.mark.parametrize(("mode", "expected"), [("closed", "sign_up_closed"), ("open", "")])
def test_later_sign_ups_follow_the_mode(
    house: StoreHouse, owner: Tab, address: tuple[str, int], mode: Any, expected: str
) -> None:
    house.reception.table = msgspec.structs.replace(house.reception.table, sign_up=mode)
    other = Tab(address)
    status, answer = other.enter("sign-up", email="b@example.com", password="correct horse")
    if expected:
        assert (status, code(answer)) == (403, expected)
        return
    assert status == 201 and answer["role"] == "owner" and not answer["is_operator"]
    assert answer["organisation"]["id"] != owner.ask("GET", "/auth/v1/session")[1]["organisation"]["id"]


def test_two_who_race_to_be_first_are_not_both(house: StoreHouse, address: tuple[str, int]) -> None:
    answers: list[int] = []

    def sign_up(number: int) -> None:
        status, _ = Tab(address).enter("sign-up", email=f"{number}@example.com", password="correct horse")
        answers.append(status)

    threads = [threading.Thread(target=sign_up, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 403, 403, 403, 403, 403]
    assert len(house.store.look(lambda rows: rows.all(User))) == 1


def test_from_elsewhere_the_first_needs_the_code_or_the_admin_key(
    house: StoreHouse, address: tuple[str, int]
) -> None:
    house.allows_plain_http = True
    elsewhere = {"host": "gate.example", "origin": "http://gate.example"}
    tab = Tab(address)
    assert tab.ask("GET", "/auth/v1/state", host="gate.example")[1]["needs_setup_code"]
    for given in ({}, {"setup_code": "abcd-efgh"}, {"setup_code": ""}):
        status, answer = tab.ask("POST", "/auth/v1/sign-up", {**ADA, **given}, **elsewhere)
        assert (status, code(answer)) == (403, "setup_code_required")
        assert answer["error"]["param"] == "setup_code"
    given = {"setup_code": f" {house.reception.setup_code.upper()} "}
    assert tab.ask("POST", "/auth/v1/sign-up", {**ADA, **given}, **elsewhere)[0] == 201


def test_the_admin_key_is_as_good_as_the_code(house: StoreHouse, address: tuple[str, int]) -> None:
    house.allows_plain_http = True
    elsewhere = {"host": "gate.example", "origin": "http://gate.example"}
    status, _ = Tab(address).ask(
        "POST", "/auth/v1/sign-up", ADA, **elsewhere, authorization=f"Bearer {ADMIN_KEY}"
    )
    assert status == 201


def test_an_unknown_user_and_a_wrong_password_are_one_answer(owner: Tab, address: tuple[str, int]) -> None:
    tab = Tab(address)
    wrong = tab.enter("sign-in", email=ADA["email"], password="wrong horse!")
    unknown = tab.enter("sign-in", email="nobody@example.com", password="wrong horse!")
    assert wrong == unknown and wrong[0] == 401 and code(wrong[1]) == "wrong_credentials"
    assert tab.enter("sign-in", email=" ADA@Example.com".strip(), password=ADA["password"])[0] == 200


def test_tries_are_counted_per_account_and_address(
    house: StoreHouse, owner: Tab, address: tuple[str, int]
) -> None:
    for email in (ADA["email"], "nobody@example.com"):
        statuses = [Tab(address).enter("sign-in", email=email, password="wrong horse!")[0] for _ in range(11)]
        assert statuses == [401] * 10 + [429]
    tab = Tab(address)
    status, answer = tab.enter("sign-in", **ADA)
    assert (status, code(answer)) == (429, "too_many_attempts") and int(tab.last["retry-after"]) > 0
    statuses = [
        Tab(address).enter("sign-in", email=f"{number}@example.com", password="wrong horse!")[0]
        for number in range(20)
    ]
    assert statuses[0] == 401 and statuses[-1] == 429


def test_signing_in_ends_the_session_that_was_there_and_takes_no_planted_one(
    house: StoreHouse, owner: Tab, address: tuple[str, int]
) -> None:
    before = owner.session
    assert owner.enter("sign-in", **ADA)[0] == 200
    assert owner.session != before
    old = Tab(address)
    old.cookies = {"wicket_session": before}
    assert old.ask("GET", "/auth/v1/session")[0] == 401
    victim = Tab(address)
    victim.cookies = {"wicket_session": "planted-by-somebody"}
    assert victim.enter("sign-in", **ADA)[0] == 200
    assert victim.session != "planted-by-somebody"


def test_signing_out_ends_the_session_and_its_keys(
    house: StoreHouse, owner: Tab, address: tuple[str, int]
) -> None:
    status, made = owner.ask("POST", "/auth/v1/playground-key")
    assert status == 201 and made["expires_at"]
    browser = Browser(address)
    assert browser.ask("GET", "/v1/models", key=made["key"])[0] == 200
    token = owner.session
    assert owner.ask("POST", "/auth/v1/sign-out")[0] == 200
    assert not owner.cookies
    assert browser.ask("GET", "/v1/models", key=made["key"])[0] == 401
    stolen = Tab(address)
    stolen.cookies = {"wicket_session": token}
    assert stolen.ask("GET", "/auth/v1/session")[0] == 401


def test_a_session_ends_by_itself_and_a_clock_set_back_does_not_help(house: StoreHouse, owner: Tab) -> None:
    wall = [2_000_000_000.0]
    house.reception.clock._wall_s = lambda: wall[0]
    assert owner.ask("GET", "/auth/v1/session")[0] == 401  # rested too long
    assert owner.enter("sign-in", **ADA)[0] == 200
    wall[0] += 71 * 3600
    assert owner.ask("GET", "/auth/v1/session")[0] == 200
    for _ in range(9):
        wall[0] += 70 * 3600
        last = owner.ask("GET", "/auth/v1/session")[0]
    assert last == 200
    wall[0] += 70 * 3600  # 30 days are over, however busy it was
    assert owner.ask("GET", "/auth/v1/session")[0] == 401
    wall[0] -= 700 * 3600
    assert owner.ask("GET", "/auth/v1/session")[0] == 401


def test_a_new_password_ends_all_other_sessions(owner: Tab, address: tuple[str, int]) -> None:
    other = Tab(address)
    assert other.enter("sign-in", **ADA)[0] == 200
    _, listed = owner.ask("GET", "/auth/v1/sessions")
    assert [each["is_current"] for each in listed["data"]] == [False, True]
    status, answer = owner.ask("POST", "/auth/v1/password", {"old": "wrong horse!", "new": "battery staple"})
    assert (status, code(answer)) == (403, "wrong_password")
    status, answer = owner.ask("POST", "/auth/v1/password", {"old": ADA["password"], "new": "battery staple"})
    assert (status, answer["sessions_ended"]) == (200, 1)
    assert other.ask("GET", "/auth/v1/session")[0] == 401
    assert owner.ask("GET", "/auth/v1/session")[0] == 200
    assert other.enter("sign-in", **ADA)[0] == 401
    assert other.enter("sign-in", email=ADA["email"], password="battery staple")[0] == 200


def test_a_user_ends_own_sessions_only(house: StoreHouse, owner: Tab, address: tuple[str, int]) -> None:
    house.reception.table = msgspec.structs.replace(house.reception.table, sign_up="open")
    stranger = Tab(address)
    assert stranger.enter("sign-up", email="b@example.com", password="correct horse")[0] == 201
    [theirs] = stranger.ask("GET", "/auth/v1/sessions")[1]["data"]
    assert owner.ask("DELETE", f"/auth/v1/sessions/{theirs['id']}")[0] == 404
    other = Tab(address)
    assert other.enter("sign-in", **ADA)[0] == 200
    assert owner.ask("DELETE", "/auth/v1/sessions/others")[1] == {"ended": 1}
    assert other.ask("GET", "/auth/v1/session")[0] == 401
    assert stranger.ask("GET", "/auth/v1/session")[0] == 200


CROSS_SITE = [
    {"origin": "", "sec_fetch_site": ""},
    {"origin": "https://evil.example"},
    {"origin": "null", "sec_fetch_site": ""},
    {"sec_fetch_site": "cross-site", "origin": ""},
    {"sec_fetch_site": "same-site"},
    {"x_wicket_csrf": ""},
    {"x_wicket_csrf": "0" * 64},
]


@pytest.mark.parametrize("headers", CROSS_SITE, ids=str)
def test_a_change_from_another_site_changes_nothing(
    house: StoreHouse, owner: Tab, headers: dict[str, str]
) -> None:
    for method, path, body in [
        ("POST", "/admin/v1/keys", {"name": "theirs"}),
        ("POST", "/auth/v1/playground-key", None),
        ("POST", "/auth/v1/password", {"old": ADA["password"], "new": "battery staple"}),
        ("DELETE", "/auth/v1/sessions/others", None),
        ("POST", "/auth/v1/sign-out", None),
    ]:
        status, answer = owner.ask(method, path, body, **headers)
        assert status == 403 and code(answer) in ("cross_site", "csrf_token")
    assert house.store.list_keys() == []
    assert owner.ask("GET", "/auth/v1/session")[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"origin": "https://evil.example"}, 403),
        ({"sec_fetch_site": "cross-site", "origin": ""}, 403),
        ({"origin": "", "sec_fetch_site": ""}, 201),  # no browser at all
    ],
)
def test_nobody_is_signed_up_by_another_site(
    house: StoreHouse, tab: Tab, headers: dict[str, str], status: int
) -> None:
    assert tab.ask("POST", "/auth/v1/sign-up", ADA, **headers)[0] == status
    assert bool(house.store.look(lambda rows: rows.all(User))) == (status == 201)


def test_a_cookie_opens_what_a_page_shows_and_no_inference(owner: Tab) -> None:
    assert owner.ask("GET", "/admin/v1/keys")[0] == 200
    assert owner.ask("GET", "/v1/models")[0] == 200
    assert owner.ask("POST", "/admin/v1/keys", {"name": "mine"})[0] == 201
    status, answer = owner.ask("POST", "/v1/feedback", {"request_id": "req_0000000000000001", "score": 1})
    assert (status, code(answer)) == (401, "missing_api_key")


def test_a_forged_cookie_opens_nothing(owner: Tab, address: tuple[str, int]) -> None:
    for text in ("x", "' OR 1=1 --", "A" * 5_000, owner.session + "A", owner.session[:-1], "%00"):
        tab = Tab(address)
        tab.cookies = {"wicket_session": text}
        tab.csrf = owner.csrf
        for path in ("/auth/v1/session", "/admin/v1/keys", "/v1/models"):
            assert tab.ask("GET", path)[0] == 401


def test_over_plain_http_nobody_signs_in_from_elsewhere(house: StoreHouse, tab: Tab) -> None:
    elsewhere = {"host": "gate.example", "origin": "http://gate.example"}
    status, answer = tab.ask("POST", "/auth/v1/sign-in", ADA, **elsewhere)
    assert (status, code(answer)) == (403, "insecure_transport")


def test_behind_a_trusted_proxy_the_cookie_is_secure(house: StoreHouse, owner: Tab) -> None:
    elsewhere = {"host": "gate.example", "origin": "https://gate.example", "x_forwarded_proto": "https"}
    assert owner.ask("POST", "/auth/v1/sign-in", ADA, **elsewhere)[0] == 403  # nobody trusts this one
    house.trusted_proxies = ("127.0.0.1/32",)
    owner.cookies.clear()
    status, _ = owner.ask("POST", "/auth/v1/sign-in", ADA, **elsewhere, x_forwarded_for="203.0.113.9")
    assert status == 200
    secure = owner.cookies["__Host-wicket"]
    assert secure
    newest = house.store.look(lambda rows: rows.all(Session, newest_first=True))[0]
    assert newest.address == "203.0.113.9"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"email": "no address"}, "email"),
        ({"email": "a@b@c"}, "email"),
        ({"email": "a\r\nSet-Cookie: x@example.com"}, "email"),
        ({"email": "a@" + "b" * 254}, "email"),
        ({"password": "123456789"}, "password"),
        ({"password": "é" * 513}, "password"),
        ({"password": 5}, "password"),
        ({"name": "a\r\nb"}, "name"),
        ({"name": "\u202ereversed"}, "name"),
        ({"organisation": "x" * 101}, "organisation"),
        ({"role": "owner"}, "role"),
    ],
)
def test_a_bad_field_is_named_and_nobody_is_made(
    house: StoreHouse, tab: Tab, change: dict[str, Any], param: str
) -> None:
    status, answer = tab.ask("POST", "/auth/v1/sign-up", {**ADA, **change})
    assert (status, answer["error"]["param"]) == (400, param)
    assert ADA["password"] not in str(answer)
    assert house.store.look(lambda rows: rows.all(User)) == []


def test_addresses_that_look_alike_are_one(house: StoreHouse, owner: Tab, address: tuple[str, int]) -> None:
    house.reception.table = msgspec.structs.replace(house.reception.table, sign_up="open")
    for email in ("ADA@EXAMPLE.COM", "\uff41da@example.com"):
        status, answer = Tab(address).enter("sign-up", email=email, password="correct horse")
        assert (status, code(answer)) == (409, "email_taken")
    script = "<script>alert(1)</script>"
    status, answer = Tab(address).enter(
        "sign-up", email="s@example.com", password="correct horse", name=script
    )
    assert status == 201 and answer["user"]["name"] == script  # kept as given; the page escapes


def test_a_password_may_be_typed_on_any_keyboard(tab: Tab, address: tuple[str, int]) -> None:
    assert tab.enter("sign-up", email="a@example.com", password="pässwörter")[0] == 201
    assert Tab(address).enter("sign-in", email="a@example.com", password="pa\u0308sswo\u0308rter")[0] == 200


def test_a_suspended_or_deleted_user_is_out_at_once(house: StoreHouse, owner: Tab) -> None:
    [user] = house.store.look(lambda rows: rows.all(User))
    for status in ("suspended", "deleted"):
        house.store.transact(lambda rows, status=status: rows.update(user, status=status))
        assert owner.ask("GET", "/auth/v1/session")[0] == 401
        assert owner.ask("GET", "/admin/v1/keys")[0] == 401
        assert owner.ask("POST", "/auth/v1/sign-in", ADA)[0] == 401


def test_the_audit_log_knows_who_came_and_holds_no_secret(house: StoreHouse, owner: Tab) -> None:
    assert owner.enter("sign-in", **ADA)[0] == 200
    rows = house.store.look(lambda rows: rows.all(AuditEntry))
    assert [row.verb for row in rows] == ["auth.sign_up", "auth.sign_in", "auth.sign_in"]
    assert {row.actor_name for row in rows} == {ADA["email"]} and rows[0].request_id.startswith("req_")
    assert ADA["password"] not in str(rows) and owner.session not in str(rows)


def test_old_hashes_are_made_anew_when_somebody_comes(house: StoreHouse, owner: Tab) -> None:
    from wicket.accounts.passwords import Hardness, hashed

    [user] = house.store.look(lambda rows: rows.all(User))
    old = hashed(b"correct horse", Hardness(3, 8, 1))
    house.store.transact(lambda rows: rows.update(user, password=old))
    assert owner.enter("sign-in", **ADA)[0] == 200
    [user] = house.store.look(lambda rows: rows.all(User))
    assert user.password.startswith("scrypt$4$8$1$")
