"""What some providers want of messages that otherwise pass as they came: Mistral's ids, Perplexity's turns.

A caller's history may come from another provider, whose ids or turns the next one refuses.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from wicket.wire import json
from wicket.wire.quirks import Quirks

# Inside a text every quotation mark is escaped, so neither can be a caller's prose.
_RESULT = re.compile(rb'(?<!\\)"tool_call_id"\s*:\s*("(?:[^"\\]|\\.)*")')
_ID = re.compile(rb'(?<!\\)"(id|tool_call_id)"(\s*:\s*)("(?:[^"\\]|\\.)*")')
_NINE = re.compile(r"[a-zA-Z0-9]{9}")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def nine_characters(ids: Iterable[str]) -> dict[str, str]:
    """Each id as nine letters and digits: those that are so already stay, no two become one.

    Equal ids become equal ones in every request, so a conversation keeps its bytes from turn to turn.
    """
    given = list(dict.fromkeys(ids))
    found = {name: name for name in given if _NINE.fullmatch(name)}
    taken = set(found)
    for name in given:
        attempt = 0
        while name not in found:
            made = _digest(f"{attempt}:{name}" if attempt else name)
            if made not in taken:
                taken.add(made)
                found[name] = made
            attempt += 1
    return found


def _digest(name: str) -> str:
    number = int.from_bytes(hashlib.sha256(name.encode(errors="replace")).digest()[:8])
    letters = []
    for _ in range(9):
        number, rest = divmod(number, len(_DIGITS))
        letters.append(_DIGITS[rest])
    return "".join(letters)


def edited(messages: bytes, quirks: Quirks) -> bytes:
    """The messages as this provider takes them: the same bytes where nothing is amiss."""
    if quirks.tool_ids == "nine" and b'"tool_call_id"' in messages:
        messages = _with_nine(messages)
    if quirks.alternates:
        messages = _alternating(messages)
    return messages


def _with_nine(messages: bytes) -> bytes:
    try:
        given = [json.decode(raw, type=str) for raw in _RESULT.findall(messages)]
    except msgspec.DecodeError:
        return messages
    mapped = {name: new for name, new in nine_characters(given).items() if name != new}
    if not mapped:
        return messages
    spelled = {json.encode(name): json.encode(new) for name, new in mapped.items()}

    def replaced(match: re.Match[bytes]) -> bytes:
        try:
            name = json.encode(json.decode(match[3], type=str))
        except msgspec.DecodeError:
            return match[0]
        return b'"%b"%b%b' % (match[1], match[2], spelled.get(name, match[3]))

    return _ID.sub(replaced, messages)


def _alternating(messages: bytes) -> bytes:
    """Plain messages of one role in a row as one; anything but a list of objects is the provider's affair."""
    try:
        given = json.decode(messages, type=list[dict[str, Any]])
    except (msgspec.DecodeError, RecursionError):
        return messages
    joined = merged(given)
    return messages if len(joined) == len(given) else json.encode(joined)


def merged(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Plain messages of the user's or the assistant's that follow each other, as one."""
    found: list[dict[str, Any]] = []
    for message in messages:
        last = found[-1] if found else {}
        if _is_plain(message) and _is_plain(last) and last.get("role") == message["role"]:
            found[-1] = {"role": last["role"], "content": _joined(last["content"], message["content"])}
        else:
            found.append(message)
    return found


def _is_plain(message: dict[str, Any]) -> bool:
    return (
        message.keys() == {"role", "content"}
        and message["role"] in ("user", "assistant")
        and isinstance(message["content"], str | list)
    )


def _joined(one: Any, other: Any) -> Any:
    if isinstance(one, str) and isinstance(other, str):
        return f"{one}\n\n{other}"
    parts = [[{"type": "text", "text": each}] if isinstance(each, str) else each for each in (one, other)]
    return parts[0] + parts[1]
