"""Rankings and embeddings before every family of providers, on a real server."""

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from tests.path.house import SECRET, Answer, Gateway, Provider, rule

CONFIG = """
[server]
port = 0
workers = 1
[providers.own]
base_url = "{base}/v1"
api_key = "{secret}"
[providers.coh]
base_url = "{base}/v2"
dialect = "cohere"
api_key = "{secret}"
[providers.voyageai]
base_url = "{base}/v1"
api_key = "{secret}"
[providers.gem]
base_url = "{base}/v1beta"
dialect = "gemini"
auth = "x-goog-api-key"
api_key = "{secret}"
[providers.oll]
base_url = "{base}"
dialect = "ollama"
auth = "none"
[providers.anthropic]
base_url = "{base}/v1"
api_key = "{secret}"
[providers.plainest]
base_url = "{base}/v1"
api_key = "{secret}"
rerank = "none"
[providers.cohere]
base_url = "{base}/v2"
api_key = "{secret}"
[providers.openai]
base_url = "{base}/v1"
api_key = "{secret}"
[models.pictures]
deployments = ["openai/gpt-4o", "openai/gpt-image-1", "own/unknown"]
[models.ranked]
deployments = ["own/first", "coh/second"]
[models.either]
deployments = ["anthropic/x", "own/second"]
[models.vectors]
deployments = ["coh/first", "gem/second"]
"""
DOCUMENTS = ["a dog barks", "the red bird sings", "a red car"]
TEXTS = ["one two", "three"]


@pytest.fixture(scope="module")
def served(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    base = one_provider.upstream.base_url.removesuffix("/v1")
    running = Gateway(tmp_path_factory.mktemp("subjects"), CONFIG.format(base=base, secret=SECRET))
    try:
        yield running.wait_ready()
    finally:
        running.close()


@pytest.fixture
def house(served: Gateway, provider: Provider) -> Iterator[Gateway]:
    yield served
    assert SECRET not in served.heard()


def rank(house: Gateway, model: str, path: str = "/v2/rerank", **more: Any) -> Answer:
    return house.post(path, {"model": model, "query": "red bird", "documents": DOCUMENTS, **more})


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
@pytest.mark.parametrize("model", ["own/r", "coh/r", "voyageai/r"])
def test_documents_are_ranked_in_cohere_s_form(
    house: Gateway, provider: Provider, model: str, path: str
) -> None:
    got = rank(house, model, path, top_n=2)
    assert got.status == 200 and got.headers["x-wicket-deployment"] == model
    assert [one["index"] for one in got.json["results"]] == [1, 2]
    assert got.json["results"][0] == {"index": 1, "relevance_score": 1.0}
    sent = provider.last
    assert sent.fields["model"] == "r" and sent.fields["documents"] == DOCUMENTS
    if model.startswith("coh"):
        assert sent.path == "/v2/rerank" and got.json["meta"]["billed_units"] == {"search_units": 1}
    else:
        assert sent.path == "/v1/rerank" and got.json["meta"]["billed_units"] == {"input_tokens": 12}
    assert ("top_k" in sent.fields) == model.startswith("voyageai")


def test_a_ranking_with_its_documents(house: Gateway) -> None:
    got = rank(house, "own/r", return_documents=True, top_n=1).json
    assert got["results"][0]["document"] == {"text": "the red bird sings"}


def test_a_ranking_falls_back_and_is_recorded(house: Gateway, provider: Provider) -> None:
    provider.script(rule("first", error="server_error"))
    got = rank(house, "ranked")
    assert got.headers["x-wicket-deployment"] == "coh/second"
    record = house.record(got.headers["x-request-id"])
    assert record["api"] == "rerank" and [a["deployment"] for a in record["attempts"]][-1] == "coh/second"


def test_a_ranking_of_what_was_not_sent_is_no_answer(house: Gateway, provider: Provider) -> None:
    strange = '{"results": [{"index": 7, "relevance_score": 1}]}'
    provider.script(rule("first", body=strange), rule("alone", body=strange))
    assert rank(house, "ranked").headers["x-wicket-deployment"] == "coh/second"
    got = rank(house, "own/alone")
    assert got.status == 502 and "not in the request" in got.json["message"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"model": "own/r", "documents": DOCUMENTS}, "query"),
        ({"model": "own/r", "query": "x"}, "documents"),
        ({"model": "own/r", "query": "x", "documents": []}, "documents"),
        ({"model": "own/r", "query": "x", "documents": ["a", 5]}, "documents[1]"),
        ({"model": "own/r", "query": "x", "documents": ["a"], "top_n": 0}, "top_n"),
        ({"model": "own/r", "query": "x", "documents": ["a"], "max_tokens_per_doc": 9}, "max_tokens_per_doc"),
        ({"model": "voyageai/r", "query": "x", "documents": [{"text": "a"}]}, "documents[0]"),
        ({"query": "x", "documents": ["a"]}, "model"),
    ],
)
def test_a_bad_ranking_is_refused_in_cohere_s_form(
    house: Gateway, provider: Provider, body: dict[str, Any], word: str
) -> None:
    got = house.post("/v2/rerank", body)
    assert got.status == 400 and set(got.json) == {"id", "message"}
    assert f"'{word}'" in got.json["message"] and got.json["id"].startswith("req_")
    assert provider.log == []


