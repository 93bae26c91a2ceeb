"""Role by verb by whose it is, over real HTTP: who sees and sets limits, budgets, credit, ledger, statements.

The tables here say what is meant (docs/accounts.md); they are not made from the code's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.server.house import Browser, StoreHouse, Tab, record, serving
from tests.unit.server.town import Town
from wicket.accounts.tenants import AuditEntry

ALL = ("organisation:Own", "team:red", "team:blue", "key:red", "key:blue")
RED = ("team:red", "key:red")
OTHERS = ("organisation:Other", "team:green", "key:green")
EVERY = (*ALL, *OTHERS)
SEES = {
    **dict.fromkeys(("owner", "admin", "member", "viewer"), ALL),
    **dict.fromkeys(("redadmin", "redmember", "redviewer"), RED),
    "stranger": OTHERS,
    "first": EVERY,
}
SETS = {
    **dict.fromkeys(("owner", "admin"), ("team:red", "team:blue", "key:red", "key:blue")),
    "redadmin": ("key:red",),
    **dict.fromkeys(("member", "viewer", "redmember", "redviewer"), ()),
    "stranger": ("team:green", "key:green"),
    "first": EVERY,
}
MAY_SET = {who for who, scopes in SETS.items() if scopes}
MONTH = time.strftime("%Y-%m", time.gmtime())
READS = {
    "limits.list": "/admin/v1/limits?{}",
    "budgets.list": "/admin/v1/budgets?{}",
    "credits.list": "/admin/v1/credits?{}",
    "transfers": "/admin/v1/transfers?{}",
}
BODIES: dict[str, dict[str, Any]] = {
    "limits": {"unit": "requests", "amount": 7, "window_s": 60},
    "budgets": {"usd": "7", "period": "month"},
}
HOUSES = [
    ("POST", "/admin/v1/credits", {"team": "red", "usd": "1", "idempotency_key": "theirs"}),
    ("POST", "/admin/v1/credits/refund", {"of": "mov_0000000000000001", "idempotency_key": "theirs"}),
    ("POST", "/admin/v1/credits/threshold", {"team": "red", "below_usd": "1"}),
    ("POST", "/admin/v1/ledger/verify", None),
    ("GET", "/admin/v1/status", None),
    ("GET", "/admin/v1/providers", None),
    ("PUT", "/admin/v1/credentials/openai", {"key": "sk-theirs"}),
    ("POST", "/admin/v1/backup", {"path": "/tmp/theirs.db"}),
    ("GET", "/admin/v1/config", None),
    ("POST", "/admin/v1/organisations", {"name": "x"}),
]


class Bank(Town):
    """The town with a limit, a budget and credit at every scope, and a request of every key."""

    def __init__(self, house: StoreHouse, address: tuple[str, int]) -> None:
        super().__init__(address, Browser(address))
        self.house = house
        self.ids = {"organisation:Own": self.own["id"], "organisation:Other": self.other["id"]}
        for team in (self.red, self.blue, self.green):
            self.ids[f"team:{team['name']}"] = team["id"]
        for name, key in self.keys.items():
            self.ids[f"key:{name}"] = key["id"]
        self.tabs: dict[str, Tab] = {}
        for scope in EVERY:
            self._furnish(scope)
        rows = house.store.list_keys()
        for number, (name, cost) in enumerate((("red", 1), ("blue", 20), ("green", 300))):
            key = next(row for row in rows if row.name == name)
            made = record(
                number,
                key_id=key.id,
                payer=f"credit:team:{key.team_id}",
                cost_nanos=cost,
                charge_nanos=cost,
                large_cost_nanos=2 * cost,
                task="slots",
            )
            house.keep(made)
        house.keep(record(9, cost_nanos=4_000, charge_nanos=4_000, payer="receivable:operator"))

    def named(self, scope: str) -> dict[str, str]:
        return {scope.partition(":")[0]: self.ids[scope]}

    def query(self, scope: str) -> str:
        return f"{scope.partition(':')[0]}={self.ids[scope]}"

    def at(self, who: str) -> Tab:
        if who not in self.tabs:
            self.tabs[who] = self.tab(who)
        return self.tabs[who]

    def _furnish(self, scope: str) -> None:
        for what, body in BODIES.items():
            status, _, answer = self.operator.ask("PUT", f"/admin/v1/{what}", {**self.named(scope), **body})
            assert status == 200, answer
        body = {**self.named(scope), "usd": "5", "idempotency_key": scope}
        assert self.operator.ask("POST", "/admin/v1/credits", body)[0] == 201


def scopes_in(rows: list[dict[str, Any]]) -> set[str]:
    return {f"{row['scope']}:{row['name']}" for row in rows}


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    house = StoreHouse(tmp_path_factory.mktemp("bank"))
    with serving(house) as address:
        yield Bank(house, address)


@pytest.mark.parametrize("who", SEES)
@pytest.mark.parametrize("verb", READS)
def test_one_sees_ones_own_and_the_rest_does_not_exist(bank: Bank, who: str, verb: str) -> None:
    for scope in EVERY:
        status, answer = bank.at(who).ask("GET", READS[verb].format(bank.query(scope)))
        assert status == (200 if scope in SEES[who] else 404), (scope, answer)
        if status == 404:
            unknown = READS[verb].format(f"{scope.partition(':')[0]}=nobody")
            told = bank.at(who).ask("GET", unknown)[1]["error"]
            assert answer["error"]["code"] == told["code"] and answer["error"]["param"] == told["param"]


@pytest.mark.parametrize("who", SEES)
def test_lists_hold_ones_own_and_nothing_else(bank: Bank, who: str) -> None:
    tab = bank.at(who)
    for what in ("limits", "budgets", "credits"):
        rows = tab.ask("GET", f"/admin/v1/{what}")[1]["data"]
        assert scopes_in(rows) == set(SEES[who]) and len(rows) == len(SEES[who]), what
    if who == "first":
        return
    accounts = {row["name"] for row in tab.ask("GET", "/admin/v1/ledger/accounts")[1]["data"]}
    assert accounts == {f"credit of {scope.replace(':', ' ')}" for scope in SEES[who]}
    moved = tab.ask("GET", "/admin/v1/transfers?limit=1000")[1]["data"]
    tops = {row["credit_name"] for row in moved if row["kind"] == "top_up"}
    assert tops == accounts
    charged = {row["debit_name"] for row in moved if row["kind"] == "charge"}
    assert charged == {f"credit of {one.replace(':', ' ')}" for one in SEES[who] if one.startswith("team")}
    assert {row["kind"] for row in moved} == {"top_up", "charge"}
    there_are = bank.operator.ask("GET", "/admin/v1/ledger/accounts")[2]["data"]
    foreign = [row["account"] for row in there_are if ":" in row["account"] and row["name"] not in accounts]
    assert len(foreign) == len(EVERY) - len(SEES[who]) + 2  # a provider's, the operator's
    for account in foreign:
        assert tab.ask("GET", f"/admin/v1/transfers?account={account}")[1]["data"] == []


@pytest.mark.parametrize(
    ("who", "nanos"),
    [
        *((who, 21) for who in ("owner", "admin", "member", "viewer")),
        *((who, 1) for who in ("redadmin", "redmember", "redviewer")),
        ("stranger", 300),
        ("first", 4_321),
    ],
)
def test_sums_are_of_ones_own(bank: Bank, who: str, nanos: int) -> None:
    tab = bank.at(who)
    assert round(tab.ask("GET", "/admin/v1/usage?by=model")[1]["charge_usd"] * 1e9) == nanos
    saved = tab.ask("GET", "/admin/v1/savings?by=team")[1]
    assert round(saved["all"]["spent_usd"] * 1e9) == nanos
    cascades = nanos - (4_000 if who == "first" else 0)
    assert round(saved["spent_usd"] * 1e9) == cascades
    assert round(saved["large_only_usd"] * 1e9) == 2 * cascades
    document = tab.ask("GET", f"/admin/v1/statements/{MONTH}")[1]
    assert round(float(document["charge_usd"]) * 1e9) == nanos
    assert len(document["movements"]) == len(SEES[who])


@pytest.mark.parametrize("who", SEES)
def test_a_statement_is_of_ones_own_team_or_key(bank: Bank, who: str) -> None:
    for scope in EVERY:
        kind, _, name = scope.partition(":")
        if kind == "organisation" or (who, kind) == ("first", "team"):  # the house names teams by name
            continue
        query = f"{kind}={bank.ids[scope]}"
        status, document = bank.at(who).ask("GET", f"/admin/v1/statements/{MONTH}?{query}")
        assert status == (200 if scope in SEES[who] else 404), (scope, document)
        if status == 200:
            nanos = {"red": 1, "blue": 20, "green": 300}[name]
            assert round(float(document["charge_usd"]) * 1e9) == nanos
            assert [one["amount_usd"] for one in document["movements"]] == [5.0]
    assert bank.at(who).ask("GET", f"/admin/v1/statements/{MONTH}?team=a&key=b")[0] == 400


@pytest.mark.parametrize("who", SETS)
@pytest.mark.parametrize("what", BODIES)
def test_limits_and_budgets_are_set_by_who_stands_above(bank: Bank, who: str, what: str) -> None:
    tab, store = bank.at(who), bank.house.store
    for number, scope in enumerate(EVERY):
        body = {**bank.named(scope), **BODIES[what], "model": f"{who}-{number}"}
        before = store.meters()
        status, answer = tab.ask("PUT", f"/admin/v1/{what}", body)
        if scope in SETS[who]:
            assert status == 200, (scope, answer)
            assert scopes_in([answer]) == {scope}
            assert tab.ask("DELETE", f"/admin/v1/{what}/{answer['id']}")[0] == 200
        else:
            hidden = who in MAY_SET and scope not in SEES[who]
            assert status == (404 if hidden else 403), (scope, answer)
        assert store.meters() == before


@pytest.mark.parametrize("who", SETS)
@pytest.mark.parametrize("what", BODIES)
def test_limits_and_budgets_are_lifted_by_who_stands_above(bank: Bank, who: str, what: str) -> None:
    tab, store = bank.at(who), bank.house.store
    rows = bank.operator.ask("GET", f"/admin/v1/{what}")[2]["data"]
    assert len(rows) == len(EVERY)
    for row in rows:
        scope = f"{row['scope']}:{row['name']}"
        if scope in SETS[who]:
            continue  # the test before has removed some
        before = store.meters()
        status, answer = tab.ask("DELETE", f"/admin/v1/{what}/{row['id']}")
        hidden = who in MAY_SET and scope not in SEES[who]
        assert status == (404 if hidden else 403), (scope, answer)
        assert store.meters() == before
    unknown = tab.ask("DELETE", f"/admin/v1/{what}/{what[:-1]}_999")[0]
    assert unknown == (404 if who in MAY_SET else 403)


@pytest.mark.parametrize("who", [who for who in SEES if who != "first"])
@pytest.mark.parametrize(("method", "path", "body"), HOUSES)
def test_what_is_the_houses_stays_so(bank: Bank, who: str, method: str, path: str, body: Any) -> None:
    status, answer = bank.at(who).ask(method, path, body)
    assert status == 403 and answer["error"]["code"] == "not_allowed"


def test_nobody_without_a_session_or_with_a_virtual_key_gets_anything(bank: Bank) -> None:
    key = bank.keys["red"]["key"]
    for path in (*READS.values(), "/admin/v1/savings", f"/admin/v1/statements/{MONTH}", "/admin/v1/usage"):
        path = path.format("team=red").partition("?")[0]
        assert Browser(bank.address).ask("GET", path, key="")[0] == 401
        assert Browser(bank.address).ask("GET", path, key=key)[0] == 403


def test_names_are_looked_up_among_ones_own(bank: Bank) -> None:
    """Another organisation's newer key of the same name is not the one that is meant."""
    for name in ("twin", "twin"):
        bank.made("keys", name=name, team=bank.red["id"])
    body = {"key": "twin", "unit": "requests", "amount": 3, "window_s": 60}
    bank.made("keys", name="twin", team=bank.green["id"])
    owner, stranger = bank.at("owner"), bank.at("stranger")
    mine = owner.ask("PUT", "/admin/v1/limits", body)[1]
    theirs = stranger.ask("PUT", "/admin/v1/limits", body)[1]
    assert mine["scope_id"] != theirs["scope_id"]
    for tab, row, id in ((owner, mine, theirs["id"]), (stranger, theirs, mine["id"])):
        assert tab.ask("DELETE", f"/admin/v1/limits/{id}")[0] == 404
        assert tab.ask("DELETE", f"/admin/v1/limits/{row['id']}")[0] == 200


