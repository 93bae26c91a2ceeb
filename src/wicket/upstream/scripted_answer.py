"""From a rule and a request to a plan: which bytes to write, when, and how to end. Pure."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from typing import Any

import msgspec

from wicket.errors import ConfigFault
from wicket.upstream import (
    scripted_anthropic,
    scripted_bedrock,
    scripted_cohere,
    scripted_gemini,
    scripted_media,
    scripted_ollama,
)
from wicket.upstream.scripted_content import CREATED, Call, Content, Form, Frame
from wicket.upstream.scripted_errors import ERRORS
from wicket.upstream.scripted_script import Ask, Rule, Script, last_user_text, pieces, prompt_tokens
from wicket.upstream.scripted_shelf import Shelf
from wicket.wire.chunked import LAST_CHUNK, chunk
from wicket.wire.json import encode


class Wait(msgspec.Struct, frozen=True):
    """Do nothing for so long; None is for ever."""

    ms: float | None


class End(msgspec.Struct, frozen=True):
    """End the connection, by RST or by FIN."""

    rst: bool


Step = bytes | Wait | End
_EVENTS = {"content-type": "text/event-stream; charset=utf-8"}
_FORMS: dict[str, Form] = {
    "anthropic": scripted_anthropic,
    "gemini": scripted_gemini,
    "bedrock": scripted_bedrock,
    "cohere": scripted_cohere,
    "ollama": scripted_ollama,
}


class Plan(msgspec.Struct, frozen=True):
    """Steps in order; without an `End` the connection is kept. Tokens are for the log."""

    steps: list[Step]
    input_tokens: int = 0
    output_tokens: int = 0


def plan(script: Script, rule: Rule, ask: Ask, number: int, shelf: Shelf | None = None) -> Plan:
    """What the `number`-th request is answered with; `shelf` has what is kept.

    Raises `ConfigFault` for an unknown `error`.
    """
    if rule.silent:
        return Plan([Wait(None)])
    if rule.reset or rule.close:
        return Plan([End(rst=rule.reset)])
    if rule.error or rule.body is not None or rule.status != 200:
        return Plan(_shaped(rule, _fixed(rule, ask)))
    path = ask.path.split("?", 1)[0]
    if path.endswith(("/models", "/api/tags")):
        form = _FORMS.get(ask.form)
        listed = _models(script) if form is None else form.models(script.models)
        return Plan(_shaped(rule, _whole(rule, 200, listed)))
    if scripted_media.is_here(path):
        found = scripted_media.answer(script, rule, ask)
        steps = _events(rule, found.events) if found.events else _bytes(rule, found.kind, found.body)
        return Plan(_shaped(rule, steps), found.input_tokens, found.output_tokens)
    if shelf is not None and shelf.is_here(path):
        given = shelf.answer(script, rule, ask)
        steps = _events(rule, given.events) if given.events else _whole(rule, given.status, given.body)
        return Plan(_shaped(rule, steps), given.input_tokens, given.output_tokens)
    if not path.endswith("/completions") and ask.form not in _FORMS:
        return Plan(_shaped(rule, _whole(rule, 404, ERRORS["no_model"][1])))
    content = _content(script, rule, ask, number)
    steps = _stream(rule, ask, content, number) if ask.is_stream else _answer(rule, ask, content, number)
    return Plan(_shaped(rule, steps), content.input_tokens, content.output_tokens)


def _fixed(rule: Rule, ask: Ask) -> list[Step]:
    status, body = rule.status, rule.body
    if rule.error:
        if rule.error not in ERRORS:
            raise ConfigFault("bad_script", f"No error is called {rule.error!r}: one of {', '.join(ERRORS)}.")
        named_status, named_body = ERRORS[rule.error]
        form = _FORMS.get(ask.form)
        told = {}
        if form is not None and isinstance(named_body, dict):
            refused = form.fault(named_status, named_body["error"]["message"])
            named_status, named_body, told = refused.status, refused.body, refused.headers
        status = named_status if status == 200 else status
        return _whole(rule, status, named_body if body is None else body, told)
    return _whole(rule, status, ERRORS["server_error"][1] if body is None else body)


def _content(script: Script, rule: Rule, ask: Ask, number: int) -> Content:
    text = rule.text
    if text is None:
        text = script.answers.get(last_user_text(ask.fields), script.text)
    if rule.refusal or (rule.tool_calls and rule.text is None):
        text = ""
    finish = rule.finish_reason or ("tool_calls" if rule.tool_calls else "stop")
    words, limit = pieces(text), ask.max_tokens
    if limit is not None and len(words) > limit:
        text, finish = "".join(words[:limit]), "length"
    said = [text, rule.reasoning, rule.refusal, *(call.get("arguments", "") for call in rule.tool_calls)]
    return Content(
        id=str(number),
        model=ask.model,
        text=text,
        reasoning=rule.reasoning,
        signature=rule.signature,
        refusal=rule.refusal,
        calls=tuple(
            [
                Call(f"call_{number}_{index}", call["name"], call["arguments"])
                for index, call in enumerate(rule.tool_calls)
            ]
        ),
        finish_reason=finish,
        input_tokens=prompt_tokens(ask.fields),
        output_tokens=sum(len(pieces(part)) for part in said) * _num_choices(ask),
        reasoning_tokens=len(pieces(rule.reasoning)) * _num_choices(ask),
        is_counted=rule.usage,
    )


def _num_choices(ask: Ask) -> int:
    n = ask.fields.get("n")
    return n if isinstance(n, int) and n > 0 else 1


def _is_chat(ask: Ask) -> bool:
    return "/chat/" in ask.path


def _calls(content: Content) -> list[dict[str, Any]]:
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in content.calls
    ]


def _answer(rule: Rule, ask: Ask, content: Content, number: int) -> list[Step]:
    wait: list[Step] = [Wait(rule.first_token_ms)] if rule.first_token_ms else []
    form = _FORMS.get(ask.form)
    if form is not None:
        return [*wait, *_whole(rule, 200, form.answer(content))]
    choices: list[dict[str, Any]] = []
    for index in range(_num_choices(ask)):
        choice: dict[str, Any] = {"index": index, "logprobs": None, "finish_reason": content.finish_reason}
        if _is_chat(ask):
            message: dict[str, Any] = {"role": "assistant", "content": content.text or None}
            message["refusal"] = rule.refusal or None
            if rule.reasoning:
                message["reasoning_content"] = rule.reasoning
            if rule.tool_calls:
                message["tool_calls"] = _calls(content)
            choice["message"] = message
        else:
            choice["text"] = content.text
        choices.append(choice)
    body = _envelope(ask, number, "chat.completion" if _is_chat(ask) else "text_completion")
    body["choices"] = choices
    if rule.usage:
        body["usage"] = content.usage
    return [*wait, *_whole(rule, 200, body)]


def _envelope(ask: Ask, number: int, kind: str) -> dict[str, Any]:
    prefix = "chatcmpl" if _is_chat(ask) else "cmpl"
    return {"id": f"{prefix}-{number}", "object": kind, "created": CREATED, "model": ask.model}


def _stream(rule: Rule, ask: Ask, content: Content, number: int) -> list[Step]:
    form = _FORMS.get(ask.form)
    kind = "text/event-stream; charset=utf-8" if form is None else form.STREAM_TYPE
    steps: list[Step] = [_head(rule, 200, {"content-type": kind, "transfer-encoding": "chunked"})]
    if rule.first_token_ms:
        steps.append(Wait(rule.first_token_ms))
    frames = _frames(rule, ask, content, number) if form is None else form.frames(content)
    tokens = 0
    for nth, (frame, is_token) in enumerate(frames, 1):
        if is_token:
            if tokens in (rule.cut_after, rule.stall_after):
                break
            if tokens and rule.gap_ms:
                steps.append(Wait(rule.gap_ms))
            tokens += 1
        steps.append(chunk(_broken(form) if nth == rule.malformed_frame else frame))
        if is_token and tokens == rule.error_frame_after:
            error = b"data: " + encode(ERRORS["server_error"][1]) + b"\n\n"
            steps.append(chunk(error if form is None else form.fault_frame("Something went wrong here.")))
            return [*steps, LAST_CHUNK]
    if rule.cut_after is not None:
        return [*steps, End(rst=rule.rst)]
    if rule.stall_after is not None:
        return [*steps, Wait(None)]
    end = b"data: [DONE]\n\n" if form is None else form.END
    if rule.done and end:
        steps.append(chunk(end))
    return [*steps, LAST_CHUNK]


def _broken(form: Form | None) -> bytes:
    return b'data: {"choices": [{"del\n\n' if form is None else form.broken_frame()


def _events(rule: Rule, events: Sequence[tuple[dict[str, Any], bool]]) -> list[Step]:
    """A stream of typed events; tokens are those that are output."""
    steps: list[Step] = [_head(rule, 200, {**_EVENTS, "transfer-encoding": "chunked"})]
    if rule.first_token_ms:
        steps.append(Wait(rule.first_token_ms))
    tokens = 0
    for nth, (event, is_token) in enumerate(events, 1):
        if is_token:
            if tokens in (rule.cut_after, rule.stall_after):
                break
            if tokens and rule.gap_ms:
                steps.append(Wait(rule.gap_ms))
            tokens += 1
        frame = b"event: %b\ndata: %b\n\n" % (event["type"].encode(), encode(event))
        steps.append(chunk(b"data: {\n\n" if nth == rule.malformed_frame else frame))
        if is_token and tokens == rule.error_frame_after:
            error = {"type": "error", "error": {"message": "Something went wrong here.", "code": "oops"}}
            return [*steps, chunk(b"event: error\ndata: %b\n\n" % encode(error)), LAST_CHUNK]
    if rule.cut_after is not None:
        return [*steps, End(rst=rule.rst)]
    return [*steps, Wait(None)] if rule.stall_after is not None else [*steps, LAST_CHUNK]


def _bytes(rule: Rule, kind: str, body: bytes) -> list[Step]:
    """A body in chunks; its tokens are eighths of it, rounded up."""
    steps: list[Step] = [Wait(rule.first_token_ms)] if rule.first_token_ms else []
    if kind == "application/json":
        return [*steps, *_whole(rule, 200, body)]
    steps.append(_head(rule, 200, {"content-type": kind, "transfer-encoding": "chunked"}))
    size = -(-len(body) // 8)
    for token, start in enumerate(range(0, len(body), size or 1)):
        if token in (rule.cut_after, rule.stall_after):
            break
        if token and rule.gap_ms:
            steps.append(Wait(rule.gap_ms))
        steps.append(chunk(body[start : start + size]))
    if rule.cut_after is not None:
        return [*steps, End(rst=rule.rst)]
    return [*steps, Wait(None)] if rule.stall_after is not None else [*steps, LAST_CHUNK]


def _frames(rule: Rule, ask: Ask, content: Content, number: int) -> list[Frame]:
    """Frames in order and whether each carries a token."""
    kind = "chat.completion.chunk" if _is_chat(ask) else "text_completion"
    frames: list[Frame] = []

    def add(choices: list[dict[str, Any]], *, is_token: bool, **more: object) -> None:
        body = {**_envelope(ask, number, kind), "choices": choices, **more}
        frames.append((b"data: " + encode(body) + b"\n\n", is_token))

    for index in range(_num_choices(ask)):
        for delta, is_token in _deltas(rule, content, number):
            add([_delta_choice(ask, index, delta, None)], is_token=is_token)
    for index in range(_num_choices(ask)):
        add([_delta_choice(ask, index, {}, content.finish_reason)], is_token=False)
    options = ask.fields.get("stream_options")
    if rule.usage and isinstance(options, dict) and options.get("include_usage"):
        add([], is_token=False, usage=content.usage)
    return frames


def _deltas(rule: Rule, content: Content, number: int) -> list[tuple[dict[str, Any], bool]]:
    deltas: list[tuple[dict[str, Any], bool]] = []
    if rule.role_first:
        deltas.append(({"role": "assistant", "content": ""}, False))
    deltas += [({"reasoning_content": piece}, True) for piece in pieces(rule.reasoning)]
    if rule.huge_frame:
        deltas.append(({"content": "x" * rule.huge_frame}, True))
    deltas += [({"content": piece}, True) for piece in pieces(content.text)]
    deltas += [({"refusal": piece}, True) for piece in pieces(rule.refusal)]
    for index, call in enumerate(_calls(content)):
        function = {"name": call["function"]["name"], "arguments": ""}
        first = {"index": index, "id": call["id"], "type": "function", "function": function}
        deltas.append(({"tool_calls": [first]}, True))
        for piece in pieces(call["function"]["arguments"]):
            deltas.append(({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, True))
    return deltas


def _delta_choice(ask: Ask, index: int, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    if _is_chat(ask):
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"index": index, "text": delta.get("content", ""), "logprobs": None, "finish_reason": finish}


def _models(script: Script) -> dict[str, Any]:
    rows = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "scripted"} for name in script.models
    ]
    return {"object": "list", "data": rows}


def _whole(
    rule: Rule, status: int, body: str | dict[str, Any] | bytes, told: dict[str, str] | None = None
) -> list[Step]:
    kind = "application/json"
    if isinstance(body, dict):
        data = encode(body)
    else:
        data = body if isinstance(body, bytes) else body.encode()
        kind = "text/html" if data.lstrip().startswith(b"<") else kind
    fields = {"content-type": kind, **(told or {})}
    if rule.gzip:
        data = gzip.compress(data, mtime=0)
        fields["content-encoding"] = "gzip"
    fields["content-length"] = str(len(data) + rule.content_length_off)
    steps: list[Step] = [_head(rule, status, fields), data]
    return [*steps, End(rst=False)] if rule.content_length_off > 0 else steps


def _head(rule: Rule, status: int, fields: dict[str, str]) -> bytes:
    fields = {**fields, **{name.lower(): value for name, value in rule.headers.items()}}
    if rule.hang_up:
        fields["connection"] = "close"
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def _shaped(rule: Rule, steps: list[Step]) -> list[Step]:
    """Neighbouring bytes joined, then cut as the rule says."""
    shaped: list[Step] = []
    for step in steps:
        if isinstance(step, bytes) and shaped and isinstance(shaped[-1], bytes):
            shaped[-1] += step
        else:
            shaped.append(step)
    if rule.hang_up and not isinstance(shaped[-1], End):
        shaped.append(End(rst=False))
    if rule.split_every is None and rule.split_seed is None:
        return shaped
    draw = random.Random(rule.split_seed)  # noqa: S311 - not a secret
    split: list[Step] = []
    for step in shaped:
        split += _cut(step, rule, draw) if isinstance(step, bytes) else [step]
    return split


def _cut(data: bytes, rule: Rule, draw: random.Random) -> list[Step]:
    cut: list[Step] = []
    while data:
        size = rule.split_every or draw.randint(1, 40)
        cut += [data[:size], Wait(rule.piece_gap_ms)]
        data = data[size:]
    return cut
