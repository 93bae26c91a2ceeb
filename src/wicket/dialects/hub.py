"""The hub between dialects: a conversation and its answer as typed parts. Values, and what a loss means.

Only traffic whose two ends speak different dialects comes here; the same dialect on both sides passes as
bytes. A reader turns a caller's request (or a provider's answer) into these values and names what it could
not read; a writer turns them into another dialect and names what it could not say. What a translation loses
is therefore computed, part by part (contract §6), and is either reported or refused (`leave_out`).

Paths are written as callers know them: `messages[2].content[0].cache_control`.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Any

import msgspec

from wicket.dialects.contract import Counts
from wicket.errors import CallerFault, Fault

Json = msgspec.Raw


class Part(msgspec.Struct, kw_only=True, tag_field="part", tag=str.lower):
    """A piece of a turn. `origin` is the dialect it came from, `path` where it stood in the request.

    `raw` is the JSON it came as: a writer of its own family may send that back untouched. `signature` is the
    provider's seal on it (Anthropic's thinking, Gemini's `thoughtSignature`), worth nothing elsewhere.
    `cache` is a prompt-caching mark in the origin's spelling, `ttl` included.
    """

    origin: str = ""
    path: str = ""
    raw: Json | None = None
    signature: str = ""
    cache: Json | None = None


class Text(Part, kw_only=True):
    """Plain text. `annotations` are citations in the origin's spelling."""

    text: str
    annotations: Json | None = None


class Refusal(Part, kw_only=True):
    """The model's own words for not answering (OpenAI's `refusal`)."""

    text: str


class Media(Part, kw_only=True):
    """An image, a document, a sound or a film: `kind`. Exactly one of `data` (base64), `url`, `file_id`.

    `media_type` is a MIME type, "" if the caller gave none. `detail` is OpenAI's for images. A document may
    also be plain text: then `text` holds it.
    """

    kind: str  # "image" | "document" | "audio" | "video"
    media_type: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""
    text: str = ""
    name: str = ""
    detail: str = ""


class Thinking(Part, kw_only=True):
    """What the model thought, or (`is_redacted`) an opaque block in its place, kept in `signature`."""

    text: str = ""
    is_redacted: bool = False


class ToolCall(Part, kw_only=True):
    """A function the model wants called. `arguments` is JSON text of an object, exactly as it came."""

    id: str
    name: str
    arguments: str = "{}"


class ToolResult(Part, kw_only=True):
    """What a called function gave back. `parts` are texts and media; `name` where the origin has it."""

    id: str
    name: str = ""
    parts: tuple[Part, ...] = ()
    is_error: bool = False


class Foreign(Part, kw_only=True):
    """A part that only its own family understands (`raw` has it): searches, code runs, containers …"""

    kind: str


class Turn(msgspec.Struct, kw_only=True):
    """One message. Tool results stand in turns of their own, role "tool", one turn per run of results."""

    role: str  # "system" | "user" | "assistant" | "tool"
    parts: list[Part]
    name: str = ""
    path: str = ""


class Tool(msgspec.Struct, kw_only=True):
    """A tool on offer. `kind` "function" has a name and a JSON schema; any other kind is its family's own.

    `schema` is None for a function that takes nothing.
    """

    kind: str = "function"
    name: str = ""
    description: str = ""
    schema: Json | None = None
    is_strict: bool | None = None
    raw: Json | None = None
    cache: Json | None = None
    path: str = ""


class ToolChoice(msgspec.Struct, frozen=True):
    """`mode`: "auto", "none", "required" or "named"; `names` for "named", or to narrow the others."""

    mode: str
    names: tuple[str, ...] = ()


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """What the answer must look like. `kind`: "json_object" or "json_schema" (plain text is no format)."""

    kind: str
    name: str = ""
    description: str = ""
    schema: Json | None = None
    is_strict: bool | None = None


