"""What a request may say of its route, over a real server: models, providers, suffixes, limits, explain."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.path.house import CANARY, HELLO, SECRET, Gateway, Provider, names, rule
from tests.path.served import LIMIT_S

CONFIG = """
[server]
port = 0
[providers.one]
base_url = "{url}"
api_key = "{secret}"
models = ["shared", "alone"]
region = "eu-west-1"
data_collection = "deny"
prices.shared = {{ input = 1.0, output = 4.0 }}
[providers.two]
base_url = "{url}"
api_key = ["{secret}-a", "{secret}-b"]
models = ["shared"]
prices.shared = {{ input = 3.0, output = 1.0 }}
remove = ["user"]
[models.pair]
deployments = [
    {{ id = "one/first", features = ["tools"] }},
    {{ id = "two/second", features = ["tools", "vision"], context_tokens = 8000 }},
]
[models.paid]
deployments = ["two/shared"]
markup = 0.5
[models.strict]
deployments = ["two/shared", "one/shared"]
region = "eu"
"""
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, one_provider: Provider) -> Iterator[Gateway]:
    text = CONFIG.format(url=one_provider.upstream.base_url, secret=SECRET)
    served = Gateway(tmp_path_factory.mktemp("choosing"), text)
    try:
        yield served.wait_ready()
    finally:
        served.close()


def command(house: Gateway, *words: str) -> str:
    """What `wicket` prints."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("WICKET_")}
    ran = subprocess.run(
        [sys.executable, "-m", "wicket.cli", *words],
        env={**environ, "WICKET_HOME": str(house.home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT_S,
    )
    assert ran.stderr == ""
    return ran.stdout


def who(gateway: Gateway, model: str, **fields: Any) -> str:
    answer = gateway.chat(model, **fields)
    assert answer.status == 200, answer.body
    return answer.headers["x-wicket-deployment"]


def test_models_are_asked_one_after_the_other(house: Gateway, provider: Provider) -> None:
    provider.script(rule("alone", status=503), rule("first", status=503), rule("second", status=503))
    answer = house.chat("one/alone", models=["pair", "paid"])
    assert (answer.status, answer.headers["x-wicket-deployment"]) == (200, "two/shared")
    asked = list(dict.fromkeys(names(provider.log)))
    assert asked == ["alone", "first", "second", "shared"]
    assert all(not {"models", "provider", "wicket"} & seen.fields.keys() for seen in provider.log)
    record = house.record(answer.headers["x-request-id"])
    assert record["model"] == "one/alone" and record["served_model"] == "shared"
    assert record["charge_usd"] == pytest.approx(1.5 * record["attempts"][-1]["cost_usd"]), (
        "paid has a markup"
    )
    for attempt in record["attempts"]:
        assert attempt["status"] in (200, 503) and attempt["ended_ms"] >= attempt["started_ms"] >= 0
        assert (attempt["reason"] == "ok") == (attempt["status"] == 200)
        assert (attempt["cost_usd"] > 0) == (attempt["deployment"] == "two/shared")


def test_models_may_stand_alone_and_each_needs_the_keys_leave(house: Gateway, provider: Provider) -> None:
    provider.script()
    body = {"models": ["pair", "paid"], "messages": HELLO}
    assert house.post("/v1/chat/completions", body).headers["x-wicket-deployment"] == "one/first"
    key = house.admin("POST", "/admin/v1/keys", {"name": "n", "models": ["pair"]})["key"]
    refused = house.post("/v1/chat/completions", body, key)
    assert (refused.status, refused.error["param"]) == (403, "models[1]")
    assert house.chat("pair:floor", key).status == 200
    assert house.chat("paid:floor", key).status == 403


def test_providers_of_a_bare_name_are_chosen_by_the_request(house: Gateway, provider: Provider) -> None:
    provider.script()
    assert house.chat("shared").status == 404, "without a choice the name is not one"
    assert who(house, "shared", provider={"order": ["two"]}) == "two/shared"
    assert who(house, "shared", provider={"only": ["ONE"]}) == "one/shared"
    assert who(house, "shared", provider={"ignore": ["one"]}) == "two/shared"
    long = {"max_tokens": 4_000}
    assert who(house, "shared:floor", **long) == "two/shared"
    assert who(house, "shared", max_tokens=1, provider={"sort": "price"}) == "one/shared"
    assert who(house, "shared", wicket={"policy": "price"}, **long) == "two/shared"
    assert who(house, "shared:nitro") in ("one/shared", "two/shared")
    assert who(house, "shared", provider={"max_price": {"prompt": 2}}) == "one/shared"
    assert who(house, "shared", provider={"data_collection": "deny"}) == "one/shared"
    assert (
        who(house, "shared", user="u", provider={"order": ["two"], "require_parameters": True})
        == "one/shared"
    )
    answer = house.chat("shared", provider={"only": ["two"], "preferred_max_latency": 2}, user="u")
    assert answer.headers["x-wicket-dropped"] == "provider.preferred_max_latency,user"


def test_without_fallbacks_the_failure_is_the_callers(house: Gateway, provider: Provider) -> None:
    provider.script(rule("first", status=503))
    only = {"order": ["one"], "allow_fallbacks": False}
    answer = house.chat("pair", provider=only)
    assert answer.status >= 500 and set(names(provider.log)) == {"first"}


def test_a_need_or_a_limit_passes_a_deployment_over(house: Gateway, provider: Provider) -> None:
    provider.script()
    assert who(house, "pair") == "one/first"
    assert who(house, "pair", messages=IMAGE) == "two/second"
    assert who(house, "strict") == "one/shared"
    refused = house.chat("strict", provider={"ignore": ["one"]})
    assert (refused.status, refused.error["code"]) == (400, "no_deployment_left")
    assert refused.error["message"] == (
        "Nobody is left to answer 'strict': two/shared region unknown, not eu; "
        "one/shared its provider is in provider.ignore."
    )
    assert refused.error["param"] == "provider.ignore"


def test_limits_of_time_are_the_requests_own(house: Gateway, provider: Provider) -> None:
    provider.script(rule("alone", silent=True))
    answer = house.chat("one/alone", wicket={"timeouts": {"total_s": 0.2}})
    assert answer.status == 504
    provider.script()
    assert house.chat("one/alone").status == 200


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"models": [3]}, "models[0]"),
        ({"models": ["nobodys"]}, "models[0]"),
        ({"models": ["a b"]}, "models[0]"),
        ({"provider": {"order": ["nobody"]}}, "provider.order[0]"),
        ({"wicket": {"explain": 1}}, "wicket.explain"),
        ({"route": 1}, "route"),
    ],
)
def test_a_wrong_word_is_refused_by_its_name(
    house: Gateway, provider: Provider, fields: dict[str, Any], param: str
) -> None:
    provider.script()
    answer = house.chat("pair", **fields)
    assert 400 <= answer.status < 500 and answer.error["param"] == param
    assert provider.log == []


