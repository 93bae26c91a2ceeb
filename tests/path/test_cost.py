"""Money told before and after, over a real server: estimates, records, usage, savings, statements."""

import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.path.house import HELLO, SECRET, Gateway, Provider, rule
from tests.path.served import LIMIT_S

CONFIG = """
[server]
port = 0
[providers.one]
base_url = "{url}"
api_key = "{secret}"
models = ["small", "large"]
prices.small = {{ input = 1.0, output = 2.0 }}
prices.large = {{ input = 10.0, output = 40.0, services = {{ flex = {{ input = 5.0, output = 20.0 }} }} }}
[models.pair]
deployments = ["one/small", "one/large"]
markup = 0.5
"""
ESTIMATE = "/v1/cost/estimate"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, one_provider: Provider) -> Iterator[Gateway]:
    text = CONFIG.format(url=one_provider.upstream.base_url, secret=SECRET)
    served = Gateway(tmp_path_factory.mktemp("cost"), text)
    try:
        yield served.wait_ready()
    finally:
        served.close()


def command(house: Gateway, *words: str, code: int = 0, text: str = "") -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("WICKET_")}
    ran = subprocess.run(
        [sys.executable, "-m", "wicket.cli", *words],
        env={**environ, "WICKET_HOME": str(house.home)},
        input=text,
        capture_output=True,
        check=False,
        text=True,
        timeout=LIMIT_S,
    )
    assert ran.returncode == code, ran.stderr
    return ran


def estimated(house: Gateway, body: Any) -> Any:
    answer = house.post(ESTIMATE, body)
    assert answer.status == 200, answer.json
    return answer.json


def plain_answer(provider: Provider, prompt: int, completion: int, **members: Any) -> None:
    answer = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
        **members,
    }
    provider.script(rule(body=json.dumps(answer)))


def test_an_estimate_names_every_deployment_and_asks_nobody(house: Gateway, provider: Provider) -> None:
    before = len(provider.log)
    request = {"model": "pair", "messages": HELLO, "max_tokens": 100}
    found = estimated(house, {"request": request, "requests_per_day": 1_000})
    small, large = found["candidates"]
    assert [small["deployment"], large["deployment"]] == ["one/small", "one/large"]
    assert small["output_tokens"] == small["max_output_tokens"] == 100
    assert small["cost_usd"] == pytest.approx((small["input_tokens"] + 200) / 1e6)
    assert small["max_cost_usd"] == pytest.approx((small["max_input_tokens"] + 200) / 1e6)
    assert small["charge_usd"] == pytest.approx(1.5 * small["cost_usd"])
    assert 0 < small["cost_usd"] < small["max_cost_usd"] < large["max_cost_usd"]
    assert found["expected"]["deployment"] == "one/small" and found["largest"]["deployment"] == "one/large"
    assert found["month"]["requests"] == 30_000
    assert found["month"]["cost_usd"] == pytest.approx(30_000 * small["cost_usd"])
    assert len(provider.log) == before


def test_without_a_limit_on_the_output_there_is_no_most(house: Gateway) -> None:
    found = estimated(house, {"request": {"model": "pair", "messages": HELLO}})
    assert {one["max_cost_usd"] for one in found["candidates"]} == {None}
    assert all(one["cost_usd"] > 0 for one in found["candidates"])


@pytest.mark.parametrize(
    ("api", "request_body", "model"),
    [
        ("messages", {"model": "pair", "max_tokens": 10, "messages": HELLO}, ""),
        ("/v1/messages", {"model": "pair", "max_tokens": 10, "messages": HELLO}, ""),
        ("responses", {"model": "pair", "max_output_tokens": 10, "input": "Say it."}, ""),
        (
            "/v1beta/models/pair:generateContent",
            {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"maxOutputTokens": 10}},
            "",
        ),
        (
            "generateContent",
            {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"maxOutputTokens": 10}},
            "pair",
        ),
        ("/openai/v1/chat/completions", {"model": "pair", "max_tokens": 10, "messages": HELLO}, ""),
    ],
)
def test_requests_of_every_dialect_are_estimated(
    house: Gateway, api: str, request_body: dict[str, Any], model: str
) -> None:
    found = estimated(house, {"api": api, "request": request_body, "model": model})
    assert [one["max_output_tokens"] for one in found["candidates"]] == [10, 10]


