import base64
import struct
from typing import Any

import pytest
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from wicket.engines.contract import Done, TokenLogprob
from wicket.engines.host import answer
from wicket.engines.host.calls import CallArguments, CallStart, Delta, Text
from wicket.errors import BusyFault
from wicket.wire import json, sse

STAMP = answer.Stamp("chatcmpl-1", 5, "m", "scripted-none")
DONE = Done(1, "stop", 10, 4, 3)
ENTRY = TokenLogprob(0, -0.5, [(0, -0.5), (1, -1.5)])
BYTES = [b"a", b"\xc3"]


def test_a_whole_answer_is_what_the_sdk_knows() -> None:
    choice = answer.Choice(lambda: "call_1")
    choice.add([CallStart(0, "f"), CallArguments(0, '{"a"'), CallArguments(0, ":1}")])
    logprobs = answer.chat_logprobs([ENTRY], BYTES.__getitem__)
    entry = answer.chat_choice(0, choice, answer.finish_reason(DONE, 1), logprobs)
    body = answer.whole(STAMP, "chat.completion", [entry], answer.usage([[DONE, DONE]]))
    parsed = ChatCompletion.model_validate_json(body, strict=True)
    message = parsed.choices[0].message
    assert message.content is None and message.tool_calls is not None
    call: Any = message.tool_calls[0]
    assert (call.id, call.function.name, call.function.arguments) == ("call_1", "f", '{"a":1}')
    assert parsed.choices[0].finish_reason == "tool_calls"
    assert parsed.usage is not None and parsed.usage.prompt_tokens_details is not None
    used = (parsed.usage.prompt_tokens, parsed.usage.completion_tokens, parsed.usage.total_tokens)
    assert used == (10, 6, 16) and parsed.usage.prompt_tokens_details.cached_tokens == 4
    content = parsed.choices[0].logprobs
    assert content is not None and content.content is not None
    assert content.content[0].bytes == [97]
    assert [top.bytes for top in content.content[0].top_logprobs] == [[97], [195]]


@pytest.mark.parametrize("delta", [Text("é"), CallStart(1, "f"), CallArguments(1, "{")])
def test_every_delta_is_a_chunk(delta: Delta) -> None:
    chunks = answer.Chunks(STAMP, "chat.completion.chunk", has_usage=True)
    frame = chunks.frame(answer.chat_delta(0, answer.delta_fields(delta, lambda: "call_1")))
    [only] = sse.FrameSplitter().feed(frame)
    parsed = ChatCompletionChunk.model_validate_json(sse.payload(only), strict=True)
    found = parsed.choices[0].delta
    assert (found.content == "é") if isinstance(delta, Text) else found.tool_calls is not None
    assert b'"usage":null' in frame


def test_the_usage_frame_has_no_choices() -> None:
    frame = answer.Chunks(STAMP, "chat.completion.chunk", has_usage=True).usage(answer.usage([[DONE]]))
    parsed = ChatCompletionChunk.model_validate_json(sse.payload(frame.strip()), strict=True)
    assert parsed.choices == [] and parsed.usage is not None and parsed.usage.total_tokens == 13
    plain = answer.Chunks(STAMP, "chat.completion.chunk", has_usage=False)
    assert b"usage" not in plain.frame(answer.chat_delta(0, {}))


def test_length_stays_length_when_a_call_is_cut() -> None:
    assert answer.finish_reason(Done(1, "length", 1, 0, 1), 1) == "length"
    assert answer.finish_reason(DONE, 0) == "stop"


def test_completion_logprobs_with_echo() -> None:
    found = answer.completion_logprobs([ENTRY, ENTRY], BYTES.__getitem__, is_first=True)
    later = answer.completion_logprobs([ENTRY, ENTRY], BYTES.__getitem__)
    entry = answer.text_choice(0, "aa", "stop", later)
    body = answer.whole(STAMP, "text_completion", [entry], answer.usage([[DONE], [DONE]]))
    parsed = Completion.model_validate_json(body, strict=True)
    assert found["token_logprobs"] == [None, -0.5] and found["text_offset"] == [0, 1]
    assert parsed.usage is not None and parsed.usage.prompt_tokens == 20


def test_embeddings_as_numbers_and_as_base64() -> None:
    vectors = [[0.5, -0.25], [1.0, 0.0]]
    plain = CreateEmbeddingResponse.model_validate_json(answer.embeddings(vectors, "m", 3, is_base64=False))
    assert [entry.embedding for entry in plain.data] == vectors and plain.usage.prompt_tokens == 3
    packed = json.decode(answer.embeddings(vectors, "m", 3, is_base64=True))
    assert struct.unpack("<2f", base64.b64decode(packed["data"][0]["embedding"])) == (0.5, -0.25)


def test_errors_in_openais_shape() -> None:
    fault = BusyFault("engine_queue_full", "busy", param="model")
    expected = {"message": "busy", "type": "rate_limit_error", "param": "model", "code": "engine_queue_full"}
    assert json.decode(answer.error(fault)) == {"error": expected}
    assert answer.error_frame(fault) == b"data: " + answer.error(fault) + b"\n\n"
