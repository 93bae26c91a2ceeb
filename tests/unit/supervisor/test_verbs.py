"""The verbs over the memory store: what is asked, what is answered, what the workers are told."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from tests.unit.supervisor.samples import record

from wicket.accounts.roles import RIGHTS
from wicket.config.schema import Accounts
from wicket.errors import OperatorFault
from wicket.store.memory import MemoryStore
from wicket.supervisor.messages import AddCaller, Answer, Ask, RemoveCaller, ToWorker
from wicket.supervisor.recent import Recent
from wicket.supervisor.reception import Reception
from wicket.supervisor.verbs import ACTOR_VERBS, TENANTS_VERBS, VERBS, answer, is_audited, target_of


class House:
    allowances = None
    dues = None

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.recent = Recent()
        self.reception = Reception(Accounts())
        self.told: list[ToWorker] = []
        self.changed: list[Sequence[str] | None] = []

    def tell(self, message: ToWorker) -> None:
        self.told.append(message)

    def status(self) -> dict[str, Any]:
        return {"version": "x"}

    def metrics(self) -> str:
        return "# metrics"

    def shown_config(self) -> dict[str, Any]:
        return {"source": ""}

    async def reload(self) -> dict[str, Any]:
        return {"changed": False}

    async def credits_changed(self, scopes: Sequence[str] | None = None) -> None:
        self.changed.append(scopes)

    def restart_workers(self) -> dict[str, Any]:
        raise OperatorFault("restart_under_way", "busy", status=409)

    def ask(self, verb: str, key_id: int = 0, **arguments: Any) -> Answer:
        given = asyncio.run(answer(self, Ask(id=7, verb=verb, arguments=arguments, key_id=key_id)))
        assert given.id == 7
        return msgspec.msgpack.decode(msgspec.msgpack.encode(given), type=Answer)  # it can cross the channel


def test_a_key_is_made_listed_and_revoked_and_the_workers_hear_of_it() -> None:
    house = House()
    made = house.ask("keys.create", name="ada", team="t", models=["m"], expires_ms=0).value
    assert set(made) == {
        *("id", "name", "team", "models", "networks", "routes", "shown", "made_by"),
        *("created_at", "expires_at", "rotated_at", "previous_ends_at", "suspended_at", "revoked_at", "key"),
    }
    [told] = house.told
    assert isinstance(told, AddCaller) and told.caller.name == "ada" and told.caller.models == ("m",)
    [listed] = house.ask("keys.list").value
    assert listed == {name: value for name, value in made.items() if name != "key"}
    revoked = house.ask("keys.revoke", id=made["id"]).value
    assert revoked["revoked_at"] and revoked["id"] == made["id"]
    assert house.told[1:] == [RemoveCaller(key_id=told.caller.key_id)]


@pytest.mark.parametrize(
    ("verb", "arguments", "code", "status"),
    [
        ("keys.revoke", {"id": "key_none"}, "unknown_key", 404),
        ("keys.create", {"name": ""}, "invalid_key_name", 400),
        ("keys.create", {}, "invalid_arguments", 400),
        ("usage", {"by": ["colour"]}, "invalid_value", 400),
        ("logs", {"key": "nobody"}, "unknown_key", 404),
        ("backup", {"path": "relative"}, "relative_path", 400),
        ("restart", {}, "restart_under_way", 409),
        ("no.such.verb", {}, "unknown_verb", 400),
    ],
)
def test_what_can_not_be_done_says_why(verb: str, arguments: dict[str, Any], code: str, status: int) -> None:
    fault = House().ask(verb, **arguments).fault
    assert fault is not None and (fault[0], fault[2]) == (code, status) and fault[1]


def test_logs_are_read_from_the_store_then_followed_by_arrival() -> None:
    house = House()
    house.store.insert_records([record(1 << 30), record(2 << 30, outcome="cut")])
    first = house.ask("logs").value
    assert [r[0] for r in first["records"]] == [2 << 30, 1 << 30]
    # A request that began earlier may end later: it comes after the mark all the same.
    house.recent.add([record(1 << 29), record(1 << 28, model="other")])
    more = house.ask("logs", after=first["last"]).value
    assert [r[0] for r in more["records"]] == [1 << 28, 1 << 29]
    assert house.ask("logs", after=more["last"]).value["records"] == []
    picked = house.ask("logs", after=first["last"], model="other").value["records"]
    assert [r[0] for r in picked] == [1 << 28]


def test_a_record_is_shown_to_its_own_key_and_to_the_operator() -> None:
    house = House()
    house.store.insert_records([record(5, key_id=3)])
    assert house.ask("requests.get", key_id=3, id=5).value[0] == 5
    assert house.ask("requests.get", key_id=0, id=5).value[0] == 5
    assert house.ask("requests.get", key_id=4, id=5).value is None
    assert house.ask("requests.get", key_id=0, id=6).value is None


def test_usage_is_a_report() -> None:
    house = House()
    house.store.insert_records([record(1 << 21), record(2 << 21)])
    report = house.ask("usage", by=["model"]).value
    assert report["requests"] == 2 and report["rows"][0]["model"] == "m"


def test_savings_are_summed_by_task() -> None:
    house = House()
    house.store.insert_records(
        [
            record(1 << 40, task="slots", deployment="mini/slots", cost_nanos=0, large_cost_nanos=70),
            record(2 << 40, task="slots", cost_nanos=50, large_cost_nanos=50),
            record(3 << 40, cost_nanos=9),
        ]
    )
    found = house.ask("savings").value
    assert found["requests"] == 2 and found["mini_share"] == 0.5
    assert (found["spent_nanos"], found["large_only_nanos"]) == (50, 120)
    assert [task["task"] for task in found["tasks"]] == ["slots"]
    assert house.ask("savings", since_ms=(2 << 40 >> 21) + 1).value["tasks"] == []


def test_what_tenants_may_ask_is_answered_by_reach() -> None:
    assert set(RIGHTS) & set(VERBS) == set(TENANTS_VERBS)
    assert set(RIGHTS) <= {*VERBS, *ACTOR_VERBS}


def test_what_no_verb_audits_itself_is_audited_without_what_may_be_secret() -> None:
    assert {name for name in VERBS if is_audited(name)} >= {
        *("backup", "config.reload", "restart", "examples.erase"),
        *("credentials.put", "credentials.remove"),
    }
    assert not any(is_audited(name) for name in ("usage", "logs", "status", "feedback.add", "files.add"))
    assert target_of({"provider": "openai", "key": "sk-secret"}) == "openai"
    assert target_of({"key": "sk-secret", "password": "x", "code": "y"}) == ""
    assert target_of({"id": "a" * 500}) == "a" * 200 and target_of({"id": 7}) == ""
