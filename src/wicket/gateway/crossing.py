"""Between two dialects: a caller's request as one deployment gets it, and that one's answer on its way back.

Only requests whose two ends speak differently come here. What crosses is the hub's values
(`dialects.hub`); which dialects they are is nobody's business in the gateway.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TypeVar

import msgspec

from wicket.accounts.request_ids import format_id
from wicket.dialects.contract import Api, Counts, Frame, Whole
from wicket.dialects.gathering import Gathered
from wicket.dialects.hub import (
    ArgumentsDelta,
    Began,
    Broken,
    Completion,
    Conversation,
    Delta,
    Over,
    PartBegan,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Used,
)
from wicket.dialects.translation import Asked, Heard, Splitter, Spoken, heard, spoken
from wicket.errors import CallerFault, Fault
from wicket.gateway.call import Call
from wicket.routing.deployment import Deployment

_log = logging.getLogger("wicket.gateway")
_T = TypeVar("_T")

MAX_MODEL = 256  # characters of the upstream's own name for itself that are kept


class Crossing(msgspec.Struct, frozen=True):
    """Who writes to the provider and who writes to the caller."""

    spoken: Spoken
    heard: Heard


hearing = cache(heard)
speaking = cache(spoken)


@cache
def conversation_of(dialect: str) -> Api | None:
    """The API of a dialect that is a conversation."""
    side = heard(dialect) or spoken(dialect)
    return side.CONVERSATION if side is not None else None


def is_conversation(api: Api) -> bool:
    """Whether requests of this API are a conversation, which is what crosses between dialects."""
    found = conversation_of(api.dialect)
    return found is not None and api.path == found.path


def crossing_of(api: Api, deployment: Deployment) -> Crossing:
    """The way between a caller's API and a deployment of another dialect. Raises `CallerFault` for none."""
    writer, reader = speaking(deployment.dialect), hearing(api.dialect)
    if writer is None or reader is None or not is_conversation(api):
        message = f"{deployment.provider} can't be asked for {api.name}: its protocol has no such thing. "
        message += f"Providers with the dialect {api.dialect} can."
        raise CallerFault("unsupported_by_provider", message, param="model")
    return Crossing(writer, reader)


def without(conversation: Conversation, names: Sequence[str]) -> tuple[Conversation, tuple[str, ...]]:
    """The conversation without the settings that an operator leaves out (`remove`), and their names."""
    out = {setting: name for setting, name in conversation.names.items() if name in names}
    if not out:
        return conversation, ()
    kept = {setting: value for setting, value in conversation.settings.items() if setting not in out}
    return msgspec.structs.replace(conversation, settings=kept), tuple(out.values())


def asked_of(call: Call) -> Asked:
    """What a writer must know of a call."""
    return Asked(
        id=format_id(call.id),
        created_s=call.unix_ms // 1_000,
        model=call.model,
        fields=call.fields,
        wants_usage=call.wants_usage,
    )


class Translated:
    """One provider's answer in the caller's dialect: whole, or payload by payload.

    With `is_kept` a stream is put together as well, for whoever looks at it afterwards.
    """

    def __init__(self, crossing: Crossing, call: Call, *, is_kept: bool) -> None:
        self.completion: Completion | None = None
        self.gathered = Gathered() if is_kept else None
        self._spoken = crossing.spoken
        self._heard = crossing.heard
        self._asked = asked_of(call)
        if call.is_streamed:
            self._reader = crossing.spoken.stream_reader()
            self._writer = crossing.heard.stream_writer(self._asked)
        self._is_read = False
        self._is_written = False

    def splitter(self) -> Splitter:
        """What cuts the provider's bytes."""
        return self._spoken.splitter()

    def whole(self, data: bytes) -> Whole:
        """Read a complete answer. Raises `UpstreamBroken`, or the fault that it tells of."""
        completion = guarded(self._spoken.read_completion, data)
        self.completion = completion
        return Whole(completion.model[:MAX_MODEL], completion.counts)

    def body(self, cost_usd: float | None) -> bytes:
        """The complete answer for the caller."""
        assert self.completion is not None
        return self._heard.write_completion(self.completion, self._asked, cost_usd)

    @property
    def unread(self) -> Sequence[str]:
        """What of a complete answer could not be read, and so does not reach the caller."""
        return self.completion.unread if self.completion is not None else ()

    def read(self, payload: bytes) -> tuple[Frame, bytes]:
        """What one payload says, and the frames that it becomes. Raises `UpstreamBroken`."""
        return self._written(guarded(self._reader.feed, payload))

    def rest(self) -> tuple[Frame, bytes]:
        """The same for what the reader has still to say once the bytes are at their end."""
        if self._is_read:
            return Frame(), b""
        self._is_read = True
        return self._written(guarded(lambda _: self._reader.finish(), b""))

    def last_frames(self, estimate: Counts | None, cost_usd: float | None) -> bytes:
        """What stands behind everything else; `estimate` where the provider reported no usage."""
        if self._is_written:
            return b""
        _, frames = self.rest()
        self._is_written = True
        if estimate is not None:
            frames += self._writer.write(Used(estimate, is_estimated=True))
        return frames + self._writer.finish(cost_usd)

    def _written(self, deltas: Iterable[Delta]) -> tuple[Frame, bytes]:
        spoke = finished = is_done = False
        model, counts, fault = "", None, None
        frames = []
        for delta in deltas:
            if isinstance(delta, Broken):
                fault = delta.fault
                break
            if self.gathered is not None:
                self.gathered.add(delta)
            frames.append(guarded(self._writer.write, delta))
            spoke = spoke or _says(delta)
            if isinstance(delta, Began):
                model = delta.model[:MAX_MODEL]
            elif isinstance(delta, Stopped):
                finished = True
            elif isinstance(delta, Used):
                counts = delta.counts
            elif isinstance(delta, Over):
                is_done = True
                break
        facts = Frame(
            spoke=spoke, finished=finished, is_done=is_done, model=model, counts=counts, fault=fault
        )
        return facts, b"".join(frames)


def _says(delta: Delta) -> bool:
    """Whether it is output: text, a call, or a part that comes whole."""
    if isinstance(delta, TextDelta):
        return bool(delta.text)
    if isinstance(delta, ArgumentsDelta):
        return bool(delta.json)
    if isinstance(delta, PartBegan):
        part = delta.part
        return isinstance(part, ToolCall) or not isinstance(part, Text | Thinking) or part.signature != ""
    return False


def guarded(function: Callable[..., _T], *values: object) -> _T:
    """A mistake of ours in a dialect is a fault of this request, and the log has it; no text of anybody's."""
    try:
        return function(*values)
    except Fault:
        raise
    except Exception as error:
        _log.error("An answer could not be translated: %s in %s", type(error).__name__, function)
        raise Fault("internal_error", "The provider's answer could not be translated.") from None
