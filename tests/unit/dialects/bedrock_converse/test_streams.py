"""The binary frames, and the events that no recording holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.dialects.bedrock_converse.framing import framed
from wicket.dialects import bedrock_converse as bedrock
from wicket.dialects.bedrock_converse.eventstream import MessageSplitter, read_message
from wicket.dialects.gathering import Gathered
from wicket.dialects.hub import Broken, Completion, Finish, Foreign, Text, Thinking, ToolCall
from wicket.errors import CallerFault, Fault, ProviderBusy, ProviderFault, UpstreamBroken
from wicket.wire.sse import FrameTooLong

SAID = framed("messageStart", {"role": "assistant"})


def block(number: int, **delta: Any) -> bytes:
    return framed("contentBlockDelta", {"contentBlockIndex": number, "delta": delta})


def gather(*messages: bytes) -> Completion:
    reader, gathered = bedrock.stream_reader(), Gathered()
    for message in messages:
        for delta in reader.feed(message):
            gathered.add(delta)
    for delta in reader.finish():
        gathered.add(delta)
    return gathered.completion()


def stop(reason: str = "end_turn") -> bytes:
    return framed("messageStop", {"stopReason": reason})


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(1, 50))
def test_messages_come_out_whole_wherever_they_are_cut(payloads: list[bytes], size: int) -> None:
    whole = [framed("e", payload.hex()) for payload in payloads]
    data, splitter = b"".join(whole), MessageSplitter()
    found = [one for at in range(0, len(data), size) for one in splitter.feed(data[at : at + size])]
    assert found == whole and splitter.finish() == b""


@pytest.mark.parametrize("place", range(len(SAID)))
def test_one_wrong_bit_anywhere_is_seen(place: int) -> None:
    data = bytearray(SAID)
    data[place] ^= 1
    splitter = MessageSplitter()
    with pytest.raises(UpstreamBroken, match="damaged"):
        read_message(b"".join(splitter.feed(bytes(data))) or splitter.finish())


def test_a_frame_that_says_it_is_huge_is_not_waited_for() -> None:
    with pytest.raises(FrameTooLong):
        MessageSplitter(max_bytes=20).feed(SAID)


def test_a_block_s_kinds_are_told_apart() -> None:
    answer = gather(
        SAID,
        block(0, reasoningContent={"text": "Hm"}),
        block(0, reasoningContent={"signature": "sig"}),
        framed("contentBlockStop", {"contentBlockIndex": 0}),
        block(1, reasoningContent={"redactedContent": "YQ=="}),
        framed("contentBlockStop", {"contentBlockIndex": 1}),
        block(2, text="Hi"),
        block(2, citation={"title": "T"}),
        framed("contentBlockStart",
               {"contentBlockIndex": 3, "start": {"toolUse": {"toolUseId": "t", "name": "wk-YS5i"}}}),
        block(3, toolUse={"input": '{"a"'}),
        block(3, toolUse={"input": ":1}"}),
        stop("tool_use"),
        framed("metadata", {"usage": {
            "inputTokens": 5, "outputTokens": 2, "cacheReadInputTokens": 3, "cacheWriteInputTokens": 4,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 4}]}}),
    )  # fmt: skip
    thought, redacted, text, call = answer.parts
    assert isinstance(thought, Thinking) and (thought.text, thought.signature) == ("Hm", "sig")
    assert isinstance(redacted, Thinking) and redacted.is_redacted and redacted.signature == "YQ=="
    assert isinstance(text, Text) and text.annotations is not None
    assert json.loads(bytes(text.annotations)) == [{"title": "T"}]
    assert isinstance(call, ToolCall) and (call.name, call.arguments) == ("a.b", '{"a":1}')
    counts = answer.counts
    assert counts is not None and (counts.input_tokens, counts.cached_tokens) == (12, 3)
    assert (counts.cache_write_tokens, counts.cache_write_1h_tokens) == (4, 4)


def test_a_tool_that_bedrock_runs_itself_is_no_call_of_the_caller_s() -> None:
    use = {"toolUseId": "t", "name": "nova_code_interpreter", "type": "server_tool_use"}
    answer = gather(
        SAID,
        framed("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": use}}),
        block(0, toolUse={"input": '{"snippet":"1"}'}),
        framed("contentBlockStop", {"contentBlockIndex": 0}),
        framed("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolResult": {"toolUseId": "t"}}}),
        block(1, toolResult=[{"json": {"stdOut": "1"}}]),
        block(2, text="1"),
        stop(),
    )
    own = [part for part in answer.parts if isinstance(part, Foreign)]
    assert [part.kind for part in own] == ["server_tool_use", "toolResult"]
    assert answer.finish is Finish.STOP and own[0].raw is not None
    assert json.loads(bytes(own[0].raw))["toolUse"]["input"] == {"snippet": "1"}


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("stop_sequence", Finish.STOP_SEQUENCE),
        ("max_tokens", Finish.LENGTH),
        ("model_context_window_exceeded", Finish.LENGTH),
        ("guardrail_intervened", Finish.FILTERED),
        ("content_filtered", Finish.FILTERED),
        ("malformed_tool_use", None),
        ("malformed_model_output", None),
        ("something_new", None),
        ("", None),
    ],
)
def test_stop_reasons(reason: str, finish: Finish | None) -> None:
    if finish is not None:
        assert gather(SAID, block(0, text="a"), stop(reason)).finish is finish
        return
    with pytest.raises(UpstreamBroken):
        gather(SAID, block(0, text="a"), stop(reason))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", ProviderBusy),
        ("internalServerException", ProviderBusy),
        ("serviceUnavailableException", ProviderBusy),
        ("modelStreamErrorException", ProviderBusy),
        ("validationException", UpstreamBroken),
    ],
)
def test_an_exception_in_the_stream_is_a_fault(name: str, kind: type[Fault]) -> None:
    (broken,) = bedrock.stream_reader().feed(framed(name, {"message": "No."}, kind="exception"))
    assert isinstance(broken, Broken) and type(broken.fault) is kind and broken.fault.message == "No."
    assert bedrock.frame(framed(name, {"message": "No."}, kind="exception")).fault is not None


def test_a_cut_before_the_end_is_a_fault_and_after_it_is_none() -> None:
    tail = framed("metadata", {"usage": {"inputTokens": 1, "outputTokens": 1}})[:-3]
    with pytest.raises(UpstreamBroken):
        gather(SAID, block(0, text="a"), tail)
    assert gather(SAID, block(0, text="a"), stop(), tail).finish is Finish.STOP


@pytest.mark.parametrize(
    ("status", "kind", "message", "code", "fault"),
    [
        (403, "ExpiredTokenException", "old", "provider_auth_failed", ProviderFault),
        (403, "AccessDeniedException", "You don't have access to the model with the specified model ID.",
         "model_not_found", ProviderFault),
        (429, "ThrottlingException", "Too many tokens, please wait", "rate_limit_exceeded", ProviderBusy),
        (429, "ThrottlingException", "Too many tokens per day", "provider_quota_exhausted", ProviderFault),
        (429, "ModelNotReadyException", "warming up", "rate_limit_exceeded", ProviderBusy),
        (424, "ModelErrorException", "it failed", "provider_unavailable", ProviderBusy),
        (408, "ModelTimeoutException", "slow", "provider_unavailable", ProviderBusy),
        (400, "ValidationException", "Input is too long for requested model.",
         "context_length_exceeded", ProviderFault),
        (400, "ValidationException", "toolConfig is odd", "invalid_request", CallerFault),
        (400, "ValidationException:http://internal.amazon.com/", "odd", "invalid_request", CallerFault),
        (503, "ServiceUnavailableException", "later", "provider_unavailable", ProviderBusy),
    ],
)  # fmt: skip
def test_errors_are_told_by_their_name(
    status: int, kind: str, message: str, code: str, fault: type[Fault]
) -> None:
    body = json.dumps({"message": message}).encode()
    found = bedrock.judge(status, {b"x-amzn-errortype": kind.encode()}, body)
    assert (found.code, type(found)) == (code, fault)
    body = json.dumps({"__type": f"com.amazon.coral#{kind}", "Message": message}).encode()
    assert bedrock.judge(status, {}, body).code == code
