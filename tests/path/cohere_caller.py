"""A caller of Cohere's chat, version 2. Written from Cohere's reference, apart from our reader and writer."""

import copy
import json
from collections.abc import Iterable
from typing import Any

from tests.path.asking import CITY, PIXEL, WEATHER, Caller, Question, Said

_FINISHES = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}


class CohereCaller(Caller):
    name = "cohere"

    def path(self, model: str, *, stream: bool) -> str:
        return "/v2/chat"

    def body(self, model: str, question: Question, *, stream: bool) -> dict[str, Any]:
        content: Any = question.text
        if question.image:
            link = {"url": f"data:image/png;base64,{PIXEL}"}
            content = [{"type": "text", "text": question.text}, {"type": "image_url", "image_url": link}]
        messages = [{"role": "user", "content": content}]
        if question.system:
            messages.insert(0, {"role": "system", "content": question.system})
        body: dict[str, Any] = {"model": model, "messages": messages}
        if question.tools:
            function = {"name": "weather", "description": "d", "parameters": WEATHER}
            body["tools"] = [{"type": "function", "function": function}]
        if question.schema:
            body["response_format"] = {"type": "json_object", "json_schema": CITY}
        if question.stop:
            body["stop_sequences"] = list(question.stop)
        if question.limit:
            body["max_tokens"] = question.limit
        if question.thinking:
            body["thinking"] = {"type": "enabled", "token_budget": 2048}
        if stream:
            body["stream"] = True
        return body | question.more

    def whole(self, answer: dict[str, Any]) -> Said:
        assert answer["id"] and answer["message"]["role"] == "assistant"
        message, usage = answer["message"], answer["usage"]
        return _said(message, answer["finish_reason"], usage)

    def streamed(self, events: Iterable[dict[str, Any]]) -> Said:
        """Puts the message together; fails where the order of events is not Cohere's."""
        message: dict[str, Any] = {"role": "assistant"}
        contents: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        open_ones: set[tuple[str, int]] = set()
        usage: dict[str, Any] = {}
        finish, state, num_errors = "", "", 0
        for event in events:
            delta = event.get("delta", {})
            told, index = delta.get("message", {}), event.get("index", 0)
            assert state == ("" if event["type"] == "message-start" else "on"), event
            match event["type"]:
                case "message-start":
                    assert event["id"]
                    state = "on"
                case "content-start":
                    assert index == len(contents)
                    contents.append(copy.deepcopy(told["content"]))
                    open_ones.add(("content", index))
                case "content-delta":
                    assert ("content", index) in open_ones
                    _gather(contents[index], told["content"], ("text", "thinking"))
                case "content-end":
                    open_ones.remove(("content", index))
                case "tool-plan-delta":
                    message["tool_plan"] = message.get("tool_plan", "") + told["tool_plan"]
                case "tool-call-start":
                    assert index == len(calls)
                    calls.append(copy.deepcopy(told["tool_calls"]))
                    open_ones.add(("call", index))
                case "tool-call-delta":
                    assert ("call", index) in open_ones
                    calls[index]["function"]["arguments"] += told["tool_calls"]["function"]["arguments"]
                    rest = {name: one for name, one in told["tool_calls"].items() if name != "function"}
                    calls[index] |= rest
                case "tool-call-end":
                    open_ones.remove(("call", index))
                case "message-end":
                    finish, usage, state = delta["finish_reason"], delta.get("usage", {}), "over"
                    num_errors += finish == "ERROR"
                    assert num_errors or not open_ones
                    assert ("error" in delta) is (finish == "ERROR")
                case other:
                    raise AssertionError(other)
        assert state == "over"
        if contents:
            message["content"] = contents
        if calls:
            message["tool_calls"] = calls
        said = _said(message, "" if num_errors else finish, usage)
        said.num_errors = num_errors
        return said

    def go_on(self, body: dict[str, Any], said: Said, results: list[str]) -> dict[str, Any]:
        told = [
            {"role": "tool", "tool_call_id": call[0], "content": result}
            for call, result in zip(said.calls, results, strict=True)
        ]
        return {**body, "messages": [*body["messages"], said.turn, *told]}

    def error(self, answer: dict[str, Any]) -> str:
        assert set(answer) == {"id", "message"} and isinstance(answer["id"], str)
        return str(answer["message"])


def _gather(item: dict[str, Any], piece: dict[str, Any], texts: tuple[str, ...]) -> None:
    """Text is put together, anything else is taken as it comes."""
    for name, value in piece.items():
        item[name] = item.get(name, "") + value if name in texts else value


def _said(message: dict[str, Any], finish: str, usage: dict[str, Any]) -> Said:
    items = message.get("content") or []
    thoughts = [item["thinking"] for item in items if item["type"] == "thinking"]
    billed = usage.get("billed_units", {})
    return Said(
        text="".join(item["text"] for item in items if item["type"] == "text"),
        thoughts="".join([message.get("tool_plan", ""), *thoughts]),
        calls=[
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in message.get("tool_calls") or ()
        ],
        finish=_FINISHES[finish] if finish else "",
        tokens=(int(billed.get("input_tokens", 0)), int(billed.get("output_tokens", 0))),
        turn=message,
    )
