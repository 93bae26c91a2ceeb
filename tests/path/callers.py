"""One conversation as callers of five dialects have it: the bodies they send and what they make of answers.

Written from the providers' references, apart from our own readers and writers. A `Said` is what any of them
understood; `turn` is what the caller would send back of it, exactly as it came.
"""

import copy
import json
from collections.abc import Iterable
from typing import Any

from tests.path.asking import CITY, PIXEL, WEATHER, Caller, Question, Said
from tests.path.cohere_caller import CohereCaller
from tests.path.responses_caller import ResponsesCaller

__all__ = ["CALLERS", "CITY", "PIXEL", "WEATHER", "Caller", "Question", "Said"]


class OpenAICaller(Caller):
    name = "openai"

    def path(self, model: str, *, stream: bool) -> str:
        return "/v1/chat/completions"

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
            schema = {"name": "city", "schema": CITY, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if question.stop:
            body["stop"] = list(question.stop)
        if question.limit:
            body["max_completion_tokens"] = question.limit
        if question.thinking:
            body["reasoning_effort"] = "low"
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body | question.more

    def whole(self, answer: dict[str, Any]) -> Said:
        assert answer["object"] == "chat.completion"
        (choice,) = answer["choices"]
        message = choice["message"]
        calls = [
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in message.get("tool_calls") or ()
        ]
        return Said(
            text=message.get("content") or message.get("refusal") or "",
            thoughts=message.get("reasoning_content") or message.get("reasoning") or "",
            calls=calls,
            finish=choice["finish_reason"],
            tokens=_openai_tokens(answer["usage"]),
            model=answer["model"],
            turn=message,
        )

    def streamed(self, events: Iterable[dict[str, Any]]) -> Said:
        said, message, calls = Said(), {"role": "assistant", "content": ""}, dict[int, dict[str, Any]]()
        details: list[Any] = []
        for event in events:
            said.num_errors += "error" in event and bool(event["error"])
            if event.get("usage"):
                said.tokens = _openai_tokens(event["usage"])
            for choice in event.get("choices") or ():
                said.model = event["model"]
                said.finish = choice.get("finish_reason") or said.finish
                delta = choice["delta"]
                said.text += delta.get("content") or delta.get("refusal") or ""
                said.thoughts += delta.get("reasoning_content") or delta.get("reasoning") or ""
                details += delta.get("reasoning_details") or []
                for call in delta.get("tool_calls") or ():
                    _gather_call(calls, call)
        message["content"] = said.text or None
        if details:
            message["reasoning_details"] = details
        if said.thoughts:
            message["reasoning_content"] = said.thoughts
        if calls:
            message["tool_calls"] = list(calls.values())
        said.turn = message
        said.calls = [
            (one["id"], one["function"]["name"], json.loads(one["function"]["arguments"]))
            for one in calls.values()
        ]
        return said

    def go_on(self, body: dict[str, Any], said: Said, results: list[str]) -> dict[str, Any]:
        told = [
            {"role": "tool", "tool_call_id": call[0], "content": result}
            for call, result in zip(said.calls, results, strict=True)
        ]
        return {**body, "messages": [*body["messages"], said.turn, *told]}

    def error(self, answer: dict[str, Any]) -> str:
        assert list(answer) == ["error"] and set(answer["error"]) == {"message", "type", "param", "code"}
        return str(answer["error"]["message"])


def _openai_tokens(usage: dict[str, Any]) -> tuple[int, int]:
    return usage["prompt_tokens"], usage["completion_tokens"]


def _gather_call(calls: dict[int, dict[str, Any]], piece: dict[str, Any]) -> None:
    """As OpenAI's SDKs do: text is put together, anything else is taken as it comes."""
    known = calls.get(piece["index"])
    if known is None:
        calls[piece["index"]] = known = copy.deepcopy({k: v for k, v in piece.items() if k != "index"})
        known["function"].setdefault("arguments", "")
        return
    known["function"]["arguments"] += (piece.get("function") or {}).get("arguments") or ""
    known.update({k: v for k, v in piece.items() if k not in ("index", "function", "id", "type")})


class AnthropicCaller(Caller):
    name = "anthropic"

    def path(self, model: str, *, stream: bool) -> str:
        return "/v1/messages"

    def body(self, model: str, question: Question, *, stream: bool) -> dict[str, Any]:
        content: Any = question.text
        if question.image:
            source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
            content = [{"type": "text", "text": question.text}, {"type": "image", "source": source}]
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": question.limit or 4096,
        }
        if question.system:
            body["system"] = question.system
        if question.tools:
            body["tools"] = [{"name": "weather", "description": "d", "input_schema": WEATHER}]
        if question.schema:
            body["output_config"] = {"format": {"type": "json_schema", "schema": CITY}}
        if question.stop:
            body["stop_sequences"] = list(question.stop)
        if question.thinking:
            body["thinking"] = {"type": "enabled", "budget_tokens": 2048}
        if stream:
            body["stream"] = True
        return body | question.more

    def whole(self, answer: dict[str, Any]) -> Said:
        assert answer["type"] == "message" and answer["role"] == "assistant"
        usage = answer["usage"]
        return _anthropic_said(answer["content"], answer["stop_reason"], answer["model"], usage)

    def streamed(self, events: Iterable[dict[str, Any]]) -> Said:
        """As Anthropic's SDKs do; fails where the order of events is not theirs."""
        blocks: list[dict[str, Any]] = []
        pieces: list[str] = []
        state, num_errors = "", 0
        message: dict[str, Any] = {"usage": {}, "stop_reason": None, "model": ""}
        for event in events:
            match event["type"]:
                case "message_start":
                    assert state == ""
                    message, state = event["message"], "between"
                case "content_block_start":
                    assert state == "between" and event["index"] == len(blocks)
                    blocks.append(copy.deepcopy(event["content_block"]))
                    pieces.append("")
                    state = "in"
                    assert blocks[-1].get("input", {}) == {}
                case "content_block_delta":
                    assert state == "in" and event["index"] == len(blocks) - 1
                    _gather_delta(blocks[-1], pieces, event["delta"])
                case "content_block_stop":
                    assert state == "in" and event["index"] == len(blocks) - 1
                    if blocks[-1]["type"] == "tool_use":
                        blocks[-1]["input"] = json.loads(pieces[-1] or "{}")
                    state = "between"
                case "message_delta":
                    assert state == "between"
                    message["stop_reason"] = event["delta"]["stop_reason"]
                    message["usage"] = {**message["usage"], **event["usage"]}
                case "message_stop":
                    assert state == "between"
                    state = "over"
                case "error":
                    num_errors += 1
                    state = "over"
                case "ping":
                    pass
                case other:
                    raise AssertionError(other)
        said = _anthropic_said(blocks, message["stop_reason"], message["model"], message["usage"])
        said.num_errors = num_errors
        assert state == "over"
        return said

    def go_on(self, body: dict[str, Any], said: Said, results: list[str]) -> dict[str, Any]:
        told = [
            {"type": "tool_result", "tool_use_id": call[0], "content": result}
            for call, result in zip(said.calls, results, strict=True)
        ]
        turns = [{"role": "assistant", "content": said.turn}, {"role": "user", "content": told}]
        return {**body, "messages": [*body["messages"], *turns]}

    def error(self, answer: dict[str, Any]) -> str:
        assert answer["type"] == "error" and set(answer) <= {"type", "error", "request_id"}
        assert answer["error"]["type"].endswith("_error")
        return str(answer["error"]["message"])


