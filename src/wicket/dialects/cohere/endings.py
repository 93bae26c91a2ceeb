"""Why an answer ended and what it used.

`billed_units` are what Cohere charges for: a prompt's own additions (its preamble, the tools' frame) are not
in them, but in `tokens`. So the counts are the billed ones where they are given. Source: Cohere API
reference, `Usage` and `ChatFinishReason`; "ERROR_TOXIC" is version 1's.
"""

from __future__ import annotations

import msgspec

from wicket.dialects.contract import Counts
from wicket.dialects.hub import Finish
from wicket.errors import UpstreamBroken

MAX_TOKENS = 1 << 40
_FINISHES = {
    "COMPLETE": Finish.STOP,
    "STOP_SEQUENCE": Finish.STOP_SEQUENCE,
    "MAX_TOKENS": Finish.LENGTH,
    "TOOL_CALL": Finish.TOOL_CALLS,
    "ERROR_TOXIC": Finish.FILTERED,
}
_FAILED = frozenset({"ERROR", "TIMEOUT", "ERROR_LIMIT", "USER_CANCEL"})


class Units(msgspec.Struct):
    """Tokens in and out; whole numbers that may be written as 5.0."""

    input_tokens: float | None = None
    output_tokens: float | None = None
    search_units: float | None = None


class Usage(msgspec.Struct):
    """What one answer used."""

    billed_units: Units | None = None
    tokens: Units | None = None
    cached_tokens: float | None = None


def read_finish(word: str, *, has_calls: bool, error: str = "") -> Finish:
    """The hub's word for `finish_reason`. Raises `UpstreamBroken` for failures and for unknown words."""
    if word in _FAILED:
        why = f": {error[:500]}" if error else ""
        raise UpstreamBroken("failed_finish", f"The provider ended with '{word}'{why}.")
    finish = _FINISHES.get(word)
    if finish is None:
        raise UpstreamBroken("unknown_finish", f"The provider ended for an unknown reason: '{word[:80]}'.")
    return Finish.TOOL_CALLS if has_calls and finish is Finish.STOP else finish


def usage_counts(usage: Usage | None) -> Counts | None:
    """The counts; None where there are none, or none to be believed."""
    if usage is None:
        return None
    units = usage.billed_units if usage.billed_units and usage.billed_units.input_tokens is not None else None
    units = units or usage.tokens
    if units is None:
        return None
    given, output = units.input_tokens or 0, units.output_tokens or 0
    cached = usage.cached_tokens or 0
    searches = units.search_units or 0
    if not (0 <= searches <= MAX_TOKENS):
        return None
    if not (0 <= given <= MAX_TOKENS and 0 <= output <= MAX_TOKENS and 0 <= cached <= MAX_TOKENS):
        return None
    return Counts(
        input_tokens=int(given),
        output_tokens=int(output),
        cached_tokens=min(int(cached), int(given)),
        searches=int(searches),
    )
