"""Answers beyond what was recorded: failures, oddities, and how other families' answers look here."""

import json
from typing import Any

import msgspec
import pytest
from openai.types.responses import Response

from tests.unit.dialects.openai_responses.speaking import (
    ASKED,
    deltas_of,
    deployment,
    events_of,
    gathered,
    payloads_of,
    streamed,
)
from wicket.dialects import openai_responses
from wicket.dialects.contract import Counts, Whole
from wicket.dialects.hub import (
    AnnotationDelta,
    Began,
    Broken,
    Completion,
    Finish,
    Foreign,
    Media,
    PartBegan,
    PartEnded,
    Stopped,
    Text,
    TextDelta,
    ToolCall,
    Used,
)
from wicket.dialects.translation import Asked, Ending
from wicket.errors import CallerFault, Fault, ProviderBusy, ProviderFault, ProviderRefusal, UpstreamBroken
from wicket.wire.fields import peek

CITATION = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
CITED = b'{"type":"url_citation","url_citation":{"url":"u","title":"t","start_index":0,"end_index":1}}'
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
           "content": [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}]}  # fmt: skip


def answer(**fields: Any) -> bytes:
    made = {"id": "resp_1", "model": "m", "status": "completed", "output": [MESSAGE], **fields}
    return json.dumps(made).encode()


def event(name: str, **fields: Any) -> bytes:
    return json.dumps({"type": name, "sequence_number": 0, **fields}).encode()


def fault_of(data: bytes) -> Fault:
    with pytest.raises(Fault) as caught:
        openai_responses.read_completion(data)
    with pytest.raises(Fault) as passed:
        openai_responses.whole(data, openai_responses.RESPONSES)
    assert passed.value.code == caught.value.code
    return caught.value


@pytest.mark.parametrize(
    ("reason", "finish"), [("max_output_tokens", Finish.LENGTH), ("content_filter", Finish.FILTERED)]
)
def test_an_incomplete_answer_says_why(reason: str, finish: Finish) -> None:
    found = openai_responses.read_completion(
        answer(status="incomplete", incomplete_details={"reason": reason})
    )
    assert (found.finish, found.raw_finish) == (finish, reason)
    again = json.loads(openai_responses.write_completion(found, ASKED, None))
    assert (again["status"], again["incomplete_details"]) == ("incomplete", {"reason": reason})
    assert again["output"][-1]["status"] == "incomplete"


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelled", "brand_new", None])
def test_an_answer_that_is_not_at_its_end_is_a_failure(status: str | None) -> None:
    assert fault_of(answer(status=status)).code == "failed_finish"


def test_an_unknown_reason_is_a_failure() -> None:
    data = answer(status="incomplete", incomplete_details={"reason": "brand_new"})
    with pytest.raises(UpstreamBroken) as caught:
        openai_responses.read_completion(data)
    assert caught.value.code == "failed_finish"


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        ("server_error", UpstreamBroken, 502),
        ("rate_limit_exceeded", ProviderBusy, 429),
        ("invalid_prompt", ProviderRefusal, 400),
        ("invalid_image_url", ProviderFault, 400),
        ("context_length_exceeded", ProviderFault, 400),
        ("brand_new", UpstreamBroken, 502),
    ],
)
def test_a_failed_answer_is_its_fault(code: str, kind: type[Fault], status: int) -> None:
    error = {"code": code, "message": "It went wrong."}
    fault = fault_of(answer(status="failed", error=error))
    assert type(fault) is kind and fault.status == status and fault.message == "It went wrong."
    failed = event("response.failed", response={"status": "failed", "error": error})
    for data in (failed, event("error", **error), event("error", error=error)):
        [broken] = [one for one in deltas_of([data]) if isinstance(one, Broken)]
        frame = openai_responses.frame(data)
        assert type(broken.fault) is kind and frame.fault is not None and type(frame.fault) is kind


def test_what_is_bound_to_one_account_is_tried_elsewhere() -> None:
    body = json.dumps({"error": {"code": "invalid_encrypted_content", "message": "No.", "param": None}})
    fault = openai_responses.judge(400, {}, body.encode())
    assert fault.elsewhere and fault.status == 400 and fault.kind == CallerFault.kind


