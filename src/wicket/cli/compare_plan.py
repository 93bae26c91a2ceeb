"""What a comparison asks, in which order, and what it may spend: values and one lock."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from wicket.suites.case import Case
from wicket.wire.json import encode, encode_sorted

NANOS = 1_000_000_000
_PER_MILLION = 1_000_000
_TEMPLATE_TOKENS = 64  # what a chat template may add beyond the bytes of the request


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command. `floors` are the least shares by model; `folder` None keeps nothing."""

    models: tuple[str, ...]
    repeats: int = 1
    concurrency: int = 4
    max_usd: float = 1.0
    max_tokens: int = 1024
    temperature: float | None = 0.0
    baseline: str = ""
    no_worse_than: str = ""
    floors: dict[str, float] = {}
    folder: Path | None = None
    retries_errors: bool = False
    judge: str = ""
    embeddings: str = ""
    allows_code: bool = False
    watts_per_core: float = 0.0


class Errand(msgspec.Struct, frozen=True):
    """One request to make."""

    case: Case
    model: str
    repeat: int


def body_of(case: Case, settings: Settings) -> dict[str, Any]:
    """The request of a case, without its model."""
    body: dict[str, Any] = {"messages": list(case.messages), "max_tokens": settings.max_tokens}
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    return {**body, **case.request}


def asked_hash(body: Mapping[str, Any]) -> str:
    """What tells one request from another: answers to equal ones may stand for each other."""
    return hashlib.sha256(encode_sorted(body)).hexdigest()[:16]


def errands(cases: Sequence[Case], settings: Settings) -> list[Errand]:
    """All requests: case by case, the models in an order that turns by one from case to case."""
    found: list[Errand] = []
    for repeat in range(settings.repeats):
        for place, case in enumerate(cases):
            turn = (place + repeat) % len(settings.models)
            models = (*settings.models[turn:], *settings.models[:turn])
            found += [Errand(case, model, repeat) for model in models]
    return found


def bound_nanos(prices: Iterable[Mapping[str, float]], body: Mapping[str, Any]) -> int:
    """The most that a request can cost by the dearest of `prices` (USD per million tokens), in nano-USD.

    A token has at least one byte, and the answer is cut at its limit.
    """
    num_input = len(encode(body)) + _TEMPLATE_TOKENS
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    dearest = 0.0
    for price in prices:
        each = max(price.get("input", 0.0), price.get("cache_write", 0.0))
        usd = (num_input * each + limit * price.get("output", 0.0)) / _PER_MILLION + price.get("request", 0.0)
        dearest = max(dearest, usd)
    return math.ceil(dearest * NANOS)


class Budget:
    """What may still be spent. Money is put by before a request and settled after it, so that even requests
    at the same time can't come to more than `max_nanos`.
    """

    def __init__(self, max_nanos: int) -> None:
        self.max_nanos = max_nanos
        self.spent_nanos = 0
        self._held_nanos = 0
        self._changed = threading.Condition()

    def hold(self, nanos: int) -> bool:
        """Put `nanos` by, waiting for requests under way if it takes that; False if it can't be."""
        with self._changed:
            while self.spent_nanos + self._held_nanos + nanos > self.max_nanos:
                if not self._held_nanos or self.spent_nanos + nanos > self.max_nanos:
                    return False
                self._changed.wait()
            self._held_nanos += nanos
            return True

    def settle(self, held_nanos: int, cost_nanos: int) -> None:
        """A request has ended and cost so much."""
        with self._changed:
            self._held_nanos -= held_nanos
            self.spent_nanos += cost_nanos
            self._changed.notify_all()
