"""Pictures, sound and moderations of OpenAI's family, which pass as they came: what the walk reads of them.

Usage comes in four forms: tokens by another name (`input_tokens`), seconds of sound (`duration`), OpenAI's
older `prompt_tokens`, and nothing; then what can be counted is: pictures in the answer, characters to speak.

Source: OpenAI API reference (images, image streaming events, audio, audio streaming events, moderations);
the types of OpenAI's SDK 3 (2026-11); Groq and Mistral report as OpenAI does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from wicket.dialects.contract import Api, Counts, Frame, Whole
from wicket.dialects.openai_chat.apis import AUDIO, IMAGES, MODERATIONS, SPEECH
from wicket.dialects.openai_chat.usage import MAX_TOKENS
from wicket.dialects.openai_errors import in_band
from wicket.errors import CallerFault, Fault, UpstreamBroken
from wicket.wire import fields as top
from wicket.wire.fields import Fields

MAX_MODEL = 256
MAX_SECONDS = 10_000_000.0
_ENDS = frozenset(
    {"image_generation.completed", "image_edit.completed", "speech.audio.done", "transcript.text.done"}
)
_SAID = frozenset(
    {
        "image_generation.partial_image",
        "image_edit.partial_image",
        "speech.audio.delta",
        "transcript.text.delta",
        "transcript.text.segment",
    }
)
_TEXT_TYPES = (b"text/plain", b"text/vtt", b"text/srt", b"application/x-subrip", b"application/srt")
_NO_FIELDS: Fields = {}
_SIZE = re.compile(r"\d{2,5}x\d{2,5}|\d(\.\d)?k")
_QUALITY = re.compile(r"[a-z]{1,20}")
_NO_SOUND = (b"text/", b"application/json", b"application/problem+json", b"multipart/")


class _Details(msgspec.Struct):
    audio_tokens: int | None = None
    cached_tokens: int | None = None
    image_tokens: int | None = None
    text_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float | None = None
    prompt_audio_seconds: float | None = None  # Mistral's transcriptions
    input_token_details: _Details | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None


class _Answer(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    results: list[msgspec.Raw] | None = None
    text: str | None = None
    duration: float | str | None = None  # of sound, in seconds; a string in OpenAI's older answers
    usage: Any = None
    model: str | None = None
    error: Any = None
    size: Any = None
    quality: Any = None


class _Event(msgspec.Struct):
    type: str | None = None
    usage: Any = None
    model: str | None = None
    error: Any = None
    message: Any = None
    size: Any = None
    quality: Any = None


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_API_NAMES = {api.name: api for api in (*IMAGES, *AUDIO, MODERATIONS)}


def is_media(api: Api) -> bool:
    """Whether this file reads that API's answers."""
    return api.name in _API_NAMES


def media(data: bytes, content_type: bytes, api: Api, fields: Fields) -> Whole:
    """Read a complete answer. An error inside a 200, a page in place of sound and silence are failures."""
    kind = content_type.partition(b";")[0].strip().lower()
    if api.name == SPEECH.name:
        if not data or kind.startswith(_NO_SOUND):
            raise _no_sound(data)
        return Whole("", flow_counts(api, fields))
    if api.answers == "any" and kind.startswith(_TEXT_TYPES) and data.lstrip()[:1] != b"<":
        return Whole("", None)
    return read_json(data, api, fields)


