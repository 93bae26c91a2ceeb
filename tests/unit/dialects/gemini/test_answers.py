"""Gemini's answers, whole and streamed, read into the hub and written for a Gemini caller."""

import json
from typing import Any

import msgspec
import pytest

from tests.unit.dialects.gemini.speaking import (
    ASKED,
    answer,
    deltas_of,
    gathered,
    payloads_of,
    read,
    streamed,
)
from wicket.dialects import gemini
from wicket.dialects.contract import Counts
from wicket.dialects.gemini.finishes import FAILURES, FILTERS
from wicket.dialects.hub import (
    ArgumentsDelta,
    Began,
    Broken,
    Completion,
    Finish,
    Foreign,
    Media,
    Over,
    Part,
    PartBegan,
    PartEnded,
    SignatureDelta,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Used,
)
from wicket.errors import ProviderBusy, UpstreamBroken

READ = gemini.read_completion


def chunk(*parts: dict[str, Any], **candidate: Any) -> bytes:
    content = {"content": {"parts": list(parts), "role": "model"}} if parts else {}
    return json.dumps({"candidates": [{**content, **candidate}], "responseId": "r1"}).encode()


def test_text_thoughts_and_calls() -> None:
    found = READ(
        answer(
            {"text": "hm", "thought": True},
            {"text": "a"},
            {"functionCall": {"name": "f", "args": {"x": 1.50}}, "thoughtSignature": "QUJD"},
            {"functionCall": {"name": "g", "id": "mine"}},
        )
    )
    thought, said, first, second = found.parts
    assert isinstance(thought, Thinking) and thought.text == "hm"
    assert isinstance(said, Text) and said.text == "a"
    assert isinstance(first, ToolCall) and first.signature == "QUJD" and first.id == "call_r1_1"
    assert json.loads(first.arguments) == {"x": 1.5}
    assert isinstance(second, ToolCall) and (second.id, second.arguments) == ("mine", "{}")
    assert (found.finish, found.raw_finish) == (Finish.TOOL_CALLS, "STOP")
    assert (found.id, found.model, found.unread) == ("r1", "g-1", [])


def test_ids_made_up_for_calls_are_unique_from_answer_to_answer() -> None:
    calls = [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "f"}}]
    answers = [READ(answer(*calls, responseId=one)) for one in ("r1", "r2", "")]
    ids = [part.id for one in answers for part in one.parts if isinstance(part, ToolCall)]
    assert len(set(ids)) == 6 and all(id.replace("_", "").replace("-", "").isalnum() for id in ids)


@pytest.mark.parametrize(("word", "finish"), [("STOP", Finish.STOP), ("MAX_TOKENS", Finish.LENGTH)])
def test_normal_ends(word: str, finish: Finish) -> None:
    assert READ(answer({"text": "a"}, finish=word)).finish is finish


@pytest.mark.parametrize("word", sorted(FILTERS))
def test_filters(word: str) -> None:
    found = READ(answer({"text": "a"}, finish=word))
    assert (found.finish, found.raw_finish) == (Finish.FILTERED, word)


@pytest.mark.parametrize("word", [*sorted(FAILURES), "SOMETHING_NEW"])
def test_failures_and_unknown_words_are_never_a_normal_stop(word: str) -> None:
    data = answer({"text": "a"}, finish=word)
    with pytest.raises(UpstreamBroken, match=word) as caught:
        READ(data)
    assert caught.value.elsewhere
    assert caught.value.code == ("unknown_finish" if word == "SOMETHING_NEW" else "failed_finish")
    deltas = deltas_of([data])
    assert isinstance(deltas[-1], Broken) and not any(isinstance(one, Stopped | Over) for one in deltas)


def test_a_blocked_prompt_is_filtered() -> None:
    data = json.dumps({"promptFeedback": {"blockReason": "SAFETY"}}).encode()
    found = READ(data)
    assert (found.parts, found.finish, found.raw_finish) == ([], Finish.FILTERED, "SAFETY")


