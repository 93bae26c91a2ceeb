"""Answers that a provider makes in the background, with OpenAI's SDK: their ids, their end, what they cost."""

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.path.house import Gateway, Provider, rule
from tests.path.served import eventually

CONFIG = """
[server]
port = 0
workers = 2
[storage]
responses = "provider"
[providers.own]
base_url = "{url}"
api_key = ["one-credential", "another-credential"]
dialect = "openai_responses"
models = ["gpt-5"]
prices.gpt-5 = {{ input = 1.0, output = 10.0 }}
[providers.mine]
base_url = "{url}"
api_key = "k"
models = ["plain"]
[models.dear]
deployments = ["own/gpt-5"]
markup = 0.5
[models.either]
deployments = ["own/gpt-5", "mine/plain"]
"""
# "Say it." has two words, the scripted answer six: 2 x 1 + 6 x 10 USD per million
COST = 62_000


@pytest.fixture(scope="module")
def served(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("background")
    found = Gateway(folder, CONFIG.format(url=one_provider.upstream.base_url))
    try:
        yield found.wait_ready()
    finally:
        found.close()


def client_of(served: Gateway, key: str = "") -> OpenAI:
    return OpenAI(base_url=f"{served.url}/v1", api_key=key or served.key, max_retries=0)


def new_key(served: Gateway, team: str = "") -> dict[str, Any]:
    made: dict[str, Any] = served.admin("POST", "/admin/v1/keys", {"name": "k", "team": team})
    return made


def dues(served: Gateway) -> int:
    if not (served.home / "kept.db").exists():
        return 0
    with closing(sqlite3.connect(served.home / "kept.db")) as connection:
        found: int = connection.execute("SELECT count(*) FROM dues").fetchone()[0]
        return found


def record_of(served: Gateway, number: str) -> dict[str, Any]:
    found: dict[str, Any] = served.request("GET", f"/v1/requests/{number}").json
    return found


def settled(served: Gateway, number: str) -> dict[str, Any]:
    """The record, once it is in the ledger and nothing is due any more."""
    eventually(lambda: record_of(served, number)["outcome"] != "under_way")
    eventually(lambda: dues(served) == 0)
    return record_of(served, number)


def begin(client: OpenAI, model: str = "own/gpt-5", **fields: Any) -> tuple[Any, str]:
    """A new answer in the background, and its request's id."""
    raw = client.responses.with_raw_response.create(model=model, input="Say it.", background=True, **fields)
    assert "x-wicket-cost-usd" not in raw.headers
    return raw.parse(), raw.headers["x-request-id"]


def num_records(served: Gateway, number: str) -> int:
    with closing(sqlite3.connect(served.home / "wicket.db")) as connection:
        query = "SELECT count(*) FROM requests WHERE id = ?"
        found: int = connection.execute(query, (int(number.removeprefix("req_"), 16),)).fetchone()[0]
        return found


def test_a_caller_who_asks_settles_it_once(served: Gateway, provider: Provider) -> None:
    provider.script(looks=2)
    with client_of(served) as client:
        answer, number = begin(client, "dear")
        assert answer.status == "queued" and answer.background and len(answer.id) > 30
        shown = record_of(served, number)
        assert shown["outcome"] == "under_way" and float(shown["charge_usd"]) == 0
        assert num_records(served, number) == 0 and dues(served) == 1
        assert client.responses.retrieve(answer.id).status == "in_progress"
        raw = client.responses.with_raw_response.retrieve(answer.id)
        done = raw.parse()
        assert done.status == "completed" and done.id == answer.id and done.output_text
        assert float(raw.headers["x-wicket-cost-usd"]) == COST * 1.5 / 1e9
        found = settled(served, number)
        assert (found["outcome"], found["status"]) == ("ok", 200)
        assert (float(found["cost_usd"]), float(found["charge_usd"])) == (COST / 1e9, COST * 1.5 / 1e9)
        again = client.responses.with_raw_response.retrieve(answer.id)
        assert again.parse().id == answer.id and "x-wicket-cost-usd" not in again.headers
        assert num_records(served, number) == 1 and record_of(served, number) == found