def test_explain_shows_the_plan_and_asks_nobody(house: Gateway, provider: Provider) -> None:
    provider.script()
    asked = {"provider": {"order": ["two"]}, "wicket": {"explain": True, "timeouts": {"gap_s": 2}}}
    answer = house.chat("pair", messages=IMAGE, models=["paid"], stream=True, **asked)
    plan = answer.json
    assert (answer.status, plan["object"], provider.log) == (200, "plan", [])
    house.record(house.chat("pair").headers["x-request-id"])  # what came later is recorded, so this never is
    assert house.request("GET", f"/v1/requests/{answer.headers['x-request-id']}").status == 404
    shown = [(one["deployment"], one["credential"]) for one in plan["candidates"]]
    assert shown == [("two/second", 0), ("two/second", 1), ("two/shared", 0), ("two/shared", 1)]
    first = plan["candidates"][0]
    assert (first["context_tokens"], first["region"]) == (8000, None)
    assert first["features"]["vision"] is True and first["features"]["audio"] is False
    assert first["reason"].startswith("provider.order[0]; as configured")
    assert plan["candidates"][2]["estimate_usd"] > 0
    assert [(one["deployment"], one["reason"]) for one in plan["filtered"]] == [
        ("one/first", "sees no images")
    ]
    assert plan["needs"]["features"] == ["vision"] and plan["timeouts"]["gap_s"] == 2.0
    assert SECRET not in answer.body.decode()
    nobody = house.chat("strict", provider={"only": ["two"]}, wicket={"explain": True})
    assert nobody.status == 200 and nobody.json["candidates"] == [] and len(nobody.json["filtered"]) == 3


def test_wicket_explain_asks_the_server_and_does_without(house: Gateway, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"model": "pair", "messages": [{"role": "user", "content": CANARY}]}))
    told = json.loads(command(house, "explain", str(request), "--json"))
    alone = json.loads(command(house, "explain", str(request), "--json", "--config", str(house.file)))
    for plan in (told, alone):
        assert [one["deployment"] for one in plan["candidates"]] == ["one/first", "two/second", "two/second"]
    shown = command(house, "explain", str(request), "--model", "shared:floor")
    assert "one/shared" in shown and "policy   price" in shown and CANARY not in shown