def test_an_image_by_reference_is_in_the_bound(house: Gateway) -> None:
    part = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    request = {"model": "pair", "max_tokens": 1, "messages": [{"role": "user", "content": [part]}]}
    assert estimated(house, {"request": request})["candidates"][0]["max_input_tokens"] > 49_000


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "request"),
        ({"request": []}, 400, "request"),
        ({"request": {"messages": HELLO}}, 400, "model"),
        ({"request": {"model": "pair"}}, 400, "messages"),
        ({"request": {"model": "nobody/x", "messages": HELLO}}, 404, "model"),
        ({"request": {"model": "pair", "messages": HELLO, "max_tokens": -1}}, 400, "max_tokens"),
        ({"request": {"model": "pair", "messages": HELLO}, "api": "telepathy"}, 400, "api"),
        ({"request": {"model": "pair", "messages": HELLO}, "api": "/v1/nothing"}, 400, "api"),
        ({"request": {"model": "pair", "messages": HELLO}, "requests_per_day": -1}, 400, "requests_per_day"),
        (
            {"request": {"model": "pair", "messages": HELLO}, "requests_per_day": 1e300},
            400,
            "requests_per_day",
        ),
        ({"request": {"model": "pair", "messages": HELLO}, "surprise": 1}, 400, "surprise"),
    ],
)
def test_a_bad_estimate_is_refused_by_name(house: Gateway, body: Any, status: int, param: str) -> None:
    answer = house.post(ESTIMATE, body)
    assert (answer.status, answer.error["param"]) == (status, param), answer.json


def test_an_estimate_needs_a_key(house: Gateway) -> None:
    assert house.post(ESTIMATE, {"request": {"model": "pair", "messages": HELLO}}, key=None).status == 401


def test_a_record_says_what_was_expected_what_it_was_and_what_the_largest_costs(
    house: Gateway, provider: Provider
) -> None:
    plain_answer(provider, 1_000, 500)
    answer = house.chat("pair")
    record = house.record(answer.headers["x-request-id"])
    assert record["deployment"] == "one/small"
    assert record["cost_usd"] == pytest.approx((1_000 + 2 * 500) / 1e6)
    assert record["large_cost_usd"] == pytest.approx((10 * 1_000 + 40 * 500) / 1e6)
    assert record["estimate_usd"] > 0 and record["other"] == {}


def test_a_class_of_service_is_billed_as_the_answer_says(house: Gateway, provider: Provider) -> None:
    plain_answer(provider, 1_000, 500, service_tier="flex")
    record = house.record(house.chat("one/large", service_tier="flex").headers["x-request-id"])
    assert record["other"] == {"service": "flex"}
    assert record["cost_usd"] == pytest.approx((5 * 1_000 + 20 * 500) / 1e6)
    plain_answer(provider, 1_000, 500, service_tier="default")
    record = house.record(house.chat("one/large", service_tier="flex").headers["x-request-id"])
    assert record["cost_usd"] == record["large_cost_usd"] == pytest.approx((10 * 1_000 + 40 * 500) / 1e6)