def test_pictures_and_foreign_items() -> None:
    items = [
        {"type": "image_generation_call", "id": "ig_1", "result": "QUJD", "output_format": "webp"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        MESSAGE,
    ]
    found = openai_responses.read_completion(answer(output=items))
    picture, search, _ = found.parts
    assert isinstance(picture, Media) and (picture.media_type, picture.data) == ("image/webp", "QUJD")
    assert isinstance(search, Foreign) and search.kind == "web_search_call"
    again = json.loads(openai_responses.write_completion(found, ASKED, None))
    assert [item["type"] for item in again["output"]] == ["image_generation_call", "message"]
    assert again["foreign_parts"] == [items[1]]


def test_the_request_is_echoed() -> None:
    fields = peek(json.dumps({
        "instructions": "Be brief.", "metadata": {"a": "b"}, "temperature": 0.5, "tool_choice": "required",
        "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": True}], "store": True,
        "text": {"format": {"type": "json_object"}}, "max_output_tokens": 99, "input": "never echoed",
    }, indent=1).encode())  # fmt: skip
    asked = Asked(id="req_00ab", created_s=5, model="asked", fields=fields)
    made = Completion(
        origin="x", id="msg_x", parts=[Text(text="hi")], finish=Finish.STOP, counts=Counts(3, 4, 1, 0, 2)
    )
    whole = json.loads(openai_responses.write_completion(made, asked, 0.25))
    Response.model_validate(whole)
    assert (whole["id"], whole["model"], whole["created_at"]) == ("resp_00ab", "asked", 5)
    assert whole["instructions"] == "Be brief." and whole["max_output_tokens"] == 99 and "input" not in whole
    assert whole["store"] is False and whole["tools"][0]["name"] == "f"
    assert whole["usage"] == {
        "input_tokens": 3, "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
        "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 7, "cost": 0.25,
    }  # fmt: skip
    frames = streamed([Began("a", ""), Stopped(Finish.STOP)], asked)  # raw JSON of several lines in it
    assert [one["type"] for one in events_of(frames)] == [
        "response.created", "response.in_progress", "response.completed",
    ]  # fmt: skip


def test_texts_in_a_row_are_one_message_and_a_call_an_item() -> None:
    deltas = [
        Began("a", "m"),
        PartBegan(0, Text(text="")), TextDelta(0, "a"), PartEnded(0),
        PartBegan(1, Text(text="")), TextDelta(1, "b"),
        AnnotationDelta(1, msgspec.Raw(CITED)),
        PartEnded(1),
        PartBegan(2, ToolCall(id="c", name="f", arguments='{"a":1}')), PartEnded(2),
        PartBegan(3, Text(text="")), TextDelta(3, "c"), PartEnded(3),
        Stopped(Finish.TOOL_CALLS), Used(Counts(1, 2), is_estimated=True),
    ]  # fmt: skip
    events = events_of(streamed(deltas))
    last = events[-1]["response"]
    first, call, second = last["output"]
    assert [piece["text"] for piece in first["content"]] == ["a", "b"] and second["content"][0]["text"] == "c"
    assert first["content"][1]["annotations"] == [CITATION]
    assert (call["call_id"], call["arguments"]) == ("c", '{"a":1}')
    assert last["usage"]["is_estimated"] is True
    done = [one["output_index"] for one in events if one["type"] == "response.output_item.done"]
    assert done == [0, 1, 2]


def test_a_stream_without_a_finish_reason_is_not_complete() -> None:
    events = events_of(streamed([Began("a", "m"), PartBegan(0, Text(text="")), TextDelta(0, "a")]))
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["output"][0]["status"] == "incomplete"


def test_events_that_are_not_known_do_no_harm() -> None:
    odd = [
        event("response.brand_new.delta", delta="x"),
        event("response.output_text.delta", output_index=0, content_index=0, delta="hi"),
        event("keepalive"),
        b'{"type":7}',
        event("response.output_item.done", output_index=0, item=None),
        event("response.completed", response={"status": "completed", "model": "m", "output": [MESSAGE]}),
        b"[DONE]",
    ]
    assert gathered(deltas_of(odd)).parts == [Text(origin="openai_responses", text="hi")]


def test_a_clone_that_sends_items_whole_loses_nothing() -> None:
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": '{"a":1}'}
    only_done = [
        event("response.output_item.done", output_index=0, item=MESSAGE),
        event("response.output_item.done", output_index=1, item=call),
        event("response.completed", response={"status": "completed", "output": []}),
    ]
    only_end = [event("response.completed", response={"status": "completed", "output": [MESSAGE, call]})]
    for payloads in (only_done, only_end):
        found = gathered(deltas_of(payloads))
        assert [type(part) for part in found.parts] == [Text, ToolCall] and found.finish is Finish.TOOL_CALLS
        assert isinstance(found.parts[1], ToolCall) and found.parts[1].arguments == '{"a":1}'


def test_a_cut_stream_is_no_answer() -> None:
    payloads = [event("response.output_text.delta", output_index=0, content_index=0, delta="hi")]
    with pytest.raises(UpstreamBroken):
        gathered(deltas_of(payloads))


