"""A request and its answer as texts, and back: what guardrails rewrite, and what of a request is kept at all.

Rewritten are all texts inside messages, tool arguments and descriptions: what people or models wrote. Kept as
it is: structure (roles, types, the ids that tie a tool's answer to its call, names of fields). JSON inside a
text is rewritten string by string, so that it stays JSON with the same spacing. Pictures, sounds and files
can't be read, hence not scrubbed, hence not kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from wicket.errors import CallerFault
from wicket.wire import json

Rewrite = Callable[[str], str]
Scrub = Callable[[Sequence[str]], list[str]]

# Of a chat request's fields, those that say what the task is. `user`, `metadata` and the like say who asked.
KEPT_FIELDS = (
    *("messages", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"),
    *("response_format", "n", "logprobs", "max_tokens", "max_completion_tokens", "stop", "seed"),
    *("temperature", "top_p", "presence_penalty", "frequency_penalty", "reasoning_effort"),
    *("prediction", "web_search_options", "modalities"),
)
_TEXT_PARTS = {"text": "text", "refusal": "refusal"}
_MESSAGE_FIELDS = ("role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal")
_AS_THEY_ARE = frozenset({"role", "type", "id", "tool_call_id"})
_NAME = re.compile(r"[A-Za-z0-9_.:-]{0,128}")  # what structure is made of; anything else there is a text too
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*')
_MIN_NUMBER = 9  # digits from which on a number inside JSON may be somebody's


class Unfit(CallerFault):
    """An example that can't be kept: it holds what can't be read as text."""


def scrubbed(request: bytes, answer: bytes, scrubs: Sequence[Scrub]) -> tuple[bytes, bytes]:
    """The kept fields of a request, and its answer, both rewritten by each of `scrubs` in turn.

    Raises `Unfit` for broken JSON and for messages that are not all text.
    """
    try:
        body, message = json.decode(request), json.decode(answer)
    except (json.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unfit("unreadable", "The example is not JSON that can be read.") from None
    if not isinstance(body, dict) or not isinstance(message, dict):
        raise Unfit("unreadable", "The example is not JSON that can be read.")
    pair = [{name: body[name] for name in KEPT_FIELDS if name in body}, message]
    try:
        for scrub in scrubs:
            pair = _rewritten(pair, scrub)
        _rewritten(pair, list)  # also without a guardrail only text is kept
    except RecursionError:
        raise Unfit("unreadable", "The example is nested too deeply.") from None
    return json.encode(pair[0]), json.encode(pair[1])


def scrubbed_text(text: str, scrubs: Sequence[Scrub]) -> str:
    """One text, e.g. a correction, rewritten as those of an example are."""
    for scrub in scrubs:
        found: list[str] = []
        _text(text, _recorder(found))
        text = _text(text, _player(scrub(found)))
    return text


def _rewritten(pair: list[dict[str, Any]], scrub: Scrub) -> list[dict[str, Any]]:
    """All texts are gathered, rewritten together (the same value must read the same), and put back."""
    found: list[str] = []
    _pair(pair, _recorder(found))
    return _pair(pair, _player(scrub(found)))


def _recorder(found: list[str]) -> Rewrite:
    def record(text: str) -> str:
        found.append(text)
        return text

    return record


def _player(texts: Sequence[str]) -> Rewrite:
    left: Iterator[str] = iter(texts)
    return lambda text: next(left)


def _pair(pair: list[dict[str, Any]], rewrite: Rewrite) -> list[dict[str, Any]]:
    request, answer = pair
    messages = request.get("messages")
    if not isinstance(messages, list):
        raise Unfit("unreadable", "The example has no messages.")
    shown: dict[str, Any] = {"messages": [_message(message, rewrite) for message in messages]}
    shown |= {name: _leaves(value, rewrite) for name, value in request.items() if name != "messages"}
    return [shown, _message(answer, rewrite)]


def _message(message: Any, rewrite: Rewrite) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise Unfit("unreadable", "A message of the example is not an object.")
    if any(message.get(name) for name in ("audio", "images")):
        raise Unfit("not_text", "A message of the example is not all text.")
    return {name: _field(name, message[name], rewrite) for name in _MESSAGE_FIELDS if name in message}


def _field(name: str, value: Any, rewrite: Rewrite) -> Any:
    if name == "content" and isinstance(value, list):
        return [_part(part, rewrite) for part in value]
    return value if _is_structure(name, value) else _leaves(value, rewrite)


def _is_structure(name: str, value: Any) -> bool:
    return name in _AS_THEY_ARE and isinstance(value, str) and _NAME.fullmatch(value) is not None


def _part(part: Any, rewrite: Rewrite) -> dict[str, Any]:
    name = _TEXT_PARTS.get(str(part.get("type"))) if isinstance(part, dict) else None
    if name is None or not isinstance(part.get(name), str):
        raise Unfit("not_text", "A message of the example is not all text.")
    return {"type": part["type"], name: _text(part[name], rewrite)}


def _leaves(value: Any, rewrite: Rewrite) -> Any:
    """Every text at the end of a value; names of fields stay."""
    if isinstance(value, str):
        return _text(value, rewrite)
    if isinstance(value, list):
        return [_leaves(item, rewrite) for item in value]
    if isinstance(value, dict):
        return {
            name: item if _is_structure(name, item) else _leaves(item, rewrite)
            for name, item in value.items()
        }
    return value


def _text(text: str, rewrite: Rewrite) -> str:
    """A text; if it is JSON, each string and long number inside, so that it stays JSON."""
    if not _is_json(text):
        return rewrite(text)

    def token(match: re.Match[str]) -> str:
        raw = match[0]
        if raw[0] == '"':
            before = json.decode(raw)
            after = rewrite(before)
            return raw if after == before else json.encode(after).decode()
        if sum(c.isdigit() for c in raw) < _MIN_NUMBER:
            return raw
        after = rewrite(raw)
        return raw if after == raw else json.encode(after).decode()

    return _TOKEN.sub(token, text)


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.decode(text)
    except (json.DecodeError, RecursionError):
        return False
    return True
