"""What the scripted upstream keeps between requests: OpenAI's responses, files and batches, by credential.

Written from OpenAI's API reference ("responses", "files", "batch"), its guides "Background mode" and "Batch
API", apart from our own dialect. A thing that goes on has got further each time somebody looks: it is over at
the look of the script's number `looks`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from wicket.upstream.scripted_content import CREATED
from wicket.upstream.scripted_script import Ask, Rule, Script, pieces, prompt_tokens
from wicket.wire.json import encode

_PATH = re.compile(r"/(responses|files|batches)(?:/([^/?]+))?(?:/(cancel|input_items|content))?$")
_FILENAME = re.compile(rb'name="file"; filename="([^"]*)"')
Json = dict[str, Any]
Events = tuple[tuple[Json, bool], ...]


class Given(msgspec.Struct, frozen=True):
    """A status with a document or bytes, or (`events`) a stream's payloads and whether each is output."""

    status: int
    body: Json | bytes = b""
    events: Events = ()
    input_tokens: int = 0
    output_tokens: int = 0


class Thing(msgspec.Struct):
    """One that is kept. `shown` is its object, `data` what a file holds, `text` what an answer will say."""

    shown: Json
    data: bytes = b""
    text: str = ""
    fields: Json = {}
    num_looks: int = 0


class Shelf:
    """One upstream's; a restart forgets it all."""

    def __init__(self) -> None:
        self._things: dict[tuple[str, str], Thing] = {}
        self._last = 0

    def is_here(self, path: str) -> bool:
        """Whether a path (without its query) is one of these."""
        return _PATH.search(path) is not None

    def answer(self, script: Script, rule: Rule, ask: Ask) -> Given:
        """The good answer; a thing of another credential is not there."""
        found = _PATH.search(ask.path.partition("?")[0])
        assert found is not None
        kind, id, act = found.groups()
        if id is None:
            return self._made(kind, script, rule, ask) if ask.method == "POST" else self._listed(kind, ask)
        thing = self._things.get((ask.key, id))
        if thing is None or not thing.shown["object"].startswith({"batches": "batch"}.get(kind, kind[:-1])):
            return Given(404, _error(f"No such {kind[:-1]}: {id}", "not_found"))
        if ask.method == "DELETE":
            del self._things[ask.key, id]
            return Given(200, {"id": id, "object": thing.shown["object"], "deleted": True})
        if act == "content":
            return Given(200, thing.data)
        if act == "input_items":
            return Given(
                200, {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
            )
        return self._looked_at(thing, act == "cancel", script, ask)

    def _made(self, kind: str, script: Script, rule: Rule, ask: Ask) -> Given:
        if kind == "files":
            return Given(200, self._file(ask, *_upload(ask.body), str(ask.fields.get("purpose"))))
        if kind == "batches":
            return self._batch(ask)
        text = script.text if rule.text is None else rule.text
        is_later = ask.fields.get("background") is True
        thing = Thing(self._response(ask, is_later=is_later), text=text, fields=ask.fields)
        if not is_later:
            _complete(thing)
        if ask.fields.get("store") is not False:
            self._things[ask.key, thing.shown["id"]] = thing
        if ask.is_stream:
            return Given(200, events=_events(thing))
        return Given(200, thing.shown)

    def _response(self, ask: Ask, *, is_later: bool) -> Json:
        return {
            "id": self._new("resp"),
            "object": "response",
            "created_at": CREATED,
            "status": "queued" if is_later else "in_progress",
            "background": is_later,
            "model": ask.model,
            "output": [],
            "error": None,
            "incomplete_details": None,
            "previous_response_id": ask.fields.get("previous_response_id"),
            "usage": None,
        }

    def _looked_at(self, thing: Thing, is_off: bool, script: Script, ask: Ask) -> Given:
        if thing.shown["object"] == "response":
            if "stream=true" in ask.path:
                start = re.search(r"starting_after=(\d+)", ask.path)
                after = int(start[1]) if start else -1
                _complete(thing)
                return Given(
                    200, events=tuple(one for one in _events(thing) if one[0]["sequence_number"] > after)
                )
            self._move(thing, is_off, script, _complete)
        elif thing.shown["object"] == "batch":
            self._move(thing, is_off, script, lambda batch: self._run(batch, script, ask))
        return Given(200, thing.shown)

    def _move(self, thing: Thing, is_off: bool, script: Script, end: Callable[[Thing], None]) -> None:
        """A step further: to its end at the script's look, to another end if it is called off before."""
        if thing.shown["status"] not in ("queued", "validating", "in_progress", "finalizing", "cancelling"):
            return
        if is_off:
            thing.shown["status"] = "cancelled" if thing.shown["object"] == "response" else "cancelling"
            return
        thing.num_looks += 1
        if thing.shown["status"] == "cancelling":
            thing.shown |= {"status": "cancelled", "cancelled_at": CREATED + 9}
        elif thing.num_looks >= script.looks:
            end(thing)
        else:
            thing.shown["status"] = "in_progress"

    # files and batches

    def _file(self, ask: Ask, name: str, data: bytes, purpose: str) -> Json:
        shown: Json = {
            "id": self._new("file"),
            "object": "file",
            "bytes": len(data),
            "created_at": CREATED,
            "expires_at": None,
            "filename": name,
            "purpose": purpose,
            "status": "processed",
        }
        self._things[ask.key, shown["id"]] = Thing(shown, data)
        return shown

    def _batch(self, ask: Ask) -> Given:
        if (ask.key, str(ask.fields.get("input_file_id"))) not in self._things:
            return Given(400, _error("No such File object.", "invalid_request"))
        shown: Json = {
            "id": self._new("batch"),
            "object": "batch",
            "status": "validating",
            "created_at": CREATED,
            "expires_at": CREATED + 86_400,
            "errors": None,
            "output_file_id": None,
            "error_file_id": None,
            "metadata": None,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            **ask.fields,
        }
        self._things[ask.key, shown["id"]] = Thing(shown)
        return Given(200, shown)

    def _run(self, batch: Thing, script: Script, ask: Ask) -> None:
        source = self._things.get((ask.key, batch.shown["input_file_id"]))
        good: list[bytes] = []
        bad: list[bytes] = []
        for number, line in enumerate((source.data if source is not None else b"").splitlines(), 1):
            asked = msgspec.json.decode(line, type=Json)
            status, body = _line(script, asked)
            response = {"status_code": status, "request_id": f"req_{number}", "body": body}
            told = {"id": f"batch_req_{number}", "custom_id": asked["custom_id"], "response": response}
            (good if status == 200 else bad).append(encode(told | {"error": None}) + b"\n")
        for name, lines in (("output", good), ("error", bad)):
            if lines:
                made = self._file(ask, f"{batch.shown['id']}_{name}.jsonl", b"".join(lines), "batch_output")
                batch.shown[f"{name}_file_id"] = made["id"]
        counts = {"total": len(good) + len(bad), "completed": len(good), "failed": len(bad)}
        batch.shown |= {"status": "completed", "completed_at": CREATED + 9, "request_counts": counts}

    def _listed(self, kind: str, ask: Ask) -> Given:
        one = {"batches": "batch"}.get(kind, kind[:-1])
        rows = [
            t.shown for (key, _), t in self._things.items() if key == ask.key and t.shown["object"] == one
        ]
        return Given(200, {"object": "list", "data": rows, "has_more": False})

    def _new(self, prefix: str) -> str:
        self._last += 1
        return f"{prefix}_{self._last:016x}" if prefix != "file" else f"file-{self._last:016x}"


def _error(message: str, code: str) -> Json:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


def _complete(thing: Thing) -> None:
    """An answer's end, unless it is over already."""
    if thing.shown["status"] not in ("queued", "in_progress"):
        return
    said = {"type": "output_text", "text": thing.text, "annotations": [], "logprobs": []}
    message = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [said],
    }
    given, made = prompt_tokens(thing.fields), len(pieces(thing.text))
    thing.shown |= {"status": "completed", "output": [message], "usage": _usage(given, made)}