# Passing


def test_the_last_event_of_a_passing_stream_gets_the_cost_and_nothing_else() -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    last = b'{"type":"response.completed","response":{"odd":1.0,"usage":%b},"sequence_number":9}'
    ending = Ending(
        model="m", usage_frame=last % json.dumps(usage).encode(), counts=Counts(1, 2), is_estimated=False,
        cost_usd=0.5, is_marked=False,
    )  # fmt: skip
    frames = openai_responses.last_frames(ASKED, ending)
    assert frames.startswith(b"event: response.completed\ndata: ") and b'"odd":1.0' in frames
    [made] = events_of(frames)
    assert made["response"]["usage"] == {**usage, "cost": 0.5} and made["sequence_number"] == 9
    silent = msgspec.structs.replace(ending, usage_frame=last % b"null", is_estimated=True, cost_usd=None)
    [made] = events_of(openai_responses.last_frames(ASKED, silent))
    assert made["response"]["usage"] == {**usage, "is_estimated": True}


def test_an_answer_to_be_fetched_later_is_refused() -> None:
    fields = peek(b'{"model":"m","input":"x","background":true}')
    with pytest.raises(CallerFault) as caught:
        openai_responses.body(fields, deployment(), openai_responses.RESPONSES, streamed=False)
    assert caught.value.param == "background" and caught.value.code == "not_kept"
    body = openai_responses.body(fields, deployment(), openai_responses.RESPONSES, streamed=True)
    assert json.loads(body.data)["background"] is True
    later = msgspec.structs.replace(openai_responses.RESPONSES, is_later=True)
    body = openai_responses.body(fields, deployment(), later, streamed=False)
    assert json.loads(body.data)["background"] is True


def test_an_answer_that_is_only_begun_is_one_where_it_may_be_fetched_later() -> None:
    data = b'{"id":"resp_1","status":"queued","model":"gpt-5","output":[],"usage":null}'
    with pytest.raises(UpstreamBroken):
        openai_responses.whole(data, openai_responses.RESPONSES)
    later = msgspec.structs.replace(openai_responses.RESPONSES, is_later=True)
    assert openai_responses.whole(data, later) == Whole("gpt-5", Counts())


@pytest.mark.parametrize(
    ("fields", "outcome", "is_paid"),
    [
        ({"status": "queued"}, "", False),
        ({"status": "in_progress"}, "", False),
        ({"status": "completed"}, "ok", True),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "ok", True),
        ({"status": "cancelled", "usage": None}, "cancelled", True),
        ({"status": "failed", "error": {"code": "rate_limit_exceeded"}}, "rate_limit_exceeded", False),
        ({"status": "failed"}, "provider_error", False),
    ],
)
def test_how_far_an_answer_in_the_background_is(fields: dict[str, Any], outcome: str, is_paid: bool) -> None:
    usage = {"input_tokens": 2, "output_tokens": 6}
    shown = {"id": "resp_1", "model": "gpt-5", "output": [], "usage": usage, **fields}
    found = openai_responses.progress(json.dumps(shown).encode())
    assert (found.id, found.outcome, found.is_paid, found.model) == ("resp_1", outcome, is_paid, "gpt-5")
    assert found.counts == (Counts(2, 6) if shown["usage"] else None)


@pytest.mark.parametrize("id", [None, "", "..", "a/b", "a?b", "a%2fb", "-x", "x" * 257, 7])
def test_an_id_that_is_no_step_of_a_path_is_none(id: object) -> None:
    with pytest.raises(UpstreamBroken):
        openai_responses.progress(json.dumps({"id": id, "status": "queued"}).encode())


@pytest.mark.parametrize("data", [b"<html>", b"[]", b"{}", b'{"id":"resp_1","status":"unheard_of"}'])
def test_what_says_nothing_of_its_progress_is_broken(data: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        openai_responses.progress(data)


def test_bytes_pass_as_they_came() -> None:
    fields = peek(b'{"model":"a", "input":[ 1.0 ],"new":{"b": 2.50},"provider":{}}')
    body = openai_responses.body(fields, deployment("up"), openai_responses.RESPONSES, streamed=False)
    assert body.data == b'{"model":"up","input":[ 1.0 ],"new":{"b": 2.50}}' and body.dropped == ()
    assert openai_responses.target(deployment(), openai_responses.RESPONSES) == "/v1/responses"


def test_an_error_frame_is_what_the_sdk_raises() -> None:
    frame = openai_responses.fault_frame(UpstreamBroken("cut", "It ended."), "req_1")
    [found] = [json.loads(one) for one in payloads_of(frame)]
    assert found["type"] == "error" and found["message"] == found["error"]["message"] == "It ended."
