"""Answers that are no text: what the walk reads of them."""

import json
from typing import Any

import pytest

from wicket.dialects import openai_chat
from wicket.dialects.contract import Api, Counts, Frame
from wicket.dialects.openai_chat.apis import (
    EDITS,
    GENERATIONS,
    MODERATIONS,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
)
from wicket.errors import Fault, UpstreamBroken
from wicket.wire.fields import peek

JSON = b"application/json; charset=utf-8"


def read(api: Api, answer: Any, kind: bytes = JSON, **fields: Any) -> Counts | None:
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return openai_chat.media(data, kind, api, peek(json.dumps(fields).encode())).counts


@pytest.mark.parametrize(
    ("api", "answer", "counts"),
    [
        (GENERATIONS, {"data": [{}, {}]}, Counts(images=2)),
        (
            EDITS,
            {
                "data": [{}],
                "usage": {
                    "input_tokens": 9,
                    "output_tokens": 4,
                    "input_tokens_details": {"cached_tokens": 2},
                },
            },
            Counts(9, 4, 2, images=1, output_image_tokens=4),
        ),
        (GENERATIONS, {"data": [{}], "usage": {"input_tokens": "many"}}, Counts(images=1)),
        (
            TRANSCRIPTIONS,
            {
                "text": "a",
                "usage": {
                    "type": "tokens",
                    "input_tokens": 8,
                    "output_tokens": 3,
                    "input_token_details": {"audio_tokens": 6},
                },
            },
            Counts(8, 3, input_audio_tokens=6),
        ),
        (TRANSCRIPTIONS, {"text": "a", "usage": {"type": "duration", "seconds": 2}}, Counts(audio_ms=2_000)),
        (TRANSLATIONS, {"text": "a", "duration": "1.25"}, Counts(audio_ms=1_250)),
        (TRANSCRIPTIONS, {"text": ""}, None),
        (TRANSCRIPTIONS, {"text": "a", "usage": {"seconds": -1}}, None),
        (
            TRANSCRIPTIONS,
            {"text": "a", "usage": {"prompt_tokens": 5, "completion_tokens": 2, "prompt_audio_seconds": 3}},
            Counts(5, 2, audio_ms=3_000),
        ),
        (MODERATIONS, {"results": []}, None),
        (MODERATIONS, {"results": [], "usage": {"prompt_tokens": 7}}, Counts(7)),
    ],
)
def test_usage_in_every_form(api: Api, answer: Any, counts: Counts | None) -> None:
    assert read(api, answer) == counts


def test_speech_is_counted_by_its_characters() -> None:
    assert read(SPEECH, b"\x00\x01", b"audio/mpeg", input="häß€") == Counts(characters=4)
    assert read(SPEECH, b"\x00", b"", input="a") == Counts(characters=1)
    assert openai_chat.flow_counts(SPEECH, peek(b'{"input": 5}')) is None


@pytest.mark.parametrize("kind", [b"text/plain; charset=utf-8", b"text/vtt", b"application/x-subrip"])
def test_a_transcript_may_be_text(kind: bytes) -> None:
    assert read(TRANSCRIPTIONS, b"Hello.\n", kind) is None


@pytest.mark.parametrize(
    ("api", "answer", "kind", "word"),
    [
        (GENERATIONS, {"data": []}, JSON, "images"),
        (GENERATIONS, {"error": {"message": "no"}}, JSON, "no"),
        (GENERATIONS, b"<html>", b"text/html", "promised"),
        (SPEECH, b"", b"audio/mpeg", "sound"),
        (SPEECH, b"<html>", b"text/html", "sound"),
        (SPEECH, {"error": {"message": "no voice"}}, JSON, "no voice"),
        (SPEECH, {"url": "x"}, JSON, "sound"),
        (TRANSCRIPTIONS, {"segments": []}, JSON, "text"),
        (TRANSCRIPTIONS, b"<html>", b"text/plain", "promised"),
        (TRANSCRIPTIONS, b"Hello", b"text/html", "promised"),
        (MODERATIONS, {"id": "x"}, JSON, "results"),
    ],
)
def test_what_is_no_answer_is_a_failure(api: Api, answer: Any, kind: bytes, word: str) -> None:
    with pytest.raises(Fault) as caught:
        read(api, answer, kind)
    assert caught.value.elsewhere and word in caught.value.message


def frames(api: Api, *events: Any) -> list[Frame]:
    reader = openai_chat.event_reader(api)
    return [reader(event if isinstance(event, bytes) else json.dumps(event).encode()) for event in events]


def test_a_stream_of_pictures() -> None:
    usage = {"input_tokens": 3, "output_tokens": 5}
    partial, first, second, end = frames(
        GENERATIONS,
        {"type": "image_generation.partial_image", "b64_json": "x"},
        {"type": "image_generation.completed", "usage": usage},
        {"type": "image_generation.completed"},
        b"[DONE]",
    )
    assert partial == Frame(spoke=True)
    assert first == Frame(spoke=True, finished=True, counts=Counts(3, 5, images=1, output_image_tokens=5))
    assert second.counts == Counts(images=2)
    assert end == Frame(is_done=True, goes_out=True)


@pytest.mark.parametrize(
    ("api", "said", "ended"),
    [
        (SPEECH, "speech.audio.delta", "speech.audio.done"),
        (TRANSCRIPTIONS, "transcript.text.delta", "transcript.text.done"),
        (EDITS, "image_edit.partial_image", "image_edit.completed"),
    ],
)
def test_streams_of_sound_and_text(api: Api, said: str, ended: str) -> None:
    unknown, spoke, end = frames(api, {"type": "something.new"}, {"type": said}, {"type": ended})
    assert unknown == Frame() and spoke.spoke and not spoke.finished and end.finished


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "error": {"message": "broken"}},
        {"error": {"message": "broken"}},
        {"type": "error", "message": "broken"},
        {"type": "image_generation.failed", "error": {"message": "broken"}},
    ],
)
def test_an_error_in_a_stream_is_a_failure(event: Any) -> None:
    [frame] = frames(GENERATIONS, event)
    assert frame.fault is not None and "broken" in frame.fault.message and not frame.finished


@pytest.mark.parametrize("data", [b"[DONE]", b"{", b"[]", b"\xff"])
def test_an_end_without_an_answer_and_what_is_no_event_are_failures(data: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        frames(SPEECH, data)
