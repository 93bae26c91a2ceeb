"""One streamed request, timed, with what the ledger says of it; and what the server tells of a model."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import msgspec

from wicket.cli.client import Client
from wicket.cli.compare_plan import NANOS, Errand, Settings
from wicket.cli.conversation import Question, Reply
from wicket.errors import Fault, OperatorFault
from wicket.suites.comparison import Answered

_LOOKS = 60  # for a record; records are flushed every 50 ms
_LOOK_S = 0.05
LOAD_LIMIT_S = 300.0
_LOAD_POLL_S = 0.2
FATAL = (
    "server_unreachable",
    "invalid_api_key",
    "missing_api_key",
    "ledger_full",
)  # it would go on like that


class Served(msgspec.Struct, frozen=True):
    """A model as the server shows it: the prices of those who may answer, and the local engine behind it."""

    model: str
    prices: tuple[dict[str, float], ...] = ()
    engine: str = ""
    deployments: tuple[str, ...] = ()


def served(client: Client, model: str) -> Served:
    """Waits for a local model to be loaded, which is not to count as an answer's time.

    Raises the server's fault for a name that nobody answers to, and `OperatorFault` for a local model that
    can't run and has nobody to stand in for it.
    """
    card = client.call("GET", f"/v1/models/{quote(model)}")
    end_s = time.monotonic() + LOAD_LIMIT_S
    while (card.get("engine") or {}).get("state") == "loading" and time.monotonic() < end_s:
        time.sleep(_LOAD_POLL_S)
        card = client.call("GET", f"/v1/models/{quote(model)}")
    names = tuple(str(name) for name in card.get("deployments") or ())
    prices = [card.get("prices")]
    for name in names[1:]:
        try:
            prices.append(client.call("GET", f"/v1/models/{quote(name)}").get("prices"))
        except Fault:
            continue  # not callable under its own name by this key
    engine = card.get("engine") or {}
    if engine.get("state", "ready") != "ready" and len(names) == 1:
        raise OperatorFault(
            "engine_failed", f"{model} does not answer: {engine.get('message') or 'loading'}."
        )
    return Served(model, tuple(price for price in prices if price), str(engine.get("name", "")), names)


class Asker:
    """What one thread asks with."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self.client = client
        self._settings = settings

    def ask(self, errand: Errand, body: dict[str, Any], asked: str) -> Answered:
        """The answer; a fault of the answer is one too. Raises the faults that would meet every request."""
        created_ms = time.time_ns() // 1_000_000
        question = Question(self.client, {**body, "model": errand.model})
        begun = time.perf_counter()
        fault: Fault | None = None
        try:
            for _ in question.pieces():
                pass
        except Fault as raised:
            if raised.code in FATAL:
                raise
            fault = raised
        reply = question.reply
        answer = Answered(
            case=errand.case.id,
            asked=asked,
            model=errand.model,
            repeat=errand.repeat,
            created_ms=created_ms,
            text=reply.text,
            finish_reason=reply.finish_reason or "",
            error=fault.code if fault else "",
            message=fault.message if fault else "",
            first_token_ms=reply.first_token_ms,
            total_ms=reply.total_ms or (time.perf_counter() - begun) * 1000,
            tokens_per_s=reply.tokens_per_s,
            request_id=self.client.request_id,
            deployment=reply.deployment,
        )
        self._settle(answer, reply)
        return answer

    def _settle(self, answer: Answered, reply: Reply) -> None:
        """Tokens and cost: the ledger's own, else what the answer said."""
        record = recorded(self.client, answer.request_id)
        if record is not None:
            answer.cost_nanos = round(record["cost_usd"] * NANOS)
            answer.input_tokens = int(record["input_tokens"])
            answer.output_tokens = int(record["output_tokens"])
            return
        answer.input_tokens, answer.output_tokens = reply.input_tokens or 0, reply.output_tokens or 0
        if reply.cost_usd is not None:
            answer.cost_nanos = round(reply.cost_usd * NANOS)


def recorded(client: Client, request_id: str) -> dict[str, Any] | None:
    """A request's record, which is there a moment after its answer; None if it does not come."""
    if not request_id:
        return None
    for _ in range(_LOOKS):
        try:
            return dict(client.call("GET", f"/v1/requests/{quote(request_id, safe='')}"))
        except Fault as fault:
            if fault.status != 404:
                return None
        time.sleep(_LOOK_S)
    return None