def test_thoughts_may_eat_the_whole_budget() -> None:
    found = READ(chunk(finishReason="MAX_TOKENS"))
    assert (found.parts, found.finish) == ([], Finish.LENGTH)


@pytest.mark.parametrize("data", [b"{}", b'{"candidates":[]}', b"[]", b'{"candidates":[{"content":{}}]}'])
def test_an_answer_that_says_nothing_is_a_failure(data: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        READ(data)


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b'{"candidates":1}', b'{"candidates":[{"content":3}]}', b"[" * 5000]
)
def test_what_is_no_answer_is_malformed(data: bytes) -> None:
    with pytest.raises(UpstreamBroken) as caught:
        READ(data)
    assert caught.value.code == "malformed"


def test_an_error_inside_an_answer_is_raised() -> None:
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    for data in (error, [error]):
        with pytest.raises(ProviderBusy):
            READ(json.dumps(data).encode())
    assert isinstance(deltas_of([chunk({"text": "a"}), json.dumps(error).encode()])[-1], Broken)


def test_usage_counts_tools_and_thoughts_where_they_belong() -> None:
    usage = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 40,
        "toolUsePromptTokenCount": 10,
        "candidatesTokenCount": 7,
        "thoughtsTokenCount": 5,
        "totalTokenCount": 122,
        "promptTokensDetails": [
            {"modality": "AUDIO", "tokenCount": 30},
            {"modality": "TEXT", "tokenCount": 70},
        ],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 2}],
    }
    found = READ(answer({"text": "a"}, usageMetadata=usage)).counts
    assert found == Counts(
        input_tokens=110,
        output_tokens=12,
        cached_tokens=40,
        reasoning_tokens=5,
        input_audio_tokens=30,
        output_audio_tokens=2,
    )
    assert READ(answer({"text": "a"}, usageMetadata={"promptTokenCount": -1})).counts is None


def test_logprobs_in_openais_form() -> None:
    result = {
        "chosenCandidates": [{"token": "a", "logProbability": -0.5, "tokenId": 1}],
        "topCandidates": [{"candidates": [{"token": "b", "logProbability": -1.5}]}],
    }
    found = READ(chunk({"text": "a"}, finishReason="STOP", logprobsResult=result))
    assert json.loads(bytes(found.logprobs or b"")) == {
        "content": [
            {
                "token": "a",
                "logprob": -0.5,
                "bytes": None,
                "top_logprobs": [{"token": "b", "logprob": -1.5, "bytes": None}],
            }
        ]
    }
    again = json.loads(gemini.write_completion(found, ASKED, None))["candidates"][0]["logprobsResult"]
    assert again["topCandidates"][0]["candidates"] == [{"token": "b", "logProbability": -1.5}]


def test_sources_stand_beside_the_text_and_go_back_there() -> None:
    grounding = {"webSearchQueries": ["q"]}
    found = READ(
        chunk({"text": "a"}, finishReason="STOP", groundingMetadata=grounding, urlContextMetadata={})
    )
    (part,) = found.parts
    assert isinstance(part, Text) and part.annotations is not None
    assert json.loads(bytes(part.annotations)) == [{"groundingMetadata": grounding}]
    assert (
        json.loads(gemini.write_completion(found, ASKED, None))["candidates"][0]["groundingMetadata"]
        == grounding
    )
    assert READ(chunk(finishReason="STOP", groundingMetadata=grounding)).unread == [
        "candidates[0].groundingMetadata"
    ]


def test_pictures_code_and_unknown_members() -> None:
    found = READ(
        chunk(
            {"inlineData": {"mimeType": "image/png", "data": "QUJD"}},
            {"executableCode": {"code": "1"}},
            {"brandNew": {}},
            finishReason="STOP",
            alsoNew=1,
        )
    )
    picture, code, new = found.parts
    assert isinstance(picture, Media) and picture.data == "QUJD"
    assert isinstance(code, Foreign) and isinstance(new, Foreign) and new.kind == "brandNew"
    assert found.unread == ["candidates[0].alsoNew"]


