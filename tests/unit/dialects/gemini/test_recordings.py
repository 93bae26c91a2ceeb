"""Gemini's recorded traffic: requests read and written back, answers read whole, streamed and cut."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dialects.gemini.speaking import (
    ASKED,
    VERTEX,
    answer,
    deltas_of,
    deployment,
    gathered,
    payloads_of,
    streamed,
)
from wicket.dialects import gemini
from wicket.dialects.gemini.objects import camel
from wicket.dialects.hub import Completion, ToolCall
from wicket.errors import Fault
from wicket.recordings.folder import Folder
from wicket.recordings.recording import Recording
from wicket.wire.fields import peek

CASSETTES = Path(__file__).parents[3] / "data" / "cassettes"
FAMILY = ("gemini", "vertex_gemini")


def recordings() -> Iterator[Recording]:
    for name in FAMILY:
        folder = Folder(CASSETTES / name)
        for file in folder.files:
            yield from (one for one in folder.read(file) if "enerateContent" in one.path)


ALL = list(recordings())
ANSWERED = [one for one in ALL if one.status == 200]
STREAMED = [one for one in ANSWERED if one.is_stream]
WHOLE = [one for one in ANSWERED if not one.is_stream]


def each(which: list[Recording]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("recording", which, ids=lambda one: one.name)


def test_there_is_something_to_read() -> None:
    assert len(WHOLE) >= 20 and len(STREAMED) >= 5 and len(ALL) > len(ANSWERED)


OPAQUE = ("args", "response", "properties", "labels", "$defs")


def normal(value: Any, name: str = "") -> Any:
    """One spelling, one alphabet of base64, one kind of whole number; what a caller wrote himself stays."""
    if isinstance(value, dict):
        if name in OPAQUE:
            return {key: normal(one, "x") for key, one in value.items()}
        return {camel(key): normal(one, camel(key)) for key, one in value.items()}
    if isinstance(value, list):
        return [normal(one, name) for one in value]
    if name in ("data", "thoughtSignature"):
        return value.replace("-", "+").replace("_", "/").rstrip("=")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def turns_of(contents: list[dict[str, Any]]) -> list[tuple[str, list[Any]]]:
    """Turns of one role in a row are one; ids are pairing, not meaning; an empty text is nothing."""
    turns: list[tuple[str, list[Any]]] = []
    for content in contents:
        role = "model" if content.get("role") == "model" else "user"
        parts = [part for part in content.get("parts", []) if part != {"text": ""}]
        for part in parts:
            for name in {"functionCall", "functionResponse"} & set(part):
                part[name].pop("id", None)
                if name == "functionCall":
                    part[name].setdefault("args", {})
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(parts)
        elif parts:
            turns.append((role, parts))
    return turns


def tools_of(tools: Any) -> Any:
    """Functions by name, each with its schema in one form; all other tools as they are."""
    functions, others = {}, []
    for tool in tools if isinstance(tools, list) else [tools]:
        for name, value in tool.items():
            if name != "functionDeclarations":
                others.append({name: value})
                continue
            for one in value:
                schema = one.get("parametersJsonSchema") or one.get("parameters")
                functions[one["name"]] = (one.get("description") or "", plain(schema))
    return functions, others


TYPES = {1: "string", 6: "object"}


def plain(schema: Any) -> Any:
    """A schema without the spellings that say the same."""
    if isinstance(schema, dict):
        return {
            camel(key): TYPES.get(one, str(one).lower()) if key == "type" else plain(one)
            for key, one in schema.items()
            if camel(key) != "propertyOrdering"
        }
    return [plain(one) for one in schema] if isinstance(schema, list) else schema


def meaning(body: dict[str, Any]) -> dict[str, Any]:
    """What a request asks for, its defaults left out."""
    said = normal(body)
    config = said.pop("generationConfig", {})
    if config.get("responseModalities") == ["TEXT"]:
        del config["responseModalities"]
    if "responseSchema" in config:
        config["responseJsonSchema"] = config.pop("responseSchema")
    config["responseJsonSchema"] = plain(config.get("responseJsonSchema"))
    calling = said.pop("toolConfig", {}).get("functionCallingConfig") or {"mode": "AUTO"}
    return {
        **said,
        "contents": turns_of(said["contents"]),
        "systemInstruction": said.get("systemInstruction", {}).get("parts"),
        "tools": tools_of(said.get("tools", [])),
        "toolConfig": {name: value for name, value in calling.items() if value != []},
        "generationConfig": config,
    }


@each(ALL)
def test_a_request_is_read_whole_and_written_back_with_its_meaning(recording: Recording) -> None:
    conversation = gemini.read_request(peek(recording.request.body))
    assert [path for path in conversation.unread if not path.endswith(".videoMetadata")] == []
    model = recording.path.rpartition("/")[2].partition(":")[0]
    base = VERTEX if "/publishers/" in recording.path else "/v1beta"
    body = gemini.write_request(conversation, deployment(model, base), streamed=recording.is_stream)
    assert meaning(json.loads(body.data)) == meaning(json.loads(recording.request.body))


def read_whole(recording: Recording) -> Completion | Fault:
    try:
        return gemini.read_completion(recording.response.body)
    except Fault as fault:
        return fault


@each(WHOLE)
def test_a_whole_answer_is_read_and_written_again(recording: Recording) -> None:
    found = read_whole(recording)
    assert isinstance(found, Completion), found
    assert found.unread == seals_on_text(json.loads(recording.response.body))
    passed = gemini.whole(recording.response.body, gemini.CONVERSATION)
    assert (passed.model, passed.counts) == (found.model, found.counts)
    again = gemini.read_completion(gemini.write_completion(found, ASKED, None))
    assert said(again) == said(found)
    line = json.dumps(json.loads(recording.response.body)).encode()
    assert said(gathered(deltas_of(payloads_of(streamed(deltas_of([line])))))) == said(found)


def seals_on_text(answer: Any) -> list[str]:
    """No caller of another family has a place for them."""
    return [
        f"candidates[0].content.parts[{index}].thoughtSignature"
        for candidate in answer.get("candidates", ())
        for index, part in enumerate(candidate.get("content", {}).get("parts", ()))
        if "thoughtSignature" in part and "text" in part and not part.get("thought")
    ]


def said(completion: Completion) -> Any:
    """What an answer says: all of it but its id, and but for how its JSON was spaced."""
    parts: list[Any] = []
    for part in completion.parts:
        if isinstance(part, ToolCall):
            parts.append((part.id, part.name, json.loads(part.arguments), part.signature))
        else:
            members = {name: getattr(part, name) for name in part.__struct_fields__ if name != "raw"}
            if members.get("annotations"):
                members["annotations"] = json.loads(bytes(members["annotations"]))
            parts.append(members)
    return parts, completion.finish, completion.raw_finish, completion.counts, completion.model


@each(STREAMED)
def test_a_stream_reads_the_same_wherever_it_is_cut(recording: Recording) -> None:
    data = recording.response.body
    whole = deltas_of(payloads_of(data))
    found = gathered(whole)
    read = gemini.read_completion(b"[%b]" % b",".join(payloads_of(data)))
    found.unread = read.unread
    assert found.parts and read == found
    known = {path for one in payloads_of(data) for path in seals_on_text(json.loads(one))}
    assert set(read.unread) == known
    chance = random.Random(recording.name)
    for _ in range(3):
        splitter, start, frames = gemini.splitter(), 0, []
        while start < len(data):
            size = chance.randint(1, 60)
            frames += splitter.feed(data[start : start + size])
            start += size
        payloads = [one for frame in [*frames, splitter.finish()] for one in payloads_of(frame + b"\n\n")]
        assert deltas_of(payloads) == whole
    seen = [gemini.frame(one) for one in payloads_of(data)]
    assert any(one.spoke for one in seen) and seen[-1].finished and seen[-1].counts == found.counts


@each(STREAMED)
def test_a_stream_is_written_again_for_a_gemini_caller(recording: Recording) -> None:
    deltas = deltas_of(payloads_of(recording.response.body))
    assert said(gathered(deltas_of(payloads_of(streamed(deltas))))) == said(gathered(deltas))


@each([one for one in ALL if one.status >= 400])
def test_every_error_is_judged(recording: Recording) -> None:
    fault = gemini.judge(recording.status, {}, recording.response.body)
    assert fault.code in ("model_not_found", "invalid_argument") and fault.status == recording.status
    assert json.loads(recording.response.body)["error"]["message"] == fault.message


def test_signatures_survive_turn_after_turn() -> None:
    """Gemini 3's calls come back signed, as it demands: an answer becomes the next request's history."""
    for recording in ANSWERED:
        found = (
            gathered(deltas_of(payloads_of(recording.response.body)))
            if recording.is_stream
            else read_whole(recording)
        )
        assert isinstance(found, Completion)
        signed = [part for part in found.parts if isinstance(part, ToolCall) and part.signature]
        content = json.loads(gemini.write_completion(found, ASKED, None))["candidates"][0]["content"]
        request = {"contents": [{"role": "user", "parts": [{"text": "q"}]}, content]}
        history = gemini.read_request(peek(json.dumps(request).encode()))
        body = gemini.write_request(history, deployment(), streamed=False)
        sent = json.loads(body.data)["contents"][-1]["parts"]
        assert {part.signature for part in signed} <= {part.get("thoughtSignature") for part in sent}


def test_answers_read_alike_from_a_list() -> None:
    assert gemini.read_completion(b"[%b]" % answer({"text": "a"})) == gemini.read_completion(
        answer({"text": "a"})
    )
