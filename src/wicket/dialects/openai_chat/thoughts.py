"""Thinking in OpenAI's family: `reasoning_content`, and OpenRouter's `reasoning_details` with their seals.

A detail's `format` names whose seal it carries, and so where it may go back to; the hub calls that `origin`.
Source: https://openrouter.ai/docs/use-cases/reasoning-tokens ("preserving reasoning blocks").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wicket.dialects.hub import Part, Thinking

_ORIGINS = {
    "anthropic-claude-v1": "anthropic_messages",
    "google-gemini-v1": "gemini",
    "openai-responses-v1": "openai_responses",
    "azure-openai-responses-v1": "openai_responses",
    "aws-bedrock-v1": "bedrock_converse",
}
_FORMATS = {
    "anthropic_messages": "anthropic-claude-v1",
    "gemini": "google-gemini-v1",
    "openai_responses": "openai-responses-v1",
    "bedrock_converse": "aws-bedrock-v1",
}


def origin_of(detail: Mapping[str, Any]) -> str:
    """The dialect whose seal a detail carries; openai_chat for an unknown one."""
    name = detail.get("format")
    return _ORIGINS.get(name, "openai_chat") if isinstance(name, str) else "openai_chat"


def thinking_of(detail: Mapping[str, Any], path: str = "") -> Thinking | None:
    """The part that a detail is; None for a kind that is not known."""
    match detail.get("type"):
        case "reasoning.text":
            return Thinking(
                origin=origin_of(detail),
                path=path,
                text=_text(detail.get("text")),
                signature=_text(detail.get("signature")),
            )
        case "reasoning.summary":
            return Thinking(origin=origin_of(detail), path=path, text=_text(detail.get("summary")))
        case "reasoning.encrypted":
            data = _text(detail.get("data"))
            return Thinking(origin=origin_of(detail), path=path, is_redacted=True, signature=data)
    return None


def detail_of(part: Thinking, index: int) -> dict[str, Any]:
    """The detail that a part is."""
    named: dict[str, Any] = {"format": _FORMATS[part.origin]} if part.origin in _FORMATS else {}
    if part.is_redacted:
        return {"type": "reasoning.encrypted", "data": part.signature, "index": index, **named}
    seal: dict[str, Any] = {"signature": part.signature} if part.signature else {}
    return {"type": "reasoning.text", "text": part.text, **seal, "index": index, **named}


def thoughts_of(parts: Iterable[Part]) -> dict[str, Any]:
    """The fields of a message that hold its thinking."""
    found = [part for part in parts if isinstance(part, Thinking)]
    if not found:
        return {}
    text = "".join([part.text for part in found])
    details = [detail_of(part, index) for index, part in enumerate(found)]
    return {"reasoning_content": text or None, "reasoning_details": details}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
