"""Policies that look at how deployments have been doing, over a real server: what traffic taught decides."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.path.conftest import Open
from tests.path.house import HELLO, Gateway, Provider, names, rule
from tests.path.served import eventually
from tests.path.test_choosing import command

CONFIG = """
[server]
port = 0
workers = {workers}
metrics_public = true
[providers.one]
base_url = "{{url}}"
auth = "none"
prices.m = {{{{ input = 1.0, output = 1.0 }}}}
[providers.two]
base_url = "{{url}}"
auth = "none"
prices.m = {{{{ input = 2.0, output = 2.0 }}}}
prices.n = {{{{ input = 2.0, output = 2.0 }}}}
[models.quickest]
deployments = ["one/slow", "two/quick"]
policy = "latency"
hedge = {{{{ after_s = 30 }}}}
[models.idle]
deployments = ["one/busy", "two/idle"]
policy = "least_busy"
[models.roomy]
deployments = ["one/tight", "two/loose"]
policy = "headroom"
[models.fluent]
deployments = ["one/drawl", "two/fluent"]
policy = "throughput"
[models.cheapest]
deployments = ["two/n", "one/m"]
policy = "price"
"""


def config(workers: int = 1) -> str:
    return CONFIG.format(workers=workers)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, one_provider: Provider) -> Iterator[Gateway]:
    served = Gateway(tmp_path_factory.mktemp("health"), config().format(url=one_provider.upstream.base_url))
    try:
        yield served.wait_ready()
    finally:
        served.close()


def who(gateway: Gateway, model: str, **fields: Any) -> str:
    answer = gateway.chat(model, **fields)
    assert answer.status == 200, answer.body
    return answer.headers["x-wicket-deployment"]


def test_the_one_that_speaks_first_is_asked_first(house: Gateway, provider: Provider, tmp_path: Path) -> None:
    provider.script(rule("slow", first_token_ms=900))
    for model in ("one/slow", "two/quick"):
        who(house, model, stream=True)
    assert {who(house, "quickest", stream=True) for _ in range(6)} == {"two/quick"}
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"model": "quickest", "messages": HELLO, "stream": True}))
    told = json.loads(command(house, "explain", str(request), "--json"))
    first, second = told["candidates"]
    assert first["deployment"] == "two/quick" and first["health"]["first_token_ms"] < 800
    assert second["health"]["first_token_ms"] > first["health"]["first_token_ms"]
    assert first["health"]["late_ms"] == 30_000 and told["hedge"]["after_s"] == 30
    shown = command(house, "explain", str(request))
    assert "when the first is later than 30 s, 5.00% of the requests at most" in shown
    assert "FIRST TOKEN" in shown and "30.0 s" in shown


def test_the_one_with_less_to_do_is_asked_first(house: Gateway, provider: Provider) -> None:
    provider.script(rule("busy", silent=True))
    held = json.dumps({"model": "one/busy", "messages": HELLO}).encode()
    with house.dial() as holder:
        holder.sendall(house.head(held, f"content-length: {len(held)}"))
        provider.until(lambda log: len(log) == 1)
        assert {who(house, "idle") for _ in range(6)} == {"two/idle"}


def test_the_one_with_room_in_its_limits_is_asked_first(house: Gateway, provider: Provider) -> None:
    def told(left: int) -> dict[str, str]:
        return {
            "anthropic-ratelimit-requests-limit": "1000",
            "anthropic-ratelimit-requests-remaining": str(left),
            "anthropic-ratelimit-requests-reset": "2099-01-01T00:00:00Z",
            "date": "Fri, 01 Jan 2099 00:00:00 GMT",
        }

    openai = {"x-ratelimit-limit-tokens": "1000", "x-ratelimit-reset-tokens": "10m0s"}
    provider.script(
        rule("tight", headers={**openai, "x-ratelimit-remaining-tokens": "40"}),
        rule("loose", headers={**openai, "x-ratelimit-remaining-tokens": "700"}),
    )
    for model in ("one/tight", "two/loose"):
        who(house, model)
    assert {who(house, "roomy") for _ in range(6)} == {"two/loose"}


def test_the_one_that_writes_faster_is_asked_first(house: Gateway, provider: Provider) -> None:
    provider.script(rule("drawl", gap_ms=120), rule("fluent", gap_ms=2))
    for model in ("one/drawl", "two/fluent"):
        who(house, model, stream=True, stream_options={"include_usage": True})
    assert {who(house, "fluent", stream=True) for _ in range(12)} == {"two/fluent"}


@pytest.mark.parametrize("model", ["cheapest", "quickest"])
def test_a_cooldown_that_one_worker_saw_is_every_workers(
    open_gateway: Open, provider: Provider, model: str
) -> None:
    gateway = open_gateway(config(workers=2))
    limited = {"error": "rate_limit", "headers": {"retry-after": "120"}}
    provider.script(rule("m", **limited), rule("quick", **limited))
    for spared in ("one/m", "two/quick"):
        assert gateway.chat(spared).status == 429
    other = "two/n" if model == "cheapest" else "one/slow"

    def is_known() -> bool:
        found = gateway.admin("GET", "/admin/v1/status")["deployments"]
        return sum(one["state"] == "open" for one in found) == 2

    eventually(is_known)
    gateway.worker_pids()
    provider.script(rule("m", **limited), rule("quick", **limited))
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(lambda _: who(gateway, model), range(40))) == {other}
    assert set(names(provider.log)) == {other.split("/")[1]}
    text = gateway.request("GET", "/metrics", key=None).body.decode()
    assert 'wicket_deployment_state{deployment="one/m",credential="0",state="open"} 1' in text


# Odd and hostile words


DEEP = b'{"model":"cheapest","messages":[{"role":"user","content":"x"}],%b}'


@pytest.mark.parametrize(
    ("more", "param"),
    [
        (b'"provider":' + b'{"order":' * 5_000 + b"1" + b"}" * 5_000, ""),
        (b'"models":' + b"[" * 100_000 + b"]" * 100_000, ""),
        (b'"wicket":' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000, ""),
        (b'"models":[%b]' % b",".join(b'"m%d"' % one for one in range(10_000)), "models"),
        (b'"models":["\\ud83d\\ude00"]', "models[0]"),
        (b'"models":["caf\\u00e9"]', "models[0]"),
        (b'"models":["one/m\\u0000"]', "models[0]"),
        (b'"models":["one/m\\r\\nx: y"]', "models[0]"),
        (b'"models":[""]', "models[0]"),
        (b'"models":{"a":1}', "models"),
        (b'"models":["auto"]', None),  # no engine here: it is the others
        (b'"models":["mini"]', "models[0]"),
        (b'"models":["one/"]', "models[0]"),
        (b'"models":["/m"]', "models[0]"),
        (b'"models":[":floor"]', "models[0]"),
        (b'"models":["cheapest:floor:nitro"]', "models[0]"),
        (b'"provider":{"order":["\\ud83d\\ude00"]}', "provider.order[0]"),
        (b'"provider":{"order":[%b]}' % b",".join([b'"one"'] * 10_000), "provider.order"),
        (b'"provider":{"max_price":{"prompt":1e400}}', "provider"),
        (b'"provider":{"max_price":{"prompt":"nan"}}', "provider.max_price.prompt"),
        (b'"provider":{"max_price":{"prompt":-1}}', "provider.max_price.prompt"),
        (b'"provider":{"max_price":{"prompt":"1e999"}}', "provider.max_price.prompt"),
        (b'"provider":{"only":[]}', "provider.only"),
        (b'"provider":"one"', "provider"),
        (b'"provider":{"sort":{"by":{"by":1}}}', "provider.sort"),
        (b'"wicket":{"timeouts":{"total_s":0}}', "wicket.timeouts.total_s"),
        (b'"wicket":{"timeouts":{"total_s":-1}}', "wicket.timeouts.total_s"),
        (b'"wicket":{"timeouts":{"total_s":"5"}}', "wicket.timeouts.total_s"),
        (b'"wicket":{"timeouts":{"first_token_s":1e-300}}', None),
        (b'"wicket":{"policy":"cascade"}', "wicket.policy"),
        (b'"wicket":{"policy":"../../etc"}', "wicket.policy"),
        (b'"wicket":{"commit":true}', "wicket.commit"),
        (b'"models":["cheapest","cheapest:floor","two/n","one/m","cheapest"]', None),
        (b'"models":null,"provider":null,"wicket":null,"route":null', None),
        (b'"provider":{"order":["one","ONE","one"],"ignore":[],"region":null}', None),
    ],
    ids=range(35),
)
def test_what_a_caller_says_of_routing_is_kept_or_refused_by_name(
    house: Gateway, provider: Provider, more: bytes, param: str | None
) -> None:
    provider.script()
    answer = house.post("/v1/chat/completions", DEEP % more)
    if param is None:
        assert answer.status == 200, answer.body
        return
    assert 400 <= answer.status < 500, answer.body
    assert (answer.error["param"] or "") == param, answer.error
    assert provider.log == []


def test_the_readmes_configuration_works_as_pasted(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    [text] = [block for block in re.findall(r"```toml\n(.*?)```", readme, re.DOTALL) if "hedge" in block]
    environ = {name: f"{name}-0123456789" for name in ("OPENAI_KEY_A", "OPENAI_KEY_B", "ANTHROPIC_API_KEY")}
    gateway = Gateway(tmp_path, text, WICKET_PORT="0", **environ)
    try:
        told = plan_of(gateway.wait_ready(), "assistant", stream=True)
        assert [(one["deployment"], one["credential"]) for one in told["candidates"]] == [
            ("openai/gpt-4o-mini", 0),
            ("openai/gpt-4o-mini", 1),
            ("anthropic/claude-haiku-4-5", 0),
        ]
        assert told["candidates"][2]["features"]["prefill"] is True, "it can continue an answer"
        assert told["continue"] is True and told["hedge"]["max_share"] == 0.05
        [lane] = gateway.admin("GET", "/admin/v1/status")["lanes"]
        assert (lane["provider"], lane["max_concurrent"]) == ("openai", 64)
    finally:
        gateway.close()


def plan_of(gateway: Gateway, model: str, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = gateway.chat(model, wicket={"explain": True}, **fields).json
    return found


@pytest.mark.parametrize("region", ["eu", ["us", "eu"], "EU-Central"])
def test_a_caller_may_say_where(open_gateway: Open, provider: Provider, region: Any) -> None:
    gateway = open_gateway(config().replace('auth = "none"', 'auth = "none"\nregion = "eu-central-1"', 1))
    provider.script()
    for model in ("quickest", "idle", "cheapest"):
        assert who(gateway, model, provider={"region": region}).startswith("one/")
    refused = gateway.chat("quickest", provider={"region": "mars"})
    assert (refused.status, refused.error["code"]) == (400, "no_deployment_left")
    assert refused.error["param"] == "provider.region"
