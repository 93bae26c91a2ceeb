from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.accounts.price import FREE, Price
from wicket.config.load import load, parse
from wicket.config.snapshot import MAX_DYNAMIC_ROUTES, Snapshot, compile_snapshot
from wicket.errors import UnknownModelFault
from wicket.routing.deployment import Also, Timeouts
from wicket.wire.origin import Origin

SOCKETS = {"compact": "/run/wicket/compact.sock", "embed": "/run/wicket/embed.sock"}


def compiled(text: str, environ: Mapping[str, str] = {}, **more: Any) -> Snapshot:
    config = parse(text, environ, source="wicket.toml", base=Path("/etc"))
    return compile_snapshot(config, version=1, engine_sockets=SOCKETS, **more)


def enabled(**environ: str) -> Snapshot:
    return compile_snapshot(load(None, environ), version=1, engine_sockets=SOCKETS)


def refused(snapshot: Snapshot, name: str) -> UnknownModelFault:
    with pytest.raises(UnknownModelFault) as caught:
        snapshot.resolve(name)
    assert caught.value.param == "model" and caught.value.status == 404
    return caught.value


def ids(snapshot: Snapshot, name: str) -> list[str]:
    return [deployment.id for deployment in snapshot.resolve(name).deployments]


def test_an_engine_is_a_free_deployment_on_its_socket() -> None:
    route = enabled().resolve("mini")
    (deployment,) = route.deployments
    assert deployment.id == "compact/smollm2-135m-instruct"
    assert deployment.origin == Origin("unix", "/run/wicket/compact.sock", 0)
    assert (deployment.base_path, deployment.engine, deployment.usage_in_stream) == ("/v1", "compact", "ask")
    assert enabled().price_of(deployment) == FREE
    assert route.timeouts == Timeouts() and route.policy == "ordered" and route.commit == "first-token"


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("mini", "compact/smollm2-135m-instruct"),
        ("smollm2-135m-instruct", "compact/smollm2-135m-instruct"),
        ("compact/smollm2-135m-instruct", "compact/smollm2-135m-instruct"),
        ("all-minilm-l6-v2", "embed/all-minilm-l6-v2"),
        ("embed/all-minilm-l6-v2", "embed/all-minilm-l6-v2"),
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("gpt-4o", "openai/gpt-4o"),
        ("openai/a-model-of-tomorrow", "openai/a-model-of-tomorrow"),
        ("openai/org/with/slashes", "openai/org/with/slashes"),
    ],
)
def test_names_that_work_without_configuration(name: str, id: str) -> None:
    snapshot = enabled(OPENAI_API_KEY="sk-1")
    assert ids(snapshot, name) == [id]
    assert snapshot.resolve(name) is snapshot.resolve(name)
    assert snapshot.resolve(name).name == name


def test_mini_names_the_engine_called_compact_else_the_first_that_generates() -> None:
    text = """
    [engines.vectors]
    model = "all-minilm-l6-v2"
    [engines.first]
    model = "org/one"
    [engines.second]
    model = "org/two"
    """
    assert ids(compiled(text), "mini") == ["first/one"]
    assert ids(compiled(text + '[engines.compact]\nmodel = "org/three"\n'), "mini") == ["compact/three"]


def test_mini_may_be_configured_over_engines() -> None:
    snapshot = compiled(
        """
        [engines.compact]
        model = "smollm2-135m-instruct"
        [models.mini]
        deployments = ["compact"]
        timeouts = { total_s = 30 }
        """
    )
    assert snapshot.resolve("mini").timeouts.total_ms == 30_000


def test_the_default_is_mini_else_the_first_configured_model() -> None:
    assert enabled().default_model == "mini"
    text = '[providers.x]\nbase_url = "http://h/v1"\n[models.a]\ndeployments = ["x/a"]\n'
    assert compiled(text).default_model == "a"
    assert compiled("").default_model == ""


def test_a_configured_model_has_its_deployments_in_order_one_per_credential() -> None:
    snapshot = compiled(
        """
        [providers.mine]
        base_url = "http://127.0.0.1:9000/v1/"
        api_key = ["k0", "k1"]
        [providers.groq]
        [engines.compact]
        model = "smollm2-135m-instruct"
        [models.best]
        deployments = ["mine/a", "groq/llama-3.3-70b-versatile", "compact"]
        commit = "whole"
        timeouts = { connect_s = 0.5, first_token_s = 1.25, gap_s = 0.0001, total_s = 60 }
        markup = 0.2
        """,
        {"GROQ_API_KEY": "g"},
    )
    route = snapshot.resolve("best")
    assert [(d.id, d.credential) for d in route.deployments] == [
        ("mine/a", 0),
        ("mine/a", 1),
        ("groq/llama-3.3-70b-versatile", 0),
        ("compact/smollm2-135m-instruct", 0),
    ]
    assert [dict(d.headers) for d in route.deployments[:3]] == [
        {"authorization": "Bearer k0"},
        {"authorization": "Bearer k1"},
        {"authorization": "Bearer g"},
    ]
    assert route.deployments[0].origin == Origin("http", "127.0.0.1", 9000)
    assert route.deployments[0].base_path == "/v1"
    assert route.commit == "whole"
    assert route.timeouts == Timeouts(connect_ms=500, first_token_ms=1_250, gap_ms=1, total_ms=60_000)
    assert route.markup_ppm == 200_000
    assert [d.credential for d in snapshot.deployments["mine/a"]] == [0, 1]