def _usage(given: int, made: int) -> Json:
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + made,
    }


def _events(thing: Thing) -> Events:
    begun = thing.shown | {"status": "in_progress", "output": [], "usage": None}
    ended = Thing(dict(begun), text=thing.text, fields=thing.fields)
    _complete(ended)
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    deltas = [
        ({"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}, True)
        for piece in pieces(thing.text)
    ]
    told: list[tuple[Json, bool]] = [
        ({"type": "response.created", "response": begun}, False),
        *deltas,
        ({"type": "response.completed", "response": ended.shown}, False),
    ]
    return tuple(
        (event | {"sequence_number": number}, is_token) for number, (event, is_token) in enumerate(told)
    )


def _line(script: Script, asked: Json) -> tuple[int, Json]:
    """One line's status and body: a good answer, or an error where its text has the word FAIL."""
    body: Json = asked["body"]
    if "FAIL" in encode(body).decode():
        return 400, _error("It says so itself.", "invalid_value")
    given, made = prompt_tokens(body), len(pieces(script.text))
    if asked["url"].endswith("/responses"):
        thing = Thing({"id": "resp_line", "object": "response", "model": body["model"], "status": "queued"})
        thing.text, thing.fields = script.text, body
        _complete(thing)
        return 200, thing.shown
    if asked["url"].endswith("/embeddings"):
        row = {"object": "embedding", "index": 0, "embedding": [0.5] * script.dimensions}
        usage = {"prompt_tokens": given, "total_tokens": given}
        return 200, {"object": "list", "model": body["model"], "data": [row], "usage": usage}
    message = {"role": "assistant", "content": script.text}
    return 200, {
        "id": "chatcmpl-line",
        "object": "chat.completion",
        "created": CREATED,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made},
    }


def _upload(body: bytes) -> tuple[str, bytes]:
    """A form's file: its name, and what it holds."""
    found = _FILENAME.search(body)
    if found is None:
        return "", b""
    boundary = body[: body.find(b"\r\n")]
    start = body.find(b"\r\n\r\n", found.end()) + 4
    return found[1].decode("utf-8", "replace"), body[start : body.find(b"\r\n" + boundary, start)]