def read_json(data: bytes, api: Api, fields: Fields = _NO_FIELDS) -> Whole:
    """Read an answer in JSON to `fields`."""
    try:
        answer = _decode_answer(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamBroken(
            "malformed", f"The provider's answer is not what it promised: {str(error)[:300]}."
        ) from None
    if answer.error:
        raise in_band(answer.error)
    counts = _counts(answer.usage, draws=api in IMAGES)
    if api in IMAGES:
        if not answer.data:
            raise UpstreamBroken("malformed", "The provider's answer has no images.")
        size = _size(answer.size, answer.quality) or _asked_size(fields)
        counts = replace(counts or Counts(), images=len(answer.data), image_size=size)
    elif api.name == MODERATIONS.name:
        if answer.results is None:
            raise UpstreamBroken("malformed", "The provider's answer has no results.")
    elif answer.text is None:
        raise UpstreamBroken("malformed", "The provider's answer has no text.")
    elif counts is None:
        counts = _heard_for(answer.duration)
    return Whole((answer.model or "")[:MAX_MODEL], counts)


def flow_counts(api: Api, fields: Fields) -> Counts | None:
    """Speech is billed by the characters that are spoken, or by tokens that only a stream reports."""
    if api.name != SPEECH.name:
        return None
    try:
        spoken = top.text(fields, "input")
    except CallerFault:  # whoever takes an input that is no text knows how long it is
        return None
    return Counts(characters=len(spoken)) if spoken is not None else None


def event_reader(api: Api) -> Callable[[bytes], Frame]:
    """What reads one stream."""
    return _EventReader(api).read


class _EventReader:
    """Reads events in their order: how many pictures are complete, whether the answer is."""

    def __init__(self, api: Api) -> None:
        self._makes_images = api in IMAGES
        self._num_ended = 0

    def read(self, data: bytes) -> Frame:
        """One event. Raises `UpstreamBroken` if it is not one."""
        if data == b"[DONE]":
            if not self._num_ended:
                raise UpstreamBroken("cut", "The provider ended its stream before its answer was complete.")
            return Frame(is_done=True, goes_out=True)
        try:
            event = _decode_event(data)
        except (msgspec.DecodeError, RecursionError) as error:
            message = f"The provider sent a stream frame that is not an event: {str(error)[:300]}."
            raise UpstreamBroken("malformed", message) from None
        kind = event.type or ""
        if event.error or kind == "error" or kind.endswith(".failed"):
            return Frame(fault=_fault(event), counts=_counts(event.usage))
        if kind not in _ENDS:
            return Frame(spoke=kind in _SAID)
        self._num_ended += 1
        counts = _counts(event.usage, draws=self._makes_images)
        if self._makes_images:
            size = _size(event.size, event.quality)
            counts = replace(counts or Counts(), images=self._num_ended, image_size=size)
        return Frame(spoke=True, finished=True, counts=counts, model=(event.model or "")[:MAX_MODEL])


def _size(size: object, quality: object) -> str:
    """How a catalogue names a price by quality and size; "" where the size is not told."""
    if not isinstance(size, str) or not _SIZE.fullmatch(size.lower()):
        return ""
    known = isinstance(quality, str) and _QUALITY.fullmatch(quality) is not None and quality != "auto"
    return f"{quality}/{size.lower()}" if known else size.lower()


def _asked_size(fields: Fields) -> str:
    """The same of a request, for answers that do not tell."""
    try:
        asked = {name: top.text(fields, name) for name in ("size", "resolution", "quality") if name in fields}
    except CallerFault:
        return ""
    return _size(asked.get("size") or asked.get("resolution"), asked.get("quality"))


def _fault(event: _Event) -> Fault:
    return in_band(event.error or {"message": event.message if isinstance(event.message, str) else ""})


def _no_sound(data: bytes) -> Fault:
    """Why there is no sound: an error in JSON says so itself."""
    try:
        answer = _decode_answer(data)
    except (msgspec.DecodeError, RecursionError):
        return UpstreamBroken("malformed", "The provider's answer is no sound.")
    return in_band(answer.error) if answer.error else UpstreamBroken("malformed", "There is no sound in it.")


def _counts(usage: Any, *, draws: bool = False) -> Counts | None:
    """What was reported; None for nothing, and for what is beyond belief.

    `draws`: the answer is pictures, so its tokens are theirs unless it says how many are text.
    """
    try:
        found = msgspec.convert(usage, _Usage | None)
    except msgspec.ValidationError:
        return None
    if found is None:
        return None
    given = found.prompt_tokens if found.input_tokens is None else found.input_tokens
    made = found.completion_tokens if found.output_tokens is None else found.output_tokens
    seconds = found.prompt_audio_seconds if found.seconds is None else found.seconds
    if given is None and made is None:
        return _heard_for(seconds)
    given, made = given or 0, made or 0
    details = found.input_token_details or found.input_tokens_details or _Details()
    heard, cached, seen = details.audio_tokens or 0, details.cached_tokens or 0, details.image_tokens or 0
    told = found.output_tokens_details
    drawn = told.image_tokens if told is not None and told.image_tokens is not None else made if draws else 0
    if min(given, made, heard, cached, seen, drawn) < 0 or given + made > MAX_TOKENS:
        return None
    audio = _heard_for(seconds)
    return Counts(
        input_tokens=given,
        output_tokens=made,
        cached_tokens=min(cached, given),
        input_audio_tokens=min(heard, given),
        audio_ms=audio.audio_ms if audio is not None else 0,
        input_image_tokens=min(seen, given),
        output_image_tokens=min(drawn, made),
    )


def _heard_for(seconds: float | str | None) -> Counts | None:
    try:
        found = float(seconds) if seconds is not None else -1.0
    except ValueError:
        return None
    return Counts(audio_ms=round(found * 1_000)) if 0 <= found <= MAX_SECONDS else None