class Reasoning(msgspec.Struct, frozen=True, kw_only=True):
    """How much the model should think. Every field None: the provider's default.

    `effort`: "none", "minimal", "low", "medium", "high", "xhigh", "max". `is_shown`: whether thoughts (or a
    summary) are wanted in the answer; `summary` is OpenAI's word for which.
    """

    effort: str | None = None
    budget_tokens: int | None = None
    is_on: bool | None = None
    is_shown: bool | None = None
    summary: str = ""


class Setting(StrEnum):
    """What a request may ask for beside its turns and tools. The type of each value is in brackets."""

    MAX_OUTPUT_TOKENS = "max_output_tokens"  # [int]
    TEMPERATURE = "temperature"  # [float], OpenAI's scale 0 to 2
    TOP_P = "top_p"  # [float]
    TOP_K = "top_k"  # [int]
    MIN_P = "min_p"  # [float]
    STOP = "stop"  # [tuple[str, ...]]
    SEED = "seed"  # [int]
    FREQUENCY_PENALTY = "frequency_penalty"  # [float]
    PRESENCE_PENALTY = "presence_penalty"  # [float]
    LOGIT_BIAS = "logit_bias"  # [dict[str, float]]
    LOGPROBS = "logprobs"  # [int]: how many of the likeliest besides the chosen token
    NUM_CHOICES = "num_choices"  # [int]
    TOOL_CHOICE = "tool_choice"  # [ToolChoice]
    PARALLEL_TOOLS = "parallel_tools"  # [bool]
    FORMAT = "format"  # [Format]
    REASONING = "reasoning"  # [Reasoning]
    VERBOSITY = "verbosity"  # [str]
    MODALITIES = "modalities"  # [tuple[str, ...]], other than text alone
    AUDIO = "audio"  # [Json]: voice and format of spoken answers
    PREDICTION = "prediction"  # [Json]
    USER = "user"  # [str]
    METADATA = "metadata"  # [dict[str, str]]
    STORE = "store"  # [bool]
    SERVICE_TIER = "service_tier"  # [str]
    CACHE_KEY = "cache_key"  # [str]
    CACHE_RETENTION = "cache_retention"  # [str]
    PREVIOUS_ID = "previous_id"  # [str]: an answer that the provider keeps
    TRUNCATION = "truncation"  # [str]
    SAFETY = "safety"  # [Json]: thresholds of a provider's own filters
    INCLUDE = "include"  # [tuple[str, ...]]: extra output of Responses
    MAX_TOOL_CALLS = "max_tool_calls"  # [int]
    BACKGROUND = "background"  # [bool]
    OWN = "own"  # [dict[str, Json]]: fields of the origin's family alone, by path, that decide the answer
    OWN_HINTS = "own_hints"  # [dict[str, Json]]: the same, but only hints


HINTS = frozenset(
    {
        Setting.SEED,  # best effort even where it exists
        Setting.USER,
        Setting.METADATA,
        Setting.STORE,
        Setting.SERVICE_TIER,
        Setting.CACHE_KEY,
        Setting.CACHE_RETENTION,
        Setting.PREDICTION,  # faster or not, the answer is the same
        Setting.VERBOSITY,
        Setting.INCLUDE,
        Setting.TRUNCATION,
        Setting.OWN_HINTS,
    }
)
"""Settings without which the answer is still what was asked for: dropped and reported, never refused."""


class Conversation(msgspec.Struct, kw_only=True):
    """A request, whatever it was written in.

    `settings` holds what the caller set to something other than its default, `names` the caller's own path
    of each. `unread` are paths inside messages and tools that the reader does not know: they can't cross, and
    are reported. `extras` are unknown top-level fields, forwarded as they are to whoever is asked.
    """

    origin: str
    turns: list[Turn]
    tools: list[Tool] = []
    settings: dict[Setting, Any] = {}
    names: dict[Setting, str] = {}
    unread: list[str] = []
    extras: dict[str, Json] = {}
    is_streamed: bool = False