def test_a_configured_name_wins_over_the_catalogue_and_over_provider_slash_model() -> None:
    snapshot = compiled(
        """
        [providers.openai]
        [models."gpt-4o"]
        deployments = ["openai/gpt-4o-mini"]
        [models."openai/gpt-5"]
        deployments = ["openai/gpt-4.1"]
        """,
        {"OPENAI_API_KEY": "k"},
    )
    assert ids(snapshot, "gpt-4o") == ["openai/gpt-4o-mini"]
    assert ids(snapshot, "openai/gpt-5") == ["openai/gpt-4.1"]
    assert ids(snapshot, "openai/gpt-4o") == ["openai/gpt-4o"]


def test_a_bare_name_of_two_providers_is_refused_with_both() -> None:
    text = """
    [providers.a]
    base_url = "http://a/v1"
    models = ["shared", "only-a"]
    [providers.b]
    base_url = "http://b/v1"
    models = ["shared"]
    """
    snapshot = compiled(text)
    assert ids(snapshot, "only-a") == ["a/only-a"]
    fault = refused(snapshot, "shared")
    assert fault.code == "model_not_found"
    assert "a/shared or b/shared" in fault.message


AUTH = [
    ('row = "openai"', {"authorization": "Bearer secret"}),
    ('row = "openai"\norganization = "org-1"\nproject = "p-1"',
     {"openai-organization": "org-1", "openai-project": "p-1", "authorization": "Bearer secret"}),
    ('row = "azure"\nresource = "me"', {"api-key": "secret"}),
    ('base_url = "http://h/v1"\nauth = "x-api-key"', {"x-api-key": "secret"}),
    ('base_url = "http://h/v1"\nauth = "x-goog-api-key"', {"x-goog-api-key": "secret"}),
    ('base_url = "http://h/v1"\nauth = "none"', {}),
    ('base_url = "http://h/v1"\nheaders = { Authorization = "Basic x", X-Title = "t" }',
     {"authorization": "Basic x", "x-title": "t"}),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "headers"), AUTH)
def test_credentials_become_headers(lines: str, headers: dict[str, str]) -> None:
    snapshot = compiled(f'[providers.p]\napi_key = "secret"\n{lines}\n')
    assert dict(snapshot.resolve("p/m").deployments[0].headers) == headers


def test_a_server_without_a_credential_gets_no_authorization() -> None:
    snapshot = compiled("[providers.ollama]\n")
    (deployment,) = snapshot.resolve("ollama/qwen3:0.6b").deployments
    assert deployment.headers == () and deployment.origin == Origin("http", "127.0.0.1", 11434)
    assert deployment.dialect == "ollama" and deployment.also == Also(
        "openai_chat", "/v1", apis=("completions", "embeddings")
    )


AZURE = [
    ('resource = "me"', "me.openai.azure.com", "/openai/v1", "", ""),
    ('base_url = "https://me.openai.azure.com/"', "me.openai.azure.com", "/openai/v1", "", ""),
    ('resource = "me"\napi_version = "2024-10-21"',
     "me.openai.azure.com", "/openai", "/deployments/my%20gpt", "api-version=2024-10-21"),
    ('base_url = "https://x.example/openai/v1"\napi_version = "2024-10-21"',
     "x.example", "/openai", "/deployments/my%20gpt", "api-version=2024-10-21"),
    ('base_url = "https://proxy.example/azure/openai"', "proxy.example", "/azure/openai", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "host", "path", "template", "query"), AZURE)
def test_both_forms_of_azure(lines: str, host: str, path: str, template: str, query: str) -> None:
    snapshot = compiled(f'[providers.azure]\napi_key = "k"\n{lines}\n')
    (deployment,) = snapshot.resolve("azure/my gpt").deployments
    assert deployment.origin == Origin("https", host, 443)
    assert (deployment.base_path, deployment.path_template, deployment.query) == (path, template, query)
    assert deployment.model == "my gpt"