def test_a_second_candidate_is_named() -> None:
    data = json.loads(answer({"text": "a"}))
    data["candidates"].append({"content": {"parts": [{"text": "b"}]}, "finishReason": "STOP", "index": 1})
    found = READ(json.dumps(data).encode())
    assert [part.text for part in found.parts if isinstance(part, Text)] == ["a"]
    assert found.unread == ["candidates[1]"]


STREAM = [
    chunk({"text": "h", "thought": True}),
    chunk({"text": "m", "thought": True}),
    chunk({"text": "A"}),
    chunk({"text": "B"}, {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "QUJD"}),
    chunk({"text": ""}),
    chunk({"text": "C"}),
    chunk({"text": "", "thoughtSignature": "REVG"}, finishReason="STOP"),
]


def test_a_stream_is_the_whole_of_its_parts() -> None:
    found = gathered(deltas_of(STREAM))
    thought, said, call, rest = found.parts
    assert isinstance(thought, Thinking) and thought.text == "hm"
    assert isinstance(said, Text) and said.text == "AB"
    assert isinstance(call, ToolCall) and call.signature == "QUJD"
    assert isinstance(rest, Text) and (rest.text, rest.signature) == ("C", "REVG")
    whole = READ(b"[%b]" % b",".join(STREAM))
    assert whole.unread == ["candidates[0].content.parts[0].thoughtSignature"]  # on a text
    found.unread = whole.unread
    assert whole == found


def test_parts_begin_and_end_in_order() -> None:
    open_parts: list[int] = []
    num_begun = 0
    for delta in deltas_of(STREAM):
        if isinstance(delta, PartBegan):
            assert delta.index == num_begun
            num_begun += 1
            open_parts.append(delta.index)
        elif isinstance(delta, PartEnded):
            open_parts.remove(delta.index)
        elif isinstance(delta, TextDelta | ArgumentsDelta | SignatureDelta):
            assert delta.index in open_parts
        elif isinstance(delta, Stopped):
            assert open_parts == []
    assert num_begun == 4


def test_a_cut_stream_is_a_failure() -> None:
    last = deltas_of(STREAM[:-1])[-1]
    assert isinstance(last, Broken) and last.fault.code == "cut"


def completion(*parts: Part, finish: Finish = Finish.STOP, **more: Any) -> Completion:
    return Completion(origin="openai_chat", model="served", parts=list(parts), finish=finish, **more)


