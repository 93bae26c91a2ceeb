"""Answers of the Responses API that are kept: what of them goes into the next request, and what is shown.

Source: OpenAI API reference, "responses" (create, retrieve, delete, input items).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from wicket.errors import CallerFault
from wicket.state.kept import KeptResponse
from wicket.wire import fields as top
from wicket.wire import json
from wicket.wire.fields import Edits, Fields, splice

PREFIX = "resp_"
PREVIOUS = "previous_response_id"
MAX_CHAIN_BYTES = 24 * 1024 * 1024  # of what goes before a new input; a request's body may have 32 MiB
DEFAULT_PAGE, MAX_PAGE = 20, 100
_UNTIED = ("message", "function_call", "custom_tool_call")  # whose ids would tie them to a thought

_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_fields = msgspec.json.Decoder(Fields).decode


class _Item(msgspec.Struct):
    type: Any = None
    role: Any = None
    encrypted_content: Any = None


class _Answer(msgspec.Struct):
    output: list[msgspec.Raw] = []


_decode_item = msgspec.json.Decoder(_Item).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode


def unknown_response() -> CallerFault:
    """The fault for an id that is unknown, forged, deleted or somebody else's: nobody learns which."""
    message = "There is no such answer of this key: it was never kept, is deleted, or too old."
    return CallerFault("response_not_found", message, status=404, param="response_id")


def unknown_previous() -> CallerFault:
    """The same where it stands in a request."""
    message = f"'{PREVIOUS}' is no kept answer of this key, or one that it went on from is not kept any more."
    return CallerFault("previous_response_not_found", message, status=404, param=PREVIOUS)


def items_of(fields: Fields) -> bytes:
    """A request's own input as a JSON array of items. Raises `CallerFault` for what is no input."""
    raw = fields.get("input")
    start = bytes(memoryview(raw)[:1]) if raw is not None else b"n"
    if start == b"n":
        return b"[]"
    if raw is not None and start == b'"':
        piece = {"type": "input_text", "text": top.text(fields, "input")}
        return json.encode([{"type": "message", "role": "user", "content": [piece]}])
    if raw is None or start != b"[":
        raise CallerFault("invalid_type", "'input' must be a string or an array of items.", param="input")
    return bytes(raw)


def went_before(chain: Iterable[KeptResponse]) -> list[msgspec.Raw]:
    """The items of earlier turns, inputs and outputs in their order."""
    found: list[msgspec.Raw] = []
    for kept in chain:
        found += _decode_items(kept.items)
        found += [item for item in map(_sayable, _decode_answer(kept.answer).output) if item is not None]
    return found


def continued(fields: Fields, earlier: Sequence[msgspec.Raw]) -> Fields:
    """The request with the earlier items before its own. Raises `CallerFault` where that is too much."""
    size = sum(len(item) for item in earlier)
    if size > MAX_CHAIN_BYTES:
        message = f"The conversation behind '{PREVIOUS}' is longer than {MAX_CHAIN_BYTES >> 20} MiB."
        raise CallerFault("conversation_too_long", message, param=PREVIOUS)
    items = [*earlier, *_decode_items(items_of(fields))]
    kept = {name: value for name, value in fields.items() if name != PREVIOUS}
    kept["input"] = msgspec.Raw(json.encode(items))
    return kept


def _sayable(raw: msgspec.Raw) -> msgspec.Raw | None:
    """An output item as input of the next turn.

    A thought without its encrypted content is nothing that its provider could read back; what was said after
    it loses its id, or its provider would miss the thought.
    """
    item = _decode_item(raw)
    if item.type == "reasoning":
        return raw if isinstance(item.encrypted_content, str) and item.encrypted_content else None
    if item.type in _UNTIED:
        return msgspec.Raw(splice(_decode_fields(raw), Edits(remove=("id", "status"))))
    return raw


def edited(response: bytes, edits: dict[str, object]) -> bytes:
    """A response object with some of its fields replaced. Raises `msgspec.DecodeError`."""
    put = {name: json.encode(value) for name, value in edits.items()}
    return splice(_decode_fields(response), Edits(put=put))


def input_items(chain: Sequence[KeptResponse]) -> list[dict[str, Any]]:
    """All that an answer was given for, the oldest first, each item with an id that stays its own."""
    items = went_before(chain[:-1]) + _decode_items(chain[-1].items)
    return [_shown(raw, number, chain[-1].id) for number, raw in enumerate(items)]


def _shown(raw: msgspec.Raw, number: int, response_id: str) -> dict[str, Any]:
    item: dict[str, Any] = json.decode(raw)
    if "type" not in item and "role" in item:
        item["type"] = "message"
    if item.get("type") == "message" and isinstance(item.get("content"), str):
        kind = "output_text" if item.get("role") == "assistant" else "input_text"
        item["content"] = [{"type": kind, "text": item["content"]}]
    short = "msg" if item.get("type") == "message" else "item"
    return {"id": f"{short}_{response_id.removeprefix(PREFIX)}_{number}", "status": "completed"} | item


def item_page(items: list[dict[str, Any]], limit: int, after: str, is_oldest_first: bool) -> dict[str, Any]:
    """A page as OpenAI's lists have it. Raises `CallerFault` for an `after` that is none of the items."""
    ordered = items if is_oldest_first else items[::-1]
    if after:
        places = [at for at, item in enumerate(ordered) if item["id"] == after]
        if not places:
            raise CallerFault("invalid_value", "'after' is no item of this answer.", param="after")
        ordered = ordered[places[0] + 1 :]
    page = ordered[:limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(ordered) > limit,
    }
