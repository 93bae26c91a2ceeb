"""An attempt that goes on with another one's broken answer: its frames are made to fit the stream."""

from __future__ import annotations

from typing import Any

from wicket.gateway.attempt import Attempt
from wicket.gateway.partial import Seam, fields_to_continue, id_of
from wicket.wire import json
from wicket.wire.fields import Fields
from wicket.wire.sse import payload


class ContinuedAttempt(Attempt):
    """Every frame keeps the broken answer's id; the role is not told again, nor what was said.

    A frame's `model` is the truth: who wrote these words. `taken` holds the whole answer, both parts.
    """

    seam: Seam

    def go_on_from(self, broken: Attempt) -> Fields:
        """Take over; the fields to ask with. `broken.said()` is not None."""
        said = broken.said()
        assert said is not None
        self.continued = broken
        self.seam = Seam(said)
        self.num_before = broken.num_before + broken.num_frames
        self.answer_id = id_of(broken.taken or ())
        self.taken, self.num_taken = list(broken.taken or ()), broken.num_taken
        return fields_to_continue(self.call.fields, said, self.num_before)

    def take(self) -> bytes:
        """See `Attempt.take`."""
        if self.out:
            self.out = [fitted for frame in self.out if (fitted := self._fit(frame))]
        rest = self.seam.take("", is_last=True) if self.done and self.fault is None else ""
        if rest:
            self.out.append(self._frame(rest))
        return super().take()

    def _fit(self, frame: bytes) -> bytes:
        """A frame as part of the first answer; b"" if nothing is left of it."""
        data = payload(frame)
        if not data:
            return frame
        chunk: dict[str, Any] = json.decode(data)
        if self.answer_id:
            chunk["id"] = self.answer_id
        is_needed = bool(chunk.get("usage"))
        for choice in chunk.get("choices") or ():
            is_needed = self._fit_choice(choice) or is_needed
        return b"data: " + json.encode(chunk) if is_needed else b""

    def _fit_choice(self, choice: dict[str, Any]) -> bool:
        """Whether anything is left of it."""
        is_last = choice.get("finish_reason") is not None
        delta = choice.get("delta") or {}
        delta.pop("role", None)
        content = delta.pop("content", None)
        text = self.seam.take(content if isinstance(content, str) else "", is_last=is_last)
        if text:
            delta["content"] = text
        choice["delta"] = delta
        return is_last or any(value is not None for value in delta.values())

    def _frame(self, text: str) -> bytes:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
        head = {"id": self.answer_id, "object": "chat.completion.chunk", "created": self.call.unix_ms // 1000}
        return b"data: " + json.encode({**head, "model": self.model, "choices": [choice]})


def mark_continued(frames: bytes, attempt: Attempt) -> bytes:
    """A stream's last frames, the usage among them saying that counts and cost are those of the last part."""
    marked = []
    for frame in frames.split(b"\n\n"):
        data = payload(frame)
        if data and data != b"[DONE]":
            chunk: dict[str, Any] = json.decode(data)
            chunk["id"] = attempt.answer_id or chunk.get("id")
            if isinstance(chunk.get("usage"), dict):
                chunk["usage"]["continued"] = {"completion_tokens_before": attempt.num_before}
            frame = b"data: " + json.encode(chunk)
        marked.append(frame)
    return b"\n\n".join(marked)
