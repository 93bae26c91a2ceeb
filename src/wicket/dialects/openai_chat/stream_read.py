"""A provider's stream as deltas. Source: OpenAI API reference, "the chat completion chunk object"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from wicket.dialects.hub import (
    AnnotationDelta,
    ArgumentsDelta,
    Began,
    Broken,
    Delta,
    Foreign,
    Over,
    Part,
    PartBegan,
    PartEnded,
    Refusal,
    SignatureDelta,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Used,
)
from wicket.dialects.openai_chat.answer import Object, counts_of, finish_of, object_of, objects, text
from wicket.dialects.openai_chat.completion import read_message
from wicket.dialects.openai_chat.content import ORIGIN
from wicket.dialects.openai_chat.thoughts import thinking_of
from wicket.dialects.openai_chat.turns_read import google_seal
from wicket.dialects.openai_errors import in_band, of_base_resp
from wicket.errors import UpstreamBroken
from wicket.wire import json

_EMPTY: dict[str, Callable[[], Part]] = {
    "text": lambda: Text(origin=ORIGIN, text=""),
    "thinking": lambda: Thinking(origin=ORIGIN),
    "refusal": lambda: Refusal(origin=ORIGIN, text=""),
}


class ChatReader:
    """One stream with one choice. Calls stay open until the end, since their pieces may interleave."""

    def __init__(self) -> None:
        self._has_begun = False
        self._num_parts = 0
        self._open: tuple[str, int] | None = None  # the kind and index of the text that grows
        self._last_text = -1
        self._calls: list[tuple[int, str]] = []  # index and id of each call, in order
        self._places: dict[int, int] = {}  # a call's index in the stream → its place in `_calls`
        self._detail = -1  # the `index` of the detail that the open thought is of
        self._has_stopped = False

    def feed(self, payload: bytes) -> Sequence[Delta]:
        """What a payload says. Raises `UpstreamBroken` if it is no chunk."""
        if payload == b"[DONE]":
            return [Over()]
        chunk = object_of(payload)
        if chunk.get("error"):
            used = counts_of(chunk.get("usage"))  # what OpenRouter bills until then
            return [*([Used(used)] if used is not None else []), Broken(in_band(chunk["error"]))]
        told = of_base_resp(chunk.get("base_resp"))
        if told is not None:
            return [Broken(told)]
        found: list[Delta] = []
        choices = objects(chunk.get("choices"))
        choice = next((one for one in choices if one.get("index", 0) in (0, None)), None)
        if not self._has_begun and (choice is not None or chunk.get("model")):
            self._has_begun = True
            created = chunk.get("created")
            found.append(
                Began(
                    text(chunk.get("id")),
                    text(chunk.get("model")),
                    created if isinstance(created, int) else 0,
                )
            )
        if choice is not None:
            try:
                self._read_choice(choice, found)
            except UpstreamBroken as fault:
                return [*found, Broken(fault)]
        groq = chunk.get("x_groq")
        usage = chunk.get("usage") or (groq.get("usage") if isinstance(groq, dict) else None)
        counts = counts_of(usage or (choice.get("usage") if choice is not None else None))  # Moonshot
        if counts is not None:
            found.append(Used(counts))
        return found

    def finish(self) -> Sequence[Delta]:
        """Parts that the provider left open."""
        found: list[Delta] = []
        self._end_all(found)
        return found

    def _read_choice(self, choice: Object, found: list[Delta]) -> None:
        delta = choice.get("delta") or choice.get("message")  # a few clones send the last chunk whole
        if isinstance(delta, dict):
            self._read_delta(delta, choice.get("logprobs"), found)
        reason = choice.get("finish_reason")
        if reason and not self._has_stopped:
            finish = finish_of(reason, has_calls=bool(self._calls))
            self._end_all(found)
            self._has_stopped = True
            found.append(Stopped(finish, text(reason), text(choice.get("stop_reason"))))

    def _read_delta(self, delta: Object, logprobs: Any, found: list[Delta]) -> None:
        details = objects(delta.get("reasoning_details"))
        for detail in details:
            self._read_detail(detail, found)
        thought = text(delta.get("reasoning_content")) or text(delta.get("reasoning"))
        if thought and not details:
            self._say("thinking", thought, None, found)
        chosen = logprobs.get("content") if isinstance(logprobs, dict) else None
        listed = msgspec.Raw(json.encode(chosen)) if isinstance(chosen, list) and chosen else None
        content = delta.get("content")
        if isinstance(content, list):  # Mistral: typed pieces
            for part in read_message({"content": content}):
                self._say_part(part, found)
        elif text(content) or listed is not None:
            self._say("text", text(content), listed, found)
        refusal = text(delta.get("refusal"))
        if refusal:
            self._say("refusal", refusal, None, found)
        for part in read_message({"images": delta.get("images")}):
            self._say_part(part, found)
        for call in objects(delta.get("tool_calls")):
            self._read_call(call, found)
        function = delta.get("function_call")
        if isinstance(function, dict):
            self._read_call({"index": 0, "function": function}, found)
        if self._last_text >= 0:
            cited = [msgspec.Raw(json.encode(one)) for one in objects(delta.get("annotations"))]
            found += [AnnotationDelta(self._last_text, raw) for raw in cited]

    def _read_detail(self, detail: Object, found: list[Delta]) -> None:
        part = thinking_of(detail)
        if part is None:
            return
        if part.is_redacted:
            sealed = next((index for index, name in self._calls if name and name == detail.get("id")), -1)
            if sealed >= 0:
                found.append(SignatureDelta(sealed, part.signature))
                return
            self._whole(part, found)
            return
        number = detail.get("index")
        if isinstance(number, int) and number != self._detail:
            self._close(found)
            self._detail = number
        if self._open is None or self._open[0] != "thinking":
            self._close(found)
            self._begin("thinking", Thinking(origin=part.origin), found)
        assert self._open is not None
        if part.text:
            found.append(TextDelta(self._open[1], part.text))
        if part.signature:
            found.append(SignatureDelta(self._open[1], part.signature))

    def _say(self, kind: str, said: str, logprobs: msgspec.Raw | None, found: list[Delta]) -> None:
        if self._open is None or self._open[0] != kind:
            self._close(found)
            self._begin(kind, _EMPTY[kind](), found)
        assert self._open is not None
        found.append(TextDelta(self._open[1], said, logprobs))

    def _say_part(self, part: Part, found: list[Delta]) -> None:
        if isinstance(part, Text):
            self._say("text", part.text, None, found)
        elif isinstance(part, Thinking):
            self._say("thinking", part.text, None, found)
        else:
            self._whole(part, found)

    def _whole(self, part: Part, found: list[Delta]) -> None:
        self._close(found)
        found += [PartBegan(self._num_parts, part), PartEnded(self._num_parts)]
        self._num_parts += 1

    def _begin(self, kind: str, part: Part, found: list[Delta]) -> None:
        self._open = (kind, self._num_parts)
        if kind == "text":
            self._last_text = self._num_parts
        found.append(PartBegan(self._num_parts, part))
        self._num_parts += 1

    def _close(self, found: list[Delta]) -> None:
        if self._open is not None:
            found.append(PartEnded(self._open[1]))
            self._open = None

    def _end_all(self, found: list[Delta]) -> None:
        self._close(found)
        if not self._has_stopped:
            found += [PartEnded(index) for index, _ in self._calls]

    # calls

    def _read_call(self, call: Object, found: list[Delta]) -> None:
        function = call.get("function") or {}
        if not isinstance(function, dict) or call.get("type") not in (None, "function"):
            self._whole(_custom(call), found)
            return
        seal = google_seal(call.get("extra_content"))
        place = self._place_of(call)
        is_new = place < 0
        if is_new:
            place = self._begin_call(call, text(function.get("name")), found)
        index = self._calls[place][0]
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = json.encode(arguments).decode()
        if text(arguments):
            found.append(ArgumentsDelta(index, text(arguments)))
        if seal and not is_new:
            found.append(SignatureDelta(index, seal))

    def _begin_call(self, call: Object, name: str, found: list[Delta]) -> int:
        self._close(found)
        number = call.get("index")
        made = ToolCall(origin=ORIGIN, id=text(call.get("id")) or f"call_{len(self._calls)}", name=name)
        made.signature = google_seal(call.get("extra_content"))
        if made.signature:
            made.origin = "gemini"
        if isinstance(number, int):
            self._places[number] = len(self._calls)
        self._calls.append((self._num_parts, text(call.get("id"))))
        found.append(PartBegan(self._num_parts, made))
        self._num_parts += 1
        return len(self._calls) - 1

    def _place_of(self, call: Object) -> int:
        """By its index; some providers send none, or the same one for every call with an id of its own."""
        number, name, last = call.get("index"), text(call.get("id")), len(self._calls) - 1
        if not isinstance(number, int):
            known = [place for place, (_, known_name) in enumerate(self._calls) if known_name == name]
            return last if not name else known[0] if known else -1
        place = self._places.get(number, -1)
        is_other = place >= 0 and name and self._calls[place][1] not in ("", name)
        return -1 if is_other else place


def _custom(call: Object) -> Part:
    return Foreign(origin=ORIGIN, raw=msgspec.Raw(json.encode(call)), kind=text(call.get("type")) or "custom")
