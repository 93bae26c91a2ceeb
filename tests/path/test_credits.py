"""Credits at a real server: what a request takes, what orders do and bad ones don't, what is told of it."""

import hashlib
import hmac
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.path.house import CONFIG, Answer, Gateway
from tests.path.served import ROOT, eventually

SIGNED = "webhook-secret-0123456789"
HOOK = f'[accounts.webhook]\nsecret = "{SIGNED}"\nbelow_usd = 0.5\nurl = '


def credit(gateway: Gateway, team: str) -> dict[str, Any]:
    [found] = gateway.admin("GET", f"/admin/v1/credits?team={team}")["data"]
    return found


def nanos(usd: str) -> int:
    whole, _, rest = usd.partition(".")
    return int(whole + rest.ljust(9, "0")) if not usd.startswith("-") else -nanos(usd[1:])


def add(gateway: Gateway, once: str, **fields: Any) -> Answer:
    return gateway.post("/admin/v1/credits", {"idempotency_key": once, **fields})


def verified(gateway: Gateway) -> bool:
    report = gateway.admin("POST", "/admin/v1/ledger/verify")
    assert report["findings"] == []
    return bool(report["is_right"])


def test_a_request_is_paid_by_its_teams_credit(gateway: Gateway) -> None:
    key = gateway.admin("POST", "/admin/v1/keys", {"name": "ada", "team": "payers"})["key"]
    made = add(gateway, "pay-1", team="payers", usd="1").json
    assert (made["kind"], made["usd"], made["balance_usd"]) == ("top_up", "1", "1")
    assert made["made_team"] is False
    assert add(gateway, "pay-2", team="payers", usd="0.000001", kind="grant").status == 201
    answer = gateway.chat("dear", key)
    assert answer.status == 200
    record = gateway.record(answer.headers["x-request-id"])
    charge, cost = round(record["charge_usd"] * 1e9), round(record["cost_usd"] * 1e9)
    assert charge == round(cost * 1.25) > 1_000
    eventually(lambda: credit(gateway, "payers")["balance_usd"] != "1.000001")
    now = credit(gateway, "payers")
    assert nanos(now["balance_usd"]) == 1_000_001_000 - charge and now["granted_usd"] == "0"
    moved = gateway.admin("GET", f"/admin/v1/transfers?request_id={record['id']}")["data"]
    assert [(row["kind"], row["debit_name"], nanos(row["usd"])) for row in moved] == [
        ("charge", "credit of team payers", charge - 1_000),
        ("charge", "grant 1", 1_000),
        ("cost", "cost", cost),
    ]
    assert moved[2]["credit"] == "provider:mine" and moved[2]["price_row"] == "config:mine/dear"
    back = gateway.post(
        "/admin/v1/credits/refund", {"request_id": record["id"], "idempotency_key": "pay-3"}
    ).json
    assert back["kind"] == "correction" and back["balance_usd"] == "1.000001"
    assert verified(gateway)


def test_whose_provider_sends_its_own_bill_pays_the_fee_alone(open_gateway: Any) -> None:
    served: Gateway = open_gateway(
        "[server]\nport = 0\n"
        + "".join(
            f'[providers.{name}]\nbase_url = "{{url}}"\napi_key = "{{secret}}"\nown_key = true\n{fee}'
            "prices.dear = {{ input = 3.0, output = 15.0 }}\n"
            for name, fee in (("theirs", ""), ("theirs-too", "own_key_fee = 0.05\n"))
        )
        + '[models.dear]\ndeployments = ["theirs-too/dear"]\nmarkup = 9.0\n'
    )
    for model, share in (("theirs/dear", 0), ("dear", 0.05)):
        record = served.record(served.chat(model).headers["x-request-id"])
        cost, charge = (round(record[name] * 1e9) for name in ("cost_usd", "charge_usd"))
        assert cost > 0 and charge == round(cost * share)
    accounts = {row["account"] for row in served.admin("GET", "/admin/v1/ledger/accounts")["data"]}
    assert {"provider:theirs", "provider:theirs-too"} <= accounts and verified(served)


