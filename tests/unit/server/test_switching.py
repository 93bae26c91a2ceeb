"""One who belongs to several organisations goes on in another: a new session, and nothing old is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.server.house import Browser, StoreHouse, Tab, serving
from tests.unit.server.town import Town
from wicket.accounts.tenants import AuditEntry, Session


@pytest.fixture
def house(tmp_path: Path) -> StoreHouse:
    return StoreHouse(tmp_path)


@pytest.fixture
def town(house: StoreHouse) -> Iterator[Town]:
    with serving(house) as address:
        town = Town(address, Browser(address))
        admin = town.users()["admin"]
        town.operator.ask(
            "POST", f"/admin/v1/teams/{town.green['id']}/members", {"user": admin, "role": "viewer"}
        )
        yield town


def session_of(tab: Tab) -> dict[str, object]:
    status, found = tab.ask("GET", "/auth/v1/session")
    assert status == 200
    return dict(found)


def test_one_goes_on_elsewhere_with_the_role_there(house: StoreHouse, town: Town) -> None:
    tab = town.tab("admin")
    here = session_of(tab)
    assert [one["name"] for one in here["organisations"]] == ["Own", "Other"]  # type: ignore[attr-defined]
    made = tab.ask("POST", "/auth/v1/playground-key")[1]["key"]
    assert Browser(town.address).ask("GET", "/v1/models", key=made)[0] == 200
    old = dict(tab.cookies)
    old_ends = house.store.look(lambda rows: rows.all(Session, newest_first=True, limit=1))[0].ends_ms

    status, there = tab.enter("organisation", organisation=town.other["id"])
    assert status == 200 and there["organisation"] == {**there["organisation"], "name": "Other", "role": None}
    assert there["role"] == "viewer" and there["csrf"] != here["csrf"] and tab.cookies != old
    teams = tab.ask("GET", "/admin/v1/teams")[1]["data"]
    assert [team["name"] for team in teams] == ["green"]
    assert tab.ask("POST", "/admin/v1/keys", {"name": "x", "team": "green"})[0] == 403
    # what the session before had opens nothing any more, and it does not live longer by this
    assert Browser(town.address).ask("GET", "/v1/models", key=made)[0] == 401
    cookie = "; ".join(f"{name}={value}" for name, value in old.items())
    assert Browser(town.address).ask("GET", "/auth/v1/session", key="", cookie=cookie)[0] == 401
    fresh = house.store.look(lambda rows: rows.all(Session, newest_first=True, limit=1))[0]
    assert fresh.ends_ms == old_ends
    acts = house.store.look(lambda rows: rows.all(AuditEntry, verb="auth.switch"))
    assert [act.target for act in acts] == [town.users()["admin"]]

    assert tab.enter("organisation", organisation=town.own["id"])[1]["role"] == "admin"


def test_nobody_goes_where_they_do_not_belong(house: StoreHouse, town: Town) -> None:
    tab = town.tab("member")
    before = session_of(tab)
    for wanted in (town.other["id"], "org_none", "' OR 1=1 --", "Other"):
        status, answer = tab.ask("POST", "/auth/v1/organisation", {"organisation": wanted})
        assert (status, answer["error"]["param"]) == (404, "organisation"), wanted
    assert tab.ask("POST", "/auth/v1/organisation", {})[0] == 400
    own = {"organisation": town.own["id"]}
    assert tab.ask("POST", "/auth/v1/organisation", own, x_wicket_csrf="")[0] == 403
    assert tab.ask("POST", "/auth/v1/organisation", own, origin="https://evil.example")[0] == 403
    assert tab.ask("POST", "/auth/v1/organisation", own, content_type="text/plain")[0] == 415
    assert Tab(town.address).ask("POST", "/auth/v1/organisation", own)[0] == 401
    assert session_of(tab) == before


def invited(town: Town, **body: object) -> str:
    status, made = town.tab("stranger").ask("POST", "/admin/v1/invitations", body)
    assert status == 201, made
    return str(made["code"])


def test_an_invitation_is_taken_up_by_who_has_an_account(house: StoreHouse, town: Town) -> None:
    tab = town.tab("member")
    code = invited(town, role="viewer", email="member@example.com")
    for other in ("owner", "viewer"):  # it names its address
        status, answer = town.tab(other).ask("POST", "/auth/v1/join", {"invitation": code})
        assert (status, answer["error"]["code"]) == (403, "invalid_invitation")
    old = dict(tab.cookies)
    status, there = tab.enter("join", invitation=code)
    assert (status, there["organisation"]["name"], there["role"]) == (201, "Other", "viewer")
    assert tab.cookies != old
    assert [one["name"] for one in there["organisations"]] == ["Own", "Other"]
    assert tab.ask("POST", "/admin/v1/keys", {"name": "x", "team": "green"})[0] == 403
    acts = house.store.look(lambda rows: rows.all(AuditEntry, verb="auth.join"))
    assert [act.target for act in acts] == [town.users()["member"]]
    # once, and back at home nothing has changed
    assert tab.ask("POST", "/auth/v1/join", {"invitation": code})[1]["error"]["code"] == "invalid_invitation"
    assert tab.enter("organisation", organisation=town.own["id"])[1]["role"] == "member"


def test_what_can_not_be_joined_changes_nothing(house: StoreHouse, town: Town) -> None:
    tab = town.tab("member")
    before = session_of(tab)
    code = invited(town, role="admin")
    assert Tab(town.address).ask("POST", "/auth/v1/join", {"invitation": code})[0] == 401
    assert tab.ask("POST", "/auth/v1/join", {"invitation": code}, x_wicket_csrf="")[0] == 403
    assert tab.ask("POST", "/auth/v1/join", {"invitation": code}, origin="https://evil.example")[0] == 403
    for body, status, param in (
        ({}, 400, "invitation"),
        ({"invitation": ""}, 400, "invitation"),
        ({"invitation": "' OR 1=1 --"}, 403, "invitation"),
        ({"invitation": code, "role": "owner"}, 400, "role"),
    ):
        found, answer = tab.ask("POST", "/auth/v1/join", body)
        assert (found, answer["error"]["param"]) == (status, param), body
    status, answer = town.tab("stranger").ask("POST", "/auth/v1/join", {"invitation": code})
    assert (status, answer["error"]["code"]) == (409, "already_member")  # and the invitation is still good
    town.operator.ask("PATCH", f"/admin/v1/organisations/{town.other['id']}", {"status": "suspended"})
    assert tab.ask("POST", "/auth/v1/join", {"invitation": code})[0] == 403
    town.operator.ask("PATCH", f"/admin/v1/organisations/{town.other['id']}", {"status": "active"})
    assert session_of(tab) == before
    assert tab.enter("join", invitation=code)[0] == 201


def test_a_suspended_organisation_is_not_offered(town: Town) -> None:
    town.operator.ask("PATCH", f"/admin/v1/organisations/{town.other['id']}", {"status": "suspended"})
    tab = town.tab("admin")
    assert [one["name"] for one in session_of(tab)["organisations"]] == ["Own"]  # type: ignore[attr-defined]
    assert tab.ask("POST", "/auth/v1/organisation", {"organisation": town.other["id"]})[0] == 404


def test_a_team_that_is_gone_leads_nowhere_and_the_session_stays(town: Town) -> None:
    town.operator.ask("DELETE", f"/admin/v1/teams/{town.green['id']}")
    tab = town.tab("admin")
    before = session_of(tab)
    status, answer = tab.ask("POST", "/auth/v1/organisation", {"organisation": town.other["id"]})
    assert status in (403, 404) and answer["error"]["code"] in ("no_organisation", "unknown_organisation")
    assert session_of(tab) == before
