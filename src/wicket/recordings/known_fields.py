"""Which fields of an OpenAI-like answer are not in OpenAI's own reference: kept as they came, and shown.

Other dialects name what they do not know themselves (`unread`); here bytes pass, so nothing is lost.
Source: OpenAI API reference, chat completions (object and chunk), completions, embeddings.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.recordings.apis import Place
from wicket.recordings.recording import Recording
from wicket.wire import json
from wicket.wire.sse import FrameSplitter, payload

_TOP = "id object created model choices usage system_fingerprint service_tier data"
_CHOICE = "index message delta finish_reason logprobs text"
_MESSAGE = "role content refusal tool_calls function_call audio annotations"
_CALL = "id type index function function.name function.arguments"
_USAGE = (
    "prompt_tokens completion_tokens total_tokens prompt_tokens_details completion_tokens_details"
    " prompt_tokens_details.cached_tokens prompt_tokens_details.audio_tokens"
    " completion_tokens_details.reasoning_tokens completion_tokens_details.audio_tokens"
    " completion_tokens_details.accepted_prediction_tokens"
    " completion_tokens_details.rejected_prediction_tokens"
)
_OPAQUE = ("audio", "annotations", "logprobs", "embedding")  # their insides are one value to us


def _known() -> frozenset[str]:
    paths = {*_TOP.split(), *(f"choices[].{name}" for name in _CHOICE.split())}
    paths |= {f"usage.{name}" for name in _USAGE.split()}
    paths |= {f"data[].{name}" for name in ("object", "index", "embedding")}
    for said in ("message", "delta"):
        paths |= {f"choices[].{said}.{name}" for name in _MESSAGE.split()}
        paths |= {f"choices[].{said}.tool_calls[].{name}" for name in _CALL.split()}
        paths |= {f"choices[].{said}.function_call.{name}" for name in ("name", "arguments")}
    return frozenset(paths)


_KNOWN = _known()


def kept_raw(place: Place, recording: Recording) -> set[str]:
    """Paths of a chat, completion or embeddings answer that the reference does not have, outermost only."""
    if place.dialect != "openai_chat":
        return set()
    found: set[str] = set()
    for data in _documents(recording):
        try:
            _walk(json.decode(data), "", found)
        except msgspec.DecodeError:
            continue
    return found


def _documents(recording: Recording) -> list[bytes]:
    body = recording.response.body
    if not recording.is_stream:
        return [body]
    splitter = FrameSplitter()
    frames = [*splitter.feed(body), splitter.finish()]
    return [data for data in map(payload, frames) if data.startswith(b"{")]


def _walk(value: Any, path: str, found: set[str]) -> None:
    if isinstance(value, list):
        for one in value:
            _walk(one, f"{path}[]", found)
    elif isinstance(value, dict):
        for name, one in value.items():
            where = f"{path}.{name}" if path else name
            if where not in _KNOWN:
                if one is not None:
                    found.add(where)
            elif name not in _OPAQUE:
                _walk(one, where, found)