@pytest.mark.parametrize("model", ["anthropic/x", "plainest/x", "gem/x"])
def test_who_ranks_nothing_is_refused_by_name(house: Gateway, provider: Provider, model: str) -> None:
    got = rank(house, model)
    assert got.status == 400 and provider.log == []
    assert model.split("/")[0] in got.json["message"] and "cohere or jina or voyage" in got.json["message"]


@pytest.mark.parametrize("path", ["/v1/images/generations", "/v1/audio/speech", "/v1/moderations"])
def test_what_a_provider_has_not_is_refused_or_asked_for_elsewhere(house: Gateway, path: str) -> None:
    body = {"prompt": "A bird", "input": "Say it", "voice": "a"}
    if "images" in path:
        assert house.post(path, {"model": "anthropic/x", **body, "stream": True}).status == 400
    for model in ("anthropic/x", "cohere/x"):  # Cohere's compatible path has embeddings, and none of these
        refused = house.post(path, {"model": model, **body})
        assert refused.status == 400 and refused.error["param"] == "model"
        assert "openai_chat" in refused.error["message"]
    got = house.post(path, {"model": "either", **body})
    assert got.status == 200 and got.headers["x-wicket-deployment"] == "own/second"


@pytest.mark.parametrize("model", ["own/e", "coh/e", "gem/e", "oll/e"])
def test_openai_s_embeddings_reach_every_family(house: Gateway, provider: Provider, model: str) -> None:
    with OpenAI(base_url=f"{house.url}/v1", api_key=house.key, max_retries=0) as client:
        made = client.embeddings.create(model=model, input=TEXTS, dimensions=8)
        plain = client.embeddings.create(model=model, input=TEXTS, encoding_format="float")
    assert [len(one.embedding) for one in made.data] == [8, 8] and made.usage.prompt_tokens == 3
    for one, other in zip(made.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    ends = {"own": "/v1/embeddings", "coh": "/v2/embed", "oll": "/api/embed"}
    assert provider.log[0].path == ends.get(model.split("/")[0], "/v1beta/models/e:batchEmbedContents")


def test_the_bytes_pass_where_a_host_speaks_both(house: Gateway, provider: Provider) -> None:
    asked = {"model": "cohere/e", "input": [1, 2], "new": 1.50}
    assert house.post("/v1/embeddings", asked).status == 200
    assert provider.last.path == "/compatibility/v1/embeddings"
    assert provider.last.fields == {**asked, "model": "e"}


def test_what_a_text_is_for_is_told(house: Gateway, provider: Provider) -> None:
    asked = {"input": "one", "input_type": "query"}
    assert house.post("/v1/embeddings", {"model": "coh/e", **asked}).status == 200
    assert provider.last.fields["input_type"] == "search_query"
    assert house.post("/v1/embeddings", {"model": "gem/e", **asked}).status == 200
    assert provider.last.fields["requests"][0]["taskType"] == "RETRIEVAL_QUERY"
    got = house.post("/v1/embeddings", {"model": "oll/e", **asked})
    assert got.headers["x-wicket-dropped"] == "input_type"
    assert house.record(got.headers["x-request-id"])["dropped"] == ["input_type"]


def test_token_ids_mean_nothing_to_another_family(house: Gateway) -> None:
    got = house.post("/v1/embeddings", {"model": "coh/e", "input": [1, 2]})
    assert got.status == 400 and got.error["param"] == "input" and "token ids" in got.error["message"]


def test_embeddings_fall_back_between_families(house: Gateway, provider: Provider) -> None:
    provider.script(rule("first", error="server_error"))
    got = house.post("/v1/embeddings", {"model": "vectors", "input": TEXTS})
    assert got.headers["x-wicket-deployment"] == "gem/second" and len(got.json["data"]) == 2


@pytest.mark.parametrize("model", ["own/e", "gem/e", "oll/e", "coh/e"])
def test_cohere_s_embeddings_reach_every_family(house: Gateway, provider: Provider, model: str) -> None:
    asked = {"model": model, "texts": TEXTS, "input_type": "search_query", "embedding_types": ["float"]}
    got = house.post("/v2/embed", asked)
    assert got.status == 200, got.body
    assert [len(vector) for vector in got.json["embeddings"]["float"]] == [8, 8]
    assert got.json["meta"]["billed_units"] == {"input_tokens": 3} and got.json["texts"] == TEXTS
    assert (got.headers.get("x-wicket-dropped") == "input_type") == (model in ("own/e", "oll/e"))
    refused = house.post("/v2/embed", {**asked, "embedding_types": ["int8"]})
    if model != "coh/e":
        assert refused.status == 400 and "embedding_types" in refused.json["message"]


@pytest.mark.parametrize("model", ["own/e", "coh/e", "oll/e", "gem/e"])
def test_gemini_s_embeddings_reach_every_family(house: Gateway, model: str) -> None:
    one = {"content": {"parts": [{"text": "one two"}]}}
    got = house.post(f"/v1beta/models/{model}:embedContent", one)
    assert got.status == 200 and len(got.json["embedding"]["values"]) == 8
    many = {"requests": [{"model": "models/e", **one}, {"model": "models/e", **one}]}
    both = house.post(f"/v1beta/models/{model}:batchEmbedContents", many)
    assert [each["values"] for each in both.json["embeddings"]] == [got.json["embedding"]["values"]] * 2
    if model != "gem/e":
        one["content"]["parts"].append({"text": "three"})
        refused = house.post(f"/v1beta/models/{model}:embedContent", one).json["error"]
        assert refused["status"] == "INVALID_ARGUMENT" and "content.parts" in refused["message"]


def test_base64_is_what_the_numbers_are(house: Gateway) -> None:
    asked = {"model": "coh/e", "input": "one"}
    numbers = house.post("/v1/embeddings", asked).json["data"][0]["embedding"]
    packed = house.post("/v1/embeddings", {**asked, "encoding_format": "base64"}).json["data"][0]["embedding"]
    assert list(struct.unpack("<8f", base64.b64decode(packed))) == pytest.approx(numbers, abs=1e-6)
    assert json.dumps(numbers)


def test_who_makes_no_pictures_is_not_asked_for_one(house: Gateway, provider: Provider) -> None:
    provider.script(rule("gpt-image-1", error="server_error"))
    got = house.post("/v1/images/generations", {"model": "pictures", "prompt": "A bird"})
    assert got.headers["x-wicket-deployment"] == "own/unknown"
    assert {seen.model for seen in provider.log} == {"gpt-image-1", "unknown"}
    plan = {"model": "pictures", "prompt": "A bird", "wicket": {"explain": True}}
    filtered = house.post("/v1/images/generations", plan).json["filtered"]
    assert [(one["deployment"], one["reason"]) for one in filtered] == [("openai/gpt-4o", "makes no images")]
    assert house.post("/v1/audio/speech", {"model": "pictures", "input": "a"}).headers[
        "x-wicket-deployment"
    ] == ("own/unknown")