def leave_out(conversation: Conversation, said: Collection[Setting]) -> list[str]:
    """The caller's names of everything that a writer which says `said` leaves out and may leave out.

    Raises `CallerFault` for a setting without which the answer would not be what was asked for.
    """
    dropped = list(conversation.unread)
    for setting in conversation.settings:
        if setting in said:
            continue
        name = conversation.names.get(setting, setting.value)
        if setting not in HINTS:
            raise unsayable(name)
        dropped += conversation.settings[setting] if setting is Setting.OWN_HINTS else (name,)
    return dropped


def unsayable(path: str, why: str = "") -> CallerFault:
    """A part or setting that the chosen model's provider has no word for."""
    message = f"'{path}' can't be passed on to this model's provider"
    return CallerFault("unsupported_by_provider", f"{message}: {why}." if why else f"{message}.", param=path)


class Finish(StrEnum):
    """Why an answer ended. An unknown reason is a failure, never one of these (issue: honest translation)."""

    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    FILTERED = "filtered"  # the provider's filter, or the model's refusal as Anthropic tells it
    PAUSED = "paused"  # Anthropic's pause_turn: send it back to go on


class Completion(msgspec.Struct, kw_only=True):
    """A whole answer with one choice. `raw_finish` is the provider's word; `stop` the sequence it met.

    `counts` is None if not reported. `logprobs` is in OpenAI's form. `unread` are paths of the answer that
    the reader does not know.
    """

    origin: str
    id: str = ""
    model: str = ""
    created_s: int = 0
    parts: list[Part]
    finish: Finish
    raw_finish: str = ""
    stop: str = ""
    counts: Counts | None = None
    logprobs: Json | None = None
    service_tier: str = ""
    unread: list[str] = []


# The same as a stream. A reader gives them in this order: Began, then per part PartBegan, deltas, PartEnded
# (parts may overlap: `index` tells them apart, counted from 0 in order of their beginning), then Stopped and
# Used in any order, then Over. A fault may come at any time and ends the stream.


class Began(msgspec.Struct, frozen=True):
    """The answer begins."""

    id: str
    model: str
    created_s: int = 0


class PartBegan(msgspec.Struct, frozen=True):
    """A part begins: its empty form (a ToolCall with id and name, a Thinking, a Text …).

    A part that comes whole (`Foreign`, redacted thinking, an image) has no deltas.
    """

    index: int
    part: Part


class TextDelta(msgspec.Struct, frozen=True):
    """More text of a Text, Refusal or Thinking part. `logprobs`: OpenAI's `content` list of this delta."""

    index: int
    text: str
    logprobs: Json | None = None


class ArgumentsDelta(msgspec.Struct, frozen=True):
    """More JSON text of a ToolCall's arguments."""

    index: int
    json: str


class SignatureDelta(msgspec.Struct, frozen=True):
    """A part's signature, whole."""

    index: int
    signature: str


class AnnotationDelta(msgspec.Struct, frozen=True):
    """A citation on a Text part, in the origin's spelling."""

    index: int
    raw: Json


class PartEnded(msgspec.Struct, frozen=True):
    """A part is complete."""

    index: int


class Stopped(msgspec.Struct, frozen=True):
    """The finish reason."""

    finish: Finish
    raw_finish: str = ""
    stop: str = ""


class Used(msgspec.Struct, frozen=True):
    """Token counts; the last one counts."""

    counts: Counts
    is_estimated: bool = False


class Broken(msgspec.Struct, frozen=True):
    """An error inside the stream."""

    fault: Fault


class Over(msgspec.Struct, frozen=True):
    """The dialect's own end mark."""


Delta = (
    Began
    | PartBegan
    | TextDelta
    | ArgumentsDelta
    | SignatureDelta
    | AnnotationDelta
    | PartEnded
    | Stopped
    | Used
    | Broken
    | Over
)
