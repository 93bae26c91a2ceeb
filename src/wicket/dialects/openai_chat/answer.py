"""What answers and chunks have in common: finish reasons, tolerant reading of a provider's JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.contract import Counts
from wicket.dialects.hub import Finish
from wicket.dialects.openai_chat.passing import read
from wicket.dialects.openai_chat.usage import Usage, usage_counts
from wicket.errors import UpstreamBroken

FINISHES = {
    "stop": Finish.STOP,
    "eos": Finish.STOP,  # Together
    "eos_token": Finish.STOP,  # Hugging Face
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP_SEQUENCE,
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "model_length": Finish.LENGTH,  # Mistral
    "tool_calls": Finish.TOOL_CALLS,
    "tool_call": Finish.TOOL_CALLS,
    "tool_use": Finish.TOOL_CALLS,
    "function_call": Finish.TOOL_CALLS,
    "content_filter": Finish.FILTERED,
    "sensitive": Finish.FILTERED,  # Z.ai
}
WORDS = {
    Finish.STOP: "stop",
    Finish.STOP_SEQUENCE: "stop",
    Finish.LENGTH: "length",
    Finish.TOOL_CALLS: "tool_calls",
    Finish.FILTERED: "content_filter",
    Finish.PAUSED: "length",  # not at its end, and can be gone on with: no other word says so
}

Object = dict[str, Any]
_decode = msgspec.json.Decoder().decode


def object_of(data: bytes) -> Object:
    """A provider's JSON object. Raises `UpstreamBroken`."""
    try:
        found = read(_decode, data)
    except (msgspec.DecodeError, RecursionError):
        raise UpstreamBroken("malformed", "The provider's answer is not JSON.") from None
    if not isinstance(found, dict):
        raise UpstreamBroken("malformed", "The provider's answer is not a JSON object.")
    return found


def finish_of(reason: Any, *, has_calls: bool) -> Finish:
    """The hub's reason. Raises `UpstreamBroken` for a failure by another name, and for an unknown one."""
    found = FINISHES.get(reason) if isinstance(reason, str) else None
    if found is None:
        shown = reason[:40] if isinstance(reason, str) else "nothing"
        raise UpstreamBroken("failed_finish", f"The provider ended with {shown!r}.")
    return Finish.TOOL_CALLS if found is Finish.STOP and has_calls else found


def counts_of(usage: Any, service: object = "") -> Counts | None:
    """Reported counts; None for none, and for what is no usage. `service` is the answer's `service_tier`."""
    if not isinstance(usage, dict):
        return None
    try:
        return usage_counts(msgspec.convert(usage, Usage, strict=False), service)
    except msgspec.ValidationError:
        return None


def objects(value: Any) -> list[Object]:
    """The objects of an array; whatever else it is, none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    """A string; "" for anything else."""
    return value if isinstance(value, str) else ""
