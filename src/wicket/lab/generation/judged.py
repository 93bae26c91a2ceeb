"""Whether a teacher's reply is an answer, and the training example that it becomes. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.lab.generation import paraphrase
from wicket.lab.generation.plan import Errand, Settings, Spending
from wicket.lab.generation.teacher import Reply
from wicket.minis.form import text_of
from wicket.suites.json_schema import mistake
from wicket.wire import json

_KEPT = ("role", "content", "refusal", "tool_calls")


class Flaw(msgspec.Struct, frozen=True):
    """Why a reply is no answer. `is_last`: asking the same again would end the same."""

    code: str
    message: str
    is_last: bool = False


def flaw(errand: Errand, reply: Reply, settings: Settings) -> Flaw | None:
    """What is wrong with a reply, None for nothing."""
    text = text_of(reply.message.get("content")) or ""
    calls, refusal = reply.message.get("tool_calls"), reply.message.get("refusal")
    if reply.finish_reason == "length" and not settings.keeps_cut:
        message = f"The answer was cut at {settings.max_tokens} tokens: raise --max-tokens (or --keep-cut)."
        return Flaw("cut_at_limit", message, is_last=True)
    if reply.finish_reason == "content_filter":
        return Flaw("content_filter", "The teacher's filter held the answer back.", is_last=True)
    if not text.strip() and not calls and not refusal:
        return Flaw("empty_answer", "The teacher's answer is empty.")
    if settings.paraphrases:
        wrong = paraphrase.mistake(errand.document, text)
        return Flaw("no_paraphrase", f"Not the message in other words: {wrong}.") if wrong else None
    if settings.schema is None or calls or refusal:
        return None
    try:
        value = json.decode(text.encode())
    except (json.DecodeError, RecursionError, UnicodeError):
        return Flaw("not_json", "The answer is not JSON.")
    wrong = mistake(settings.schema, value)
    return Flaw("off_schema", f"The answer breaks the schema: {wrong}.") if wrong else None


def line(errand: Errand, reply: Reply, settings: Settings, call: str, used: Spending) -> dict[str, Any]:
    """The training example: messages with the answer, where it came from, log-probabilities if any."""
    document = errand.document
    if settings.paraphrases:
        messages = paraphrase.result(document, text_of(reply.message.get("content")) or "")
    else:
        answer = {name: reply.message[name] for name in _KEPT if reply.message.get(name) is not None}
        asked: list[dict[str, Any]] = errand.body["messages"]
        messages = [*asked, {"content": None, **answer, "role": "assistant"}]
    meta: dict[str, Any] = {
        "id": errand.key,
        "call": call,
        "sample": errand.sample,
        "model": settings.model,
        "answered_by": reply.model,
        "origin": document.origin,
        "finish_reason": reply.finish_reason,
        "input_tokens": reply.num_input,
        "output_tokens": reply.num_output,
        "cost_nanos": used.nanos,
        "used_tokens": used.tokens,
    }
    for name, key in (("id", "prompt_id"), ("task", "task")):
        if isinstance(document.meta.get(name), str | int):
            meta[key] = document.meta[name]
    if settings.prices is not None:
        meta["cost_usd"] = used.nanos / 1e9
    if settings.paraphrases:
        meta["augmented"] = "paraphrase"
    found: dict[str, Any] = {"messages": messages, "meta": meta}
    if document.tools:
        found["tools"] = document.tools
    if reply.logprobs is not None and not settings.paraphrases:
        found["logprobs"] = reply.logprobs
    return found
