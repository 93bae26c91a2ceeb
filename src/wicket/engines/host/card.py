"""A model's card: what runs it, how, and what it can't do; shown at GET /v1/models/ID. Pure."""

from __future__ import annotations

from typing import Any

from wicket.engines.checkpoints.locate import Checkpoint
from wicket.engines.contract import Capabilities
from wicket.engines.host.request import DEFAULT_OUTPUT_TOKENS
from wicket.minis.card import MiniCard

CANNOT = (
    "other tasks than its own",
    "conversations: it reads one message of text by the user, and no system prompt but those of its training",
    "tools, images, audio, several choices, log-probabilities, token biases",
    "sampling: it writes what it holds for likeliest, whatever temperature was asked for",
    "streaming of a growing answer: frames are sent once the answer is whole",
)


def card(
    checkpoint: Checkpoint, capabilities: Capabilities, *, has_template: bool, has_template_tools: bool
) -> dict[str, Any]:
    """The card's fields, as JSON values."""
    can_chat = "generate" in capabilities.verbs
    fields: dict[str, Any] = {
        "engine": capabilities.engine,
        "scheme": capabilities.scheme,
        "licence": checkpoint.licence,
        "verbs": capabilities.verbs,
        "context_tokens": context_tokens(capabilities) if can_chat else capabilities.context_tokens,
        "max_batch": capabilities.max_batch,
        "kv_tokens": capabilities.kv_tokens,
        "weights_bytes": capabilities.weights_bytes,
        "notes": list(capabilities.notes),
    }
    if can_chat:
        fields["max_logprobs"] = capabilities.max_logprobs
        fields["default_temperature"] = checkpoint.sampling.temperature
        fields["default_top_p"] = checkpoint.sampling.top_p
        fields["default_max_tokens"] = DEFAULT_OUTPUT_TOKENS
        fields["tool_calls"] = _tool_calls(has_template_tools)
        if not has_template:
            fields["notes"].append("The checkpoint has no chat template: messages are written as ChatML.")
    if checkpoint.card:
        fields["run"] = checkpoint.card
    if checkpoint.mini is not None:
        fields |= _mini(checkpoint.mini)
    return fields


def _mini(mini: MiniCard) -> dict[str, Any]:
    """What a mini's card says besides, and over, its checkpoint's."""
    return {
        "default_max_tokens": mini.max_output_tokens,
        "tool_calls": "none",
        "mini": {
            "task": mini.task,
            "run": mini.run,
            "created_ms": mini.created_ms,
            "base": mini.base,
            "licence": mini.licence,
            "answers": mini.answers.kind,
            "max_input_tokens": mini.max_input_tokens,
            "max_output_tokens": mini.max_output_tokens,
            "num_systems": len(mini.systems),
            "num_validated": mini.calibration.num_validated,
            "evaluation": mini.evaluation,
            "lineage": mini.lineage,
            "cannot": list(CANNOT),
        },
    }


def context_tokens(capabilities: Capabilities) -> int:
    """How long prompt and output may be together: the checkpoint's context, or all of the KV cache."""
    if capabilities.kv_tokens <= 0:
        return capabilities.context_tokens
    return min(capabilities.context_tokens, capabilities.kv_tokens)


def _tool_calls(has_template_tools: bool) -> str:
    if has_template_tools:
        return "by the model's chat template; 'required' or a named function by constrained JSON"
    return (
        "by constrained JSON, because the model's chat template knows no tools: one call per answer, none "
        "after a function's result; with tool_choice 'auto' the model picks between answering and calling, "
        "and small models pick badly: prefer 'required' or a named function"
    )
