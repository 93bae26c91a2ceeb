"""What Gemini's model families differ in, as data: thinking, schemas, signatures. The first match counts.

Sources: ai.google.dev/gemini-api/docs on thinking (budgets, levels, OpenAI's efforts), function calling,
structured output and thought signatures; Gemini 4's guide (levels low to high, sampling settings ignored).
Read 2026-11-27. What recordings show to work is noted beside it.
"""

from __future__ import annotations

import re

import msgspec


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Models that take the same fields.

    `thinks`: "no", "budget" (tokens, between `min_budget` and `max_budget`) or "level" (one of `levels`).
    `can_rest`: thinking can be switched off. `reads_json_schema`: schemas go in `parametersJsonSchema` and
    `responseJsonSchema`. `signs`: a function call that comes back without its signature is a 400.
    `formats_with_tools`: a JSON answer can be asked for beside functions. `validates`: mode VALIDATED.
    `shows_results`: images may stand inside a function's result. `fetches`: reads any https address.
    `samples`: temperature, topP and topK have an effect.
    """

    pattern: str
    reads_json_schema: bool = True
    thinks: str = "no"
    min_budget: int = 0
    max_budget: int = 0
    can_rest: bool = False
    levels: tuple[str, ...] = ()
    signs: bool = False
    formats_with_tools: bool = False
    validates: bool = False
    shows_results: bool = False
    fetches: bool = False
    samples: bool = True


def _third(pattern: str, *levels: str, samples: bool = True) -> Family:
    return Family(
        pattern=pattern,
        thinks="level",
        levels=levels,
        signs=True,
        formats_with_tools=True,
        validates=True,
        shows_results=True,
        fetches=True,
        samples=samples,
    )


FAMILIES = (
    Family(pattern=r"gemini-(1\.|pro$|pro-vision)|^gemma|^learnlm|palm|bison", reads_json_schema=False),
    Family(pattern=r"gemini-2\.0"),  # recorded: JSON schemas work
    Family(pattern=r"gemini-2\.5-flash.*(image|tts)"),
    Family(pattern=r"gemini-2\.5-pro", thinks="budget", min_budget=128, max_budget=32_768, validates=True),
    Family(
        pattern=r"gemini-2\.5-flash-lite",
        thinks="budget",
        min_budget=512,
        max_budget=24_576,
        can_rest=True,
        validates=True,
    ),
    Family(
        pattern=r"gemini-2\.5|gemini-(flash|robotics)",
        thinks="budget",
        min_budget=1,
        max_budget=24_576,
        can_rest=True,
        validates=True,
    ),
    _third(r"gemini-3-pro", "low", "high"),
    _third(r"gemini-3[.\d]*-pro", "low", "medium", "high"),
    _third(r"gemini-3", "minimal", "low", "medium", "high"),
    _third(r"gemini-([4-9]|\d\d)", "low", "medium", "high", samples=False),
    _third(r"", "low", "medium", "high"),  # a name that says nothing: what every newer model takes
)
_COMPILED = tuple((re.compile(family.pattern), family) for family in FAMILIES)

EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")
BUDGETS = {"minimal": 1_024, "low": 1_024, "medium": 8_192, "high": 24_576, "xhigh": 32_768, "max": 32_768}
"""OpenAI's efforts in tokens, as Google's own OpenAI-compatible endpoint translates them."""


def family_of(model: str) -> Family:
    """The family of a model's name, with or without `models/` and a publisher's path before it."""
    name = model.rpartition("/")[2].lower()
    return next(family for pattern, family in _COMPILED if pattern.search(name))


def level_of(family: Family, effort: str) -> str:
    """The level that an effort asks for: the nearest that the family has, rather more than less."""
    wanted = EFFORTS.index(effort)
    higher = [level for level in family.levels if EFFORTS.index(level) >= wanted]
    return higher[0] if higher else family.levels[-1]


def effort_of(budget_tokens: int) -> str:
    """The effort that a budget in tokens amounts to, for families that know levels only."""
    return next((effort for effort in ("low", "medium") if budget_tokens <= BUDGETS[effort]), "high")
