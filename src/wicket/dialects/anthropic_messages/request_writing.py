"""A conversation of another family as a Messages request.

Sources: Messages API reference; "tool use" (tool_choice, parallel use), "structured outputs", "extended
thinking" and "adaptive thinking" (what goes with what), "effort". What a model takes is data (`models`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.anthropic_messages.block_reading import NAME
from wicket.dialects.anthropic_messages.block_writing import Block, Writer, check_tool_name
from wicket.dialects.anthropic_messages.models import Claude, claude
from wicket.dialects.anthropic_messages.schemas import closed, is_expressible
from wicket.dialects.anthropic_messages.thinking import write_reasoning
from wicket.dialects.anthropic_messages.turns import write_turns
from wicket.dialects.anthropic_messages.vertex import VERSION, is_vertex
from wicket.dialects.contract import Body
from wicket.dialects.hub import Conversation, Format, Setting, Tool, ToolChoice, leave_out, unsayable
from wicket.errors import CallerFault
from wicket.routing.deployment import Deployment
from wicket.wire import json

ANSWER_TOOL = "wicket_json_answer"
"""A tool that stands for the answer where the model has no structured outputs; reading turns it into text."""

_SAID = frozenset(
    {
        Setting.MAX_OUTPUT_TOKENS, Setting.TEMPERATURE, Setting.TOP_P, Setting.TOP_K, Setting.STOP,
        Setting.TOOL_CHOICE, Setting.PARALLEL_TOOLS, Setting.FORMAT, Setting.REASONING, Setting.USER,
        Setting.SERVICE_TIER,
    }
)  # fmt: skip
_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')
_ANY_OBJECT = {"type": "object", "additionalProperties": True}


def write_request(conversation: Conversation, deployment: Deployment, *, streamed: bool) -> Body:
    """The body and what was left out, in the caller's names. Raises `CallerFault` likewise."""
    return _Request(conversation, deployment).body(streamed)


