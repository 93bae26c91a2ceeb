"""One server, one scripted provider, and all faults at once: each has a route of its own."""

import hashlib
import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from tests.faults.scenarios import (
    CLOSED,
    EVERY_S,
    HELD_LONG,
    NOBODY,
    OUTAGE,
    RELATIVES,
    SCENARIOS,
    TEXT,
    Scenario,
)
from tests.path.house import Answer, Gateway, Provider
from wicket.upstream.scripted import Seen
from wicket.upstream.scripted_script import Rule, When

COMMITS = ("whole", "first-token")
PRIMARY_KEY = "primary-credential-0123456789"
BACKUP_KEY = "backup-credential-0123456789"
ASKED = [{"role": "user", "content": "Sixty words about gateways, please."}]
TURNS = 40  # of the outage, at most

_HEAD = """
[server]
port = 0
workers = 1
[providers.calm]
base_url = "{url}"
auth = "none"
[providers.sized]
row = "openai"
base_url = "{url}"
api_key = "sized-credential-0123456789"
[models.sizes]
deployments = ["sized/gpt-4o", "sized/gpt-4", "sized/gpt-4.1"]
[models.too-long]
deployments = ["sized/gpt-4-turbo", "sized/gpt-4-0613"]
"""
_PROVIDER = """
[providers.{name}]
base_url = "{url}"
api_key = "{key}"
"""
_ROUTE = """
[models.{route}]
deployments = ["primary/p-{route}", "backup/b-{route}"]
commit = "{commit}"
timeouts = {timeouts}
"""
_SIZED = [
    Rule(When(model="gpt-4o"), error="context_length"),
    Rule(When(model="gpt-4-turbo"), error="context_length"),
]


class Outcome(msgspec.Struct):
    """What one request came to: for the caller, in the record, and as the providers saw it."""

    answer: Answer
    record: dict[str, Any]
    seen: list[Seen]
    seconds: float

    @property
    def order(self) -> str:
        """Who was asked: p and b."""
        return "".join(seen.model[0] for seen in self.seen)

    @property
    def reasons(self) -> list[str]:
        """What each try came to; a kept connection that was reset may have been an idle one."""
        found = [attempt["reason"] for attempt in self.record["attempts"]]
        return ["reset" if reason == "stale_connection" else reason for reason in found]


class Wall:
    """Everything that is under way; tests wait for the outcome they look at."""

    def __init__(self, provider: Provider, folder: Path) -> None:
        self.provider = provider
        self.gateway = Gateway(folder, _config(provider.upstream.base_url))
        self._pool = ThreadPoolExecutor(len(_routes()))
        self._outcomes: dict[str, Future[Outcome]] = {}
        self._outages: dict[str, Future[list[Outcome]]] = {}

    def start(self) -> None:
        """Wait for the server, then let everything loose."""
        self.gateway.wait_ready()
        self.provider.script(*_rules(), *_SIZED, text=TEXT)
        begun = time.monotonic()
        for route, scenario, _ in _routes():
            if scenario is OUTAGE:
                self._outages[route] = self._pool.submit(self._sequence, route, begun)
            else:
                self._outcomes[route] = self._pool.submit(self.ask, route, **scenario.fields)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self.gateway.close()

    def outcome(self, scenario: Scenario, commit: str) -> Outcome:
        return self._outcomes[route_of(scenario, commit)].result()

    def outage(self, commit: str) -> list[Outcome]:
        return self._outages[route_of(OUTAGE, commit)].result()

    def ask(self, route: str, **fields: Any) -> Outcome:
        """One streamed request."""
        return self.ask_of(route, f"p-{route}", f"b-{route}", **fields)

    def ask_of(self, model: str, *upstreams: str, **fields: Any) -> Outcome:
        """One streamed request, which `upstreams` may see."""
        before = len(self.provider.log)
        begun = time.monotonic()
        body = {
            "model": model,
            "messages": ASKED,
            "stream": True,
            "stream_options": {"include_usage": True},
            **fields,
        }
        answer = self.gateway.post("/v1/chat/completions", body)
        seconds = time.monotonic() - begun
        record = self.gateway.record(answer.headers["x-request-id"])
        return Outcome(
            answer, record, [s for s in self.provider.log[before:] if s.model in upstreams], seconds
        )

    def _sequence(self, route: str, begun: float) -> list[Outcome]:
        """A request at every turn until three in a row were the primary's at once."""
        outcomes: list[Outcome] = []
        for turn in range(TURNS):
            time.sleep(max(0.0, begun + turn * EVERY_S - time.monotonic()))
            outcomes.append(self.ask(route))
            if [outcome.order for outcome in outcomes[-3:]] == ["p"] * 3:
                break
        return outcomes


def assert_broken(frames: list[bytes], code: str) -> None:
    """A stream that ends in an error and in nothing that could be taken for an answer's end."""
    *chunks, last = [json.loads(frame) for frame in frames]
    assert list(last) == ["error"] and last["error"]["code"] == code and last["error"]["message"]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    said = "".join(choice["delta"].get("content") or "" for choice in choices)
    assert said and said != TEXT and TEXT.startswith(said)
    assert not any(choice["finish_reason"] for choice in choices)


def sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def route_of(scenario: Scenario, commit: str) -> str:
    return f"{scenario.name}-{commit}"


def _routes() -> list[tuple[str, Scenario, str]]:
    pairs = [
        (scenario, commit)
        for commit in COMMITS
        for scenario in (OUTAGE, *SCENARIOS, *RELATIVES, CLOSED, *NOBODY)
    ]
    pairs += [(scenario, "whole") for scenario in HELD_LONG]
    return [(route_of(scenario, commit), scenario, commit) for scenario, commit in pairs]


def _config(url: str) -> str:
    """Both providers' prices differ, so that a charge tells whose tokens it is for."""
    parts = [_HEAD.format(url=url)]
    for name, key, price in (("primary", PRIMARY_KEY, 100.0), ("backup", BACKUP_KEY, 1.0)):
        parts.append(_PROVIDER.format(name=name, url=url, key=key))
        for route, _, _ in _routes():
            parts.append(f"prices.{name[0]}-{route} = {{ input = {price}, output = {2 * price} }}\n")
    for route, scenario, commit in _routes():
        parts.append(_ROUTE.format(route=route, commit=commit, timeouts=scenario.timeouts))
    return "".join(parts)


def _rules() -> list[Rule]:
    rules = []
    for route, scenario, _ in _routes():
        for model, written in ((f"p-{route}", scenario.primary), (f"b-{route}", scenario.backup)):
            for actions in written:
                rest = {name: value for name, value in actions.items() if name != "when"}
                rules.append(Rule(When(model=model, **actions.get("when", {})), **rest))
    return rules
