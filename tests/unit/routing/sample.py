"""Deployments and a health table made by hand."""

from collections.abc import Mapping
from typing import Any

from wicket.routing.deployment import Deployment
from wicket.wire.origin import Origin


def deployment(id: str, **fields: Any) -> Deployment:
    """`provider/model` at an address of its own."""
    provider, _, model = id.partition("/")
    return Deployment(
        **{"id": id, "provider": provider, "model": model, "origin": Origin("http", provider, 80), **fields}
    )


class Told:
    """`routing.plan.Health` as it is told: per deployment's id a table of the protocol's names."""

    def __init__(self, **facts: Mapping[str, Any]) -> None:
        self.facts = facts

    def _of(self, one: Deployment, name: str, default: Any) -> Any:
        for key in (f"{one.provider}.{one.credential}", one.provider):
            if name in self.facts.get(key, {}):
                return self.facts[key][name]
        return default

    def reopens_us(self, deployment: Deployment) -> int:
        return int(self._of(deployment, "reopens_us", 0))

    def num_running(self, deployment: Deployment) -> int:
        return int(self._of(deployment, "num_running", 0))

    def has_room(self, deployment: Deployment) -> bool:
        return bool(self._of(deployment, "has_room", True))

    def first_token_us(self, deployment: Deployment, now_us: int) -> int:
        return int(self._of(deployment, "first_token_us", 0))

    def late_us(self, deployment: Deployment, share: float, is_streamed: bool) -> int:
        return 0

    def tokens_per_s(self, deployment: Deployment) -> float:
        return float(self._of(deployment, "tokens_per_s", 0.0))

    def headroom(self, deployment: Deployment, now_us: int) -> float:
        return float(self._of(deployment, "headroom", 1.0))