def test_a_whole_answer_for_a_gemini_caller() -> None:
    call = ToolCall(origin="gemini", id="c1", name="f", arguments='{"x": 1}', signature="QUJD")
    counts = Counts(input_tokens=10, output_tokens=6, cached_tokens=4, reasoning_tokens=2)
    found = completion(Text(text="a"), call, finish=Finish.TOOL_CALLS, counts=counts)
    assert json.loads(gemini.write_completion(found, ASKED, 0.5)) == {
        "candidates": [
            {
                "content": {
                    "parts": [
                        {"text": "a"},
                        {
                            "functionCall": {"id": "c1", "name": "f", "args": {"x": 1}},
                            "thoughtSignature": "QUJD",
                        },
                    ],
                    "role": "model",
                },
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 10,
            "candidatesTokenCount": 4,
            "totalTokenCount": 16,
            "thoughtsTokenCount": 2,
            "cachedContentTokenCount": 4,
        },
        "modelVersion": "served",
        "responseId": "req_1",
    }


@pytest.mark.parametrize(
    ("finish", "raw_finish", "word"),
    [
        (Finish.STOP_SEQUENCE, "stop_sequence", "STOP"),
        (Finish.LENGTH, "length", "MAX_TOKENS"),
        (Finish.FILTERED, "content_filter", "SAFETY"),
        (Finish.FILTERED, "RECITATION", "RECITATION"),
        (Finish.PAUSED, "pause_turn", "OTHER"),
    ],
)
def test_finish_reasons_for_a_gemini_caller(finish: Finish, raw_finish: str, word: str) -> None:
    found = completion(Text(text="a"), finish=finish, raw_finish=raw_finish)
    assert json.loads(gemini.write_completion(found, ASKED, None))["candidates"][0]["finishReason"] == word


def test_an_empty_answer_has_its_candidate() -> None:
    made = json.loads(gemini.write_completion(completion(finish=Finish.LENGTH), ASKED, None))
    assert made["candidates"][0]["content"] == {"parts": [], "role": "model"}


def test_arguments_that_are_no_json_are_shown_and_not_hidden() -> None:
    made = json.loads(
        gemini.write_completion(completion(ToolCall(id="c", name="f", arguments="{bad")), ASKED, None)
    )
    assert made["candidates"][0]["content"]["parts"][0]["functionCall"]["args"] == {"arguments": "{bad"}


def test_a_stream_for_a_gemini_caller() -> None:
    written = streamed(
        [
            Began("x", "served"),
            PartBegan(0, Thinking(origin="anthropic")),
            TextDelta(0, "hm"),
            SignatureDelta(0, "EqQ="),
            PartEnded(0),
            PartBegan(1, Text(text="")),
            TextDelta(1, "a"),
            PartBegan(2, ToolCall(id="c", name="f")),
            ArgumentsDelta(2, '{\n"x"'),
            ArgumentsDelta(2, ': "a\\nb"}'),
            PartEnded(1),
            PartEnded(2),
            Used(Counts(input_tokens=1, output_tokens=2)),
            Stopped(Finish.TOOL_CALLS),
            Over(),
        ]
    )
    assert written.count(b"\n") == 2 * written.count(b"data: ")
    found = gathered(deltas_of(payloads_of(written)))
    _, said, call = found.parts
    assert isinstance(said, Text) and said.text == "a"
    assert isinstance(call, ToolCall) and json.loads(call.arguments) == {"x": "a\nb"}
    assert found.finish is Finish.TOOL_CALLS and found.counts == Counts(input_tokens=1, output_tokens=2)
    chunks = [json.loads(data)["candidates"][0]["content"] for data in payloads_of(written)]
    thought, *_ = read({"contents": chunks}).turns[0].parts
    assert isinstance(thought, Thinking) and thought.text == "hm"
    assert (thought.origin, thought.signature) == ("anthropic", "EqQ=")


def test_a_broken_stream_ends_with_an_error_and_nothing_after_it() -> None:
    deltas = [Began("x", "m"), PartBegan(0, Text(text="")), TextDelta(0, "a")]
    written = streamed([*deltas, Broken(UpstreamBroken("cut", "It ended."))])
    *_, last = [json.loads(data) for data in payloads_of(written)]
    assert list(last) == ["error"] and last["error"]["status"] == "UNAVAILABLE"
    assert b"finishReason" not in written
    assert b"finishReason" not in streamed(deltas)


def test_redacted_thinking_goes_through_a_gemini_callers_hands() -> None:
    found = completion(Thinking(origin="anthropic", signature="opaque", is_redacted=True), Text(text="a"))
    answered = json.loads(gemini.write_completion(found, ASKED, None))["candidates"][0]["content"]
    (thought, _) = read({"contents": [answered]}).turns[0].parts
    assert isinstance(thought, Thinking)
    assert (thought.origin, thought.signature, thought.is_redacted) == ("anthropic", "opaque", True)


def test_raw_parts_pass_through_the_hub() -> None:
    code = {"executableCode": {"code": "a", "language": "PYTHON"}, "thoughtSignature": "QUJD"}
    found = READ(answer(code))
    assert json.loads(gemini.write_completion(found, ASKED, None))["candidates"][0]["content"]["parts"] == [
        code
    ]
    other = completion(Foreign(origin="anthropic", kind="x", raw=msgspec.Raw(b"{}")))
    assert json.loads(gemini.write_completion(other, ASKED, None))["candidates"][0]["content"]["parts"] == []