def test_without_credit_the_team_owes(gateway: Gateway) -> None:
    key = gateway.admin("POST", "/admin/v1/keys", {"name": "bob", "team": "debtors"})["key"]
    answer = gateway.chat("dear", key)
    gateway.record(answer.headers["x-request-id"])
    [charge] = gateway.admin("GET", "/admin/v1/transfers?team=debtors")["data"]
    assert charge["debit_name"] == "receivable of team debtors"


def test_a_key_of_its_own_credit_pays_from_that(gateway: Gateway) -> None:
    made = gateway.admin("POST", "/admin/v1/keys", {"name": "cy", "team": "shared-credit"})
    add(gateway, "own-1", team="shared-credit", usd="1")
    add(gateway, "own-2", key=made["id"], usd="2")
    answer = gateway.chat("dear", made["key"])
    gateway.record(answer.headers["x-request-id"])
    rows = gateway.admin("GET", f"/admin/v1/transfers?key={made['id']}&kind=charge")["data"]
    assert [row["debit_name"] for row in rows] == ["credit of key cy"]
    assert credit(gateway, "shared-credit")["balance_usd"] == "1"


def test_an_order_is_carried_out_once_and_a_new_team_is_told(gateway: Gateway) -> None:
    first = add(gateway, "once-1", team="newcomers", usd="5", memo="invoice 7")
    again = add(gateway, "once-1", team="newcomers", usd="5", memo="invoice 7")
    assert (first.status, again.status) == (201, 200)
    assert (first.json["made_team"], again.json["made_team"]) == (True, False)
    assert again.json["is_repeated"] and again.json["id"] == first.json["id"]
    for fields in ({"team": "newcomers", "usd": "6"}, {"team": "never-made", "usd": "5"}):
        refused = add(gateway, "once-1", **fields)
        assert refused.status == 409 and refused.error["code"] == "idempotency_conflict"
    assert credit(gateway, "newcomers")["balance_usd"] == "5"
    unknown = gateway.request("GET", "/admin/v1/credits?team=never-made")
    assert (unknown.status, unknown.error["param"]) == (404, "team")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        *[
            ({"usd": usd}, "usd")
            for usd in ("-5", "0", "NaN", "1e3", "\u0665", " 5", "0.0000000001", "99999999", "")
        ],
        *[({"usd": usd}, "usd") for usd in (5.5, -5, 10**30, None, True, ["5"])],
        ({"currency": "EUR"}, "currency"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"idempotency_key": "a\nb"}, "idempotency_key"),
        ({"expires_in_s": 60}, "expires_in_s"),
        ({"kind": "grant", "expires_in_s": -1}, "expires_in_s"),
        ({"kind": "grant", "expires_at": "2001-01-01"}, "expires_at"),
        ({"kind": "grant", "expires_at": "tomorrow"}, "expires_at"),
        ({"kind": "bribe"}, "kind"),
        ({"memo": "\x1b[31m"}, "memo"),
        ({"memo": "x" * 501}, "memo"),
        ({"team": ""}, "team"),
        ({"team": "\u202e"}, "team"),
        ({"key": "also"}, "key"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_order_names_its_field_and_changes_nothing(
    gateway: Gateway, fields: dict[str, Any], param: str
) -> None:
    before = gateway.admin("GET", "/admin/v1/credits")
    body = {"team": "unmade", "usd": "5", "idempotency_key": f"bad {fields!r}"[:100], **fields}
    refused = gateway.post("/admin/v1/credits", body)
    assert (refused.status, refused.error["param"]) == (400, param), refused.body
    assert gateway.admin("GET", "/admin/v1/credits") == before
    assert gateway.request("GET", "/admin/v1/credits?team=unmade").status == 404


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "idempotency_key"),
        ({"of": "mov_1"}, 400, "of"),
        ({"of": "mov_" + "0" * 15 + "1"}, 404, "of"),
        ({"of": "mov_" + "0" * 16}, 400, "of"),
        ({"request_id": "req_zzz"}, 400, "request_id"),
        ({"request_id": "req_" + "0" * 16}, 404, "request_id"),
        ({"of": "mov_" + "0" * 16, "request_id": "req_" + "0" * 16}, 400, "of"),
        ({"of": "mov_" + "0" * 16, "usd": "-1"}, 400, "usd"),
        ({"of": "' OR 1=1"}, 400, "of"),
    ],
)
def test_a_bad_refund_names_its_field(
    gateway: Gateway, body: dict[str, Any], status: int, param: str
) -> None:
    key = {"idempotency_key": "r"} if body else {}
    refused = gateway.post("/admin/v1/credits/refund", {**key, **body})
    assert (refused.status, refused.error["param"]) == (status, param), refused.body


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("kind=bribe", "kind"),
        ("before=x", "before"),
        ("limit=0", "limit"),
        ("since=never", "since"),
        ("team=a&key=b", "key"),
        ("colour=red", "colour"),
        ("request_id=1", "request_id"),
    ],
)
def test_a_bad_query_of_transfers_names_its_field(gateway: Gateway, query: str, param: str) -> None:
    refused = gateway.request("GET", f"/admin/v1/transfers?{query}")
    assert (refused.status, refused.error["param"]) == (400, param)