def test_a_model_s_name_can_t_break_out_of_the_request_line() -> None:
    snapshot = compiled('[providers.azure]\napi_key = "k"\nresource = "me"\napi_version = "1"\n')
    for name in ("x HTTP/1.1", "../../admin", "a?b#c", "{model}", "ключ"):
        template = snapshot.resolve(f"azure/{name}").deployments[0].path_template
        assert template.startswith("/deployments/")
        assert not set(template.removeprefix("/deployments/")) - set(
            string.ascii_letters + string.digits + "%._-~"
        )
    for name in ("azure/a\r\nb", "azure/\x00", "azure/ ", "azure/", "azure/" + "x" * 300):
        assert refused(snapshot, name).code == "model_not_found"


def test_proxies_come_from_the_file_else_from_the_environment() -> None:
    text = """
    [providers.a]
    base_url = "https://a.example/v1"
    [providers.b]
    base_url = "http://b.example:81/v1"
    proxy = "http://127.0.0.1:3128"
    ca_file = "/etc/ca.pem"
    [providers.c]
    base_url = "https://c.example/v1"
    proxy = ""
    """
    snapshot = compiled(text, proxy_for=lambda scheme, host, port: f"http://proxy/{scheme}/{host}/{port}")
    origins = [snapshot.resolve(f"{name}/m").deployments[0].origin for name in "abc"]
    assert origins == [
        Origin("https", "a.example", 443, proxy="http://proxy/https/a.example/443"),
        Origin("http", "b.example", 81, proxy="http://127.0.0.1:3128", ca_file="/etc/ca.pem"),
        Origin("https", "c.example", 443),
    ]


def test_prices_of_the_catalogue_and_of_the_file() -> None:
    snapshot = compiled(
        """
        [providers.openai]
        [providers.openai.prices."gpt-4o-mini"]
        input = 0.1
        output = 0.30000000000000004
        cached = 0.000001
        request = 0.005
        [models.dear]
        deployments = ["openai/gpt-4o"]
        price = { input = 100, output = 200, cache_write = 300 }
        """,
        {"OPENAI_API_KEY": "k"},
    )

    def price(name: str) -> Price | None:
        return snapshot.price_of(snapshot.resolve(name).deployments[0])

    known = price("openai/gpt-4o")
    assert known is not None and known.id.startswith("openai/gpt-4o@20")
    assert (known.input_pico, known.output_pico, known.cached_pico) == (2_500_000, 10_000_000, 1_250_000)
    dated = price("openai/gpt-4o-2024-11-20")
    assert dated is not None and dated.output_pico == known.output_pico
    unheard_date = price("openai/gpt-4o-2099-01-01")
    assert unheard_date == known
    assert price("openai/unheard-of") is None
    assert price("openai/gpt-4o-mini") == Price(
        "config:openai/gpt-4o-mini", 100_000, 300_000, 1, None, 5_000_000
    )
    assert price("dear") == Price("config:dear", 100_000_000, 200_000_000, None, 300_000_000)


def test_a_deployment_whose_model_is_at_its_end_says_so() -> None:
    snapshot = compiled(
        "[providers.openai]\n[providers.anthropic]",
        dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY"), "k"),
    )
    (old,) = snapshot.resolve("openai/gpt-4o").deployments
    assert old.warning.startswith("openai/gpt-4o is deprecated and end") and "use openai/" in old.warning
    (unheard_of,) = snapshot.resolve("openai/unheard-of").deployments
    assert unheard_of.warning == ""


def test_the_list_of_models_starts_with_the_local_one() -> None:
    snapshot = compiled(
        """
        [engines.compact]
        model = "smollm2-135m-instruct"
        [providers.mine]
        base_url = "http://h/v1"
        models = ["one", "two"]
        [models.fast]
        deployments = ["mine/one"]
        [models.mixed]
        deployments = ["mine/one", "compact"]
        [models."mine/two"]
        deployments = ["mine/one"]
        """
    )
    listed = snapshot.models()
    assert [(model["id"], model["owned_by"]) for model in listed] == [
        ("mini", "wicket"),
        ("auto", "wicket"),
        ("compact/smollm2-135m-instruct", "wicket"),
        ("fast", "mine"),
        ("mixed", "wicket"),
        ("mine/two", "mine"),
        ("mine/one", "mine"),
    ]
    assert {model["object"] for model in listed} == {"model"}
    assert all(isinstance(model["created"], int) for model in listed)


