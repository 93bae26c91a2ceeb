"""The pieces of an item's content, read and written; citations.

Source: OpenAI's OpenAPI description: `InputContent`, `OutputMessageContent`, `Annotation`. A citation of a
web page is flat here and nested in chat completions; the hub has the family's nested form.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from wicket.dialects.data_urls import checked, from_url
from wicket.dialects.hub import Foreign, Media, Part, Refusal, Text, unsayable
from wicket.dialects.openai_chat.answer import text
from wicket.dialects.openai_responses.apis import NAME
from wicket.wire import json
from wicket.wire.node import Node, kind, wrong_type, wrong_value

_BREAKPOINT = msgspec.Raw(b'{"type":"ephemeral"}')  # as every other family spells it
_DOCUMENTS = {"pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv"}
_SOUNDS = {"mp3": "audio/mpeg", "wav": "audio/wav"}
Object = dict[str, Any]


def read_content(node: Node, name: str, unread: list[str]) -> list[Part]:
    """The parts of a field that is a string or an array of parts. Raises `CallerFault`."""
    raw = node.raw(name)
    if raw is None:
        return []
    what = kind(raw)
    if what == "string":
        said = node.needed_text(name)
        return [Text(origin=NAME, path=node.at(name), text=said)] if said else []
    if what != "array":
        raise wrong_type(node.at(name), "a string or an array of parts")
    found = []
    for inner, item in zip(node.nodes(name) or (), node.items(name) or (), strict=True):
        type_name = inner.needed_text("type")
        reader = _READERS.get(type_name)
        part = Foreign(kind=type_name) if reader is None else reader(inner)
        part.origin, part.path, part.raw = NAME, inner.path, item
        if reader is not None:
            part.cache = None if inner.raw("prompt_cache_breakpoint") is None else _BREAKPOINT
            unread += inner.left_paths()
        found.append(part)
    return found


def _read_text(node: Node) -> Part:
    part = Text(text=node.text("text") or "")
    node.take("logprobs")
    notes = node.items("annotations")
    if notes:
        try:
            part.annotations = nested(notes)
        except (msgspec.DecodeError, RecursionError):
            raise wrong_type(node.at("annotations"), "citations") from None
    return part


def _read_refusal(node: Node) -> Part:
    return Refusal(text=node.needed_text("refusal"))


def _read_image(node: Node) -> Part:
    media = Media(kind="image", detail=node.text("detail") or "", file_id=node.text("file_id") or "")
    if media.detail == "auto":
        media.detail = ""
    if media.file_id:
        return media
    return from_url(node.needed_text("image_url"), media, node.at("image_url"))


def _read_file(node: Node) -> Part:
    media = Media(kind="document", name=node.text("filename") or "", file_id=node.text("file_id") or "")
    detail = node.text("detail")
    media.detail = "" if detail in (None, "auto") else detail or ""
    url = node.text("file_url")
    if media.file_id:
        return media
    if url is not None:
        return from_url(url, media, node.at("file_url"))
    path, data = node.at("file_data"), node.needed_text("file_data")
    if data.startswith("data:"):
        media = from_url(data, media, path)
    else:
        media.data = checked(data, path)
    if not media.media_type:
        media.media_type = _DOCUMENTS.get(media.name.rpartition(".")[2].lower(), "application/pdf")
    if media.media_type.startswith("image/"):
        media.kind = "image"
    return media


def _read_audio(node: Node) -> Part:
    inner = node.node("input_audio")
    if inner is None:
        raise wrong_value(node.at("input_audio"), "is required")
    name = inner.needed_text("format").lower()
    data = checked(inner.needed_text("data"), inner.at("data"))
    return Media(kind="audio", media_type=_SOUNDS.get(name, f"audio/{name}"), data=data)


_READERS = {
    "input_text": _read_text,
    "output_text": _read_text,
    "text": _read_text,
    "refusal": _read_refusal,
    "input_image": _read_image,
    "input_file": _read_file,
    "input_audio": _read_audio,
}

# Writing


def write_content(parts: Iterable[Part], dropped: list[str], *, has_breakpoints: bool) -> Any:
    """A user's content or a function's output: a string where it is one text. Raises `CallerFault`."""
    written = []
    for part in parts:
        piece = write_part(part)
        if part.cache is not None:
            if has_breakpoints:
                piece["prompt_cache_breakpoint"] = {"mode": "explicit"}
            else:
                dropped.append(f"{part.path}.cache_control")
        written.append(piece)
    if len(written) == 1 and written[0].keys() == {"type", "text"}:
        return written[0]["text"]
    return written or ""


def write_part(part: Part) -> Object:
    """One part. Raises `CallerFault` for what has no word here."""
    match part:
        case Text(text=said):
            return {"type": "input_text", "text": said}
        case Refusal(text=said):
            return {"type": "refusal", "refusal": said}
        case Media(text=said) if said:
            return {"type": "input_text", "text": said}
        case Media(kind="image"):
            return _write_image(part)
        case Media(kind="document"):
            return _write_file(part)
        case Foreign() if part.origin == NAME and part.raw is not None:
            return dict(json.decode(part.raw, type=dict[str, msgspec.Raw]))
    raise unsayable(part.path)


def _own_file(part: Media) -> str:
    if part.origin not in (NAME, "openai_chat"):
        raise unsayable(part.path, "a file's id means something to its own provider only")
    return part.file_id


def _write_image(part: Media) -> Object:
    piece: Object = {"type": "input_image", "detail": part.detail or "auto"}
    if part.file_id:
        return {**piece, "file_id": _own_file(part)}
    return {**piece, "image_url": part.url or f"data:{part.media_type};base64,{part.data}"}


def _write_file(part: Media) -> Object:
    piece: Object = {"type": "input_file"}
    if part.detail:
        piece["detail"] = part.detail
    if part.file_id:
        return {**piece, "file_id": _own_file(part)}
    if part.url:
        return {**piece, "file_url": part.url}
    data = f"data:{part.media_type};base64,{part.data}"
    return {**piece, "filename": part.name or "document.pdf", "file_data": data}


# Citations


def nested(notes: Iterable[Any]) -> msgspec.Raw:
    """Citations as chat completions have them."""
    found = []
    for note in notes:
        value = json.decode(note) if isinstance(note, msgspec.Raw) else note
        if isinstance(value, dict) and value.get("type") == "url_citation" and "url_citation" not in value:
            inner = {name: one for name, one in value.items() if name != "type"}
            value = {"type": "url_citation", "url_citation": inner}
        found.append(value)
    return msgspec.Raw(json.encode(found))


def flat(raw: msgspec.Raw) -> list[Any]:
    """Citations as Responses has them, of an array or of one."""
    notes = json.decode(raw)
    found = []
    for note in notes if isinstance(notes, list) else [notes]:
        if isinstance(note, dict) and isinstance(note.get("url_citation"), dict):
            note = {"type": note.get("type"), **note["url_citation"]}
        found.append(note)
    return found


_CITED = {
    "url_citation": {"url", "title", "start_index", "end_index"},
    "file_citation": {"file_id", "filename", "index"},
    "container_file_citation": {"container_id", "file_id", "filename", "start_index", "end_index"},
    "file_path": {"file_id", "index"},
}


def is_annotation(note: Any) -> bool:
    """Whether a flat citation has all that Responses promises of its kind."""
    return isinstance(note, dict) and _CITED.get(text(note.get("type")), {""}) <= note.keys()
