"""Answers that a provider makes in the background, with OpenAI's SDK: ids, ends, and what they cost."""

import hashlib
import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.path.elsewhere import client_of, new_key, num_records, record_id, record_of, rows
from tests.path.house import Gateway, Provider, rule
from tests.path.served import eventually

CONFIG = """
[server]
port = 0
workers = 2
drain_s = 2
[storage]
responses = "provider"
[providers.own]
base_url = "{url}"
api_key = ["one-credential", "another-credential"]
dialect = "openai_responses"
models = ["gpt-5"]
prices.gpt-5 = {{ input = 1.0, output = 10.0 }}
[providers.mine]
base_url = "{url}"
api_key = "k"
models = ["plain"]
[models.dear]
deployments = ["own/gpt-5"]
markup = 0.5
[models.either]
deployments = ["own/gpt-5", "mine/plain"]
"""
# "Say it." has two words, the scripted answer six: 2 x 1 + 6 x 10 USD per million
COST = 62_000


@pytest.fixture(scope="module")
def served(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("background")
    found = Gateway(folder, CONFIG.format(url=one_provider.upstream.base_url))
    try:
        yield found.wait_ready()
    finally:
        found.close()


def dues(served: Gateway, number: str = "") -> int:
    """How many answers are not settled yet: of one request, or of all."""
    found = [id for (id,) in rows(served, "kept.db", "SELECT record_id FROM dues")]
    return found.count(record_id(number)) if number else len(found)


def settled(served: Gateway, number: str) -> dict[str, Any]:
    """The record, once it is in the ledger and nothing is due any more."""
    eventually(lambda: record_of(served, number)["outcome"] != "under_way")
    eventually(lambda: dues(served, number) == 0)
    return record_of(served, number)


def begin(client: OpenAI, model: str = "own/gpt-5", **fields: Any) -> tuple[Any, str]:
    """A new answer in the background, and its request's id."""
    raw = client.responses.with_raw_response.create(model=model, input="Say it.", background=True, **fields)
    assert "x-wicket-cost-usd" not in raw.headers
    return raw.parse(), raw.headers["x-request-id"]


def test_a_caller_who_asks_settles_it_once(served: Gateway, provider: Provider) -> None:
    provider.script(looks=2)
    with client_of(served) as client:
        answer, number = begin(client, "dear")
        assert answer.status == "queued" and answer.background and len(answer.id) > 30
        shown = record_of(served, number)
        assert shown["outcome"] == "under_way" and float(shown["charge_usd"]) == 0
        assert num_records(served, number) == 0 and dues(served, number) == 1
        assert client.responses.retrieve(answer.id).status == "in_progress"
        raw = client.responses.with_raw_response.retrieve(answer.id)
        done = raw.parse()
        assert done.status == "completed" and done.id == answer.id and done.output_text
        assert float(raw.headers["x-wicket-cost-usd"]) == COST * 1.5 / 1e9
        found = settled(served, number)
        assert (found["outcome"], found["status"]) == ("ok", 200)
        assert (float(found["cost_usd"]), float(found["charge_usd"])) == (COST / 1e9, COST * 1.5 / 1e9)
        again = client.responses.with_raw_response.retrieve(answer.id)
        assert again.parse().id == answer.id and "x-wicket-cost-usd" not in again.headers
        assert num_records(served, number) == 1 and record_of(served, number) == found


def test_nobody_asks_and_it_is_settled_all_the_same(served: Gateway, provider: Provider) -> None:
    """By the server's own looks, also when the key that began it is revoked."""
    provider.script()
    key = new_key(served)
    with client_of(served, key["key"]) as client:
        _, number = begin(client)
    served.admin("DELETE", f"/admin/v1/keys/{key['id']}")
    found = settled(served, number)
    assert found["outcome"] == "ok" and float(found["cost_usd"]) == COST / 1e9
    assert [seen.method for seen in provider.log].count("POST") == 1


@pytest.mark.parametrize("keeper", ["one-credential", "another-credential"])
def test_it_is_looked_at_where_it_is_made(served: Gateway, provider: Provider, keeper: str) -> None:
    refusal = rule(when={"path": "/responses"}, status=401, error="auth")
    provider.script(rule(when={"key": keeper}), refusal, looks=100)
    with client_of(served) as client:
        answer, _ = begin(client)
        for _ in range(4):
            assert client.responses.retrieve(answer.id).status == "in_progress"
        seen = provider.log
        assert {one.key_sha256 for one in seen if one.method == "GET"} == {
            hashlib.sha256(keeper.encode()).hexdigest()
        }
        assert client.responses.cancel(answer.id).status == "cancelled"


def test_what_is_called_off_costs_what_it_used(served: Gateway, provider: Provider) -> None:
    provider.script(looks=100)
    with client_of(served) as client:
        answer, number = begin(client)
        stopped = client.responses.cancel(answer.id)
        assert (stopped.status, stopped.id) == ("cancelled", answer.id)
        found = settled(served, number)
        assert (found["outcome"], float(found["cost_usd"])) == ("cancelled", 0)


def test_deleting_settles_first(served: Gateway, provider: Provider) -> None:
    provider.script(looks=100)
    with client_of(served) as client:
        answer, number = begin(client)
        client.responses.delete(answer.id)
        assert [one.method for one in provider.log if one.method != "GET"] == ["POST", "POST", "DELETE"]
        assert settled(served, number)["outcome"] == "cancelled"
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(answer.id)
        provider.script()
        answer, number = begin(client)
        client.responses.delete(answer.id)
        assert record_of(served, number)["outcome"] == "ok" and num_records(served, number) == 1


def test_a_failed_answer_is_free_and_says_so(served: Gateway, provider: Provider) -> None:
    provider.script(looks=100)
    with client_of(served) as client:
        answer, number = begin(client)
        remote = json.loads(remote_of(served, number))
        failed = remote | {"status": "failed", "error": {"code": "server_error", "message": "It broke."}}
        failed["usage"] = {"input_tokens": 100, "output_tokens": 100}
        provider.script(rule(body=failed))
        found = client.responses.retrieve(answer.id)
        assert found.status == "failed" and found.id == answer.id
        told = settled(served, number)
        assert told["outcome"] == "provider_error" and float(told["charge_usd"]) == 0
        assert float(told["cost_usd"]) == 1_100_000 / 1e9


def remote_of(served: Gateway, number: str) -> str:
    """What the provider shows of an answer that is due."""
    query = "SELECT remote FROM dues WHERE record_id = ?"
    id = rows(served, "kept.db", query, record_id(number))[0][0]
    return json.dumps({"id": id, "object": "response", "status": "queued", "model": "gpt-5", "output": []})


def test_what_a_provider_has_let_go_of_is_settled_as_gone(served: Gateway, provider: Provider) -> None:
    provider.script(looks=100)
    with client_of(served) as client:
        answer, number = begin(client)
        provider.script(rule(when={"path": remote_id(served, number)}, status=404, error="no_model"))
        found = settled(served, number)
        assert (found["outcome"], float(found["charge_usd"])) == ("answer_gone", 0)
        with pytest.raises(openai.NotFoundError) as gone:
            client.responses.retrieve(answer.id)
        assert gone.value.param == "response_id"


def remote_id(served: Gateway, number: str) -> str:
    found: str = json.loads(remote_of(served, number))["id"]
    return found


def test_an_id_of_another_team_is_unknown(served: Gateway, provider: Provider) -> None:
    provider.script(looks=100)
    ours, theirs = new_key(served, "a"), new_key(served, "b")
    with client_of(served, ours["key"]) as client, client_of(served, theirs["key"]) as other:
        answer, _ = begin(client)
        num_seen = len(provider.log)
        for act in (other.responses.retrieve, other.responses.cancel, other.responses.delete):
            with pytest.raises(openai.NotFoundError) as unknown:
                act(answer.id)
            assert unknown.value.param == "response_id"
        streamed = served.request("GET", f"/v1/responses/{answer.id}?stream=true", key=theirs["key"])
        assert streamed.status == 404 and streamed.error["param"] == "response_id"
        forged = answer.id[:-4] + "AAAA"
        assert served.request("GET", f"/v1/responses/{forged}?stream=true", key=ours["key"]).status == 404
        assert all(one.method == "GET" for one in provider.log[num_seen:])  # our own looks at most
        client.responses.cancel(answer.id)


def test_the_providers_failure_is_told_and_nothing_is_settled(served: Gateway, provider: Provider) -> None:
    provider.script(looks=100)
    with client_of(served) as client:
        answer, number = begin(client)
        provider.script(rule(when={"path": remote_id(served, number)}, status=500, error="server_error"))
        with pytest.raises(openai.InternalServerError):
            client.responses.retrieve(answer.id)
        with pytest.raises(openai.InternalServerError):
            client.responses.delete(answer.id)
        assert record_of(served, number)["outcome"] == "under_way" and dues(served, number) == 1
        provider.script(rule(when={"path": remote_id(served, number)}, body="<html>oops</html>"))
        assert served.request("GET", f"/v1/responses/{answer.id}").status == 502
        provider.script(looks=1)
        assert client.responses.retrieve(answer.id).status == "completed"
        assert settled(served, number)["outcome"] == "ok"


# streams


def test_a_stream_in_the_background_is_settled_by_its_end(served: Gateway, provider: Provider) -> None:
    with client_of(served) as client:
        raw = client.responses.with_raw_response.create(
            model="own/gpt-5", input="Say it.", background=True, stream=True
        )
        events = [event.to_dict() for event in raw.parse()]
        ids = {event["response"]["id"] for event in events if "response" in event}  # type: ignore[index]
        assert len(ids) == 1 and len(str(*ids)) > 30
        assert events[-1]["type"] == "response.completed"
        found = settled(served, raw.headers["x-request-id"])
        assert float(found["cost_usd"]) == COST / 1e9 and found["is_stream"]


def test_a_cut_stream_is_taken_up_where_it_was(served: Gateway, provider: Provider) -> None:
    provider.script(rule(when={"path": "/responses"}, gap_ms=300))
    with client_of(served) as client:
        raw = client.responses.with_raw_response.create(
            model="own/gpt-5", input="Say it.", background=True, stream=True
        )
        seen = []
        stream = raw.parse()
        for event in stream:
            seen.append(event.to_dict())
            if len(seen) == 3:
                break
        stream.close()
        id = seen[0]["response"]["id"]  # type: ignore[index]
        number = raw.headers["x-request-id"]
        rest = [
            event.to_dict()
            for event in client.responses.retrieve(
                str(id), stream=True, starting_after=seen[-1]["sequence_number"]
            )  # type: ignore[arg-type]
        ]
        numbers = [event["sequence_number"] for event in [*seen, *rest]]
        assert numbers == list(range(len(numbers))) and rest[-1]["type"] == "response.completed"
        assert rest[-1]["response"]["id"] == id  # type: ignore[index]
        found = settled(served, number)
        assert float(found["cost_usd"]) == COST / 1e9 and num_records(served, number) == 1
        bad = served.request("GET", f"/v1/responses/{id}?stream=true&starting_after=..%2f")
        assert bad.status == 400 and bad.error["param"] == "starting_after"


# refused by name


def test_without_a_place_for_it_it_is_refused_by_name(served: Gateway, provider: Provider) -> None:
    for fields in ({"model": "mine/plain"}, {"model": "own/gpt-5", "store": False}):
        found = served.post("/v1/responses", {"input": "x", "background": True} | fields)
        assert found.status == 400 and found.error["param"] == "background", fields
    assert provider.log == []


# limits


def test_its_hold_goes_on_until_it_is_settled(served: Gateway, provider: Provider) -> None:
    """A budget that pays for one answer: the second waits until the first is known to be cheap."""
    provider.script(looks=100)
    key = new_key(served, "small")
    served.admin("PUT", "/admin/v1/budgets", {"usd": "0.0006", "period": "total", "team": "small"})
    with client_of(served, key["key"]) as client:
        fields: Any = {"max_output_tokens": 40}
        answer, number = begin(client, **fields)
        with pytest.raises(openai.APIStatusError) as short:
            begin(client, **fields)
        assert short.value.status_code == 429 and "held" in str(short.value)
        provider.script()
        assert client.responses.retrieve(answer.id).status == "completed"
        settled(served, number)
        begin(client, **fields)


# death


@pytest.mark.faults
def test_a_killed_server_loses_nothing(provider: Provider, tmp_path: Path) -> None:
    """Killed when the caller has the id; and killed between the ledger's commit and the due's end."""
    served = Gateway(tmp_path, CONFIG.format(url=provider.upstream.base_url)).wait_ready()
    try:
        provider.script(looks=100)
        with client_of(served) as client:
            answer, number = begin(client)
            kill(served)
        provider.script()
        with closing(sqlite3.connect(served.home / "kept.db")) as connection:
            row = connection.execute("SELECT * FROM dues").fetchone()
        served = Gateway(tmp_path).wait_ready()
        found = settled(served, number)
        assert float(found["cost_usd"]) == COST / 1e9
        kill(served)
        with closing(sqlite3.connect(served.home / "kept.db")) as connection, connection:
            connection.execute(f"INSERT INTO dues VALUES ({','.join('?' * len(row))})", row)
        served = Gateway(tmp_path).wait_ready()
        eventually(lambda: dues(served) == 0)
        assert num_records(served, number) == 1 and record_of(served, number) == found
        with client_of(served) as client:
            assert client.responses.retrieve(answer.id).status == "completed"
    finally:
        served.close()


def kill(served: Gateway) -> None:
    os.kill(served.process.pid, signal.SIGKILL)
    served.process.wait()
    served.finish_reading()
