"""Batches that a provider runs, with OpenAI's SDK: ids, names, ends, what they cost, and cut by a kill."""

import hashlib
import http.client
import json
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
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
files = "local"
batches = "provider"
batch_lines = 50
[providers.own]
base_url = "{url}"
api_key = ["one-credential", "another-credential"]
models = ["gpt-5", "other"]
prices.gpt-5 = {{ input = 1.0, output = 10.0, services = {{ batch = {{ input = 0.5, output = 5.0 }} }} }}
[providers.answers]
base_url = "{url}"
api_key = "k"
dialect = "openai_responses"
models = ["gpt-5"]
prices.gpt-5 = {{ input = 1.0, output = 10.0 }}
[providers.claude]
base_url = "{url}"
api_key = "k"
dialect = "anthropic_messages"
models = ["opus"]
[models.dear]
deployments = ["own/gpt-5"]
markup = 0.5
"""
CHAT = "/v1/chat/completions"
# "Say it." has two words, the scripted answer six: 2 x 0.5 + 6 x 5 USD per million
COST = 31_000


@pytest.fixture(scope="module")
def served(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("there"), CONFIG.format(url=one_provider.upstream.base_url))
    try:
        yield gateway.wait_ready()
    finally:
        gateway.close()


def line(number: int, model: str = "dear", text: str = "Say it.", url: str = CHAT, **more: Any) -> bytes:
    asked = (
        {"input": text} if url.endswith("/responses") else {"messages": [{"role": "user", "content": text}]}
    )
    body = {"model": model, **asked, **more}
    return (
        json.dumps({"custom_id": f"r{number}", "method": "POST", "url": url, "body": body}).encode() + b"\n"
    )


def begin(client: OpenAI, lines: list[bytes], endpoint: Any = CHAT, **more: Any) -> tuple[Any, str]:
    file = client.files.create(file=("lines.jsonl", b"".join(lines)), purpose="batch")
    raw = client.batches.with_raw_response.create(
        input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata={"of": "mine"}, **more
    )
    return raw.parse(), raw.headers["x-request-id"]


def results(client: OpenAI, id: str | None) -> list[dict[str, Any]]:
    assert id is not None
    return [json.loads(each) for each in client.files.content(id).text.splitlines()]


def settled(served: Gateway, number: str) -> dict[str, Any]:
    eventually(lambda: record_of(served, number)["outcome"] != "under_way")
    eventually(lambda: not rows(served, "kept.db", "SELECT 1 FROM dues"))
    return record_of(served, number)


def made(provider: Provider) -> list[Any]:
    """The batches that the provider was asked to make."""
    return [seen for seen in provider.log if seen.method == "POST" and "input_file_id" in seen.fields]


def test_a_batch_from_its_making_to_its_results(served: Gateway, provider: Provider) -> None:
    provider.script(looks=2)
    with client_of(served) as client:
        batch, number = begin(client, [line(1), line(2, text="FAIL now"), line(3)])
        assert batch.id.startswith("batch_") and len(batch.id) > 40 and batch.metadata == {"of": "mine"}
        assert (batch.status, batch.endpoint, batch.request_counts.total) == ("validating", CHAT, 3)
        told = record_of(served, number)
        assert (told["outcome"], told["model"], float(told["charge_usd"])) == ("under_way", "dear", 0)
        [asked] = made(provider)
        assert asked.fields["metadata"] == {"of": "mine", "wicket_batch": number}
        upload = next(seen for seen in provider.log if seen.path.endswith("/files"))
        assert upload.body.count('"model":"gpt-5"') == 3 and "dear" not in upload.body
        assert client.batches.retrieve(batch.id).status == "in_progress"
        raw = client.batches.with_raw_response.retrieve(batch.id)
        done = raw.parse()
        assert (done.id, done.status, done.input_file_id) == (batch.id, "completed", batch.input_file_id)
        assert float(raw.headers["x-wicket-cost-usd"]) == 2 * COST * 1.5 / 1e9
        assert (done.request_counts.completed, done.request_counts.failed) == (2, 1) and done.completed_at
        good, bad = results(client, done.output_file_id), results(client, done.error_file_id)
        assert [(one["custom_id"], one["response"]["body"]["model"]) for one in good] == [
            ("r1", "dear"), ("r3", "dear")
        ]  # fmt: skip
        assert [(one["custom_id"], one["response"]["status_code"]) for one in bad] == [("r2", 400)]
        found = settled(served, number)
        assert (found["outcome"], found["api"], found["status"]) == ("ok", "batches", 200)
        assert float(found["cost_usd"]) == 2 * COST / 1e9
        assert float(found["charge_usd"]) == 2 * COST * 1.5 / 1e9
        again = client.batches.with_raw_response.retrieve(batch.id)
        assert again.parse() == done and "x-wicket-cost-usd" not in again.headers
        assert num_records(served, number) == 1
        assert [one for one in client.batches.list() if one.id == batch.id] == [done]
        file = client.files.retrieve(str(done.output_file_id))
        assert (file.id, file.purpose) == (done.output_file_id, "batch_output") and file.bytes > 0
        assert "batch_0" not in served.request("GET", f"/v1/files/{file.id}").body.decode()
        assert client.files.delete(file.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.files.content(file.id)


def test_nobody_asks_and_it_is_settled_all_the_same(served: Gateway, provider: Provider) -> None:
    provider.script(rule(when={"key": "another-credential"}), looks=1)
    key = new_key(served)
    with client_of(served, key["key"]) as client:
        _, number = begin(client, [line(1)])
    served.admin("DELETE", f"/admin/v1/keys/{key['id']}")
    assert float(settled(served, number)["cost_usd"]) == COST / 1e9
    assert len({seen.key_sha256 for seen in provider.log}) == 1  # one credential from the upload on


def test_responses_are_not_stored_there(served: Gateway, provider: Provider) -> None:
    provider.script(looks=1)
    with client_of(served) as client:
        batch, number = begin(
            client, [line(1, "answers/gpt-5", url="/v1/responses")], endpoint="/v1/responses"
        )
        upload = next(seen for seen in provider.log if seen.path.endswith("/files"))
        assert '"store":false' in upload.body
        assert upload.key_sha256 == hashlib.sha256(b"k").hexdigest()
        done = client.batches.retrieve(batch.id)
        [result] = results(client, done.output_file_id)
        assert result["response"]["body"]["model"] == "answers/gpt-5"
        assert (
            float(settled(served, number)["cost_usd"]) == 2 * COST / 1e9
        )  # no batch tier is known: as usual


def test_what_is_called_off_ends_and_is_settled(served: Gateway, provider: Provider) -> None:
    provider.script(looks=100)
    with client_of(served) as client:
        batch, number = begin(client, [line(1)])
        assert client.batches.cancel(batch.id).status == "cancelling"
        assert client.batches.retrieve(batch.id).status == "cancelled"
        found = settled(served, number)
        assert (found["outcome"], float(found["charge_usd"])) == ("cancelled", 0)
        with pytest.raises(openai.ConflictError):
            client.batches.cancel(batch.id)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (line(2, "own/other"), "one model"),
        (line(2, "nobody/x"), "Line 2"),
        (line(1), "custom_id"),
        (b"{\n", "JSON"),
        (line(2, url="/v1/embeddings"), "URL"),
        (line(2, provider={"order": ["own"]}), "routing"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_sent(
    served: Gateway, provider: Provider, wrong: bytes, what: str
) -> None:
    provider.script()
    with client_of(served) as client, pytest.raises(openai.BadRequestError) as refused:
        begin(client, [line(1), wrong])
    assert "Line 2" in str(refused.value) and what in str(refused.value)
    assert refused.value.param == "input_file_id" and provider.log == []
    assert rows(served, "kept.db", "SELECT 1 FROM dues") == []


def test_what_no_batch_may_ask(served: Gateway, provider: Provider) -> None:
    provider.script()
    few = new_key(served, models=["own/other"])
    with client_of(served, few["key"]) as client, pytest.raises(openai.BadRequestError) as refused:
        begin(client, [line(1)])
    assert refused.value.code == "model_not_allowed"
    with client_of(served) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            begin(client, [line(1, "claude/opus")])
        assert refused.value.code == "no_batches"
        with pytest.raises(openai.BadRequestError) as refused:
            begin(client, [line(n) for n in range(51)])
        with pytest.raises(openai.BadRequestError) as refused:
            begin(client, [line(1, "answers/gpt-5", url="/v1/responses", background=True)], "/v1/responses")
        assert "background" in str(refused.value)
        file = client.files.create(file=("x", line(1)), purpose="user_data").id
        for id in (file, "file-nothing"):
            with pytest.raises(openai.APIStatusError) as unknown:
                client.batches.create(input_file_id=id, endpoint=CHAT, completion_window="24h")
            assert unknown.value.param == "input_file_id"  # type: ignore[attr-defined]
    assert provider.log == []


def test_ids_of_others_and_forged_ones_are_unknown(served: Gateway, provider: Provider) -> None:
    provider.script(looks=1)
    ours, theirs = new_key(served, "a"), new_key(served, "b")
    with client_of(served, ours["key"]) as client, client_of(served, theirs["key"]) as other:
        batch, number = begin(client, [line(1)])
        done = client.batches.retrieve(batch.id)
        settled(served, number)
        output = str(done.output_file_id)
        num_seen = len(provider.log)
        for act in (other.batches.retrieve, other.batches.cancel):
            with pytest.raises(openai.NotFoundError) as unknown:
                act(batch.id)
            assert unknown.value.param == "batch_id"
        for of in (other.files.retrieve, other.files.content, other.files.delete):
            with pytest.raises(openai.NotFoundError) as unknown:
                of(output)
            assert unknown.value.param == "file_id"
        assert [one.id for one in other.batches.list()] == []
        for path in (f"/v1/batches/{batch.id[:-4]}AAAA", f"/v1/files/{output[:-4]}AAAA/content"):
            assert served.request("GET", path, key=ours["key"]).status == 404
        assert len(provider.log) == num_seen


def test_the_providers_failures_are_told(served: Gateway, provider: Provider) -> None:
    provider.script(rule(when={"path": "/files"}, status=500, error="server_error"))
    with client_of(served) as client:
        with pytest.raises(openai.InternalServerError):
            begin(client, [line(1)])
        assert made(provider) == []
        provider.script(rule(when={"contains": "wicket_batch"}, status=429, error="rate_limit"), looks=1)
        with pytest.raises(openai.APIStatusError):
            begin(client, [line(1)])
        eventually(lambda: not rows(served, "kept.db", "SELECT 1 FROM dues"))
        assert {one.status for one in list(client.batches.list())[:2]} == {"failed"}
        provider.script(looks=100)
        batch, number = begin(client, [line(1)])
        remote = rows(served, "kept.db", "SELECT remote FROM batches WHERE id = ?", batch.id)[0][0]
        for status, body, told in (
            (500, "x", 502),
            (200, "<html>", 502),
            (200, {"id": "../x", "status": "?"}, 502),
        ):
            provider.script(rule(when={"path": remote}, status=status, body=body))
            assert served.request("GET", f"/v1/batches/{batch.id}").status == told
        assert record_of(served, number)["outcome"] == "under_way"
        provider.script(looks=1)
        assert client.batches.retrieve(batch.id).status == "completed"
        settled(served, number)


def test_a_remote_id_that_is_a_path_is_never_asked_for(served: Gateway, provider: Provider) -> None:
    bad = {"id": "../files/x", "object": "batch", "status": "in_progress"}
    provider.script(rule(when={"contains": "wicket_batch"}, body=bad))
    with client_of(served) as client:
        batch, number = begin(client, [line(1)])
        found = served.request("GET", f"/v1/batches/{batch.id}")
        assert found.status == 502 and all(".." not in seen.path for seen in provider.log)
        provider.script()
    with closing(sqlite3.connect(served.home / "kept.db")) as connection, connection:
        connection.execute("DELETE FROM dues WHERE record_id = ?", (record_id(number),))


def test_its_hold_goes_on_until_it_is_settled(served: Gateway, provider: Provider) -> None:
    provider.script(looks=100)
    key = new_key(served, "small")
    served.admin("PUT", "/admin/v1/budgets", {"usd": "0.0020", "period": "total", "team": "small"})
    asked = [line(n, max_tokens=40) for n in range(2)]
    with client_of(served, key["key"]) as client:
        batch, number = begin(client, asked)
        with pytest.raises(openai.APIStatusError) as short:
            begin(client, asked)
        assert short.value.status_code == 429
        provider.script(looks=1)
        assert client.batches.retrieve(batch.id).status == "completed"
        settled(served, number)
        _, number = begin(client, asked)
        settled(served, number)


@pytest.mark.faults
def test_a_killed_server_makes_no_second_one_and_settles_once(provider: Provider, tmp_path: Path) -> None:
    """Killed while the provider says that it is made; and between the ledger's commit and the due's end."""
    served = Gateway(tmp_path, CONFIG.format(url=provider.upstream.base_url)).wait_ready()
    try:
        slow = rule(when={"contains": "wicket_batch"}, split_every=1, piece_gap_ms=100)
        provider.script(slow, looks=1)
        with client_of(served) as client:
            file = client.files.create(file=("lines.jsonl", line(1)), purpose="batch")
        body = json.dumps({"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h"}).encode()
        answered: list[int] = []

        def ask() -> None:
            with suppress(OSError, http.client.HTTPException):
                answered.append(served.request("POST", "/v1/batches", body).status)

        asking = threading.Thread(target=ask)
        asking.start()
        provider.until(lambda log: any("input_file_id" in seen.fields for seen in log))
        kill(served)
        asking.join()
        assert 200 not in answered and rows(served, "kept.db", "SELECT remote FROM batches") == [("",)]
        row = rows(served, "kept.db", "SELECT * FROM dues")[0]
        served = Gateway(tmp_path).wait_ready()
        number = f"req_{row[2]:016x}"
        found = settled(served, number)
        assert float(found["cost_usd"]) == COST / 1e9 and len(made(provider)) == 1
        kill(served)
        with closing(sqlite3.connect(served.home / "kept.db")) as database, database:
            database.execute(f"INSERT INTO dues VALUES ({','.join('?' * len(row))})", row)
        served = Gateway(tmp_path).wait_ready()
        eventually(lambda: not rows(served, "kept.db", "SELECT 1 FROM dues"))
        assert num_records(served, number) == 1 and record_of(served, number) == found
        with client_of(served) as client:
            [batch] = list(client.batches.list())
            assert batch.status == "completed" and results(client, batch.output_file_id)
    finally:
        served.close()


def kill(served: Gateway) -> None:
    os.kill(served.process.pid, signal.SIGKILL)
    served.process.wait()
    served.finish_reading()