def test_money_is_the_operators_business(gateway: Gateway) -> None:
    key = gateway.admin("POST", "/admin/v1/keys", {"name": "eve"})["key"]
    for method, path in (
        ("GET", "/admin/v1/credits"),
        ("POST", "/admin/v1/credits"),
        ("POST", "/admin/v1/credits/refund"),
        ("POST", "/admin/v1/credits/threshold"),
        ("GET", "/admin/v1/transfers"),
        ("GET", "/admin/v1/ledger/accounts"),
        ("POST", "/admin/v1/ledger/verify"),
    ):
        assert gateway.request(method, path, b"{}" if method == "POST" else None, key).status == 403
        assert gateway.request(method, path, None, None).status == 401


def test_transfers_go_on_page_by_page(gateway: Gateway) -> None:
    for number in range(5):
        add(gateway, f"page-{number}", team="pages", usd=str(number + 1))
    seen: list[str] = []
    path = "/admin/v1/transfers?team=pages&limit=2"
    page = gateway.admin("GET", path)
    while True:
        seen += [row["usd"] for row in page["data"]]
        if page["next"] is None:
            break
        page = gateway.admin("GET", f"{path}&before={page['next']}")
    assert seen == ["5", "4", "3", "2", "1"]


def test_a_grant_that_ends_is_gone_from_the_balance(gateway: Gateway) -> None:
    add(gateway, "end-1", team="enders", usd="3", kind="grant", expires_in_s=1)
    assert credit(gateway, "enders")["granted_usd"] == "3"
    eventually(lambda: credit(gateway, "enders")["balance_usd"] == "0")
    kinds = [movement["kind"] for movement in credit(gateway, "enders")["movements"]]
    assert kinds == ["expiry", "grant"] and verified(gateway)


