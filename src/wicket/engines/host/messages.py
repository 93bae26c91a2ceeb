"""Chat messages as OpenAI's clients send them, checked and brought to what chat templates take."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from wicket.engines.host.fields import bad_type, bad_value
from wicket.errors import CallerFault
from wicket.wire import json

MAX_MESSAGES = 2048
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class FunctionCall(msgspec.Struct, frozen=True):
    """A call in an assistant's earlier message; `arguments` is JSON text."""

    name: str
    arguments: str = "{}"


class ToolCall(msgspec.Struct, frozen=True):
    """One of an assistant's earlier tool calls."""

    function: FunctionCall
    id: str = ""
    type: Literal["function"] = "function"


class Function(msgspec.Struct, frozen=True):
    """A function that the model may call; `parameters` is a JSON schema."""

    name: Name
    description: str = ""
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(msgspec.Struct, frozen=True):
    """A tool: only functions exist here."""

    function: Function
    type: Literal["function"] = "function"


class Message(msgspec.Struct, frozen=True):
    """One message as it came."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Any = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None


class Turn(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message as templates take it: text content, "system" for "developer", "tool" for "function"."""

    role: str
    content: str
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None


Messages = Annotated[list[Message], msgspec.Meta(min_length=1, max_length=MAX_MESSAGES)]
_ROLES = {"developer": "system", "function": "tool"}


def turns(messages: list[Message]) -> list[Turn]:
    """The messages for a template. Raises `CallerFault` naming the message or part that can't be used."""
    return [_turn(message, f"messages[{index}]") for index, message in enumerate(messages)]


def _turn(message: Message, param: str) -> Turn:
    content = _text(message, f"{param}.content")
    role = _ROLES.get(message.role, message.role)
    calls = message.tool_calls or None
    if calls and role != "assistant":
        raise bad_value(f"{param}.tool_calls", "only an assistant's message has tool calls")
    for index, call in enumerate(calls or []):
        _check_arguments(call, f"{param}.tool_calls[{index}].function.arguments")
    return Turn(role, content, calls, message.tool_call_id, message.name)


def _check_arguments(call: ToolCall, param: str) -> None:
    try:
        is_object = isinstance(json.decode(call.function.arguments or "{}"), dict)
    except (json.DecodeError, RecursionError):
        is_object = False
    if not is_object:
        raise bad_value(param, "it must be a JSON object as text")


def _text(message: Message, param: str) -> str:
    content = message.content
    if isinstance(content, str):
        return content
    if content is None:
        if message.role == "assistant":
            return message.refusal or ""
        raise CallerFault("missing_required_parameter", f"'{param}' is required.", param=param)
    if isinstance(content, list):
        return "\n".join(_part(part, f"{param}[{index}]") for index, part in enumerate(content))
    raise bad_type(param, "expected text or a list of parts")


def _part(part: Any, param: str) -> str:
    if not isinstance(part, dict):
        raise bad_type(param, "expected a part, i.e. an object with a type")
    kind = part.get("type")
    if kind not in ("text", "refusal"):
        message = f"'{param}' is of type {str(kind)[:40]!r}: this model reads text only."
        raise CallerFault("unsupported_content", message, param=param)
    value = part.get(kind)
    if not isinstance(value, str):
        raise bad_type(f"{param}.{kind}", "expected text")
    return value
