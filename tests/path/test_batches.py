"""Batches run by the server itself, with OpenAI's SDK: to their end, called off, wrong, and cut by a kill."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.path.house import Gateway, Provider, rule
from tests.path.served import eventually
from wicket.state.batches import MAX_BEGUN

CONFIG = """
[server]
port = 0
workers = 2
[storage]
files = "local"
batches = "local"
responses = "local"
batch_concurrency = 4
batch_lines = 200
[providers.mine]
base_url = "{url}"
api_key = "k"
models = ["plain"]
prices.plain = {{ input = 0.5, output = 1.5 }}
"""
OVER = ("completed", "failed", "cancelled", "expired")
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def served(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("batches"), CONFIG.format(url=one_provider.upstream.base_url))
    try:
        yield gateway.wait_ready()
    finally:
        gateway.close()


@pytest.fixture
def key(served: Gateway) -> dict[str, Any]:
    made: dict[str, Any] = served.admin("POST", "/admin/v1/keys", {"name": "batches"})
    return made


@pytest.fixture
def client(served: Gateway, key: dict[str, Any]) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{served.url}/v1", api_key=key["key"], max_retries=0) as made:
        yield made


def line(number: int, url: str = CHAT, text: str = "", **more: Any) -> dict[str, Any]:
    body = {"model": "mine/plain", "messages": [{"role": "user", "content": text or f"number {number}"}]}
    return {"custom_id": f"r{number}", "method": "POST", "url": url, "body": body, **more}


def begin(client: OpenAI, lines: list[Any], endpoint: Any = CHAT) -> Any:
    data = b"".join(
        (each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n" for each in lines
    )
    file = client.files.create(file=("lines.jsonl", data), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata={"of": "mine"}
    )


def end_of(client: OpenAI, batch: Any) -> Any:
    found = [batch]

    def look() -> bool:
        found.append(client.batches.retrieve(batch.id))
        return found[-1].status in OVER

    eventually(look)
    return found[-1]


def results(client: OpenAI, id: str | None) -> list[dict[str, Any]]:
    if id is None:
        return []
    return [json.loads(each) for each in client.files.content(id).text.splitlines()]


def test_a_batch_to_its_end(client: OpenAI, served: Gateway, provider: Provider) -> None:
    provider.script(
        rule(when={"contains": "number 3"}, status=400, body={"error": {"message": "no", "type": "x"}})
    )
    batch = begin(client, [line(n) for n in range(12)])
    assert (batch.object, batch.status, batch.endpoint) == ("batch", "validating", CHAT)
    done = end_of(client, batch)
    assert done.status == "completed" and done.metadata == {"of": "mine"}
    counts = done.request_counts
    assert (counts.total, counts.completed, counts.failed) == (12, 11, 1)
    good, bad = results(client, done.output_file_id), results(client, done.error_file_id)
    assert [one["custom_id"] for one in good] == [f"r{n}" for n in range(12) if n != 3]
    assert all(one["error"] is None and one["response"]["status_code"] == 200 for one in good)
    assert (
        good[0]["response"]["body"]["choices"][0]["message"]["content"] == "Paris is the capital of France."
    )
    assert [(one["custom_id"], one["response"]["status_code"]) for one in bad] == [("r3", 400)]
    assert Counter(seen.fields["messages"][0]["content"] for seen in provider.log) == Counter(
        f"number {n}" for n in range(12)
    )
    output = client.files.retrieve(str(done.output_file_id))
    assert output.purpose == "batch_output" and output.filename == f"{batch.id}_output.jsonl"
    assert [one.id for one in client.batches.list()] == [batch.id]
    record = served.record(good[0]["response"]["request_id"])
    assert record["cost_usd"] > 0 and record["model"] == "mine/plain"


def test_answers_of_the_responses_api_are_kept(client: OpenAI, provider: Provider) -> None:
    asked = {"custom_id": "a", "method": "POST", "url": "/v1/responses",
             "body": {"model": "mine/plain", "input": "Where?"}}  # fmt: skip
    done = end_of(client, begin(client, [asked], "/v1/responses"))
    answer = results(client, done.output_file_id)[0]["response"]["body"]
    assert client.responses.retrieve(answer["id"]).output_text == "Paris is the capital of France."


def test_a_wrong_file_is_told_line_by_line(client: OpenAI, provider: Provider) -> None:
    bad: list[Any] = [
        line(1), b"{", line(1), line(2, url="/v1/embeddings"), line(3, method="GET"),
        line(4, body=[]), line(5, body={"model": "m", "stream": True}), line(6, body={"messages": []}),
        b'{"custom_id": 1}', b"\xff\xfe", b"[]", b"",
    ]  # fmt: skip
    done = end_of(client, begin(client, bad))
    assert done.status == "failed" and done.failed_at
    told = [(one.line, one.code, one.param) for one in done.errors.data]
    assert told == [
        (2, "invalid_json_line", None), (3, "duplicate_custom_id", "custom_id"), (4, "invalid_url", "url"),
        (5, "invalid_method", "method"), (6, "invalid_request", "body"),
        (7, "invalid_request", "body.stream"),
        (8, "model_not_found", "body.model"), (9, "missing_required_parameter", "custom_id"),
        (10, "invalid_json_line", None), (11, "invalid_json_line", None),
    ]  # fmt: skip
    assert provider.log == []


@pytest.mark.parametrize(
    ("lines", "code"), [([], "empty_file"), ([line(n) for n in range(201)], "too_many_lines")]
)
def test_too_few_and_too_many_lines(client: OpenAI, lines: list[Any], code: str) -> None:
    done = end_of(client, begin(client, lines))
    assert done.status == "failed" and [one.code for one in done.errors.data] == [code]


def test_what_is_refused_at_once(client: OpenAI, served: Gateway) -> None:
    other = client.files.create(file=("x", b"{}"), purpose="user_data").id
    good = client.files.create(file=("x", b"{}"), purpose="batch").id
    with OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0) as operator:
        foreign = operator.files.create(file=("x", b"{}"), purpose="batch").id
    for id, endpoint, window, param in (
        (other, CHAT, "24h", "input_file_id"),
        (foreign, CHAT, "24h", "input_file_id"),
        ("file-nothing", CHAT, "24h", "input_file_id"),
        (good, "/v1/nothing", "24h", "endpoint"),
        (good, CHAT, "1h", "completion_window"),
    ):
        fields: Any = {"input_file_id": id, "endpoint": endpoint, "completion_window": window}
        with pytest.raises(openai.APIStatusError) as refused:
            client.batches.create(**fields)
        assert refused.value.status_code in (400, 404) and refused.value.param == param  # type: ignore[attr-defined]
    for call in (client.batches.retrieve, client.batches.cancel):
        with pytest.raises(openai.NotFoundError) as unknown:
            call("batch_" + "0" * 24)
        assert unknown.value.param == "batch_id"


def test_other_keys_see_nothing(client: OpenAI, served: Gateway, provider: Provider) -> None:
    batch = end_of(client, begin(client, [line(1)]))
    with OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0) as other:
        for call in (other.batches.retrieve, other.batches.cancel):
            with pytest.raises(openai.NotFoundError):
                call(batch.id)
        assert batch.id not in [one.id for one in other.batches.list()]
        with pytest.raises(openai.NotFoundError):
            other.files.content(batch.output_file_id)
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)


def test_what_is_called_off_begins_no_more_lines(client: OpenAI, provider: Provider) -> None:
    provider.script(rule(first_token_ms=300))
    batch = begin(client, [line(n) for n in range(100)])
    provider.until(lambda log: len(log) >= 4)
    off = client.batches.cancel(batch.id)
    assert off.status == "cancelling" and off.cancelling_at
    done = end_of(client, batch)
    assert done.status == "cancelled" and done.cancelled_at
    ran = done.request_counts.completed
    assert 0 < ran < 100 and ran == len(provider.log)
    assert len(results(client, done.output_file_id)) == ran


def test_a_revoked_key_runs_nothing_more(
    client: OpenAI, served: Gateway, key: dict[str, Any], provider: Provider
) -> None:
    teammate = served.admin("POST", "/admin/v1/keys", {"name": "one", "team": "t"})
    looker = served.admin("POST", "/admin/v1/keys", {"name": "two", "team": "t"})
    provider.script(rule(first_token_ms=300))
    with OpenAI(base_url=f"{served.url}/v1", api_key=teammate["key"], max_retries=0) as owner:
        batch = begin(owner, [line(n) for n in range(60)])
        provider.until(lambda log: len(log) >= 4)
        served.admin("DELETE", f"/admin/v1/keys/{teammate['id']}")
    with OpenAI(base_url=f"{served.url}/v1", api_key=looker["key"], max_retries=0) as other:
        done = end_of(other, batch)
        assert done.request_counts.failed > 0 and len(provider.log) < 60
        refused = results(other, done.error_file_id)
    assert {one["response"]["status_code"] for one in refused} == {401}


def test_a_provider_that_is_busy_is_waited_for(client: OpenAI, provider: Provider) -> None:
    busy = {"error": {"message": "busy", "type": "rate_limit_error"}}
    provider.script(rule(when={"to_nth": 1}, status=429, body=busy, headers={"retry-after": "4"}))
    done = end_of(client, begin(client, [line(1)]))
    assert done.request_counts.completed == 1 and len(provider.log) > 1


@pytest.mark.faults
@pytest.mark.parametrize("whole", [True, False])
def test_a_kill_loses_no_line_and_repeats_none_too_often(
    provider: Provider, tmp_path: Path, whole: bool
) -> None:
    """The server is killed four times in the middle, all of it or a worker."""
    config = CONFIG.format(url=provider.upstream.base_url)
    provider.script(rule(first_token_ms=100))
    gateway = Gateway(tmp_path, config).wait_ready()
    try:
        client = OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
        batch = begin(client, [line(n) for n in range(60)])
        for round in range(1, 5):
            provider.until(lambda log, least=round * 9: len(log) >= least)
            if whole:
                os.kill(gateway.process.pid, signal.SIGKILL)
                gateway.process.wait()
                gateway.finish_reading()
                gateway = Gateway(tmp_path).wait_ready()
                client = OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
            else:
                os.kill(gateway.worker_pids()[0], signal.SIGKILL)
        done = end_of(client, batch)
        assert done.status == "completed" and done.request_counts.total == 60
        told = results(client, done.output_file_id) + results(client, done.error_file_id)
        assert sorted(one["custom_id"] for one in told) == sorted(f"r{n}" for n in range(60))
        asked = Counter(seen.fields["messages"][0]["content"] for seen in provider.log)
        assert set(asked) == {f"number {n}" for n in range(60)} and max(asked.values()) <= MAX_BEGUN
        assert sum(count > 1 for count in asked.values()) <= 4 * 4  # what was under way at each kill
    finally:
        gateway.close()