def test_what_a_user_sets_is_in_their_organisations_audit_log(bank: Bank) -> None:
    body = {"team": "blue", "usd": "3", "period": "day"}
    row = bank.at("admin").ask("PUT", "/admin/v1/budgets", body)[1]
    bank.at("admin").ask("DELETE", f"/admin/v1/budgets/{row['id']}")
    acts = bank.at("owner").ask("GET", "/admin/v1/audit?actor=" + bank.users()["admin"])[1]["data"]
    newest = [one for one in acts if one["verb"].startswith("budgets")][:2]
    assert [(one["verb"], one["target"]) for one in newest] == [
        ("budgets.remove", row["id"]),
        ("budgets.set", "blue"),
    ]
    assert newest[1]["changes"] == {
        "kind": "team",
        "unit": "nanos",
        "amount": 3_000_000_000,
        "window": "day",
        "model": "",
        "zone": "UTC",
        "is_soft": False,
    }
    kept = bank.house.store.look(lambda rows: rows.all(AuditEntry, verb="budgets.set"))
    assert kept[-1].organisation_id != 1
    assert row["id"] not in str(bank.at("stranger").ask("GET", "/admin/v1/audit")[1])


@pytest.mark.parametrize("who", SEES)
def test_the_session_says_what_its_role_may(bank: Bank, who: str) -> None:
    session = bank.at(who).ask("GET", "/auth/v1/session")[1]
    may = set(session["may"])
    assert ("limits.set" in may) == (who in MAY_SET)
    assert ("audit.list" in may) == (who in ("owner", "admin", "stranger", "first"))
    assert ("teams.create" in may) == (who in ("owner", "admin", "stranger", "first"))
    assert ("keys.create" in may) == (who not in ("viewer", "redviewer"))
    assert {"limits.list", "transfers", "savings", "statements.get"} <= may
    assert (session["organisation"]["role"] is None) == who.startswith("red")
