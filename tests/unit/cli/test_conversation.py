from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from wicket.cli.ask import answer_json, read_schema, request_body
from wicket.cli.chat import summary
from wicket.cli.client import Client, fault_in
from wicket.cli.conversation import Reply, explained, take_chunk
from wicket.errors import CallerFault, Fault, UpstreamBroken


def chunk(**fields: object) -> bytes:
    return json.dumps({"model": "big", "choices": [], **fields}).encode()


def options(**given: object) -> argparse.Namespace:
    known = dict.fromkeys(("max_tokens", "temperature", "seed", "schema"))
    return argparse.Namespace(**{"question": [], "system": "", **known, **given})


def test_a_reply_is_gathered_from_chunks() -> None:
    reply = Reply()
    assert take_chunk(reply, chunk(choices=[{"delta": {"role": "assistant"}}])) == ""
    assert take_chunk(reply, chunk(choices=[{"delta": {"content": "Hel"}}])) == "Hel"
    assert take_chunk(reply, chunk(choices=[{"delta": {"content": "lo"}, "finish_reason": "stop"}])) == "lo"
    take_chunk(reply, chunk(usage={"prompt_tokens": 3, "completion_tokens": 2, "cost": 0.5}))
    assert (reply.text, reply.finish_reason, reply.cost_usd) == ("Hello", "stop", 0.5)
    assert (reply.input_tokens, reply.output_tokens) == (3, 2)


def test_a_fault_in_a_stream_is_raised() -> None:
    with pytest.raises(Fault) as caught:
        take_chunk(Reply(), b'{"error": {"message": "no more", "code": "cut"}}')
    assert (caught.value.code, caught.value.message) == ("cut", "no more")
    with pytest.raises(UpstreamBroken):
        take_chunk(Reply(), b"<html>")


@pytest.mark.parametrize("document", [{}, [], None, {"error": None}, "error"])
def test_what_holds_no_fault_is_none(document: object) -> None:
    assert fault_in(document) is None


def test_speed_counts_the_tokens_after_the_first() -> None:
    reply = Reply(output_tokens=11, first_token_ms=100.0, total_ms=1100.0)
    assert reply.tokens_per_s == 10.0
    assert Reply(output_tokens=1, first_token_ms=1.0, total_ms=2.0).tokens_per_s is None
    assert Reply().tokens_per_s is None


def test_the_summary_says_what_is_known() -> None:
    reply = Reply(
        model="big",
        input_tokens=7,
        output_tokens=11,
        first_token_ms=100.0,
        total_ms=1100.0,
        cost_usd=0.0,
    )
    assert summary(reply) == "[big, 7 + 11 tokens, 10.0 tokens/s, first after 100 ms, free]"
    assert summary(Reply(model="big", finish_reason="length")) == (
        "[big, cost unknown, cut at the length limit]"
    )


def test_a_question_is_made_of_its_words_and_the_input() -> None:
    body = request_body(options(question=["explain", "this"], system="be brief", max_tokens=5), "diff\n")
    assert body == {
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "explain this\n\ndiff"},
        ],
        "max_tokens": 5,
    }
    assert request_body(options(), "only the input")["messages"][0]["content"] == "only the input"
    with pytest.raises(CallerFault):
        request_body(options(), " \n")


def test_a_schema_becomes_a_response_format(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text('{"type": "object"}')
    form = request_body(options(question=["a"], schema=file), "")["response_format"]
    assert form["json_schema"]["schema"] == {"type": "object"}
    for bad in ("", "[]", "{"):
        file.write_text(bad)
        with pytest.raises(CallerFault):
            read_schema(file)
    with pytest.raises(CallerFault):
        read_schema(tmp_path / "none.json")


def test_only_a_text_that_is_too_long_gets_the_hint() -> None:
    fault = CallerFault("context_length_exceeded", "It has 9 tokens, 8 fit.")
    assert explained(fault, "Give less.").message == "It has 9 tokens, 8 fit. Give less."
    other = CallerFault("other", "No.")
    assert explained(other, "Give less.") is other


def test_the_json_answer_has_its_form() -> None:
    assert list(answer_json(Reply(text="a"))) == [
        *("answer", "model", "deployment", "request_id", "finish_reason", "input_tokens", "output_tokens"),
        *("cost_usd", "first_token_ms", "total_ms"),
    ]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:4242", "http://127.0.0.1:4242"),
        ("http://127.0.0.1:4242/v1/", "http://127.0.0.1:4242"),
        ("localhost:4242", "http://localhost:4242"),
        ("https://gate.example/v1", "https://gate.example"),
    ],
)
def test_addresses_are_understood(url: str, shown: str) -> None:
    assert Client(url).url == shown


@pytest.mark.parametrize("url", ["", "ftp://a", "http://", "http://a:b", "http://a:99999"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(CallerFault):
        Client(url)
