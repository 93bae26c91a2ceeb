"""Every row of the catalogue: well formed, sourced, and usable as the provider it describes."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from wicket.config.check import known_dialects, url_fault
from wicket.config.load import load, parse
from wicket.config.snapshot import compile_snapshot
from wicket.dialects.contract import module
from wicket.dialects.openai_chat import CHAT, EMBEDDINGS
from wicket.dialects.translation import spoken
from wicket.gateway.request import Rates, RequestHeads
from wicket.providers import catalogue

ROWS = catalogue.rows()
WANTED = """openai azure groq mistral deepseek together fireworks xai cerebras openrouter perplexity nvidia
deepinfra sambanova huggingface github qwen moonshot zai minimax cloudflare ollama vllm sglang llamacpp
lmstudio anthropic gemini cohere nebius novita hyperbolic siliconflow baseten vercel bedrock vertex snowflake
heroku crusoe voyageai zhipu ollama-cloud"""
FILLERS = 'account = "acc"\nregion = "eu"\nresource = "res"\n'
SHARED_VARIABLES = re.compile(r"^(GITHUB_|HF_|HUGGING|AWS_|GOOGLE_|CLOUDFLARE_|AZURE_CLIENT)")


def test_the_providers_that_people_expect_are_there() -> None:
    assert [name for name in WANTED.split() if name not in ROWS] == []


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_well_formed_and_sourced(name: str) -> None:
    row = ROWS[name]
    assert re.fullmatch(r"[a-z0-9-]+", name) and name != "mini"
    assert row.title and row.sources and url_fault(row.docs.split("#")[0]) == ""
    assert row.docs.startswith("https://")
    assert not row.base_url.endswith("/") and not row.versioned_url.endswith("/")
    host = urlsplit(row.base_url).hostname or ""
    assert row.base_url.startswith("https://") or host == "127.0.0.1"
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", variable) for variable in row.env)
    assert row.dialect in known_dialects()
    assert not set(row.rename) & set(row.remove)
    assert all(value not in row.rename for value in row.rename.values())
    assert bool(row.versioned_url) == bool(row.versioned_path)
    assert not row.facts_from or row.facts_from in ROWS
    assert row.probe in ("", "/models") or row.probe.startswith("/")
    assert bool(row.data_collection) == bool(row.data_terms)  # a promise is told with its page, or not at all
    assert row.region in ("", "us", "eu", "cn")
    assert all(re.fullmatch(r"[a-z]+", word) for word in re.findall(r"\{(\w+)\}", row.base_url))


@pytest.mark.parametrize("name", ROWS)
def test_a_variable_enables_a_provider_only_where_it_exists_for_nothing_else(name: str) -> None:
    row = ROWS[name]
    if row.is_enabled_by_env:
        assert row.env
        assert [variable for variable in row.env if SHARED_VARIABLES.match(variable)] == []
    environ = dict.fromkeys(row.env, "a-credential")
    if row.base_url_env:
        environ[row.base_url_env] = "https://me.example"
    config = load(None, environ)
    enabled = [
        other.name for other in ROWS.values() if other.is_enabled_by_env and set(other.env) & set(row.env)
    ]
    assert list(config.providers) == enabled and (name in enabled) is row.is_enabled_by_env


@pytest.mark.parametrize("name", ROWS)
def test_a_row_declared_by_its_name_alone_answers_with_its_key_in_the_right_header(name: str) -> None:
    row = ROWS[name]
    environ = dict.fromkeys(row.env[:1], "a-credential")
    config = parse(f"[providers.{name}]\n{FILLERS}", environ, source="wicket.toml", base=Path("/"))
    snapshot = compile_snapshot(config, version=1, engine_sockets={})
    (deployment,) = snapshot.resolve(f"{name}/some/model:v1").deployments
    assert deployment.id == f"{name}/some/model:v1" and deployment.model == "some/model:v1"
    assert "{" not in deployment.base_path and "{" not in deployment.origin.host
    headers = dict(deployment.headers)
    expected = {
        "bearer": ("authorization", "Bearer a-credential"),
        "api-key": ("api-key", "a-credential"),
        "x-api-key": ("x-api-key", "a-credential"),
        "x-goog-api-key": ("x-goog-api-key", "a-credential"),
    }
    if row.env:
        header, value = expected[row.auth]
        assert headers[header] == value
    else:
        assert row.auth_optional and headers == {}
    assert headers.get("anthropic-version", "") == (
        "2023-06-01" if row.dialect == "anthropic_messages" else ""
    )
    side = spoken(row.dialect)
    assert side is not None
    target = module(row.dialect).target(deployment, side.CONVERSATION, streamed=False)
    path = urlsplit(row.base_url.replace("{account}", "acc").replace("{region}", "eu")).path
    if name == "vertex-anthropic":
        assert target == f"{path}/models/some%2Fmodel%3Av1:rawPredict"
        return
    assert target == path + side.CONVERSATION.path.replace(
        "{model}", quote("some/model:v1", safe="/" if row.dialect == "gemini" else "")
    )


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.also is not None])
def test_what_a_row_s_dialect_lacks_goes_to_its_other_one(name: str) -> None:
    row = ROWS[name]
    assert row.also is not None and row.also.path[0] == "/" and row.also.dialect != row.dialect
    environ = dict.fromkeys(row.env[:1], "a-credential")
    for base, prefix in (
        ("", ""),
        ("https://proxy.example/at/home" + urlsplit(row.base_url).path, "/at/home"),
    ):
        text = f"[providers.{name}]\n{FILLERS}" + (f'base_url = "{base}"\n' if base else "")
        config = parse(text, environ, source="wicket.toml", base=Path("/"))
        (deployment,) = (
            compile_snapshot(config, version=1, engine_sockets={}).resolve(f"{name}/m").deployments
        )
        embed = RequestHeads(Rates()).find(deployment, EMBEDDINGS, False)
        assert embed.gap == "" and embed.target == f"{prefix}{row.also.path}/embeddings"
        chat = RequestHeads(Rates()).find(deployment, CHAT, False)
        assert chat.crossing is not None and chat.dialect is module(row.dialect)
        assert b"\r\nauthorization: Bearer a-credential\r\n" in embed.head or not row.env
        assert b"x-goog-api-key" not in embed.head
    text = f'[providers.{name}]\n{FILLERS}dialect = "{row.also.dialect}"\n'
    config = parse(text, environ, source="wicket.toml", base=Path("/"))
    (deployment,) = compile_snapshot(config, version=1, engine_sockets={}).resolve(f"{name}/m").deployments
    assert deployment.base_path == row.also.path and deployment.also is None


def test_no_two_rows_read_the_same_list_of_a_source() -> None:
    shared = {("google", "genai-prices")}  # Gemini and Vertex AI are one there
    seen: dict[tuple[str, str], str] = {}
    for row in ROWS.values():
        for source, names in row.known_as.items():
            for name in names:
                other = seen.setdefault((name, source), row.name)
                is_parted = bool(row.serves and ROWS[other].serves)  # each has its own part of the list
                assert other == row.name or (name, source) in shared or is_parted


def test_a_variable_enables_one_provider_only() -> None:
    variables = [variable for row in ROWS.values() if row.is_enabled_by_env for variable in row.env]
    assert len(variables) == len(set(variables))


def test_a_dated_azure_api_has_its_deployment_in_the_path() -> None:
    text = '[providers.azure]\nresource = "res"\napi_version = "2024-10-21"\napi_key = "k"\n'
    config = parse(text, {}, source="wicket.toml", base=Path("/"))
    (deployment,) = compile_snapshot(config, version=1, engine_sockets={}).resolve("azure/my-gpt").deployments
    chat = next(api for api in module("openai_chat").APIS if api.name == "chat.completions")
    target = module("openai_chat").target(deployment, chat, streamed=False)
    assert target == "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
