"""What each Claude model takes, as data by the beginning of its name.

Sources: platform.claude.com (models overview, "adaptive thinking", "effort", "structured outputs", "tool
use"), and the measured profile of pydantic-ai (MIT, `profiles/anthropic.py`, 2026-11). An unknown name
counts as a model of today that takes most: its provider says what it refuses.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec


class Claude(msgspec.Struct, frozen=True, kw_only=True):
    """A model's abilities. `efforts` are in rising order; empty: it takes no effort.

    `off`: the `thinking.type` that turns thinking off, "" where nothing can. `thinks_unasked`: it thinks when
    `thinking` is absent. `sampling`: "all"; "one": temperature or top_p, not both; "none": neither.
    `max_output_tokens` is what to ask for when neither caller nor catalogue says how much.
    """

    thinks: bool = True
    is_adaptive: bool = True
    takes_budget: bool = True
    efforts: tuple[str, ...] = ()
    off: str = "disabled"
    thinks_unasked: bool = False
    sampling: str = "all"
    has_formats: bool = True
    can_force_tools: bool = True
    max_output_tokens: int = 4_096


_THREE = ("low", "medium", "high")
_FOUR = (*_THREE, "max")
_FIVE = (*_THREE, "xhigh", "max")
_LARGE = 128_000

_OLD = Claude(thinks=False, is_adaptive=False, has_formats=False)
_BUDGET = Claude(is_adaptive=False, has_formats=False)
_BUDGET_41 = Claude(is_adaptive=False, sampling="one")
_BUDGET_45 = Claude(is_adaptive=False, sampling="one", max_output_tokens=64_000)
_OPUS_45 = Claude(is_adaptive=False, sampling="one", efforts=_THREE, max_output_tokens=64_000)
_BOTH = Claude(efforts=_FOUR, sampling="one", max_output_tokens=_LARGE)
_ADAPTIVE = Claude(takes_budget=False, efforts=_FIVE, sampling="none", max_output_tokens=_LARGE)
_UNASKED = msgspec.structs.replace(_ADAPTIVE, thinks_unasked=True)
_ALWAYS = msgspec.structs.replace(_UNASKED, off="")
_ALWAYS_UNFORCED = msgspec.structs.replace(_ALWAYS, can_force_tools=False)
_SONNET_55 = msgspec.structs.replace(_UNASKED, off="between_tools", can_force_tools=False)
_UNKNOWN = Claude(efforts=_FIVE)

BY_PREFIX: dict[str, Claude] = {
    "claude-2": _OLD,
    "claude-instant": _OLD,
    "claude-3-7": _BUDGET,
    "claude-3": _OLD,
    "claude-opus-4-1": _BUDGET_41,
    "claude-opus-4-5": _OPUS_45,
    "claude-opus-4-6": _BOTH,
    "claude-opus-4-7": _ADAPTIVE,
    "claude-opus-4-8": _ADAPTIVE,
    "claude-opus-4": _BUDGET,
    "claude-opus-5-5": _ALWAYS_UNFORCED,
    "claude-opus-5": _UNASKED,
    "claude-sonnet-4-5": _BUDGET_45,
    "claude-sonnet-4-6": _BOTH,
    "claude-sonnet-4": _BUDGET,
    "claude-sonnet-5-5": _SONNET_55,
    "claude-sonnet-5": _UNASKED,
    "claude-haiku-4-5": _BUDGET_45,
    "claude-haiku-5-5": _UNASKED,
    "claude-fable-5-1": _ALWAYS_UNFORCED,
    "claude-fable-5-2": _ALWAYS_UNFORCED,
    "claude-fable-5": _ALWAYS,
    "claude-mythos-5-1": _ALWAYS_UNFORCED,
    "claude-mythos-5-2": _ALWAYS_UNFORCED,
    "claude-mythos": _ALWAYS,
}
_PREFIXES = sorted(BY_PREFIX, key=len, reverse=True)


@lru_cache(maxsize=1024)
def claude(model: str) -> Claude:
    """The abilities of an upstream model; also under a prefix such as Vertex' or a router's own."""
    start = model.rfind("claude-")
    name = model[start:] if start >= 0 else model
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return BY_PREFIX[prefix]
    return _UNKNOWN
