"""What a teacher is asked: prompts times samples, each with the name that its answer is known by. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from wicket.lab.data.document import Document
from wicket.lab.generation import paraphrase
from wicket.wire import json

NANOS = 1_000_000_000
_PER_MILLION = 1_000_000
_TEMPLATE_TOKENS = 64  # what a chat template may add beyond the bytes of the request
_LIMITS = ("max_tokens", "max_completion_tokens")

Prices = Mapping[
    str, float
]  # USD per million tokens by kind: "input", "output", "cache_write"; "request" each


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How the teacher is asked. `prices` None: nobody knows them, so money is not counted.

    `fields` go into every request as they are. `max_usd` and `max_all_tokens` bound the whole file, over all
    runs that wrote it; None is no bound. Waits are in seconds.
    """

    model: str
    samples: int = 1
    max_tokens: int = 1024
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: float | None = None
    system: str = ""
    schema: Any = None
    sends_schema: bool = True
    top_logprobs: int = 0
    fields: dict[str, Any] = {}
    paraphrases: bool = False
    keeps_cut: bool = False
    prices: tuple[Prices, ...] | None = None
    max_usd: float | None = None
    max_all_tokens: int | None = None
    concurrency: int = 8
    attempts: int = 20
    wait_s: float = 0.5
    max_wait_s: float = 30.0
    timeout_s: float = 300.0
    retries_refused: bool = False


class Errand(msgspec.Struct, frozen=True):
    """One answer to get. `key` names request and sample, whoever asks and whatever the answer's limit."""

    key: str
    document: Document
    sample: int
    body: dict[str, Any]


class Spending(msgspec.Struct, frozen=True):
    """Money in nano-USD, and tokens in and out together."""

    nanos: int = 0
    tokens: int = 0

    def __add__(self, other: Spending) -> Spending:
        return Spending(self.nanos + other.nanos, self.tokens + other.tokens)

    def __sub__(self, other: Spending) -> Spending:
        return Spending(self.nanos - other.nanos, self.tokens - other.tokens)


def errands(documents: Sequence[Document], settings: Settings) -> tuple[list[Errand], int]:
    """All errands, sample by sample, and how many were asked for twice and are asked once."""
    found: dict[str, Errand] = {}
    num = 0
    for sample in range(settings.samples):
        for document in documents:
            num += 1
            body = body_of(document, settings)
            key = key_of(body, sample)
            found.setdefault(key, Errand(key, document, sample, body))
    return list(found.values()), num - len(found)


def body_of(document: Document, settings: Settings) -> dict[str, Any]:
    """The request for a document."""
    messages = paraphrase.asking(document) if settings.paraphrases else document.messages
    if settings.system:
        messages = [m for m in messages if m.get("role") not in ("system", "developer")]
        messages = [{"role": "system", "content": settings.system}, *messages]
    body: dict[str, Any] = {"model": settings.model, "messages": messages}
    body[settings.limit_field] = settings.max_tokens
    if document.tools:
        body["tools"] = document.tools
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    if settings.schema is not None and settings.sends_schema:
        form = {"name": "answer", "schema": settings.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    if settings.top_logprobs:
        body |= {"logprobs": True, "top_logprobs": settings.top_logprobs}
    return {**body, **settings.fields}


def key_of(body: Mapping[str, Any], sample: int) -> str:
    """32 hexadecimal digits; a longer limit of the answer does not make it another request."""
    asked = {name: value for name, value in body.items() if name not in _LIMITS}
    return hashlib.sha256(json.encode_sorted([asked, sample])).hexdigest()[:32]


def bound(body: Mapping[str, Any], prices: Iterable[Prices] | None) -> Spending:
    """The most that one call can use: a token has at least one byte, and the answer is cut at its limit.

    Pictures count by their bytes in the request, which is more than their tokens.
    """
    num_input = len(json.encode(body)) + _TEMPLATE_TOKENS
    limit = max(int(body.get(name) or 0) for name in _LIMITS) * int(body.get("n") or 1)
    return Spending(cost(num_input, limit, prices), num_input + limit)


def cost(num_input: int, num_output: int, prices: Iterable[Prices] | None) -> int:
    """Nano-USD by the dearest of the prices."""
    dearest = 0.0
    for price in prices or ():
        each = max(price.get("input", 0.0), price.get("cache_write", 0.0))
        usd = (num_input * each + num_output * price.get("output", 0.0)) / _PER_MILLION
        dearest = max(dearest, usd + price.get("request", 0.0))
    return math.ceil(round(dearest * NANOS, 3))  # floats miss whole numbers by a hair


def wait_s(settings: Settings, num_failed: int, draw: float, retry_after_ms: int | None) -> float:
    """How long to wait after a call's `num_failed`th failure: twice as long each time, of that between half
    and all by `draw` (0 to 1), but no less than the teacher asks for (up to ten times the longest wait).
    """
    longest = min(settings.max_wait_s, settings.wait_s * 2.0 ** min(num_failed - 1, 30))
    asked = min((retry_after_ms or 0) / 1000, 10 * settings.max_wait_s)
    return max(longest * (0.5 + draw / 2), asked)
