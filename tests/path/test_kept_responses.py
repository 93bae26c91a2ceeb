"""Answers that are kept, with OpenAI's SDK: here across providers and families, and at the provider."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.path.house import Gateway, Provider, rule, sse, stream_rule
from wicket.upstream.scripted_script import Rule, When

CONFIG = """
[server]
port = 0
workers = 2
[storage]
responses = "{mode}"
[providers.mine]
base_url = "{url}"
api_key = "k"
models = ["plain"]
[providers.claude]
base_url = "{root}"
api_key = "k"
dialect = "anthropic_messages"
models = ["sonnet"]
[providers.own]
base_url = "{url}"
api_key = ["one-credential", "another-credential"]
dialect = "openai_responses"
models = ["gpt-5"]
[models.either]
deployments = ["own/gpt-5", "mine/plain"]
"""
UNKNOWN = (
    "resp_1",
    "resp_",
    "resp_" + "A" * 60,
    "conv_1",
    "resp_" + "0" * 16,
    "%2e%2e",
    "resp_" + "x" * 2_000,
)


def gateway(provider: Provider, folder: Any, mode: str) -> Iterator[Gateway]:
    url = provider.upstream.base_url
    config = CONFIG.format(mode=mode, url=url, root=url.removesuffix("/v1"))
    served = Gateway(folder, config)
    try:
        yield served.wait_ready()
    finally:
        served.close()


@pytest.fixture(scope="module")
def local(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    yield from gateway(one_provider, tmp_path_factory.mktemp("local"), "local")


@pytest.fixture(scope="module")
def sealed(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    yield from gateway(one_provider, tmp_path_factory.mktemp("sealed"), "provider")


@pytest.fixture(scope="module")
def off(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    yield from gateway(one_provider, tmp_path_factory.mktemp("off"), "off")


def client_of(served: Gateway, key: str = "") -> OpenAI:
    return OpenAI(base_url=f"{served.url}/v1", api_key=key or served.key, max_retries=0)


def new_key(served: Gateway, team: str = "") -> dict[str, Any]:
    made: dict[str, Any] = served.admin("POST", "/admin/v1/keys", {"name": "k", "team": team})
    return made


def stored_text(served: Gateway) -> bytes:
    """Every byte of the files that could hold a prompt."""
    return b"".join(path.read_bytes() for path in sorted(served.home.glob("kept.db*")))


# kept here


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("second", ["mine/plain", "claude/sonnet"])
def test_two_turns_across_families(
    local: Gateway, provider: Provider, second: str, is_streamed: bool
) -> None:
    provider.script(rule(when={"contains": "And Rome"}, text="Rome, yes."), rule(text="Paris."))
    with client_of(local) as client:

        def ask(**fields: Any) -> Any:
            if not is_streamed:
                return client.responses.create(**fields)
            with client.responses.stream(**fields) as stream:
                return stream.get_final_response()

        first = ask(model="mine/plain", input="Where?", instructions="Be brief.")
        assert first.store is True and first.previous_response_id is None  # type: ignore[attr-defined]
        answer = ask(model=second, input="And Rome?", previous_response_id=first.id)
        assert answer.output_text == "Rome, yes." and answer.previous_response_id == first.id
        sent = provider.last.fields
        assert "previous_response_id" not in sent
        turns = [(one["role"], text_of(one["content"])) for one in sent["messages"]]
        assert turns == [("user", "Where?"), ("assistant", "Paris."), ("user", "And Rome?")]

        kept = client.responses.retrieve(answer.id)
        assert kept.output_text == "Rome, yes." and kept.id == answer.id
        items = list(client.responses.input_items.list(answer.id, order="asc", limit=2))
        assert [text_of(item.to_dict()["content"]) for item in items] == ["Where?", "Paris.", "And Rome?"]
        client.responses.delete(answer.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(answer.id)


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def test_a_responses_provider_is_told_the_items_and_keeps_nothing_itself(
    local: Gateway, provider: Provider
) -> None:
    body = {
        "id": "resp_theirs", "object": "response", "status": "completed", "model": "gpt-5", "output": [
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "sealed"},
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}",
             "status": "completed"},
        ],
    }  # fmt: skip
    provider.script(rule(body=body, headers={"content-type": "application/json"}))
    with client_of(local) as client:
        first = client.responses.create(model="own/gpt-5", input="Go.")
        assert first.id != "resp_theirs" and provider.last.fields["store"] is False
        result: Any = {"type": "function_call_output", "call_id": "c1", "output": "3"}
        client.responses.create(model="own/gpt-5", input=[result], previous_response_id=first.id)
    items = provider.last.fields["input"]
    assert [item.get("type") for item in items] == [
        "message", "reasoning", "function_call", "function_call_output"
    ]  # fmt: skip
    assert items[1]["encrypted_content"] == "sealed" and "id" not in items[2]


def test_what_the_caller_refuses_is_not_kept(local: Gateway, provider: Provider) -> None:
    with client_of(local) as client:
        answer = client.responses.create(model="mine/plain", input="A secret okapi.", store=False)
        assert answer.store is False  # type: ignore[attr-defined]
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(answer.id)
    assert b"okapi" not in stored_text(local)


def test_deleting_erases_and_ends_what_went_on_from_it(local: Gateway, provider: Provider) -> None:
    with client_of(local) as client:
        first = client.responses.create(model="mine/plain", input="A wombat story.")
        second = client.responses.create(model="mine/plain", input="Go on.", previous_response_id=first.id)
        assert b"wombat" in stored_text(local)
        client.responses.delete(first.id)
        assert b"wombat" not in stored_text(local)
        with pytest.raises(openai.NotFoundError) as gone:
            client.responses.create(model="mine/plain", input="x", previous_response_id=second.id)
        assert gone.value.param == "previous_response_id"


@pytest.mark.parametrize("id", UNKNOWN)
@pytest.mark.parametrize("mode", ["local", "sealed"])
def test_a_forged_id_is_an_unknown_one(
    id: str, mode: str, request: pytest.FixtureRequest, provider: Provider
) -> None:
    served: Gateway = request.getfixturevalue(mode)
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
        found = served.request(method, f"/v1/responses/{id}{path}", b"" if method == "POST" else None)
        assert found.status == 404 and found.error["param"] == "response_id", (method, path)
    asked = served.post("/v1/responses", {"model": "mine/plain", "input": "x", "previous_response_id": id})
    assert asked.status == 404 and asked.error["param"] == "previous_response_id"
    assert provider.log == []


@pytest.mark.parametrize("mode", ["local", "sealed"])
def test_a_team_shares_and_nobody_else_sees(
    mode: str, request: pytest.FixtureRequest, provider: Provider
) -> None:
    served: Gateway = request.getfixturevalue(mode)
    if mode == "sealed":
        provider.script(their_answer("resp_theirs"))
    keys = [new_key(served, team) for team in ("a", "a", "b", "")]
    model = "mine/plain" if mode == "local" else "own/gpt-5"
    answer = client_of(served, keys[0]["key"]).responses.create(model=model, input="x")
    assert client_of(served, keys[1]["key"]).responses.retrieve(answer.id).id == answer.id
    for foreign in (keys[2]["key"], keys[3]["key"], served.key):
        for call in (
            client_of(served, foreign).responses.retrieve,
            client_of(served, foreign).responses.delete,
        ):
            with pytest.raises(openai.NotFoundError):
                call(answer.id)
    served.admin("DELETE", f"/admin/v1/keys/{keys[0]['id']}")
    with pytest.raises(openai.AuthenticationError):
        client_of(served, keys[0]["key"]).responses.retrieve(answer.id)
    assert client_of(served, keys[1]["key"]).responses.retrieve(answer.id).id == answer.id


def test_a_failed_answer_is_not_kept(local: Gateway, provider: Provider) -> None:
    before = rows(local)
    provider.script(rule(status=400, body={"error": {"message": "no", "type": "invalid_request_error"}}))
    assert local.post("/v1/responses", {"model": "mine/plain", "input": "x"}).status == 400
    provider.script(rule(cut_after=2))
    local.post("/v1/responses", {"model": "mine/plain", "input": "x", "stream": True})
    assert rows(local) == before


def rows(served: Gateway) -> int:
    with closing(sqlite3.connect(served.home / "kept.db")) as connection:
        found: int = connection.execute("SELECT count(*) FROM responses").fetchone()[0]
        return found


def test_a_conversation_is_refused_by_name(local: Gateway, off: Gateway, provider: Provider) -> None:
    for served in (local, off):
        asked = {"model": "own/gpt-5", "input": "x", "conversation": "conv_1"}
        answer = served.post("/v1/responses", asked)
        assert answer.status == 400 and answer.error["param"] == "conversation"
    assert provider.log == []


def test_only_background_answers_can_be_called_off(local: Gateway, provider: Provider) -> None:
    with client_of(local) as client:
        answer = client.responses.create(model="mine/plain", input="x")
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.cancel(answer.id)
        assert caught.value.code == "not_in_background"
        with pytest.raises(openai.BadRequestError):
            client.responses.input_items.list(answer.id, limit=101)
    streamed = local.request("GET", f"/v1/responses/{answer.id}?stream=true")
    assert streamed.status == 400 and streamed.error["param"] == "stream"


# off


def test_off_says_so_and_keeps_nothing(off: Gateway, provider: Provider) -> None:
    asked = {"model": "own/gpt-5", "input": "x", "previous_response_id": "resp_1"}
    for path in ("/v1/responses", "/v1/responses/input_tokens"):
        answer = off.post(path, asked)
        assert answer.status == 400 and answer.error["param"] == "previous_response_id"
        assert answer.error["code"] == "not_kept" and "[storage]" in answer.error["message"]
    assert provider.log == []
    assert off.post("/v1/responses", {"model": "mine/plain", "input": "x"}).status == 200
    assert not list(off.home.glob("kept.db*")) and not (off.home / "seal.key").exists()


# at the provider


def their_answer(id: str, before: str | None = None, when: dict[str, Any] | None = None) -> Rule:
    said = {"type": "output_text", "text": "Paris.", "annotations": []}
    message = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [said],
    }
    body = {
        "id": id, "object": "response", "status": "completed", "model": "gpt-5", "output": [message],
        "store": True, "previous_response_id": before, "new_field": 1.50,
    }  # fmt: skip
    return Rule(
        when=When(**(when or {})), body=json.dumps(body), headers={"content-type": "application/json"}
    )


@pytest.mark.parametrize("keeper", ["one-credential", "another-credential"])
def test_the_pin_leads_back_to_the_same_provider_and_credential(
    sealed: Gateway, provider: Provider, keeper: str
) -> None:
    other = rule(status=401, body={"error": {"message": "wrong key", "type": "authentication_error"}})
    provider.script(their_answer("resp_one", when={"key": keeper}), other)
    with client_of(sealed) as client:
        first = client.responses.create(model="own/gpt-5", input="x")
        assert first.id.startswith("resp_") and "one" not in first.id and len(first.id) < 200
        provider.script(their_answer("resp_two", before="resp_one", when={"key": keeper}), other)
        for _ in range(3):
            second = client.responses.create(model="either", input="y", previous_response_id=first.id)
            assert provider.last.fields["previous_response_id"] == "resp_one" and len(provider.log) < 4
            assert second.previous_response_id == first.id
        again = client.responses.retrieve(second.id)
        assert provider.last.path.endswith("/responses/resp_two")
        assert (again.id, again.previous_response_id) == (second.id, first.id)
        client.responses.delete(second.id)
        assert provider.last.method == "DELETE" and provider.last.path.endswith("/responses/resp_two")


def test_a_stream_is_sealed_in_all_its_events(sealed: Gateway, provider: Provider) -> None:
    shown = {"id": "resp_s", "object": "response", "status": "in_progress", "model": "gpt-5", "output": []}
    told: list[dict[str, Any]] = [
        {"type": "response.created", "sequence_number": 0, "response": shown},
        {"type": "response.output_text.delta", "sequence_number": 1, "item_id": "m", "output_index": 0,
         "content_index": 0, "delta": 'a "response" of', "logprobs": []},
        {"type": "response.completed", "sequence_number": 2, "response": shown | {"status": "completed"}},
    ]  # fmt: skip
    frames = [json.dumps(event).encode() for event in told]
    provider.script(stream_rule(sse(*frames)))
    with client_of(sealed) as client:
        found = [
            event.to_dict() for event in client.responses.create(model="own/gpt-5", input="x", stream=True)
        ]
        ids = {event["response"]["id"] for event in found if "response" in event}  # type: ignore[index]
        assert len(ids) == 1 and not ids & {"resp_s"}
        assert found[1]["delta"] == 'a "response" of'
        provider.script(their_answer("resp_t"))
        client.responses.create(model="own/gpt-5", input="x", previous_response_id=str(*ids))
        assert provider.last.fields["previous_response_id"] == "resp_s"


def test_nobody_else_is_asked_when_the_keeper_is_out(sealed: Gateway, provider: Provider) -> None:
    provider.script(their_answer("resp_one"))
    with client_of(sealed) as client:
        first = client.responses.create(model="either", input="x")
        provider.script(rule(when={"path": "/responses"}, status=500, error="server_error"))
        with pytest.raises(openai.InternalServerError) as out:
            client.responses.create(model="either", input="y", previous_response_id=first.id)
        assert "nobody else was asked" in str(out.value)
        assert {seen.path.rsplit("/", 1)[-1] for seen in provider.log} == {"responses"}
        with pytest.raises(openai.BadRequestError) as elsewhere:
            client.responses.create(model="mine/plain", input="y", previous_response_id=first.id)
        assert elsewhere.value.code == "previous_response_elsewhere"


def test_what_a_provider_let_go_of_is_unknown(sealed: Gateway, provider: Provider) -> None:
    provider.script(their_answer("resp_one"))
    with client_of(sealed) as client:
        first = client.responses.create(model="own/gpt-5", input="x")
        provider.script(
            rule(status=404, body={"error": {"message": "gone", "type": "invalid_request_error"}})
        )
        with pytest.raises(openai.NotFoundError) as gone:
            client.responses.retrieve(first.id)
        assert gone.value.param == "response_id" and "gone" not in str(gone.value)
