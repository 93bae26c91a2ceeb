"""A stream's deltas put together: the whole answer that they are."""

from __future__ import annotations

import msgspec

from wicket.dialects.hub import (
    AnnotationDelta,
    ArgumentsDelta,
    Began,
    Broken,
    Completion,
    Delta,
    Part,
    PartBegan,
    Refusal,
    SignatureDelta,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Used,
)
from wicket.errors import UpstreamBroken
from wicket.wire import json


class Gathered:
    """Deltas in their order. Memory: what the answer weighs."""

    def __init__(self) -> None:
        self._began = Began("", "")
        self._parts: dict[int, Part] = {}
        self._pieces: dict[int, list[str]] = {}
        self._annotations: dict[int, list[msgspec.Raw]] = {}
        self._logprobs: list[msgspec.Raw] = []
        self._stopped: Stopped | None = None
        self._used: Used | None = None

    def add(self, delta: Delta) -> None:
        """One more. Raises the fault of a `Broken`."""
        match delta:
            case Broken(fault=fault):
                raise fault
            case Began():
                self._began = delta
            case PartBegan(index=index, part=part):
                self._parts[index] = msgspec.structs.replace(part)
                self._pieces[index] = []
            case TextDelta(index=index, text=text):
                self._pieces[index].append(text)
                if delta.logprobs is not None:
                    self._logprobs.append(delta.logprobs)
            case ArgumentsDelta(index=index, json=text):
                self._pieces[index].append(text)
            case SignatureDelta(index=index, signature=signature):
                self._parts[index].signature = signature
            case AnnotationDelta(index=index, raw=raw):
                self._annotations.setdefault(index, []).append(raw)
            case Stopped():
                self._stopped = delta
            case Used():
                self._used = delta
            case _:
                pass

    @property
    def text(self) -> str:
        """The plain text so far."""
        return "".join([one.text for one in self._whole_parts() if isinstance(one, Text)])

    def completion(self, origin: str = "") -> Completion:
        """The whole answer. Raises `UpstreamBroken` where no finish reason came."""
        if self._stopped is None:
            raise UpstreamBroken("cut", "The provider's stream ended before its answer did.")
        return Completion(
            origin=origin,
            id=self._began.id,
            model=self._began.model,
            created_s=self._began.created_s,
            parts=self._whole_parts(),
            finish=self._stopped.finish,
            raw_finish=self._stopped.raw_finish,
            stop=self._stopped.stop,
            counts=self._used.counts if self._used is not None else None,
            logprobs=_joined(self._logprobs),
        )

    def _whole_parts(self) -> list[Part]:
        return [self._whole(index) for index in sorted(self._parts)]

    def _whole(self, index: int) -> Part:
        part = msgspec.structs.replace(self._parts[index])
        said = "".join(self._pieces[index])
        if isinstance(part, Text | Refusal | Thinking):
            part.text += said
        elif isinstance(part, ToolCall) and said:
            part.arguments = said
        if isinstance(part, Text) and index in self._annotations:
            part.annotations = msgspec.Raw(json.encode(self._annotations[index]))
        return part


def _joined(lists: list[msgspec.Raw]) -> msgspec.Raw | None:
    """OpenAI's `{"content": […]}` of the pieces' lists."""
    if not lists:
        return None
    entries = [entry for one in lists for entry in json.decode(one, type=list[msgspec.Raw])]
    return msgspec.Raw(json.encode({"content": entries}))
