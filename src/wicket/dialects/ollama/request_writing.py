"""A conversation as the body of `/api/chat`.

Ollama cuts a prompt that is longer than the context it was loaded with, oldest messages first, and says
nothing. So `truncate` and `shift` are switched off: such a prompt is an error, and is tried elsewhere. A
known context is asked for (`num_ctx`); without one the server's own setting holds. Source: Ollama's
`docs/api.md`, `docs/modelfile.mdx` (options), `api/types.go`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.contract import Body
from wicket.dialects.hub import (
    Conversation,
    Format,
    Reasoning,
    Setting,
    ToolChoice,
    leave_out,
)
from wicket.dialects.ollama.turn_writing import write_turns
from wicket.dialects.saying import NO_PARAMETERS, Saying
from wicket.errors import CallerFault
from wicket.routing.deployment import Deployment
from wicket.wire import json

_OPTIONS = {
    Setting.MAX_OUTPUT_TOKENS: "num_predict",
    Setting.TEMPERATURE: "temperature",
    Setting.TOP_P: "top_p",
    Setting.TOP_K: "top_k",
    Setting.MIN_P: "min_p",
    Setting.SEED: "seed",
    Setting.FREQUENCY_PENALTY: "frequency_penalty",
    Setting.PRESENCE_PENALTY: "presence_penalty",
    Setting.STOP: "stop",
}
_LEVELS = {"minimal": "low", "xhigh": "high"}  # it knows low, medium, high and max
_MAX_TOP_LOGPROBS = 20


def write_request(conversation: Conversation, deployment: Deployment, *, streamed: bool) -> Body:
    """The body and what was left out, in the caller's names. Raises `CallerFault` likewise."""
    return _Request(conversation, deployment).body(streamed)


class _Request(Saying):
    """One request while it is written."""

    def body(self, streamed: bool) -> Body:
        fields, conversation = self.fields, self.conversation
        fields["messages"] = write_turns(conversation.turns, self.dropped)
        self._tools()
        self._format()
        self._reasoning()
        self._logprobs()
        fields["stream"] = streamed
        options = self._options()
        if options:
            fields["options"] = options
        self.dropped[:0] = leave_out(conversation, self.said)
        fields |= {name: raw for name, raw in conversation.extras.items() if name not in fields}
        fields.setdefault("truncate", False)
        fields.setdefault("shift", False)
        return Body(json.encode(fields), tuple(dict.fromkeys(self.dropped)))

    def _options(self) -> dict[str, Any]:
        """The caller's own `options`, if it sent some, under what it asked for in its dialect's words."""
        options: dict[str, Any] = {}
        if self.deployment.context_tokens:
            options["num_ctx"] = self.deployment.context_tokens
        own = self.conversation.extras.get("options")
        if own is not None:
            try:
                options |= json.decode(own, type=dict[str, msgspec.Raw])
            except (json.DecodeError, RecursionError):
                raise CallerFault("invalid_type", "'options' must be an object.", param="options") from None
        for setting, name in _OPTIONS.items():
            value = self.get(setting)
            if value is not None:
                options[name] = list(value) if setting is Setting.STOP else value
        self.is_one_answer()
        return options

    def _tools(self) -> None:
        """Tools are offered or not: no call can be forced, none forbidden but by offering nothing."""
        choice: ToolChoice | None = self.conversation.settings.get(Setting.TOOL_CHOICE)
        mode = choice.mode if choice is not None else "auto"
        if mode in ("auto", "none"):
            self.said.add(Setting.TOOL_CHOICE)
        tools = []
        for tool in map(self.function, self.conversation.tools):
            if tool.is_strict:
                self.dropped.append(f"{tool.path}.strict")
            if mode == "none" or (choice is not None and choice.names and tool.name not in choice.names):
                continue
            schema = tool.schema if tool.schema is not None else NO_PARAMETERS
            function = {"name": tool.name, "description": tool.description, "parameters": schema}
            tools.append({"type": "function", "function": function})
        if tools:
            self.fields["tools"] = tools
        self.needs_no_order(tools)

    def _format(self) -> None:
        asked: Format | None = self.get(Setting.FORMAT)
        if asked is not None:
            self.fields["format"] = asked.schema if asked.schema is not None else "json"

    def _reasoning(self) -> None:
        asked: Reasoning | None = self.get(Setting.REASONING)
        if asked is None:
            return
        if asked.effort == "none" or asked.is_on is False or asked.budget_tokens == 0:
            self.fields["think"] = False
        elif asked.effort is not None:
            self.fields["think"] = _LEVELS.get(asked.effort, asked.effort)
        elif asked.budget_tokens is not None or asked.is_on:
            self.fields["think"] = True
            if asked.budget_tokens is not None:
                self.dropped.append(self.name(Setting.REASONING))

    def _logprobs(self) -> None:
        number = self.get(Setting.LOGPROBS)
        if number is not None:
            self.fields["logprobs"] = True
            if number:
                self.fields["top_logprobs"] = min(number, _MAX_TOP_LOGPROBS)
