"""The APIs of OpenAI's family that callers reach, and what each of them must be asked with.

`classify` is our own: local models with labels answer it and no provider does. Source: OpenAI API reference
(images, audio, moderations); a picture takes up to two minutes there, an hour of sound takes longer.
"""

from __future__ import annotations

import re

from wicket.dialects.contract import NOT_EMPTY, Api, Sign, Signs, Way, member

NAME = "openai_chat"


def _ways(path: str) -> tuple[Way, ...]:
    return (Way("/v1" + path), Way("/openai/v1" + path))


SIGNS = Signs(
    turns="messages",
    features={
        "vision": (Sign("messages", member(b"type", b'image_url"')),),
        "audio": (Sign("messages", member(b"type", b'input_audio"')),),
        "pdf": (Sign("messages", member(b"type", b'file"')),),
        "tools": (Sign("tools", NOT_EMPTY), Sign("functions", NOT_EMPTY)),
        "json_schema": (Sign("response_format", member(b"type", b'json_schema"')),),
        "reasoning": (Sign("reasoning_effort", re.compile(rb'^"(?!none"|minimal")')),),
    },
    media=re.compile(rb";base64,"),
    limits=(("max_completion_tokens",), ("max_tokens",)),
)
CHAT = Api(
    "chat.completions",
    "/chat/completions",
    can_stream=True,
    dialect=NAME,
    needs=("messages",),
    arrays=("messages",),
    counts=("max_tokens", "max_completion_tokens"),
    ways=_ways("/chat/completions"),
    signs=SIGNS,
)
COMPLETIONS = Api(
    "completions",
    "/completions",
    can_stream=True,
    dialect=NAME,
    needs=("prompt",),
    counts=("max_tokens", "max_completion_tokens"),
    ways=_ways("/completions"),
)
EMBEDDINGS = Api(
    "embeddings",
    "/embeddings",
    can_stream=False,
    dialect=NAME,
    needs=("input",),
    counts=("max_tokens", "max_completion_tokens"),
    ways=_ways("/embeddings"),
    subject="embeddings",
    ability="embeddings",
)
CLASSIFY = Api(
    "classify",
    "/classify",
    can_stream=False,
    dialect=NAME,
    needs=("input",),
    counts=("max_tokens", "max_completion_tokens"),
    ways=_ways("/classify"),
)


def _images(verb: str, *, needs: tuple[str, ...], form: str = "", can_stream: bool = True) -> Api:
    return Api(
        f"images.{verb}",
        f"/images/{verb}",
        can_stream=can_stream,
        dialect=NAME,
        needs=needs,
        counts=("n",),
        ways=_ways(f"/images/{verb}"),
        form=form,
        is_media=True,
        ability="images",
        patience_s=300,
    )


def _heard(verb: str, *, can_stream: bool) -> Api:
    return Api(
        f"audio.{verb}",
        f"/audio/{verb}",
        can_stream=can_stream,
        dialect=NAME,
        needs=("file|url|file_url|file_id",),  # Groq's and Mistral's ways beside OpenAI's
        ways=_ways(f"/audio/{verb}"),
        form="must",
        is_media=True,
        answers="any",
        ability="transcription",
        patience_s=300,
    )


GENERATIONS = _images("generations", needs=("prompt",))
EDITS = _images("edits", needs=("prompt",), form="may")
VARIATIONS = _images("variations", needs=("image",), form="must", can_stream=False)
SPEECH = Api(
    "audio.speech",
    "/audio/speech",
    can_stream=True,
    dialect=NAME,
    needs=("input",),
    ways=_ways("/audio/speech"),
    is_media=True,
    answers="flow",
    ability="speech",
    patience_s=60,
)
TRANSCRIPTIONS = _heard("transcriptions", can_stream=True)
TRANSLATIONS = _heard("translations", can_stream=False)
MODERATIONS = Api(
    "moderations",
    "/moderations",
    can_stream=False,
    dialect=NAME,
    needs=("input",),
    ways=_ways("/moderations"),
    is_media=True,
    ability="moderation",
)
IMAGES = (GENERATIONS, EDITS, VARIATIONS)
AUDIO = (SPEECH, TRANSCRIPTIONS, TRANSLATIONS)
APIS = (CHAT, COMPLETIONS, EMBEDDINGS, CLASSIFY, *IMAGES, *AUDIO, MODERATIONS)
OF_DATA = (EMBEDDINGS.name, CLASSIFY.name)  # these answer with `data`, the others with `choices`
