"""How a model is brought to call tools, decided from its chat template.

"template": the template knows tools and the model writes `<tool_call>{…}</tool_call>` by itself.
"constrained": it doesn't, so the tools are described in a system message and the whole output is one JSON
object under a schema: either `{"answer": …}` or `{"name": …, "arguments": {…}}`. The grammar offers both,
the model picks; so an answer is never half a call, and a call always satisfies its function's schema.
After a function's result the answer is free text: a model that small would call again and again.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from wicket.engines.host.messages import Tool, Turn
from wicket.engines.host.request import ChatCall
from wicket.errors import CallerFault
from wicket.wire import json

Reading = Literal["text", "choice", "tagged"]
_ANSWER_TEXT: dict[str, Any] = {"type": "string"}


class Shape(msgspec.Struct, frozen=True):
    """What goes to the template and the engine, and how the output is to be read.

    `reading` "text": as it is; "choice": one JSON object, an answer or a call; "tagged": text that may
    hold tagged calls. `is_answer_json`: the choice's answer is a JSON value, not a string.
    """

    turns: list[Turn]
    tools: list[dict[str, Any]]
    schema: str | None
    reading: Reading
    is_answer_json: bool = False


def shape(call: ChatCall, *, has_template_tools: bool) -> Shape:
    """Decide how to ask. Raises `CallerFault` for what the model can't be brought to do."""
    tools = _offered(call)
    answer = call.schema
    is_forced = call.tool_choice == "required"
    if not has_template_tools and not is_forced and call.turns[-1].role == "tool":
        tools = []
    if not tools:
        turns = call.turns if has_template_tools else _plain(call.turns)
        return Shape(turns, [], None if answer is None else _text(answer), "text")
    if has_template_tools:
        listed = [{"type": "function", "function": _described(tool)} for tool in tools]
        if not is_forced and answer is None:
            return Shape(call.turns, listed, None, "tagged")
        if is_forced:
            return Shape(call.turns, listed, _text(choice(tools, None)), "choice")
        message = "This model can't combine response_format with tools unless tool_choice is 'required'."
        raise CallerFault("unsupported_parameter", message, param="response_format")
    union = choice(tools, None if is_forced else answer or _ANSWER_TEXT)
    turns = _instructed(_plain(call.turns), instructions(tools, is_forced=is_forced))
    return Shape(turns, [], _text(union), "choice", is_answer_json=answer is not None)


def _offered(call: ChatCall) -> list[Tool]:
    if call.tool_choice == "none":
        return []
    return [tool for tool in call.tools if call.only_tool in (None, tool.function.name)]


def choice(tools: list[Tool], answer: dict[str, Any] | None) -> dict[str, Any]:
    """The schema of one call of one of the tools, or of an answer if that is allowed."""
    definitions: dict[str, Any] = {}
    options = [] if answer is None else [_closed({"answer": _placed(answer, "answer", definitions)})]
    for index, tool in enumerate(tools):
        parameters = tool.function.parameters or {"type": "object", "properties": {}}
        arguments = _placed({"type": "object", **parameters}, f"tool{index}", definitions)
        options.append(_closed({"name": {"const": tool.function.name}, "arguments": arguments}))
    union: dict[str, Any] = options[0] if len(options) == 1 else {"anyOf": options}
    return {**union, "$defs": definitions} if definitions else union


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _placed(schema: dict[str, Any], name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema inside a larger one: its references start at the larger one's root now."""
    moved: dict[str, Any] = _moved(schema, f"#/$defs/{name}")
    if moved == schema:
        return schema
    definitions[name] = moved
    return {"$ref": f"#/$defs/{name}"}


def _moved(node: Any, root: str) -> Any:
    if isinstance(node, dict):
        moved = {key: _moved(value, root) for key, value in node.items()}
        if isinstance(reference := node.get("$ref"), str) and reference.startswith("#"):
            moved["$ref"] = root + reference[1:]
        return moved
    return [_moved(item, root) for item in node] if isinstance(node, list) else node


def instructions(tools: list[Tool], *, is_forced: bool) -> str:
    """The system text that describes the tools to a model whose template can't."""
    call = '{"name": "<function>", "arguments": {...}}'
    if is_forced:
        lines = [f"You are a helpful assistant. Answer with JSON only, by a call of a function: {call}"]
    else:
        lines = [
            "You are a helpful assistant. Answer with JSON only.",
            'Usually answer directly: {"answer": "<your answer>"}',
            f"Only if the user asks for something that one of these functions does, call it: {call}",
        ]
    return "\n".join([*lines, "Functions:", *(_text(_described(tool)) for tool in tools)])


def _described(tool: Tool) -> dict[str, Any]:
    function = tool.function
    parameters = function.parameters or {"type": "object", "properties": {}}
    return {"name": function.name, "description": function.description, "parameters": parameters}


def _instructed(turns: list[Turn], text: str) -> list[Turn]:
    if turns[0].role == "system":
        first = msgspec.structs.replace(turns[0], content=f"{turns[0].content}\n\n{text}")
        return [first, *turns[1:]]
    return [Turn("system", text), *turns]


def _plain(turns: list[Turn]) -> list[Turn]:
    """Earlier calls and their results as text, for a template that knows neither."""
    plain = []
    for turn in turns:
        if turn.tool_calls:
            calls = [
                f'{{"name": {_text(call.function.name)}, "arguments": {call.function.arguments or "{}"}}}'
                for call in turn.tool_calls
            ]
            turn = Turn(turn.role, "\n".join(part for part in (turn.content, *calls) if part))
        elif turn.role == "tool":
            turn = Turn("user", f"Result of the function call: {turn.content}")
        plain.append(turn)
    return plain


def variables(shape: Shape) -> dict[str, Any]:
    """What the template sees; `arguments` of earlier calls are objects there, as templates expect."""
    messages = []
    for turn in shape.turns:
        message: dict[str, Any] = {"role": turn.role, "content": turn.content}
        if turn.tool_calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {
                        "name": call.function.name,
                        "arguments": _arguments(call.function.arguments),
                    },
                }
                for call in turn.tool_calls
            ]
        if turn.tool_call_id is not None:
            message["tool_call_id"] = turn.tool_call_id
        if turn.name is not None:
            message["name"] = turn.name
        messages.append(message)
    return {"messages": messages, "tools": shape.tools or None, "add_generation_prompt": True}


def _arguments(text: str) -> Any:
    return json.decode(text or "{}")


def _text(value: Any) -> str:
    text: str = json.encode(value).decode()
    return text
