"""Recorded embeddings through the gateway: as they came, and for callers of other families."""

import json
from collections.abc import Iterator

import pytest

from tests.path.house import Gateway
from tests.path.replayed import answered, asked, recorded, replaying
from wicket.dialects import cohere, openai_chat
from wicket.dialects.contract import Counts
from wicket.dialects.translation import Asked
from wicket.wire.fields import peek

CONFIG = """
[server]
port = 0
workers = 1
[providers.openai]
base_url = "{url}/openai/v1"
api_key = "recorded"
[providers.voyageai]
base_url = "{url}/voyageai/v1"
api_key = "recorded"
[providers.coh]
base_url = "{url}/cohere/v2"
dialect = "cohere"
api_key = "recorded"
[providers.gem]
base_url = "{url}/gemini/v1beta"
dialect = "gemini"
auth = "x-goog-api-key"
api_key = "recorded"
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with replaying(seed=5) as replay:
        running = Gateway(tmp_path_factory.mktemp("embedded"), CONFIG.format(url=replay.url))
        try:
            yield running.wait_ready()
        finally:
            running.close()


@pytest.mark.parametrize(
    ("provider", "path", "file"),
    [
        ("coh", "/v2/embed", "cohere/embeddings"),
        ("voyageai", "/v1/embeddings", "voyageai/embeddings"),
        ("openai", "/v1/embeddings", "openai/embeddings"),
    ],
)
def test_embeddings_pass_as_the_provider_gave_them(
    gateway: Gateway, provider: str, path: str, file: str
) -> None:
    body = asked(file)
    got = gateway.post(path, {**body, "model": f"{provider}/{body['model']}"})
    assert got.status == 200 and got.json == answered(file)


def test_gemini_s_pass_and_are_what_an_openai_caller_gets(gateway: Gateway) -> None:
    file, model = "gemini/embeddings", "gem/gemini-embedding-2-preview"
    got = gateway.post(f"/v1beta/models/{model}:batchEmbedContents", asked(file))
    assert got.status == 200 and got.json == answered(file)
    wanted = {"input": "Hello, world!", "dimensions": 768, "input_type": "query"}
    crossed = gateway.post("/v1/embeddings", {"model": model, **wanted})
    assert crossed.status == 200 and crossed.json["model"] == model
    assert crossed.json["data"][0]["embedding"] == answered(file)["embeddings"][0]["values"]


def test_cohere_s_is_what_an_openai_caller_gets() -> None:
    side, caller = cohere.SIDES["embeddings"], openai_chat.SIDES["embeddings"]
    assert side.read_answer and caller.read_request and caller.write_answer
    texts = caller.read_request(peek(b'{"input": "Hello, world!"}'), openai_chat.EMBEDDINGS)
    answer = side.read_answer(recorded("cohere/embeddings").response.body, texts)
    assert answer.counts == Counts(input_tokens=4)
    written = caller.write_answer(answer, texts, Asked(id="r", created_s=0, model="m", fields={}))
    said = json.loads(written)
    assert said["data"][0]["embedding"] == answered("cohere/embeddings")["embeddings"]["float"][0]
    assert said["usage"] == {"prompt_tokens": 4, "total_tokens": 4}


@pytest.mark.parametrize(
    ("provider", "path", "file", "status"),
    [
        ("coh", "/v2/embed", "cohere/embeddings_error_model", 404),
        ("openai", "/v1/embeddings", "openai/embeddings_error_model", 404),
        ("voyageai", "/v1/embeddings", "voyageai/embeddings_error_model", 400),
    ],
)
def test_a_recorded_error_keeps_its_status(
    gateway: Gateway, provider: str, path: str, file: str, status: int
) -> None:
    body = asked(file)
    got = gateway.post(path, {**body, "model": f"{provider}/{body['model']}"})
    assert got.status == status
    told = got.json["message"] if provider == "coh" else got.error["message"]
    assert body["model"] in told


def test_gemini_s_error_is_an_openai_caller_s_own(gateway: Gateway) -> None:
    wanted = {"input": "Hello, world!", "input_type": "query"}
    got = gateway.post("/v1/embeddings", {"model": "gem/nonexistent-model", **wanted})
    assert got.status == 404 and "nonexistent-model is not found" in got.error["message"]