def test_usage_savings_and_statements_tell_the_same_story(
    house: Gateway, provider: Provider, tmp_path: Path
) -> None:
    made = house.admin("POST", "/admin/v1/keys", {"name": "=cmd|' /C calc'!A0", "team": "@sum(1)"})
    plain_answer(provider, 2_000, 1_000)
    asked = house.chat("pair", key=made["key"])
    house.record(asked.headers["x-request-id"])
    month = time.strftime("%Y-%m", time.gmtime(int(asked.headers["x-request-id"][4:], 16) / (1 << 21) / 1000))
    cost, charge, large = 4_000 / 1e6, 6_000 / 1e6, 60_000 / 1e6

    saved = json.loads(command(house, "savings", "--by", "team,model", "--json").stdout)
    row = next(one for one in saved["rows"] if one["team"] == "@sum(1)")
    assert (row["spent_usd"], row["large_only_usd"]) == (pytest.approx(cost), pytest.approx(large))
    assert saved["all"]["requests"] == sum(one["requests"] for one in saved["rows"])

    rows = list(csv.DictReader(io.StringIO(command(house, "usage", "--by", "key,team", "--csv").stdout)))
    row = next(one for one in rows if one["team"] == "'@sum(1)")
    assert row["key_name"] == "'=cmd|' /C calc'!A0" and row["charge_usd"] == "0.006"
    assert all(not cell.startswith(("=", "+", "@")) for one in rows for cell in one.values())

    for number, (kind, usd) in enumerate((("top_up", "3"), ("grant", "0.5"))):
        credit = {"team": "@sum(1)", "usd": usd, "kind": kind, "idempotency_key": f"statement-{number}"}
        moved = house.admin("POST", "/admin/v1/credits", credit)
        if kind == "top_up":
            back = {"of": moved["id"], "usd": "1", "idempotency_key": "statement-back"}
            house.admin("POST", "/admin/v1/credits/refund", back)
    document = json.loads(command(house, "statement", month, "--team", "@sum(1)", "--json").stdout)
    assert document["time_zone"] == "UTC" and document["requests"] == 1
    moved = [(one["kind"], one["amount_usd"]) for one in document["movements"]]
    assert moved == [("top_up", 3.0), ("refund", -1.0), ("grant", 0.5)]
    assert document["charge_usd"] == pytest.approx(charge) and document["models"][0]["model"] == "pair"
    page = tmp_path / "statement.html"
    command(house, "statement", month, "--team", "@sum(1)", "--html", str(page))
    text = page.read_text()
    assert "UTC" in text and "$0.006" in text and "<script" not in text and "http://" not in text
    assert "pair" in command(house, "statement", month, "--key", made["id"]).stdout
    lines = list(csv.DictReader(io.StringIO(command(house, "statement", month, "--csv").stdout)))
    assert {one["kind"] for one in lines} >= {"usage", "top_up", "refund", "grant"}


@pytest.mark.parametrize(
    ("path", "status", "param"),
    [
        ("/admin/v1/statements/2026-13", 400, "month"),
        ("/admin/v1/statements/november", 400, "month"),
        ("/admin/v1/statements/2026-11?team=nobody", 404, None),
        ("/admin/v1/statements/2026-11?key=nobody", 404, None),
        ("/admin/v1/statements/2026-11?team=a&key=b", 400, None),
        ("/admin/v1/statements/2026-11?format=pdf", 400, "format"),
        ("/admin/v1/statements/2026-11?teem=a", 400, "teem"),
        ("/admin/v1/usage?format=html", 400, "format"),
        ("/admin/v1/savings?by=deployment", 400, "by"),
    ],
)
def test_bad_questions_are_refused_by_name(house: Gateway, path: str, status: int, param: str | None) -> None:
    answer = house.request("GET", path)
    assert answer.status == status, answer.json
    if param is not None:
        assert answer.error["param"] == param


def test_the_command_estimates_with_and_without_a_server(house: Gateway, tmp_path: Path) -> None:
    request = json.dumps({"model": "one/small", "messages": HELLO, "max_tokens": 100})
    told = command(house, "estimate", "-", "--model", "pair", "--requests-per-day", "10", text=request).stdout
    assert "one/large" in told and "30 days, 300 requests" in told
    config = tmp_path / "wicket.toml"
    config.write_text(CONFIG.format(url="http://127.0.0.1:9/v1", secret="x"))
    alone = json.loads(
        command(house, "estimate", "-", "--config", str(config), "--json", text=request).stdout
    )
    assert alone["candidates"][0]["max_output_tokens"] == 100
    wrong = command(house, "estimate", "-", "--requests-per-day", "nan", text=request, code=1)
    assert "requests-per-day" in wrong.stderr