def wicket(gateway: Gateway, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "WICKET_HOME": str(gateway.home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "wicket.cli", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_line_does_it_all(gateway: Gateway) -> None:
    made = wicket(gateway, "credits", "add", "--team", "terminal", "--usd", "5", "--idempotency-key", "cli-1")
    assert made.returncode == 0 and "is new" in made.stdout and "balance $5" in made.stdout
    again = json.loads(
        wicket(
            gateway,
            *("credits", "add", "--team", "terminal", "--usd", "5", "--idempotency-key", "cli-1", "--json"),
        ).stdout
    )
    assert again["is_repeated"] is True and again["balance_usd"] == "5"
    granted = wicket(
        gateway, "credits", "add", "--team", "terminal", "--usd", "2", "--grant", "--expires-in", "30d"
    )
    assert "was granted $2" in granted.stdout
    back = wicket(gateway, "credits", "refund", again["id"], "--usd", "1.5", "--memo", "too much")
    assert "was paid back $1.5" in back.stdout and "balance $5.5" in back.stdout
    shown = json.loads(wicket(gateway, "credits", "show", "--team", "terminal", "--json").stdout)
    assert [movement["kind"] for movement in shown["movements"]] == ["refund", "grant", "top_up"]
    assert "terminal" in wicket(gateway, "credits", "list").stdout
    assert "grant" in wicket(gateway, "credits", "show", "--team", "terminal").stdout
    below = wicket(gateway, "credits", "threshold", "--team", "terminal", "--usd", "1")
    assert "below $1" in below.stdout
    assert "top_up" in wicket(gateway, "ledger", "show", "--team", "terminal").stdout
    assert "promotions" in wicket(gateway, "ledger", "accounts").stdout
    assert "adds up" in wicket(gateway, "ledger", "verify").stdout
    bad = wicket(gateway, "credits", "add", "--team", "terminal", "--usd", "-5")
    assert bad.returncode == 1 and "'usd'" in bad.stderr and bad.stdout == ""
    assert wicket(gateway, "credits", "add", "--usd", "5").returncode == 2


class Hook(http.server.ThreadingHTTPServer):
    """A webhook's receiver: notes what came, answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receive)
        self.status = 204
        self.got: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?from=wicket"

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


class Receive(http.server.BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert self.path == "/hook?from=wicket"
        self.server.got.append(({name.lower(): text for name, text in self.headers.items()}, body))
        self.send_response(self.server.status)
        if 300 <= self.server.status < 400:
            self.send_header("location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.mark.faults
def test_a_low_balance_is_told_once_signed_and_survives_a_kill(open_gateway: Any, hook: Hook) -> None:
    hook.status = 307  # not followed, and no success
    served: Gateway = open_gateway(CONFIG + HOOK + f'"{hook.url}"\n')
    made = add(served, "hook-1", team="poor", usd="0.6").json
    add(served, "hook-2", team="rich", usd="9")
    served.post("/admin/v1/credits/refund", {"of": made["id"], "usd": "0.2", "idempotency_key": "hook-3"})
    eventually(lambda: len(hook.got) > 0)
    served.process.kill()
    served.close()
    first = hook.events()[0]
    assert first["type"] == "credit.low" and SIGNED not in "\n".join(served.said)
    assert first["data"] == {"scope": "team", "name": "poor", "balance_usd": "0.4", "below_usd": "0.5"}
    hook.status = 200
    again = Gateway(served.home.parent).wait_ready()
    try:
        tried = len(hook.got)
        eventually(lambda: len(hook.got) > tried)
        assert {one["id"] for one in hook.events()} == {first["id"]}
        headers, body = hook.got[-1]
        stamp, _, sum = headers["wicket-signature"].partition(",v1=")
        signed = stamp.removeprefix("t=").encode() + b"." + body
        assert sum == hmac.new(SIGNED.encode(), signed, hashlib.sha256).hexdigest()
        assert headers["wicket-event-id"] == first["id"]
        assert credit(again, "poor")["is_low"] and not credit(again, "rich")["is_low"]
        again.post("/admin/v1/credits/threshold", {"team": "rich", "below_usd": "10"})
        eventually(lambda: hook.events()[-1]["data"]["name"] == "rich")
        assert len({one["id"] for one in hook.events()}) == 2
        masked = again.admin("GET", "/admin/v1/config")["accounts"]["webhook"]["secret"]
        assert SIGNED not in masked
    finally:
        again.close()


def test_a_soft_budget_that_is_used_up_is_told_once(open_gateway: Any, provider: Any, hook: Hook) -> None:
    served: Gateway = open_gateway(CONFIG + HOOK + f'"{hook.url}"\n')
    key = served.admin("POST", "/admin/v1/keys", {"name": "thrifty", "team": "thrift"})["key"]
    budget = {"team": "thrift", "usd": "0.000001", "period": "month", "is_hard": False}
    served.admin("PUT", "/admin/v1/budgets", budget)
    for _ in range(3):
        assert served.chat(key=key).status == 200  # soft: it refuses nothing
    eventually(lambda: "budget.used_up" in [one["type"] for one in hook.events()])
    assert served.chat(key=key).status == 200
    (event,) = [one for one in hook.events() if one["type"] == "budget.used_up"]
    assert event["data"]["per"] == "month" and event["data"]["usd"] == "0.000001"
