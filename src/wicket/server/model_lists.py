"""The list of models as Anthropic's, Google's and Cohere's clients read it. Pure.

Sources: Anthropic API reference, "list models" and "get a model"; Gemini API reference, "models.list"; Cohere
API reference, "list models" and "get a model".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_VERBS = ["generateContent", "streamGenerateContent", "countTokens"]

Card = Mapping[str, Any]


def anthropic_model(card: Card) -> dict[str, Any]:
    """One model; what has no date of its own has the epoch's, as Anthropic has it for an unknown one."""
    created = datetime.fromtimestamp(card.get("created") or 0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": "model", "id": card["id"], "display_name": card["id"], "created_at": created}


def anthropic_list(cards: Sequence[Card]) -> dict[str, Any]:
    """All on one page."""
    data = [anthropic_model(card) for card in cards]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"data": data, "has_more": False, "first_id": first, "last_id": last}


def gemini_model(card: Card) -> dict[str, Any]:
    """One model; limits where they are known."""
    name = card["id"]
    made = {"name": f"models/{name}", "baseModelId": name, "version": "", "displayName": name}
    if card.get("context_tokens"):
        made["inputTokenLimit"] = card["context_tokens"]
    if card.get("max_output_tokens"):
        made["outputTokenLimit"] = card["max_output_tokens"]
    return {**made, "supportedGenerationMethods": _VERBS}


def gemini_list(cards: Sequence[Card]) -> dict[str, Any]:
    """All on one page."""
    return {"models": [gemini_model(card) for card in cards]}


def cohere_model(card: Card) -> dict[str, Any]:
    """One model, by its name; what it is for, and how long a request may be where that is known."""
    made = {"name": card["id"], "endpoints": list(card["endpoints"]), "finetuned": False}
    return made | ({"context_length": card["context_tokens"]} if card.get("context_tokens") else {})


def cohere_list(cards: Sequence[Card], endpoint: str = "") -> dict[str, Any]:
    """All on one page, or those for one endpoint ("chat", "embed", "rerank")."""
    wanted = [card for card in cards if not endpoint or endpoint in card["endpoints"]]
    return {"models": [cohere_model(card) for card in wanted], "next_page_token": None}
