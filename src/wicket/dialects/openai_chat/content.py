"""The pieces of a message's content, read and written. Source: OpenAI API reference, "content parts"."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.data_urls import checked, from_url
from wicket.dialects.hub import Foreign, Media, Part, Refusal, Text, Thinking, unsayable
from wicket.wire.node import Node, kind, wrong_type, wrong_value

ORIGIN = "openai_chat"
_DOCUMENTS = {"pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv"}
_SOUNDS = {"mp3": "audio/mpeg", "wav": "audio/wav"}
_FORMATS = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
}


def read_content(message: Node, unread: list[str]) -> list[Part]:
    """The parts of `content`, which is a string, an array of parts, or nothing. Raises `CallerFault`."""
    raw = message.raw("content")
    if raw is None:
        return []
    what = kind(raw)
    if what == "string":
        text = message.needed_text("content")
        return [Text(origin=ORIGIN, path=message.at("content"), text=text)] if text else []
    if what != "array":
        raise wrong_type(message.at("content"), "a string or an array of parts")
    parts = []
    for node, item in zip(message.nodes("content") or (), message.items("content") or (), strict=True):
        part = _read_part(node, item)
        part.cache = node.raw("cache_control")
        parts.append(part)
        if not isinstance(part, Foreign):
            unread += node.left_paths()
    return parts


def _read_part(node: Node, raw: msgspec.Raw) -> Part:
    name = node.needed_text("type")
    reader = _READERS.get(name)
    part = Foreign(kind=name) if reader is None else reader(node)
    part.origin, part.path, part.raw = ORIGIN, node.path, raw
    return part


def _read_text(node: Node) -> Part:
    return Text(text=node.needed_text("text"))


def _read_refusal(node: Node) -> Part:
    return Refusal(text=node.needed_text("refusal"))


def _read_thinking(node: Node) -> Part:
    """Mistral's: `thinking` is an array of text parts."""
    pieces = node.nodes("thinking") or []
    for piece in pieces:
        piece.take("type")
    return Thinking(text="".join([piece.text("text") or "" for piece in pieces]))


def _read_image(node: Node) -> Part:
    return _linked(node, "image_url", "image")


def _read_video(node: Node) -> Part:
    return _linked(node, "video_url", "video")


def _linked(node: Node, name: str, medium: str) -> Media:
    raw = node.raw(name)
    if raw is not None and kind(raw) == "string":  # many clients send the URL itself
        return from_url(node.needed_text(name), Media(kind=medium), node.at(name))
    inner = node.node(name)
    if inner is None:
        raise wrong_value(node.at(name), "is required")
    media = Media(kind=medium, detail=inner.text("detail") or "")
    if media.detail == "auto":
        media.detail = ""
    return from_url(inner.needed_text("url"), media, inner.at("url"))


def _read_audio(node: Node) -> Part:
    inner = node.node("input_audio")
    if inner is None:
        raise wrong_value(node.at("input_audio"), "is required")
    name = inner.needed_text("format").lower()
    data = checked(inner.needed_text("data"), inner.at("data"))
    return Media(kind="audio", media_type=_SOUNDS.get(name, f"audio/{name}"), data=data)


def _read_file(node: Node) -> Part:
    inner = node.node("file")
    if inner is None:
        raise wrong_value(node.at("file"), "is required")
    media = Media(kind="document", name=inner.text("filename") or "", file_id=inner.text("file_id") or "")
    if media.file_id:
        return media
    path, data = inner.at("file_data"), inner.needed_text("file_data")
    if data.startswith(("data:", "http://", "https://")):
        media = from_url(data, media, path)
    else:
        media.data = checked(data, path)
    if not media.media_type:
        media.media_type = _DOCUMENTS.get(media.name.rpartition(".")[2].lower(), "application/pdf")
    if media.media_type.startswith("image/"):
        media.kind = "image"
    return media


_READERS = {
    "text": _read_text,
    "refusal": _read_refusal,
    "thinking": _read_thinking,
    "image_url": _read_image,
    "video_url": _read_video,
    "input_audio": _read_audio,
    "file": _read_file,
}


# Writing


def write_content(parts: list[Part], dropped: list[str], *, has_cache_marks: bool) -> Any:
    """A user's or system's content: a string where it is nothing but one text. Raises `CallerFault`."""
    written = []
    for part in parts:
        piece = write_part(part)
        if part.cache is not None:
            if has_cache_marks:
                piece["cache_control"] = part.cache
            else:
                dropped.append(f"{part.path}.cache_control")
        written.append(piece)
    if not written:
        return ""
    if len(written) == 1 and written[0].keys() == {"type", "text"}:
        return written[0]["text"]
    return written


def write_part(part: Part) -> dict[str, Any]:
    """One part of content. Raises `CallerFault` for what has no word here."""
    match part:
        case Text(text=text):
            return {"type": "text", "text": text}
        case Media():
            return _write_media(part)
        case Foreign() if part.origin == ORIGIN and part.raw is not None:
            return msgspec.json.decode(part.raw, type=dict[str, msgspec.Raw])
    raise unsayable(part.path)


def _write_media(part: Media) -> dict[str, Any]:
    if part.file_id:
        if part.origin != ORIGIN or part.kind != "document":
            raise unsayable(part.path, "a file's id means something to its own provider only")
        return {"type": "file", "file": {"file_id": part.file_id}}
    if part.text:
        return {"type": "text", "text": part.text}
    where = part.url or f"data:{part.media_type};base64,{part.data}"
    match part.kind:
        case "image":
            detail = {"detail": part.detail} if part.detail else {}
            return {"type": "image_url", "image_url": {"url": where, **detail}}
        case "video":
            return {"type": "video_url", "video_url": {"url": where}}
        case "document" if part.url and part.origin != ORIGIN:
            raise unsayable(part.path, "documents by URL are not taken there")
        case "document":
            return {"type": "file", "file": {"filename": part.name or "document.pdf", "file_data": where}}
        case "audio" if part.data and part.media_type in _FORMATS:
            return {
                "type": "input_audio",
                "input_audio": {"data": part.data, "format": _FORMATS[part.media_type]},
            }
    raise unsayable(part.path)
