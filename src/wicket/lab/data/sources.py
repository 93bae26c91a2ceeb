"""Files into shards, line by line: OpenAI's chat messages, the gateway's exported log, prompts, plain text.

A line of JSONL is `{"messages": […]}` (with `tools` and `meta` as `wicket logs export` writes them),
`{"prompt": "…"}` with or without a `"completion"`, or `{"text": "…"}`. In a text file blank lines part the
documents; of prompts there is one a line. Files may be gzipped. A line that can't be read is told as
FILE:LINE, and skipped or refused as asked.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec

from wicket.errors import CallerFault, OperatorFault
from wicket.lab.data.document import Document, Shard, sha256, to_bytes
from wicket.lab.data.manifest import Manifest, Source
from wicket.lab.examples import MAX_LINE_BYTES, MAX_SHOWN_LINES, BrokenLine, OnBroken, numbered_lines
from wicket.wire import json

Form = Literal["chat", "prompts", "text", "any"]
TEXT_SUFFIXES = (".txt", ".text", ".md")
_BOM = b"\xef\xbb\xbf"
_CHUNK = 1 << 20


class _Line(msgspec.Struct):
    messages: list[dict[str, Any]] | None = None
    prompt: str | None = None
    completion: str | None = None
    text: str | None = None
    tools: list[Any] | None = None
    meta: dict[str, Any] = {}
    logprobs: list[Any] | None = None


class _Unreadable(Exception):
    """What is wrong with a line."""


_decode = msgspec.json.Decoder(_Line).decode


def read_sources(
    paths: Sequence[Path], *, form: Form = "chat", on_broken: OnBroken = "skip", licence: str = "unknown"
) -> tuple[Manifest, list[Document]]:
    """All files as one shard with its manifest.

    `form` "chat" needs an answer at the end of every conversation, "prompts" drops one, "text" takes texts
    only, "any" takes what comes. Raises `CallerFault` "broken_line" if those are refused, and `OperatorFault`
    for a file that can't be read.
    """
    shard: list[Document] = []
    sources = []
    for path in paths:
        documents, source = _read(path, form, on_broken)
        shard += documents
        sources.append(msgspec.structs.replace(source, licence=licence))
    manifest = Manifest(sources=tuple(sources), num_documents=len(shard), sha256=sha256(to_bytes(shard)))
    return manifest, shard


def read_evaluation(paths: Sequence[Path]) -> tuple[tuple[Source, ...], Shard]:
    """Data that judges: nothing of it may be learned, so a line of it that can't be read is refused."""
    manifest, shard = read_sources(paths, form="any", on_broken="refuse")
    return manifest.sources, shard


def _read(path: Path, form: Form, on_broken: OnBroken) -> tuple[list[Document], Source]:
    is_text = path.name.removesuffix(".gz").endswith(TEXT_SUFFIXES)
    try:
        digest, num_bytes = _hashed(path)
        with _opened(path) as file:
            pieces = _paragraphs(file, form) if is_text else _objects(file, form)
            documents, broken = [], []
            for number, found in pieces:
                if isinstance(found, Document):
                    documents.append(msgspec.structs.replace(found, origin=f"{path.name}:{number}"))
                    continue
                if on_broken == "refuse":
                    message = f"{path}:{number}: {found}. Mend or remove the line, or skip broken lines."
                    raise CallerFault("broken_line", message)
                broken.append(BrokenLine(number, found))
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise OperatorFault("unreadable_file", f"{path} can't be read: {reason}.") from None
    source = Source(
        path=str(path),
        sha256=digest,
        bytes=num_bytes,
        form="text" if is_text else form,
        num_lines=len(documents) + len(broken),
        num_documents=len(documents),
        num_broken=len(broken),
        broken=tuple(broken[:MAX_SHOWN_LINES]),
    )
    return documents, source


def _hashed(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            digest.update(data)
            size += len(data)
    return digest.hexdigest(), size


def _opened(path: Path) -> BinaryIO:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _objects(file: BinaryIO, form: Form) -> Iterator[tuple[int, Document | str]]:
    """Each line's document, or what is wrong with the line."""
    for number, data in numbered_lines(file):
        if data is not None and not data.strip():
            continue
        try:
            yield number, _document(data, form)
        except _Unreadable as error:
            yield number, str(error)


def _document(data: bytes | None, form: Form) -> Document:
    if data is None:
        raise _Unreadable(f"longer than {MAX_LINE_BYTES >> 20} MiB")
    try:
        line = _decode(data.removeprefix(_BOM))
    except (json.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _Unreadable(str(error) or "nested too deeply") from None
    if line.text is not None and line.messages is None and form in ("text", "any"):
        return Document(text=line.text, meta=line.meta)
    if form == "text":
        raise _Unreadable('it has no "text"')
    messages = _messages(line)
    is_answered = messages[-1]["role"] == "assistant"
    if form == "chat" and not is_answered:
        raise _Unreadable("the last message is not the assistant's")
    if form == "prompts" and is_answered:
        messages = messages[:-1]
        if not messages:
            raise _Unreadable("there is nothing before the answer")
    correction = line.meta.get("corrected")
    if form != "prompts" and is_answered and isinstance(correction, str) and correction:
        messages = [*messages[:-1], {**messages[-1], "content": correction}]
    kept = None if form == "prompts" else line.logprobs
    return Document(messages=messages, tools=line.tools or None, meta=line.meta, logprobs=kept)


def _messages(line: _Line) -> list[dict[str, Any]]:
    if line.messages is None:
        if line.prompt is None:
            raise _Unreadable('it has neither "messages" nor "prompt"')
        answer = [] if line.completion is None else [{"role": "assistant", "content": line.completion}]
        return [{"role": "user", "content": line.prompt}, *answer]
    if not line.messages:
        raise _Unreadable('"messages" is empty')
    for place, message in enumerate(line.messages):
        if not isinstance(message.get("role"), str):
            raise _Unreadable(f"messages[{place}] has no role")
        if not isinstance(message.get("content"), str | list | None):
            raise _Unreadable(f"messages[{place}].content is neither text nor parts")
    return line.messages


def _paragraphs(file: BinaryIO, form: Form) -> Iterator[tuple[int, Document | str]]:
    """Documents of a text file with the number of their first line; broken UTF-8 costs its line only."""
    lines: list[str] = []
    start = 0
    for number, data in numbered_lines(file):
        try:
            text = _text_line(data)
        except _Unreadable as error:
            yield number, str(error)
            continue
        if form == "prompts":
            if text.strip():
                yield number, Document(messages=[{"role": "user", "content": text.strip()}])
        elif text.strip():
            start = start or number
            lines.append(text)
        elif lines:
            yield start, Document(text="\n".join(lines))
            lines, start = [], 0
    if lines:
        yield start, Document(text="\n".join(lines))


def _text_line(data: bytes | None) -> str:
    if data is None:
        raise _Unreadable(f"longer than {MAX_LINE_BYTES >> 20} MiB")
    try:
        return data.removeprefix(_BOM).decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise _Unreadable(f"not UTF-8 ({error.reason} at byte {error.start})") from None
