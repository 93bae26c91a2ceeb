"""How much a Claude model should think: effort and budget in its own terms.

Sources: "adaptive thinking", "effort" and "extended thinking" of the Claude API documentation. A budget is at
least 1,024 tokens and below `max_tokens`; it excludes forced tools. The budgets of the efforts are ours.
"""

from __future__ import annotations

from typing import Any

from wicket.dialects.anthropic_messages.block_reading import NAME
from wicket.dialects.anthropic_messages.block_writing import Writer
from wicket.dialects.anthropic_messages.models import Claude
from wicket.dialects.anthropic_messages.turns import lacks_thought
from wicket.dialects.hub import Conversation, Reasoning, Setting, unsayable

MIN_BUDGET = 1_024
BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_000, "max": 32_000}
MAX_SHARE = 0.8  # of the output that an effort's budget may take, so that there is an answer too


def write_reasoning(
    fields: dict[str, Any], conversation: Conversation, model: Claude, writer: Writer
) -> None:
    """Put `thinking` and `output_config.effort` into `fields`, which has `max_tokens` and `tool_choice`."""
    reasoning: Reasoning | None = conversation.settings.get(Setting.REASONING)
    if reasoning is None:
        return
    name = conversation.names.get(Setting.REASONING, Setting.REASONING.value)
    if reasoning.is_on is False or reasoning.effort == "none" or reasoning.budget_tokens == 0:
        _turn_off(fields, model, name)
        if reasoning.effort not in (None, "none"):
            _put_effort(fields, reasoning, model)
        return
    is_effort_alone = conversation.origin == NAME and reasoning.is_on is None
    if not is_effort_alone:
        if not model.thinks:
            raise unsayable(name, "the model does not think")
        _turn_on(fields, conversation, model, writer)
    _put_effort(fields, reasoning, model)
    if is_effort_alone and not model.efforts:
        writer.dropped.append(name)


def _turn_off(fields: dict[str, Any], model: Claude, name: str) -> None:
    if not model.off:
        raise unsayable(name, "the model always thinks")
    if model.thinks_unasked:
        fields["thinking"] = {"type": model.off}


def _turn_on(fields: dict[str, Any], conversation: Conversation, model: Claude, writer: Writer) -> None:
    reasoning: Reasoning = conversation.settings[Setting.REASONING]
    if model.is_adaptive and (reasoning.budget_tokens is None or not model.takes_budget):
        thinking: dict[str, Any] = {"type": "adaptive"}
    else:
        budget = _budget(reasoning, fields["max_tokens"])
        is_forced = fields.get("tool_choice", {}).get("type") in ("any", "tool")
        if budget < MIN_BUDGET or is_forced or lacks_thought(conversation.turns):
            writer.dropped.append(conversation.names.get(Setting.REASONING, Setting.REASONING.value))
            return
        thinking = {"type": "enabled", "budget_tokens": budget}
    if reasoning.is_shown is not None:
        thinking["display"] = "summarized" if reasoning.is_shown else "omitted"
    fields["thinking"] = thinking


def _budget(reasoning: Reasoning, max_tokens: int) -> int:
    if reasoning.budget_tokens is not None:
        return min(max(reasoning.budget_tokens, MIN_BUDGET), max_tokens - 1)
    return min(BUDGETS.get(reasoning.effort or "medium", BUDGETS["medium"]), int(max_tokens * MAX_SHARE))


def _put_effort(fields: dict[str, Any], reasoning: Reasoning, model: Claude) -> None:
    effort = reasoning.effort
    if effort is None and reasoning.budget_tokens and not model.takes_budget:
        effort = next((word for word, most in BUDGETS.items() if reasoning.budget_tokens <= most), "max")
    if effort is None or not model.efforts:
        return
    if effort == "minimal":
        effort = "low"
    if effort not in model.efforts:
        effort = "max" if effort == "xhigh" and "max" in model.efforts else "high"
    fields.setdefault("output_config", {})["effort"] = effort
