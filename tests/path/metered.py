"""Servers whose callers have limits, and clients that come many at a time."""

import http.client
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.path.house import Answer, Gateway
from tests.path.served import eventually

LIMITED = """
[server]
port = 0
workers = {workers}
[providers.mine]
base_url = "{{url}}"
api_key = "{{secret}}"
models = ["plain", "unpriced"]
prices.plain = {{{{ input = 10.0, output = 100.0 }}}}
prices.free = {{{{ input = 0.0, output = 0.0 }}}}
"""


class Metered:
    """A gateway with one virtual key of a team."""

    def __init__(self, gateway: Gateway, team: str = "research") -> None:
        self.gateway = gateway
        made = gateway.admin("POST", "/admin/v1/keys", {"name": "ada", "team": team})
        self.id, self.key = made["id"], made["key"]
        self.team = team

    def limit(self, unit: str, amount: int, window: str = "", **more: Any) -> dict[str, Any]:
        seconds = {"": 0, "minute": 60, "day": 86_400}[window]
        body = {"unit": unit, "amount": amount, "window_s": seconds, **(more or {"key": self.id})}
        found: dict[str, Any] = self.gateway.admin("PUT", "/admin/v1/limits", body)
        return found

    def budget(self, usd: str, period: str = "total", **more: Any) -> dict[str, Any]:
        body = {"usd": usd, "period": period, "team": self.team, **more}
        found: dict[str, Any] = self.gateway.admin("PUT", "/admin/v1/budgets", body)
        return found

    def chat(self, **fields: Any) -> Answer:
        return self.gateway.chat(key=self.key, **fields)

    def burst(self, number: int, **fields: Any) -> list[Answer]:
        """So many at once, each on a connection of its own."""
        start = threading.Barrier(number)

        def one(_: int) -> Answer:
            start.wait()
            return self.chat(**fields)

        with ThreadPoolExecutor(number) as pool:
            return list(pool.map(one, range(number)))

    def own(self) -> dict[str, Any]:
        """What the key is told of itself."""
        answer = self.gateway.request("GET", "/v1/key", key=self.key)
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.json
        return found

    def until_limited(self) -> None:
        """Wait until every worker knows: the admin's answer comes before the last of them has heard."""
        number = len(self.own()["limits"]) + len(self.own()["budgets"])
        eventually(lambda: len(self.own()["limits"]) + len(self.own()["budgets"]) >= number)


def statuses(answers: Sequence[Answer]) -> dict[int, int]:
    """How many had which status."""
    found: dict[int, int] = {}
    for answer in answers:
        found[answer.status] = found.get(answer.status, 0) + 1
    return found


__all__ = ["LIMITED", "Metered", "http", "statuses"]
