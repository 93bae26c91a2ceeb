"""What the families of models behind Converse differ in, as data.

The first row whose pattern is found in the model's id holds. An id may carry a region (`us.`, `global.`) or
be an ARN; an application inference profile or a provisioned model names no family, and gets what every model
takes. Sources: Amazon Bedrock user guide ("Supported models and features" of Converse, prompt caching,
structured outputs, reasoning), Nova user guide (extended thinking), and recorded traffic (2026-11).
"""

from __future__ import annotations

import re

import msgspec


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """One family.

    `thinks`: how thinking is asked for ("budget", "adaptive", "nova", "effort", "config") or "no". `top_k`:
    the dotted path of that setting among the additional fields, "" for none. `caches`, `caches_tools`:
    whether caching marks may stand in messages, and behind tools. `formats`: JSON schemas for the answer.
    `is_strict`: `strict` on tools. `seals`: it takes its own signed thoughts back. `has_status`:
    `toolResult.status`. `is_single`: whether one call at a time can be asked for. `samples`: "both", "one" of
    temperature and top-p, or "none". `choices`: the ways to choose tools that it knows. `rests`: how thinking
    is switched off: "unasked" (it does not think unless asked to), "disabled" (it has to be told), "never".
    """

    name: str
    thinks: str = "no"
    top_k: str = ""
    caches: bool = False
    caches_tools: bool = False
    formats: bool = False
    is_strict: bool = False
    seals: bool = False
    has_status: bool = False
    is_single: bool = False
    samples: str = "both"
    choices: tuple[str, ...] = ("auto", "any", "tool")
    rests: str = "unasked"


_CLAUDE = Family(
    name="claude",
    top_k="top_k",
    caches=True,
    caches_tools=True,
    seals=True,
    has_status=True,
    is_single=True,
)
_replace = msgspec.structs.replace
_CLAUDE_3 = _replace(_CLAUDE, caches=False, caches_tools=False, is_single=False, seals=False)
_CLAUDE_THINKING = _replace(_CLAUDE, thinks="budget")
_CLAUDE_4_5 = _replace(_CLAUDE_THINKING, formats=True, is_strict=True, samples="one")
_CLAUDE_4_6 = _replace(_CLAUDE_4_5, thinks="adaptive")
_CLAUDE_NEW = _replace(_CLAUDE_4_6, samples="none")
_CLAUDE_5 = _replace(_CLAUDE_NEW, rests="disabled")
_CLAUDE_RESTLESS = _replace(_CLAUDE_NEW, rests="never")
_CLAUDE_UNFORCED = _replace(_CLAUDE_RESTLESS, choices=("auto",))
_NOVA = Family(name="nova", top_k="inferenceConfig.topK", caches=True, has_status=True)
_OPEN = Family(name="open", formats=True)

_FAMILIES: tuple[tuple[str, Family], ...] = (
    (r"claude-(instant|v[12])", Family(name="claude-2", top_k="top_k", choices=())),
    (r"claude-3-7", _CLAUDE_THINKING),
    (r"claude-3-5-(haiku|sonnet-20241022)", _replace(_CLAUDE_3, caches=True, caches_tools=True)),
    (r"claude-3", _CLAUDE_3),
    (r"claude-(opus|sonnet)-4-(1-)?20\d{6}", _CLAUDE_THINKING),
    (r"claude-opus-4-1\b", _replace(_CLAUDE_THINKING, samples="one")),
    (r"claude-(opus|sonnet|haiku)-4-5", _CLAUDE_4_5),
    (r"claude-(opus|sonnet)-4-6", _CLAUDE_4_6),
    (r"claude-opus-4-[78]", _CLAUDE_NEW),
    (r"claude-(opus-5-5|sonnet-5-5|(fable|mythos)-5-[12])", _CLAUDE_UNFORCED),
    (r"claude-(fable|mythos)", _CLAUDE_RESTLESS),
    (r"claude-", _CLAUDE_5),
    (r"nova-(2|premier-2)", _replace(_NOVA, thinks="nova")),
    (r"nova-", _NOVA),
    (r"gpt-oss", _replace(_OPEN, thinks="effort", rests="never")),
    (r"qwen3", _replace(_OPEN, thinks="config")),
    (r"\b(qwen|minimax|gemma|nemotron|glm|kimi|deepseek\.v3|mistral-large-3|ministral|magistral)", _OPEN),
)
_COMPILED = tuple((re.compile(pattern), family) for pattern, family in _FAMILIES)
PLAIN = Family(name="plain")


def family_of(model: str) -> Family:
    """The family of a model's id; `PLAIN` for one that is not known."""
    name = model.lower()
    return next((family for pattern, family in _COMPILED if pattern.search(name)), PLAIN)


BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_768, "max": 32_768}
"""Thinking tokens that an effort amounts to where a model knows budgets only."""
MIN_BUDGET = 1_024


def effort_of(budget_tokens: int) -> str:
    """The effort that a budget in tokens amounts to, for models that know efforts only."""
    return next((effort for effort in ("low", "medium") if budget_tokens <= BUDGETS[effort]), "high")