class _Request:
    """One request while it is written."""

    def __init__(self, conversation: Conversation, deployment: Deployment) -> None:
        said = _SAID | {Setting.OWN, Setting.OWN_HINTS} if conversation.origin == NAME else _SAID
        self.conversation = conversation
        self.deployment = deployment
        self.model: Claude = claude(deployment.model)
        self.writer = Writer()
        self.writer.dropped += leave_out(conversation, said)
        self.fields: dict[str, Any] = {"model": deployment.model}

    def body(self, streamed: bool) -> Body:
        fields, conversation = self.fields, self.conversation
        fields["max_tokens"] = self._max_tokens()
        system, fields["messages"] = write_turns(conversation.turns, self.writer)
        if system is not None:
            fields["system"] = system
        tools = self._tools()
        if tools:
            fields["tools"] = tools
        self._format()
        self._choice()
        write_reasoning(fields, conversation, self.model, self.writer)
        self._sampling()
        self._hints()
        if streamed:
            fields["stream"] = True
        self._own()
        for name, raw in conversation.extras.items():
            fields.setdefault(name, raw)
        if is_vertex(self.deployment):
            del fields["model"]
            fields["anthropic_version"] = VERSION
        return Body(json.encode(fields), tuple(dict.fromkeys(self.writer.dropped)))

    def _own(self) -> None:
        """Fields of this family alone, back in their places."""
        for setting in (Setting.OWN, Setting.OWN_HINTS):
            if setting not in self.conversation.settings or self.conversation.origin != NAME:
                continue
            for path, raw in self.conversation.settings[setting].items():
                first, _, inner = path.partition(".")
                if inner:
                    self.fields.setdefault(first, {})[inner] = raw
                else:
                    self.fields.setdefault(first, raw)

    def _get(self, setting: Setting) -> Any:
        return self.conversation.settings.get(setting)

    def _name(self, setting: Setting) -> str:
        return self.conversation.names.get(setting, setting.value)

    def _max_tokens(self) -> int:
        most = self.deployment.max_output_tokens or self.model.max_output_tokens
        wanted: int | None = self._get(Setting.MAX_OUTPUT_TOKENS)
        if wanted is None:
            return most
        known = self.deployment.max_output_tokens
        return min(wanted, known) if known else wanted  # no answer is longer than the model's own limit

    def _tools(self) -> list[Block]:
        choice: ToolChoice | None = self._get(Setting.TOOL_CHOICE)
        offered = {tool.name for tool in self.conversation.tools}
        if choice is not None and not offered.issuperset(choice.names):
            name = self._name(Setting.TOOL_CHOICE)
            raise CallerFault("invalid_value", f"'{name}' names a tool that is not offered.", param=name)
        narrowed = (
            set(choice.names)
            if choice is not None and (choice.mode != "named" or len(choice.names) > 1)
            else ()
        )
        return [self._tool(tool) for tool in self.conversation.tools if not narrowed or tool.name in narrowed]

    def _tool(self, tool: Tool) -> Block:
        if self.conversation.origin == NAME and tool.raw is not None:
            return tool.raw
        if tool.kind != "function":
            raise unsayable(tool.path, f"a tool of type '{tool.kind}' belongs to another provider")
        written: dict[str, Any] = {"name": check_tool_name(tool.name, f"{tool.path}.name")}
        if tool.description:
            written["description"] = tool.description
        written["input_schema"] = _parameters(tool)
        if tool.is_strict:
            if self.model.has_formats:
                written["strict"] = True
                written["input_schema"] = closed(json.decode(json.encode(written["input_schema"])), tool.path)
            else:
                self.writer.dropped.append(f"{tool.path}.strict")
        mark = self.writer.mark(tool.cache, tool.path)
        if mark is not None:
            written["cache_control"] = mark
        return written

    def _format(self) -> None:
        wanted: Format | None = self._get(Setting.FORMAT)
        if wanted is None:
            return
        schema = json.decode(wanted.schema) if wanted.schema is not None else None
        if isinstance(schema, dict) and self._has_native(wanted, schema):
            fitted = closed(schema, self._name(Setting.FORMAT))
            self.fields["output_config"] = {"format": {"type": "json_schema", "schema": fitted}}
            return
        if not self.model.can_force_tools:
            raise unsayable(self._name(Setting.FORMAT), "the model has JSON of a plain, closed schema only")
        self._answer_by_tool(wanted, schema if isinstance(schema, dict) else _ANY_OBJECT)

    def _has_native(self, wanted: Format, schema: dict[str, Any]) -> bool:
        """Structured outputs: for a strict schema always (the provider may refuse it), else where it fits."""
        if wanted.kind != "json_schema" or not self.model.has_formats:
            return False
        return wanted.is_strict is True or is_expressible(schema) or not self.model.can_force_tools

    def _answer_by_tool(self, wanted: Format, schema: dict[str, Any]) -> None:
        """The answer as a call of a tool that must be made, beside the caller's own tools."""
        choice: ToolChoice | None = self._get(Setting.TOOL_CHOICE)
        if choice is not None and choice.mode in ("required", "named"):
            return  # the answer is a call in any case
        answer = {
            "name": ANSWER_TOOL,
            "description": wanted.description or "Give the final answer as this JSON object.",
            "input_schema": schema if schema.get("type") == "object" else {"type": "object", **schema},
        }
        kept = [] if choice is not None and choice.mode == "none" else self.fields.get("tools", [])
        self.fields["tools"] = [*kept, answer]
        self.fields["tool_choice"] = {"type": "any"} if kept else {"type": "tool", "name": ANSWER_TOOL}
        if not kept or self._get(Setting.PARALLEL_TOOLS) is False:
            self.fields["tool_choice"]["disable_parallel_tool_use"] = True

    def _choice(self) -> None:
        fields, choice = self.fields, self._get(Setting.TOOL_CHOICE)
        if "tool_choice" in fields:
            return
        is_single = self._get(Setting.PARALLEL_TOOLS) is False
        mode = choice.mode if choice is not None else "auto"
        if "tools" not in fields:
            if mode in ("required", "named"):
                raise unsayable(self._name(Setting.TOOL_CHOICE), "there are no tools to choose from")
            return
        written: dict[str, Any] = {"type": {"required": "any", "named": "any"}.get(mode, mode)}
        if mode == "named" and len(choice.names) == 1:
            written = {"type": "tool", "name": choice.names[0]}
        if written["type"] in ("any", "tool") and not self.model.can_force_tools:
            raise unsayable(self._name(Setting.TOOL_CHOICE), "the model can't be made to call a tool")
        if is_single and mode != "none":
            written["disable_parallel_tool_use"] = True
        if written != {"type": "auto"}:
            fields["tool_choice"] = written

    def _sampling(self) -> None:
        """Temperature above 1 is clamped and reported; what the model does not take is refused."""
        fields = self.fields
        found = {
            setting: self._get(setting)
            for setting in (Setting.TEMPERATURE, Setting.TOP_P, Setting.TOP_K)
            if self._get(setting) is not None
        }
        if found.get(Setting.TEMPERATURE) == 1:
            del found[Setting.TEMPERATURE]  # the default of both families
        if found.get(Setting.TOP_P) == 1:
            del found[Setting.TOP_P]
        has_budget = fields.get("thinking", {}).get("type") == "enabled"
        for setting, value in found.items():
            if self.model.sampling == "none":
                raise unsayable(self._name(setting), "the model takes no sampling settings")
            if has_budget and (setting is not Setting.TOP_P or value < 0.95):
                raise unsayable(self._name(setting), "the model takes none while it thinks")
            if setting is Setting.TEMPERATURE and value > 1:
                self.writer.dropped.append(self._name(setting))
                value = 1.0
            if setting is Setting.TOP_P and Setting.TEMPERATURE in found and self.model.sampling == "one":
                self.writer.dropped.append(self._name(setting))
                continue
            fields[setting.value] = value
        stop: tuple[str, ...] | None = self._get(Setting.STOP)
        if stop:
            if any(not each.strip() for each in stop):
                raise unsayable(self._name(Setting.STOP), "a stop sequence needs a visible character")
            fields["stop_sequences"] = list(stop)

    def _hints(self) -> None:
        user = self._get(Setting.USER)
        if user:
            self.fields["metadata"] = {"user_id": user}
        tier = self._get(Setting.SERVICE_TIER)
        if tier in _TIERS:
            self.fields["service_tier"] = _TIERS[tier]
        elif tier is not None:
            self.writer.dropped.append(self._name(Setting.SERVICE_TIER))


def _parameters(tool: Tool) -> Any:
    """The tool's schema, of type object at its top as the API requires."""
    if tool.schema is None:
        return _NO_PARAMETERS
    schema = json.decode(tool.schema)
    if not isinstance(schema, dict):
        raise unsayable(f"{tool.path}.parameters", "a tool's schema is an object")
    if schema.get("type") == "object":
        return tool.schema
    if "type" not in schema:
        return {"type": "object", **schema}
    raise unsayable(f"{tool.path}.parameters", "the type of a tool's schema is 'object'")
