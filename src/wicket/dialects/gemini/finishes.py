"""Why a candidate ended: Gemini's words, what they mean in the hub, and which of them are failures.

Sources: the references of `FinishReason` and `BlockedReason` (Gemini API and Vertex), read 2026-11-27. A word
that is not here is a failure too, by another code.
"""

from __future__ import annotations

from wicket.dialects.hub import Finish
from wicket.errors import UpstreamBroken

FILTERS = frozenset(
    {"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"}
    | {"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"}
)
FAILURES = frozenset(
    {"FINISH_REASON_UNSPECIFIED", "OTHER", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"}
    | {"TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", "IMAGE_OTHER", "NO_IMAGE"}
    | {"ESCALATION", "PUP_LIMITED_DISABLED", "CONTINUATION"}
)
BLOCKS = frozenset(
    {"SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK"}
)

NUMBERS = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 5: "OTHER"}
"""The words as numbers (`enum-encoding=int`); beyond these the two APIs count differently."""

_WORDS = {
    Finish.STOP: "STOP",
    Finish.STOP_SEQUENCE: "STOP",
    Finish.TOOL_CALLS: "STOP",
    Finish.LENGTH: "MAX_TOKENS",
    Finish.FILTERED: "SAFETY",
    Finish.PAUSED: "OTHER",  # there is more to come, so anything but a normal stop
}


def word_of(reason: str | int) -> str:
    """A finish reason as its word, also where enumerations come as numbers."""
    return reason if isinstance(reason, str) else NUMBERS.get(reason, f"FINISH_REASON_{reason}")


def read_finish(word: str, *, has_calls: bool, message: str = "") -> Finish:
    """A finish reason's meaning. Raises `UpstreamBroken` for a failure and for an unknown word."""
    if word == "STOP":
        return Finish.TOOL_CALLS if has_calls else Finish.STOP
    if word == "MAX_TOKENS":
        return Finish.LENGTH
    if word in FILTERS:
        return Finish.FILTERED
    detail = f": {message[:500]}" if message else ""
    code = "failed_finish" if word in FAILURES else "unknown_finish"
    raise UpstreamBroken(code, f"The provider ended with '{word[:64]}'{detail}.")


def write_finish(finish: Finish, raw_finish: str) -> str:
    """Gemini's word; its own filters keep their name."""
    if finish is Finish.FILTERED and raw_finish in FILTERS:
        return raw_finish
    return _WORDS[finish]
