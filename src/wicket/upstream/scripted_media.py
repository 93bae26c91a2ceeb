"""The scripted upstream's answers beside conversations: pictures, sound, rankings, embeddings, moderations.

Written from the providers' references, apart from our own dialects. A picture is a PNG of one pixel, sound is
the text's bytes behind a WAV's head, what is heard is the script's text.
"""

from __future__ import annotations

import base64
import hashlib
import random
import struct
from typing import Any

import msgspec

from wicket.upstream.scripted_content import CREATED
from wicket.upstream.scripted_script import Ask, Rule, Script, pieces, prompt_tokens
from wicket.wire.json import encode

_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_TEXT_FORMATS = {"text": "text/plain; charset=utf-8", "srt": "application/x-subrip", "vtt": "text/vtt"}
_ENDS = (
    "/images/generations", "/images/edits", "/images/variations",
    "/audio/speech", "/audio/transcriptions", "/audio/translations",
    "/moderations", "/rerank", "/embed", "/api/embed", "/embeddings",
    ":embedContent", ":batchEmbedContents",
)  # fmt: skip


class Answer(msgspec.Struct, frozen=True):
    """A body and its type, or (`events`) a stream's payloads and whether each is output."""

    body: bytes = b""
    kind: str = "application/json"
    events: tuple[tuple[dict[str, Any], bool], ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0


def is_here(path: str) -> bool:
    """Whether a path (without its query) is one of these."""
    return path.endswith(_ENDS)


def answer(script: Script, rule: Rule, ask: Ask) -> Answer:
    """The good answer."""
    path = ask.path.partition("?")[0]
    if "/images/" in path:
        return _images(rule, ask, "image_edit" if path.endswith("/edits") else "image_generation")
    if path.endswith("/audio/speech"):
        return _speech(rule, ask)
    if "/audio/" in path:
        return _transcript(script, rule, ask)
    if path.endswith("/moderations"):
        return _moderations(ask)
    if path.endswith("/rerank"):
        return _ranking(rule, ask)
    return _embeddings(script, ask, path)


def _images(rule: Rule, ask: Ask, kind: str) -> Answer:
    picture = base64.b64encode(_PNG).decode()
    wanted = ask.fields.get("n")
    number = int(str(wanted)) if str(wanted).isdigit() else 1
    given = len(pieces(str(ask.fields.get("prompt", ""))))
    made = 10 * number
    usage = {
        "input_tokens": given,
        "input_tokens_details": {"text_tokens": given, "image_tokens": 0},
        "output_tokens": made,
        "total_tokens": given + made,
    }
    if ask.is_stream:
        look = {"created_at": CREATED, "size": "1024x1024", "quality": "low", "background": "opaque"}
        look["output_format"] = "png"
        num_partial = int(str(ask.fields.get("partial_images") or 0))
        partial = [
            ({"type": f"{kind}.partial_image", "b64_json": picture, "partial_image_index": nth, **look}, True)
            for nth in range(num_partial)
        ]
        last = {"type": f"{kind}.completed", "b64_json": picture, **look}
        if rule.usage:
            last["usage"] = usage
        return Answer(events=(*partial, (last, True)), input_tokens=given, output_tokens=made)
    body: dict[str, Any] = {"created": CREATED, "data": [{"b64_json": picture} for _ in range(number)]}
    if rule.usage:
        body["usage"] = usage
    return Answer(encode(body), input_tokens=given, output_tokens=made)


def _speech(rule: Rule, ask: Ask) -> Answer:
    text = str(ask.fields.get("input", ""))
    sound = text.encode()
    tokens = len(pieces(text))
    if ask.is_stream:
        deltas = [
            ({"type": "speech.audio.delta", "audio": base64.b64encode(piece.encode()).decode()}, True)
            for piece in pieces(text)
        ]
        last: dict[str, Any] = {"type": "speech.audio.done"}
        if rule.usage:
            counts = {"input_tokens": tokens, "output_tokens": 2 * tokens, "total_tokens": 3 * tokens}
            last["usage"] = counts
        return Answer(events=(*deltas, (last, False)), input_tokens=tokens, output_tokens=2 * tokens)
    kind = {"mp3": "audio/mpeg", "pcm": "audio/pcm"}.get(str(ask.fields.get("response_format")), "audio/wav")
    head = b"RIFF%bWAVE" % struct.pack("<I", len(sound) + 4)
    return Answer(head + sound, kind, input_tokens=tokens)


def _transcript(script: Script, rule: Rule, ask: Ask) -> Answer:
    text = script.text if rule.text is None else rule.text
    tokens = len(pieces(text))
    usage: dict[str, Any] = {
        "type": "tokens",
        "input_tokens": 12,
        "input_token_details": {"audio_tokens": 10, "text_tokens": 2},
        "output_tokens": tokens,
        "total_tokens": 12 + tokens,
    }
    if ask.is_stream:
        deltas = [({"type": "transcript.text.delta", "delta": piece}, True) for piece in pieces(text)]
        last: dict[str, Any] = {"type": "transcript.text.done", "text": text}
        if rule.usage:
            last["usage"] = usage
        return Answer(events=(*deltas, (last, True)), input_tokens=12, output_tokens=tokens)
    form = str(ask.fields.get("response_format", "json"))
    if form in _TEXT_FORMATS:
        return Answer(f"{text}\n".encode(), _TEXT_FORMATS[form])
    body: dict[str, Any] = {"text": text}
    if form == "verbose_json":
        body |= {"task": "transcribe", "language": "english", "duration": 1.5, "segments": []}
        usage = {"type": "duration", "seconds": 2}
    if rule.usage:
        body["usage"] = usage
    return Answer(encode(body), input_tokens=12, output_tokens=tokens)


def _moderations(ask: Ask) -> Answer:
    given = ask.fields.get("input", "")
    texts = given if isinstance(given, list) else [given]
    results = [
        {
            "flagged": "violence" in str(text),
            "categories": {"violence": "violence" in str(text)},
            "category_scores": {"violence": 0.9 if "violence" in str(text) else 0.01},
            "category_applied_input_types": {"violence": ["text"]},
        }
        for text in texts
    ]
    return Answer(encode({"id": "modr-1", "model": ask.model, "results": results}))


def _ranking(rule: Rule, ask: Ask) -> Answer:
    """Documents with more of the query's words come first."""
    query = set(str(ask.fields.get("query", "")).lower().split())
    documents = [
        str(one.get("text", "")) if isinstance(one, dict) else str(one)
        for one in ask.fields.get("documents") or ()
    ]
    scores = [len(query & set(text.lower().split())) / max(len(query), 1) for text in documents]
    order = sorted(range(len(documents)), key=lambda index: -scores[index])
    limit = ask.fields.get("top_n") or ask.fields.get("top_k")
    order = order[:limit] if isinstance(limit, int) else order
    results: list[dict[str, Any]] = [{"index": nth, "relevance_score": scores[nth]} for nth in order]
    if ask.fields.get("return_documents"):
        for result in results:
            result["document"] = {"text": documents[result["index"]]}
    tokens = sum(len(pieces(text)) for text in documents) + len(query)
    if ask.path.partition("?")[0].endswith("/v2/rerank"):  # Cohere's own
        body: dict[str, Any] = {"id": "rank-1", "results": results}
        if rule.usage:
            body["meta"] = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
    else:
        body = {"id": "rank-1", "model": ask.model, "results": results}
        if "top_k" in ask.fields:  # Voyage's
            body = {"object": "list", "data": results, "model": ask.model}
        if rule.usage:
            body["usage"] = {"total_tokens": tokens}
    return Answer(encode(body), input_tokens=tokens)


def _embeddings(script: Script, ask: Ask, path: str) -> Answer:
    """In OpenAI's, Cohere's, Ollama's or Gemini's form, by the path."""
    texts = _texts(ask, path)
    vectors = [_vector(text, script.dimensions) for text in texts]
    tokens = sum(len(pieces(text)) for text in texts)
    body: dict[str, Any]
    if path.endswith(":embedContent"):
        body = {"embedding": {"values": vectors[0]}}
    elif path.endswith(":batchEmbedContents"):
        body = {"embeddings": [{"values": vector} for vector in vectors]}
        body["usageMetadata"] = {"promptTokenCount": tokens}
    elif path.endswith("/api/embed"):
        body = {"model": ask.model, "embeddings": vectors, "prompt_eval_count": tokens}
    elif path.endswith("/embed"):
        body = {"id": "embed-1", "embeddings": {"float": vectors}, "texts": texts}
        body["meta"] = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": tokens}}
    else:
        body = _openai(ask, vectors)
        tokens = prompt_tokens(ask.fields)
    return Answer(encode(body), input_tokens=tokens)


def _texts(ask: Ask, path: str) -> list[str]:
    if path.endswith(":embedContent"):
        return [_text_of(ask.fields.get("content"))]
    if path.endswith(":batchEmbedContents"):
        return [_text_of(one.get("content")) for one in ask.fields.get("requests", [])]
    given = ask.fields.get("texts" if path.endswith("/embed") and "texts" in ask.fields else "input", "")
    return [str(text) for text in (given if isinstance(given, list) else [given])]


def _text_of(content: Any) -> str:
    parts = content.get("parts", []) if isinstance(content, dict) else []
    return "".join(str(part.get("text", "")) for part in parts)


def _openai(ask: Ask, vectors: list[list[float]]) -> dict[str, Any]:
    data = []
    for index, vector in enumerate(vectors):
        packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        as_text = ask.fields.get("encoding_format") == "base64"
        data.append({"object": "embedding", "index": index, "embedding": packed if as_text else vector})
    tokens = prompt_tokens(ask.fields)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": ask.model, "usage": usage}


def _vector(text: str, dimensions: int) -> list[float]:
    """A unit vector that depends on the text alone."""
    draw = random.Random(hashlib.sha256(text.encode()).digest())  # noqa: S311 - not a secret
    raw = [draw.gauss(0, 1) for _ in range(dimensions)]
    norm = sum(x * x for x in raw) ** 0.5
    return [x / norm for x in raw]
