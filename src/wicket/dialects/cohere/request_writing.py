"""A conversation as the body of Cohere's chat. Source: Cohere API reference, POST /v2/chat."""

from __future__ import annotations

from typing import Any

from wicket.dialects.cohere.turn_writing import write_turns
from wicket.dialects.contract import Body
from wicket.dialects.hub import (
    Conversation,
    Format,
    Reasoning,
    Setting,
    ToolChoice,
    leave_out,
    unsayable,
)
from wicket.dialects.saying import NO_PARAMETERS, Saying
from wicket.routing.deployment import Deployment
from wicket.wire import json

_PLAIN = {
    Setting.MAX_OUTPUT_TOKENS: "max_tokens",
    Setting.TOP_K: "k",
    Setting.TOP_P: "p",
    Setting.SEED: "seed",
    Setting.FREQUENCY_PENALTY: "frequency_penalty",
    Setting.PRESENCE_PENALTY: "presence_penalty",
}
_MAX_TOP_P = 0.99
_MAX_STOPS = 5
_BUDGETS = {"minimal": 512, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 31_000, "max": 31_000}
"""Thinking tokens that an effort amounts to; above 31,000 no room is left for an answer (Cohere's docs)."""


def write_request(conversation: Conversation, deployment: Deployment, *, streamed: bool) -> Body:
    """The body and what was left out, in the caller's names. Raises `CallerFault` likewise."""
    return _Request(conversation, deployment).body(streamed)


class _Request(Saying):
    """One request while it is written."""

    def body(self, streamed: bool) -> Body:
        fields, conversation = self.fields, self.conversation
        fields["messages"] = write_turns(conversation.turns, self.dropped)
        self._tools()
        self._plain()
        self._format()
        self._reasoning()
        fields["stream"] = streamed
        self.dropped[:0] = leave_out(conversation, self.said)
        for name, raw in conversation.extras.items():
            fields.setdefault(name, raw)
        for name in [name for name in self.deployment.remove if name in fields]:
            del fields[name]
            self.dropped.append(name)
        return Body(json.encode(fields), tuple(dict.fromkeys(self.dropped)))

    def _tools(self) -> None:
        choice: ToolChoice | None = self.get(Setting.TOOL_CHOICE)
        tools = []
        for tool in map(self.function, self.conversation.tools):
            if choice is not None and choice.names and tool.name not in choice.names:
                continue
            function: dict[str, Any] = {"name": tool.name}
            if tool.description:
                function["description"] = tool.description
            function["parameters"] = tool.schema if tool.schema is not None else NO_PARAMETERS
            tools.append({"type": "function", "function": function})
        mode = choice.mode if choice is not None else "auto"
        if mode in ("required", "named") and not tools:
            raise unsayable(self.name(Setting.TOOL_CHOICE), "there are no tools to choose from")
        if tools:
            self.fields["tools"] = tools
            if mode in ("required", "named"):
                self.fields["tool_choice"] = "REQUIRED"  # one name is required by offering it alone
            elif mode == "none":
                self.fields["tool_choice"] = "NONE"
        self._strictness()
        self.needs_no_order(tools)

    def _strictness(self) -> None:
        """Cohere is strict with all tools or with none."""
        asked = [tool for tool in self.conversation.tools if tool.is_strict]
        if asked and len(asked) == len(self.conversation.tools):
            self.fields["strict_tools"] = True
        else:
            self.dropped += [f"{tool.path}.strict" for tool in asked]

    def _plain(self) -> None:
        for setting, name in _PLAIN.items():
            value = self.get(setting)
            if value is not None:
                self.fields[name] = value
        if self.fields.get("p", 0) > _MAX_TOP_P:
            del self.fields["p"]  # 1 is no bound at all, and the API takes no more than 0.99
        for name in ("frequency_penalty", "presence_penalty"):
            value = self.fields.get(name, 0)
            if not 0 <= value <= 1:
                self.fields[name] = min(max(value, 0), 1)
                self.dropped.append(self.name(Setting(name)))
        temperature = self.get(Setting.TEMPERATURE)
        if temperature is not None:
            if temperature > 1:
                self.dropped.append(self.name(Setting.TEMPERATURE))
            self.fields["temperature"] = min(temperature, 1.0)
        stops = self.get(Setting.STOP)
        if stops:
            if len(stops) > _MAX_STOPS:
                raise unsayable(self.name(Setting.STOP), f"it takes {_MAX_STOPS} stop sequences at most")
            self.fields["stop_sequences"] = list(stops)
        self.is_one_answer()

    def _format(self) -> None:
        asked: Format | None = self.get(Setting.FORMAT)
        if asked is None:
            return
        if "tools" in self.fields:
            raise unsayable(self.name(Setting.FORMAT), "it answers in a form or calls tools, not both")
        written: dict[str, Any] = {"type": "json_object"}
        if asked.schema is not None:
            written["json_schema"] = asked.schema
        self.fields["response_format"] = written

    def _reasoning(self) -> None:
        asked: Reasoning | None = self.get(Setting.REASONING)
        if asked is None:
            return
        if asked.effort == "none" or asked.is_on is False or asked.budget_tokens == 0:
            self.fields["thinking"] = {"type": "disabled"}
            return
        budget = asked.budget_tokens
        if asked.effort is not None:
            budget = _BUDGETS.get(asked.effort, _BUDGETS["high"])
        if budget or asked.is_on:
            self.fields["thinking"] = {"type": "enabled", **({"token_budget": budget} if budget else {})}
