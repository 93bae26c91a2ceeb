"""Tenants over real HTTP: who sees and changes what, and that nobody sees another's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.house import Browser, StoreHouse, Tab, record, serving
from tests.unit.server.town import PASSWORD, Town
from wicket.accounts.request_ids import format_id
from wicket.accounts.tenants import AuditEntry, Organisation, Team, User


@pytest.fixture
def house(tmp_path: Path) -> StoreHouse:
    return StoreHouse(tmp_path)


@pytest.fixture
def address(house: StoreHouse) -> Iterator[tuple[str, int]]:
    with serving(house) as address:
        yield address


@pytest.fixture
def operator(address: tuple[str, int]) -> Browser:
    return Browser(address)


@pytest.fixture
def town(address: tuple[str, int], operator: Browser) -> Town:
    return Town(address, operator)


def names(answer: Any, field: str = "name") -> set[str]:
    return {row[field] for row in answer["data"]}


@pytest.mark.parametrize(
    ("who", "keys", "teams"),
    [
        ("owner", {"red", "blue"}, {"red", "blue"}),
        ("viewer", {"red", "blue"}, {"red", "blue"}),
        ("redmember", {"red"}, {"red"}),
        ("redviewer", {"red"}, {"red"}),
        ("stranger", {"green"}, {"green"}),
        ("first", {"red", "blue", "green"}, {"red", "blue", "green"}),
    ],
)
def test_everybody_sees_their_own(town: Town, who: str, keys: set[str], teams: set[str]) -> None:
    tab = town.tab(who)
    assert names(tab.ask("GET", "/admin/v1/keys")[1]) == keys
    assert names(tab.ask("GET", "/admin/v1/teams")[1]) == teams
    emails = names(tab.ask("GET", "/admin/v1/users")[1], "email")
    if who == "first":
        assert len(emails) == 9
    else:
        assert ("stranger@example.com" in emails) == (who == "stranger")
        assert "first@example.com" not in emails


def test_anothers_is_as_if_it_did_not_exist(house: StoreHouse, town: Town) -> None:
    nobody = {"keys": "key_none", "teams": "team_none", "organisations": "org_none", "users": "user_none"}
    green = {
        "keys": town.keys["green"]["id"],
        "teams": town.green["id"],
        "organisations": town.other["id"],
        "users": next(
            user.public_id
            for user in house.store.look(lambda rows: rows.all(User))
            if user.email.startswith("stranger")
        ),
    }
    before = house.store.look(lambda rows: (rows.all(Team), rows.all(User), rows.all(Organisation)))
    for who in ("owner", "redadmin"):
        tab = town.tab(who)
        for kind, id in green.items():
            for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
                if who == "redadmin" and kind == "organisations":
                    continue
                theirs = tab.ask(method, f"/admin/v1/{kind}/{id}", body)
                unknown = tab.ask(method, f"/admin/v1/{kind}/{nobody[kind]}", body)
                if kind == "organisations" and method == "DELETE":
                    assert theirs[0] == unknown[0] == 403
                    continue
                assert theirs[0] == unknown[0] == 404, (who, kind, method, theirs)
                told = json.dumps(theirs[1]).replace(id, nobody[kind])
                assert told == json.dumps(unknown[1])
        assert tab.ask("GET", f"/admin/v1/teams/{town.green['id']}/members")[0] == 404
        assert tab.ask("POST", f"/admin/v1/keys/{green['keys']}/rotate", {})[0] == 404
        assert tab.ask("POST", "/admin/v1/keys", {"name": "x", "team": town.green["id"]})[0] == 404
    assert before == house.store.look(lambda rows: (rows.all(Team), rows.all(User), rows.all(Organisation)))
    assert not house.store.find_key(green["keys"]).revoked_ms  # type: ignore[union-attr]


def test_a_teams_member_makes_keys_of_that_team_only(town: Town) -> None:
    tab = town.tab("redmember")
    status, made = tab.ask("POST", "/admin/v1/keys", {"name": "mine"})
    assert (status, made["team"]) == (201, "red")
    assert tab.ask("POST", "/admin/v1/keys", {"name": "mine", "team": "blue"})[0] == 404
    assert tab.ask("DELETE", f"/admin/v1/keys/{town.keys['blue']['id']}")[0] == 404
    assert tab.ask("PATCH", f"/admin/v1/keys/{made['id']}", {"name": "other"})[1]["name"] == "other"
    viewer = town.tab("redviewer")
    assert viewer.ask("DELETE", f"/admin/v1/keys/{made['id']}")[0] == 403
    assert viewer.ask("POST", "/admin/v1/keys", {"name": "mine"})[0] == 403
    assert viewer.ask("POST", "/auth/v1/playground-key")[0] == 403
    for tab in (viewer, town.tab("member")):
        assert tab.ask("GET", "/admin/v1/audit")[0] == 403
        assert tab.ask("POST", "/admin/v1/invitations", {"role": "viewer"})[0] == 403


@pytest.mark.parametrize("path", ["status", "config", "examples?task=t", "tasks"])
@pytest.mark.parametrize(("who", "status"), [("owner", 403), ("admin", 403), ("first", 200)])
def test_the_house_is_for_its_owner(town: Town, who: str, path: str, status: int) -> None:
    found = town.tab(who).ask("GET", f"/admin/v1/{path}")[0]
    assert found == status or (who == "first" and path.startswith("examples") and found == 404)


def test_nobody_rises_by_themselves(town: Town) -> None:
    users = town.users()
    admin = town.tab("admin")
    for method, path, body in [
        ("PATCH", f"users/{users['admin']}", {"role": "owner"}),
        ("PATCH", f"users/{users['owner']}", {"role": "viewer"}),
        ("PATCH", f"users/{users['owner']}", {"status": "suspended"}),
        ("POST", f"users/{users['owner']}/password", {}),
        ("DELETE", f"users/{users['owner']}", None),
        ("POST", "invitations", {"role": "owner"}),
        ("POST", "users", {"email": "x@example.com", "role": "owner"}),
        ("POST", "organisations", {"name": "x"}),
        ("PATCH", f"organisations/{town.own['id']}", {"name": "x"}),
    ]:
        assert admin.ask(method, f"/admin/v1/{path}", body)[0] == 403, path
    red = town.tab("redadmin")
    assert red.ask("PATCH", f"/admin/v1/users/{users['redadmin']}", {"role": "admin"})[0] == 403
    assert red.ask("POST", "/admin/v1/teams", {"name": "x"})[0] == 403
    assert (
        red.ask("POST", f"/admin/v1/teams/{town.blue['id']}/members", {"user": users["redviewer"]})[0] == 404
    )
    assert red.ask("POST", f"/admin/v1/users/{users['member']}/password", {})[0] == 404
    assert red.ask("POST", f"/admin/v1/users/{users['redmember']}/password", {})[0] == 200


def test_the_last_owner_stays(town: Town) -> None:
    users = town.users()
    for method, path, body in [
        ("DELETE", users["owner"], None),
        ("PATCH", users["owner"], {"status": "suspended"}),
        ("PATCH", users["owner"], {"role": "member", "organisation": town.own["id"]}),
        ("DELETE", users["first"], None),
    ]:
        status, _, answer = town.operator.ask(method, f"/admin/v1/users/{path}", body)
        assert (status, answer["error"]["code"]) == (409, "last_owner")


def test_a_suspended_teams_key_is_refused_with_what_to_do_and_lives_again(town: Town) -> None:
    key = town.keys["red"]["key"]
    team = f"/admin/v1/teams/{town.red['id']}"
    assert town.operator.ask("GET", "/v1/models", key=key)[0] == 200
    assert town.operator.ask("PATCH", team, {"status": "suspended"})[0] == 200
    status, _, answer = town.operator.ask("GET", "/v1/models", key=key)
    assert (status, answer["error"]["code"]) == (403, "suspended")
    assert "team" in answer["error"]["message"] and "owner" in answer["error"]["message"]
    assert town.operator.ask("PATCH", team, {"status": "active"})[0] == 200
    assert town.operator.ask("GET", "/v1/models", key=key)[0] == 200
    own = f"/admin/v1/organisations/{town.own['id']}"
    session = town.tab("owner")
    assert town.operator.ask("PATCH", own, {"status": "suspended"})[0] == 200
    assert town.operator.ask("GET", "/v1/models", key=key)[0] == 403
    assert session.ask("GET", "/auth/v1/session")[0] == 401
    assert town.operator.ask("PATCH", own, {"status": "active"})[0] == 200
    assert town.operator.ask("DELETE", team)[0] == 200
    assert town.operator.ask("GET", "/v1/models", key=key)[0] == 403
    listed = town.operator.ask("GET", "/admin/v1/keys")[2]
    assert town.keys["red"]["id"] in names(listed, "id")  # its history stays


def test_the_first_organisation_is_not_suspended(town: Town, house: StoreHouse) -> None:
    first = house.store.look(lambda rows: rows.one(Organisation, id=1))
    assert first is not None
    for method, body in (("PATCH", {"status": "suspended"}), ("DELETE", None)):
        assert town.operator.ask(method, f"/admin/v1/organisations/{first.public_id}", body)[0] == 409


def test_a_rotated_keys_old_text_works_for_the_overlap(house: StoreHouse, town: Town) -> None:
    old = town.keys["red"]
    path = f"/admin/v1/keys/{old['id']}/rotate"
    status, _, new = town.operator.ask("POST", path, {"overlap_s": 3600})
    assert status == 200 and new["id"] == old["id"] and new["key"] != old["key"] and new["previous_ends_at"]
    for text in (old["key"], new["key"]):
        assert town.operator.ask("GET", "/v1/models", key=text)[0] == 200
    kept = house.store.find_key(old["id"])
    assert kept is not None
    house.store.transact(lambda rows: rows.update(kept, previous_until_ms=1))
    town.operator.ask("PATCH", f"/admin/v1/keys/{old['id']}", {"name": "red again"})
    assert town.operator.ask("GET", "/v1/models", key=old["key"])[0] == 401
    assert town.operator.ask("GET", "/v1/models", key=new["key"])[0] == 200
    newest = town.operator.ask("POST", path)[2]
    assert town.operator.ask("GET", "/v1/models", key=new["key"])[0] == 401  # without an overlap at once
    assert town.operator.ask("GET", "/v1/models", key=newest["key"])[0] == 200
    assert town.operator.ask("DELETE", f"/admin/v1/keys/{old['id']}")[0] == 200
    assert town.operator.ask("GET", "/v1/models", key=newest["key"])[0] == 401
    assert town.operator.ask("POST", path)[0] == 409
    for wrong in ({"overlap_s": -1}, {"overlap_s": 1e9}, {"overlap_s": "1"}, {"overlap": 1}):
        assert town.operator.ask("POST", path, wrong)[0] == 400


def test_a_key_is_bound_to_its_networks(house: StoreHouse, town: Town) -> None:
    made = town.made("keys", name="n", networks=["192.0.2.0/24", "2001:db8::/32"], routes=["/v1/embeddings"])
    assert made["networks"] == ["192.0.2.0/24", "2001:db8::/32"] and made["routes"] == ["embeddings"]
    for forwarded in ("", "192.0.2.7"):
        status, _, answer = town.operator.ask("GET", "/v1/models", key=made["key"], x_forwarded_for=forwarded)
        assert (status, answer["error"]["code"]) == (403, "network_not_allowed")  # nobody trusts the header
    house.trusted_proxies = ("127.0.0.0/8",)
    for forwarded, expected in (("192.0.2.7", 200), ("192.0.3.7", 403), ("192.0.2.7, 192.0.3.7", 403)):
        assert (
            town.operator.ask("GET", "/v1/models", key=made["key"], x_forwarded_for=forwarded)[0] == expected
        )
    town.operator.ask("PATCH", f"/admin/v1/keys/{made['id']}", {"networks": []})
    assert town.operator.ask("GET", "/v1/models", key=made["key"])[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("keys", {"name": "a", "networks": ["10.0.0.0/33"]}, "networks"),
        ("keys", {"name": "a", "routes": ["/v1/nothing"]}, "routes"),
        ("keys", {"name": "a\r\nb"}, "name"),
        ("teams", {"name": "a\nb"}, "name"),
        ("teams", {"name": "\x1b[31m"}, "name"),
        ("teams", {"name": "   "}, "name"),
        ("teams", {"name": "x" * 101}, "name"),
        ("teams", {"name": "a", "colour": "red"}, "colour"),
        ("users", {"email": "x", "role": "member"}, "email"),
        ("users", {"email": "x@y.z", "role": "king"}, "role"),
        ("users", {"email": "x@y.z", "password": "short"}, "password"),
        ("invitations", {"role": "member", "expires_in_s": 0}, "expires_in_s"),
    ],
)
def test_a_bad_field_is_named(operator: Browser, path: str, body: dict[str, Any], param: str) -> None:
    status, _, answer = operator.ask("POST", f"/admin/v1/{path}", body)
    assert (status, answer["error"]["param"]) == (400, param)


INJECTIONS = ["'; DROP TABLE users; --", "<script>alert(1)</script>", 'a" OR "1"="1', "Ωμέγα 日本 👩‍🚀"[:8]]


@pytest.mark.parametrize("text", INJECTIONS)
def test_odd_names_are_kept_as_given_and_do_nothing(house: StoreHouse, operator: Browser, text: str) -> None:
    for path in ("teams", "organisations", "keys"):
        status, _, made = operator.ask("POST", f"/admin/v1/{path}", {"name": text})
        assert (status, made["name"]) == (201, text)
        for method in ("PATCH", "DELETE"):
            quoted = "".join(f"%{byte:02x}" for byte in text.encode())
            body = {"name": "b"} if method == "PATCH" else None
            assert operator.ask(method, f"/admin/v1/{path}/nothing{quoted}", body)[0] == 404
    assert operator.ask("GET", "/admin/v1/audit?verb=" + "%27%20OR%201=1")[2]["data"] == []
    for authorization in (f"Bearer {text.encode().hex()}", "Bearer ' OR 1=1 --" + "x" * 20):
        assert operator.ask("GET", "/admin/v1/keys", key="", authorization=authorization)[0] == 401
    assert house.store.check_integrity() == []


def test_an_invitation_is_for_one(town: Town, address: tuple[str, int]) -> None:
    tab = town.tab("admin")
    status, made = tab.ask(
        "POST", "/admin/v1/invitations", {"role": "member", "team": "red", "email": "N@x.org"}
    )
    assert status == 201 and made["link"].endswith(f"/#/join?invitation={made['code']}")
    listed = tab.ask("GET", "/admin/v1/invitations")[1]
    assert names(listed, "id") == {made["id"]} and made["code"] not in json.dumps(listed)
    new = {"password": PASSWORD, "invitation": made["code"]}
    refused = [
        Tab(address).enter("sign-up", email="other@x.org", **new),
        Tab(address).enter("sign-up", email="n@x.org", password=PASSWORD, invitation="wrong"),
    ]
    assert [(status, answer["error"]["code"]) for status, answer in refused] == [
        (403, "invalid_invitation")
    ] * 2
    status, session = Tab(address).enter("sign-up", email="n@X.org", **new)
    assert (status, session["role"]) == (201, "member")
    assert [team["name"] for team in session["teams"]] == ["red"]
    again = Tab(address).enter("sign-up", email="n@x.org", **new)
    assert again[0] == 403
    second = tab.ask("POST", "/admin/v1/invitations", {"role": "viewer"})[1]
    assert tab.ask("DELETE", f"/admin/v1/invitations/{second['id']}")[0] == 200
    assert town.tab("stranger").ask("DELETE", f"/admin/v1/invitations/{second['id']}")[0] == 404
    late = Tab(address).enter("sign-up", email="l@x.org", password=PASSWORD, invitation=second["code"])
    assert late[0] == 403


def test_members_come_and_go(town: Town) -> None:
    owner, path = town.tab("owner"), f"/admin/v1/teams/{town.blue['id']}/members"
    status, made = owner.ask("POST", path, {"user": "redmember@example.com", "role": "viewer"})
    assert (status, made["role"]) == (201, "viewer")
    assert names(owner.ask("GET", path)[1], "email") == {"redmember@example.com"}
    member = town.tab("redmember")
    assert names(member.ask("GET", "/admin/v1/teams")[1]) == {"red", "blue"}
    assert member.ask("POST", "/admin/v1/keys", {"name": "x", "team": "blue"})[0] == 403
    assert owner.ask("DELETE", f"{path}/{made['user']}")[0] == 200
    assert names(member.ask("GET", "/admin/v1/teams")[1]) == {"red"}
    assert owner.ask("POST", path, {"user": "stranger@example.com"})[0] == 404


def test_records_and_sums_are_of_ones_own_keys(house: StoreHouse, town: Town) -> None:
    numbers = {}
    for place, name in enumerate(("red", "blue", "green")):
        key = house.store.find_key(town.keys[name]["id"])
        assert key is not None
        kept = record(place + 1, key_id=key.id)
        house.keep(kept)
        numbers[name] = format_id(kept.id)
    for who, seen in (("redviewer", {"red"}), ("viewer", {"red", "blue"}), ("stranger", {"green"})):
        tab = town.tab(who)
        assert names(tab.ask("GET", "/admin/v1/logs")[1], "id") == {numbers[name] for name in seen}
        report = tab.ask("GET", "/admin/v1/usage?by=model")[1]
        assert report["requests"] == len(seen) and len(report["rows"]) == 1
        by_team = tab.ask("GET", "/admin/v1/usage?by=team")[1]
        assert {row["team"] for row in by_team["rows"]} == seen
        for name, number in numbers.items():
            assert tab.ask("GET", f"/v1/requests/{number}")[0] == (200 if name in seen else 404)
        assert tab.ask("GET", "/admin/v1/logs?key=green")[0] == (200 if "green" in seen else 404)


def test_every_act_is_in_the_audit_log(house: StoreHouse, town: Town) -> None:
    owner = town.tab("owner")
    key = owner.ask("POST", "/admin/v1/keys", {"name": "audited", "team": "red"})[1]
    owner.ask("PATCH", f"/admin/v1/keys/{key['id']}", {"name": "renamed"})
    owner.ask("POST", f"/admin/v1/keys/{key['id']}/rotate", {"overlap_s": 5})
    owner.ask("DELETE", f"/admin/v1/keys/{key['id']}")
    _, found = owner.ask("GET", f"/admin/v1/audit?target={key['id']}")
    assert [row["verb"] for row in found["data"]] == [
        "keys.revoke",
        "keys.rotate",
        "keys.update",
        "keys.create",
    ]
    assert {row["actor_name"] for row in found["data"]} == {"owner@example.com"}
    assert all(
        row["request_id"].startswith("req_") and row["address"] == "127.0.0.1" for row in found["data"]
    )
    assert found["data"][2]["changes"] == {"name": "renamed"}
    everything = town.operator.ask("GET", "/admin/v1/audit?limit=1000")[2]["data"]
    assert len(everything) > len(owner.ask("GET", "/admin/v1/audit?limit=1000")[1]["data"])
    text = json.dumps(everything)
    assert PASSWORD not in text and key["key"] not in text
    town.operator.ask("POST", "/admin/v1/config/reload")
    newest = town.operator.ask("GET", "/admin/v1/audit?limit=1")[2]
    assert [(row["verb"], row["actor_kind"]) for row in newest["data"]] == [("config.reload", "admin key")]
    page = town.operator.ask("GET", f"/admin/v1/audit?limit=1&before={newest['next']}")[2]
    assert page["data"][0]["id"] < newest["data"][0]["id"]
    assert len(house.store.look(lambda rows: rows.all(AuditEntry))) == len(everything) + 1


def test_an_administrator_resets_a_password(town: Town) -> None:
    session = town.tab("member")
    user = {"id": town.users()["member"]}
    status, answer = town.tab("admin").ask("POST", f"/admin/v1/users/{user['id']}/password")
    assert status == 200 and len(answer["password"]) >= 20
    assert session.ask("GET", "/auth/v1/session")[0] == 401
    tab = Tab(town.address)
    assert tab.enter("sign-in", email="member@example.com", password=PASSWORD)[0] == 401
    assert tab.enter("sign-in", email="member@example.com", password=answer["password"])[0] == 200


def test_hidden_keys_are_shown_only_when_asked_for(town: Town) -> None:
    owner = town.tab("owner")
    assert owner.ask("POST", "/auth/v1/playground-key")[0] == 201
    assert "playground" not in names(owner.ask("GET", "/admin/v1/keys")[1])
    assert "playground" in names(owner.ask("GET", "/admin/v1/keys?hidden=1")[1])
    for _ in range(6):
        assert owner.ask("POST", "/auth/v1/playground-key")[0] == 201
    listed = owner.ask("GET", "/admin/v1/keys?hidden=1")[1]["data"]
    assert sum(row["name"] == "playground" and not row["revoked_at"] for row in listed) == 5
