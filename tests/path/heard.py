"""What a scripted provider was asked, read from its log as its own reference describes it."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from wicket.upstream.scripted import Seen


@dataclass
class Asked:
    """`calls` and `results` in their order: (id, name, arguments), (id, text). `seals` by the call behind."""

    system: str = ""
    texts: list[str] = field(default_factory=list)  # the user's
    images: list[tuple[str, str]] = field(default_factory=list)  # type, base64
    tools: dict[str, Any] = field(default_factory=dict)  # name → schema
    schema: Any = None
    stop: list[str] = field(default_factory=list)
    limit: int | None = None
    thinks: bool = False
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    results: list[tuple[str, str]] = field(default_factory=list)
    seals: list[str] = field(default_factory=list)


def of(seen: Seen) -> Asked:
    """By the path."""
    for end, read in _READERS.items():
        if seen.path.partition("?")[0].endswith(end):
            return read(seen.fields)
    raise AssertionError(seen.path)


def is_stream(seen: Seen) -> bool:
    """Whether a stream was asked for."""
    return seen.path.endswith(("?alt=sse", "/converse-stream")) or seen.fields.get("stream") is True


def _openai(fields: dict[str, Any]) -> Asked:
    asked = Asked(stop=_list(fields.get("stop")), thinks="reasoning_effort" in fields)
    asked.limit = fields.get("max_completion_tokens") or fields.get("max_tokens")
    asked.tools = {one["function"]["name"]: one["function"]["parameters"] for one in fields.get("tools", ())}
    if "response_format" in fields:
        asked.schema = fields["response_format"]["json_schema"]["schema"]
    due: list[str] = []
    for message in fields["messages"]:
        content = message.get("content") or ""
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        text = "".join(part["text"] for part in parts if part["type"] == "text")
        match message["role"]:
            case "system" | "developer":
                asked.system += text
            case "user":
                assert not due
                asked.texts.append(text)
                links = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
                asked.images += [(link[5:].split(";")[0], link.split("base64,")[1]) for link in links]
            case "assistant":
                for call in message.get("tool_calls") or ():
                    arguments = json.loads(call["function"]["arguments"])
                    asked.calls.append((call["id"], call["function"]["name"], arguments))
                    due.append(call["id"])
            case "tool":
                due.remove(message["tool_call_id"])  # each has its call just before it
                asked.results.append((message["tool_call_id"], text))
    assert not due
    return asked


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _anthropic(fields: dict[str, Any]) -> Asked:
    asked = Asked(stop=fields.get("stop_sequences", []), limit=fields["max_tokens"])
    asked.thinks = fields.get("thinking", {}).get("type") in ("enabled", "adaptive")
    system = fields.get("system", "")
    asked.system = system if isinstance(system, str) else "".join(block["text"] for block in system)
    asked.tools = {tool["name"]: tool["input_schema"] for tool in fields.get("tools", ())}
    asked.schema = fields.get("output_config", {}).get("format", {}).get("schema")
    roles = [message["role"] for message in fields["messages"]]
    assert roles[0] == "user" and all(one != other for one, other in pairwise(roles))
    due: list[str] = []
    for message in fields["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        kinds = [block["type"] for block in blocks]
        assert kinds == sorted(kinds, key=lambda kind: kind != "tool_result")  # results come first
        for block in blocks:
            match block["type"]:
                case "text" if message["role"] == "user":
                    asked.texts.append(block["text"])
                case "image":
                    asked.images.append((block["source"]["media_type"], block["source"]["data"]))
                case "tool_use":
                    asked.calls.append((block["id"], block["name"], block["input"]))
                    due.append(block["id"])
                case "tool_result":
                    due.remove(block["tool_use_id"])
                    content = block["content"]
                    text = content if isinstance(content, str) else "".join(one["text"] for one in content)
                    asked.results.append((block["tool_use_id"], text))
                case "thinking":
                    asked.seals.append(block["signature"])
        assert message["role"] == "assistant" or not due
    return asked


def _plain(data: str) -> str:
    """Google's SDK writes the other alphabet of base64."""
    return data.replace("-", "+").replace("_", "/")


_SNAKE = re.compile(r"_([a-z])")


def _camel(value: Any) -> Any:
    """Google's SDK sends some names in its other spelling; ours in tests have no underscores."""
    if isinstance(value, dict):
        return {_SNAKE.sub(lambda found: found[1].upper(), name): _camel(one) for name, one in value.items()}
    return [_camel(one) for one in value] if isinstance(value, list) else value


def _gemini(fields: dict[str, Any]) -> Asked:
    fields = _camel(fields)
    config = fields.get("generationConfig", {})
    asked = Asked(stop=config.get("stopSequences", []), limit=config.get("maxOutputTokens"))
    thinking = config.get("thinkingConfig", {})
    asked.thinks = bool(thinking.get("thinkingBudget") or thinking.get("thinkingLevel"))
    asked.system = "".join(part["text"] for part in fields.get("systemInstruction", {}).get("parts", ()))
    for tool in fields.get("tools", ()):
        for one in tool["functionDeclarations"]:
            asked.tools[one["name"]] = one.get("parametersJsonSchema") or one.get("parameters")
    asked.schema = config.get("responseJsonSchema") or config.get("responseSchema")
    waiting: list[tuple[str, str]] = []
    assert fields["contents"][0]["role"] == "user"
    for content in fields["contents"]:
        for part in content["parts"]:
            if "inlineData" in part:
                asked.images.append((part["inlineData"]["mimeType"], _plain(part["inlineData"]["data"])))
            elif "functionCall" in part:
                call = part["functionCall"]
                asked.calls.append((call.get("id", ""), call["name"], call.get("args", {})))
                waiting.append((call.get("id", ""), call["name"]))
                if part.get("thoughtSignature"):
                    asked.seals.append(part["thoughtSignature"])
            elif "functionResponse" in part:
                result = part["functionResponse"]
                assert waiting.pop(0) == (result.get("id", ""), result["name"])  # in the calls' order
                asked.results.append((result.get("id", ""), str(result["response"]["output"])))
            elif content["role"] == "user":
                asked.texts.append(part["text"])
    assert not waiting
    return asked