def _gather_delta(block: dict[str, Any], pieces: list[str], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            pieces[-1] += delta["partial_json"]
        case other:
            raise AssertionError(other)


_ANTHROPIC = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def _anthropic_said(blocks: list[dict[str, Any]], reason: Any, model: str, usage: dict[str, Any]) -> Said:
    return Said(
        text="".join(one["text"] for one in blocks if one["type"] == "text"),
        thoughts="".join(one["thinking"] for one in blocks if one["type"] == "thinking"),
        calls=[(one["id"], one["name"], one["input"]) for one in blocks if one["type"] == "tool_use"],
        finish=_ANTHROPIC[reason] if reason else "",
        tokens=(usage.get("input_tokens", 0), usage.get("output_tokens", 0)),
        model=model,
        turn=blocks,
    )


class GeminiCaller(Caller):
    name = "gemini"

    def path(self, model: str, *, stream: bool) -> str:
        return f"/v1beta/models/{model}:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"

    def body(self, model: str, question: Question, *, stream: bool) -> dict[str, Any]:
        parts: list[Any] = [{"text": question.text}]
        if question.image:
            parts.append({"inlineData": {"mimeType": "image/png", "data": PIXEL}})
        body: dict[str, Any] = {"contents": [{"role": "user", "parts": parts}]}
        config: dict[str, Any] = {}
        if question.system:
            body["systemInstruction"] = {"parts": [{"text": question.system}]}
        if question.tools:
            function = {"name": "weather", "description": "d", "parametersJsonSchema": WEATHER}
            body["tools"] = [{"functionDeclarations": [function]}]
        if question.schema:
            config |= {"responseMimeType": "application/json", "responseJsonSchema": CITY}
        if question.stop:
            config["stopSequences"] = list(question.stop)
        if question.limit:
            config["maxOutputTokens"] = question.limit
        if question.thinking:
            config["thinkingConfig"] = {"thinkingBudget": 2048, "includeThoughts": True}
        return {**body, "generationConfig": config, **question.more}

    def whole(self, answer: dict[str, Any]) -> Said:
        return self.streamed([answer])

    def streamed(self, events: Iterable[dict[str, Any]]) -> Said:
        said, parts = Said(), list[dict[str, Any]]()
        for event in events:
            said.num_errors += "error" in event
            used = event.get("usageMetadata")
            if used:
                output = used.get("candidatesTokenCount", 0) + used.get("thoughtsTokenCount", 0)
                said.tokens = used.get("promptTokenCount", 0), output
            said.model = event.get("modelVersion") or said.model
            for candidate in event.get("candidates") or ():
                said.finish = candidate.get("finishReason") or said.finish
                parts += (candidate.get("content") or {}).get("parts") or ()
        for part in parts:
            if part.get("thought"):
                said.thoughts += part.get("text", "")
            else:
                said.text += part.get("text", "")
            call = part.get("functionCall")
            if call:
                said.calls.append((call.get("id", ""), call["name"], call.get("args", {})))
        finishes = {"STOP": "tool_calls" if said.calls else "stop", "MAX_TOKENS": "length"}
        said.finish = finishes.get(said.finish, "content_filter" if said.finish == "SAFETY" else said.finish)
        said.turn = {"role": "model", "parts": parts}
        return said

    def go_on(self, body: dict[str, Any], said: Said, results: list[str]) -> dict[str, Any]:
        told = [
            {"functionResponse": {"name": call[1], "response": {"output": result}}}
            for call, result in zip(said.calls, results, strict=True)
        ]
        for part, call in zip(told, said.calls, strict=True):
            if call[0]:
                part["functionResponse"]["id"] = call[0]
        return {**body, "contents": [*body["contents"], said.turn, {"role": "user", "parts": told}]}

    def error(self, answer: dict[str, Any]) -> str:
        assert list(answer) == ["error"] and {"code", "message", "status"} <= set(answer["error"])
        return str(answer["error"]["message"])


CALLERS: dict[str, Caller] = {
    caller.name: caller
    for caller in (OpenAICaller(), AnthropicCaller(), GeminiCaller(), CohereCaller(), ResponsesCaller())
}
