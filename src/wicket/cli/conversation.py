"""One question to a model, streamed: the text as it comes, and afterwards what it took."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import Any

import msgspec

from wicket.cli.client import Client, fault_in
from wicket.errors import CallerFault, Fault, UpstreamBroken
from wicket.wire.json import DecodeError, decode

PATH = "/v1/chat/completions"
Message = dict[str, str]


class Reply(msgspec.Struct):
    """An answer; the counts are the server's, the times are ours. None for what is not known."""

    text: str = ""
    model: str = ""
    deployment: str = ""
    request_id: str = ""
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    first_token_ms: float | None = None
    total_ms: float = 0.0

    @property
    def tokens_per_s(self) -> float | None:
        """How fast the tokens after the first one came."""
        if self.first_token_ms is None or not self.output_tokens or self.output_tokens < 2:
            return None
        spent_ms = self.total_ms - self.first_token_ms
        return (self.output_tokens - 1) * 1000 / spent_ms if spent_ms > 0 else None


class Question:
    """A request under way: iterate `pieces`, then read `reply`, which is right after a break as well."""

    def __init__(self, client: Client, body: Mapping[str, Any]) -> None:
        self._client = client
        self._body = {**body, "stream": True, "stream_options": {"include_usage": True}}
        self.reply = Reply(cost_usd=0.0 if client.is_local else None)  # our own engine bills nobody

    def pieces(self) -> Generator[str, None, None]:
        """The text in pieces, as they come. Raises the server's fault, also in the middle."""
        begun = time.perf_counter()
        is_done = False
        events = self._client.events("POST", PATH, body=self._body)
        try:
            for data, headers in events:
                self.reply.total_ms = (time.perf_counter() - begun) * 1000
                self.reply.request_id = headers.get("x-request-id", "")
                self.reply.deployment = headers.get("x-wicket-deployment", "")
                if data == b"[DONE]":
                    is_done = True
                    break
                piece = take_chunk(self.reply, data)
                if piece:
                    if self.reply.first_token_ms is None:
                        self.reply.first_token_ms = self.reply.total_ms
                    yield piece
        finally:
            events.close()
        if not is_done and self.reply.finish_reason is None:
            raise UpstreamBroken("cut", "The answer was cut before its end.")


def take_chunk(reply: Reply, data: bytes) -> str:
    """Note in `reply` what a chunk says; returns its text. Raises the fault that it carries."""
    try:
        chunk = decode(data)
    except DecodeError:
        raise UpstreamBroken("malformed", "The server sent an event that is not JSON.") from None
    fault = fault_in(chunk)
    if fault is not None:
        raise fault
    reply.model = str(chunk.get("model") or reply.model)
    usage = chunk.get("usage")
    if usage:
        reply.input_tokens = usage.get("prompt_tokens")
        reply.output_tokens = usage.get("completion_tokens")
        if usage.get("cost") is not None:
            reply.cost_usd = float(usage["cost"])
    text = ""
    for choice in chunk.get("choices") or ():
        reply.finish_reason = choice.get("finish_reason") or reply.finish_reason
        text += (choice.get("delta") or {}).get("content") or ""
    reply.text += text
    return text


def explained(fault: Fault, hint: str) -> Fault:
    """A fault as the person at the terminal needs it: a text that is too long gets a `hint` what to do."""
    if fault.code != "context_length_exceeded":
        return fault
    return CallerFault(fault.code, f"{fault.message.rstrip('.')}. {hint}")


def default_model(client: Client) -> str:
    """The server's first model. Raises `CallerFault` if it has none."""
    models = client.call("GET", "/v1/models").get("data") or []
    if not models:
        raise CallerFault("no_model", "This server has no model yet: configure a provider or an engine.")
    return str(models[0]["id"])