def test_everything_listed_resolves() -> None:
    snapshot = enabled(OPENAI_API_KEY="a", GROQ_API_KEY="b", MISTRAL_API_KEY="c")
    listed = [model["id"] for model in snapshot.models()]
    assert len(listed) > 60 and len(set(listed)) == len(listed)
    for name in snapshot.callable_names():
        assert snapshot.resolve(name).deployments


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("smollm2-135m-instuct", "model_not_found", "Did you mean smollm2-135m-instruct"),
        ("Mini", "model_not_found", "Did you mean mini"),
        ("gpt-9000-zzz", "model_not_found", "What works now: mini, auto, compact/smollm2-135m-instruct"),
        ("", "model_not_found", "The model '(empty)' does not exist here."),
        ("a" * 10_000, "model_not_found", "aaa…'"),
        ("bad\r\nname", "model_not_found", "'bad��name'"),
        ("gpt-4o", "provider_not_configured", "set OPENAI_API_KEY and start Wicket again"),
        ("openai/gpt-4o", "provider_not_configured", "What works now: mini"),
        ("claude-sonnet-4-5", "provider_not_configured", "set ANTHROPIC_API_KEY"),
        ("github/openai/gpt-4o", "provider_not_configured",
         'add [providers.github] with api_key = "env:GITHUB_TOKEN" to wicket.toml and set GITHUB_TOKEN'),
        ("ollama/qwen3", "provider_not_configured", "add [providers.ollama] to wicket.toml."),
        ("compact/other", "model_not_found", "does not exist here"),
    ],
)  # fmt: skip
def test_what_is_said_of_names_that_do_not_resolve(name: str, code: str, says: str) -> None:
    fault = refused(enabled(), name)
    assert fault.code == code
    assert says in fault.message
    assert fault.message.isprintable() and len(fault.message) < 500


def test_a_variable_that_the_shell_did_not_expand_is_named() -> None:
    fault = refused(enabled(OPENAI_API_KEY="$apikey"), "gpt-4o")
    assert fault.code == "provider_not_configured"
    assert "OPENAI_API_KEY holds text with a $ sign that the shell did not expand" in fault.message


def test_with_a_file_the_answer_names_the_file() -> None:
    fault = refused(compiled('[engines.compact]\nmodel = "smollm2-135m-instruct"\n'), "gpt-4o")
    assert 'add [providers.openai] with api_key = "env:OPENAI_API_KEY" to wicket.toml' in fault.message
    nothing = refused(compiled(""), "nobody-knows-this")
    assert "No model can be called yet" in nothing.message


def test_azure_lists_nothing_and_is_priced_as_openai() -> None:
    snapshot = enabled(AZURE_OPENAI_API_KEY="k", AZURE_OPENAI_ENDPOINT="https://me.openai.azure.com")
    assert [m["id"] for m in snapshot.models() if m["id"].startswith("azure/")] == []
    (deployment,) = snapshot.resolve("azure/gpt-4o").deployments
    assert deployment.price_id.startswith("azure/gpt-4o@")
    (deployment,) = snapshot.resolve("azure/gpt-4o-2099-01-01").deployments
    assert deployment.price_id.startswith("azure/gpt-4o@")
    (deployment,) = snapshot.resolve("azure/o1-pro").deployments
    assert deployment.price_id.startswith("openai/o1-pro@")
    assert ids(snapshot, "gpt-4o") == ["azure/gpt-4o"]


def test_a_catalogue_provider_s_prefix_is_never_taken_for_a_part_of_another_s_model() -> None:
    only_groq = enabled(GROQ_API_KEY="k")
    assert ids(only_groq, "groq/openai/gpt-oss-120b") == ["groq/openai/gpt-oss-120b"]
    fault = refused(only_groq, "openai/gpt-oss-120b")
    assert fault.code == "provider_not_configured"
    assert "groq/openai/gpt-oss-120b works now" in fault.message
    both = enabled(GROQ_API_KEY="k", OPENAI_API_KEY="k")
    assert ids(both, "openai/gpt-oss-120b") == ["openai/gpt-oss-120b"]


def test_another_name_of_a_known_model_works_bare() -> None:
    assert ids(enabled(OPENAI_API_KEY="k"), "gpt-4o-2024-11-20") == ["openai/gpt-4o-2024-11-20"]


def test_the_cache_of_dynamic_routes_is_bounded() -> None:
    snapshot = enabled(OPENAI_API_KEY="k")
    for number in range(MAX_DYNAMIC_ROUTES + 10):
        snapshot.resolve(f"openai/m-{number}")
    assert snapshot.num_dynamic_routes <= MAX_DYNAMIC_ROUTES
    assert ids(snapshot, "openai/m-1") == ["openai/m-1"]


@given(st.text(max_size=60) | st.text(max_size=30).map("openai/".__add__))
def test_any_name_is_a_route_or_an_unknown_model(name: str) -> None:
    snapshot = SHARED
    try:
        route = snapshot.resolve(name)
    except UnknownModelFault:
        return
    assert route.name == name and route.deployments


SHARED = enabled(OPENAI_API_KEY="k")