def _bedrock(fields: dict[str, Any]) -> Asked:
    config, more = fields.get("inferenceConfig", {}), fields.get("additionalModelRequestFields", {})
    asked = Asked(stop=config.get("stopSequences", []), limit=config.get("maxTokens"))
    asked.thinks = more.get("thinking", {}).get("type") in ("enabled", "adaptive")
    asked.system = "".join(block["text"] for block in fields.get("system", ()))
    for tool in fields.get("toolConfig", {}).get("tools", ()):
        asked.tools[tool["toolSpec"]["name"]] = tool["toolSpec"]["inputSchema"]["json"]
    if "outputConfig" in fields:
        written = fields["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
        assert isinstance(written["schema"], str)  # JSON inside JSON
        asked.schema = json.loads(written["schema"])
    roles = [message["role"] for message in fields["messages"]]
    assert roles[0] == "user" and all(one != other for one, other in pairwise(roles))
    due: list[str] = []
    for message in fields["messages"]:
        for block in message["content"]:
            ((kind, inner),) = block.items()
            match kind:
                case "text":
                    assert inner.strip()
                    if message["role"] == "user":
                        assert not due  # results come first
                        asked.texts.append(inner)
                case "image":
                    asked.images.append((f"image/{inner['format']}", inner["source"]["bytes"]))
                case "toolUse":
                    assert "toolConfig" in fields
                    asked.calls.append((inner["toolUseId"], inner["name"], inner["input"]))
                    due.append(inner["toolUseId"])
                case "toolResult":
                    due.remove(inner["toolUseId"])
                    text = "".join(one["text"] for one in inner["content"])
                    asked.results.append((inner["toolUseId"], text))
                case "reasoningContent":
                    asked.seals.append(inner["reasoningText"]["signature"])
                case other:
                    raise AssertionError(other)
        assert message["role"] == "assistant" or not due
    return asked


def _cohere(fields: dict[str, Any]) -> Asked:
    asked = Asked(stop=fields.get("stop_sequences", []), limit=fields.get("max_tokens"))
    asked.thinks = fields.get("thinking", {}).get("type") == "enabled"
    asked.tools = {one["function"]["name"]: one["function"]["parameters"] for one in fields.get("tools", ())}
    asked.schema = fields.get("response_format", {}).get("json_schema")
    due: list[str] = []
    for message in fields["messages"]:
        content = message.get("content") or ""
        items = [{"type": "text", "text": content}] if isinstance(content, str) else content
        text = "".join(item["text"] for item in items if item["type"] == "text")
        match message["role"]:
            case "system":
                asked.system += text
            case "user":
                assert not due
                asked.texts.append(text)
                links = [item["image_url"]["url"] for item in items if item["type"] == "image_url"]
                asked.images += [(link[5:].split(";")[0], link.split("base64,")[1]) for link in links]
            case "assistant":
                for call in message.get("tool_calls") or ():
                    arguments = json.loads(call["function"]["arguments"])
                    asked.calls.append((call["id"], call["function"]["name"], arguments))
                    due.append(call["id"])
            case "tool":
                due.remove(message["tool_call_id"])
                asked.results.append((message["tool_call_id"], text))
    assert not due
    return asked


def _ollama(fields: dict[str, Any]) -> Asked:
    options = fields.get("options", {})
    asked = Asked(stop=options.get("stop", []), limit=options.get("num_predict"))
    asked.thinks = bool(fields.get("think"))
    asked.tools = {one["function"]["name"]: one["function"]["parameters"] for one in fields.get("tools", ())}
    asked.schema = fields.get("format")
    due: list[tuple[str, str]] = []
    for message in fields["messages"]:
        content = message["content"]
        assert isinstance(content, str)
        match message["role"]:
            case "system":
                asked.system += content
            case "user":
                assert not due
                asked.texts.append(content)
                asked.images += [("image/png", data) for data in message.get("images", ())]
            case "assistant":
                for call in message.get("tool_calls", ()):
                    function = call["function"]
                    asked.calls.append((call["id"], function["name"], function["arguments"]))
                    due.append((call["id"], function["name"]))
            case "tool":
                due.remove((message["tool_call_id"], message["tool_name"]))
                asked.results.append((message["tool_call_id"], content))
    assert not due
    return asked


_READERS: dict[str, Callable[[dict[str, Any]], Asked]] = {
    "/messages": _anthropic,
    "enerateContent": _gemini,
    "/converse": _bedrock,
    "/converse-stream": _bedrock,
    "/chat/completions": _openai,
    "/api/chat": _ollama,
    "/chat": _cohere,
}
