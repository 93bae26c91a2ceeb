from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.errors import ConfigFault
from wicket.upstream.scripted_script import (
    Rule,
    Script,
    When,
    choose,
    last_user_text,
    parse_answers,
    parse_script,
    pieces,
    prompt_tokens,
    understand,
)
from wicket.wire.json import encode

HIT = 418


def ask(body: dict[str, Any] | None = None, path: str = "/v1/chat/completions", key: str = "k") -> Any:
    return understand("POST", path, key, encode(body or {}))


CHAT = {
    "model": "m-1",
    "stream": True,
    "messages": [{"role": "user", "content": "one two three"}, {"role": "assistant", "content": "four"}],
}


@pytest.mark.parametrize(
    ("when", "hit"),
    [
        (When(), True),
        (When(model="m-1"), True),
        (When(model="m"), False),
        (When(model="m*"), True),
        (When(path="/chat/completions"), True),
        (When(path="/embeddings"), False),
        (When(key="k"), True),
        (When(key="other"), False),
        (When(stream=True), True),
        (When(stream=False), False),
        (When(contains="two three"), True),
        (When(contains="absent"), False),
        (When(last_role="assistant"), True),
        (When(last_role="user"), False),
        (When(over_tokens=3), True),
        (When(over_tokens=4), False),
    ],
)
def test_conditions(when: When, hit: bool) -> None:
    rule = choose(Script(rules=[Rule(when=when, status=HIT)]), ask(CHAT), {}, 0.0)
    assert (rule.status == HIT) is hit


@pytest.mark.parametrize(
    ("when", "hits"),
    [
        (When(from_nth=2), [0, 1, 1, 1, 1, 1]),
        (When(to_nth=2), [1, 1, 0, 0, 0, 0]),
        (When(from_nth=2, to_nth=3), [0, 1, 1, 0, 0, 0]),
        (When(every_nth=2), [1, 0, 1, 0, 1, 0]),
        (When(from_nth=2, every_nth=3), [0, 1, 0, 0, 1, 0]),
    ],
)
def test_counts(when: When, hits: list[int]) -> None:
    script, seen = Script(rules=[Rule(when=when, status=HIT)]), dict[int, int]()
    assert [int(choose(script, ask(CHAT), seen, 0.0).status == HIT) for _ in hits] == hits


@pytest.mark.parametrize(
    ("when", "hits"),
    [
        (When(from_s=1), [0, 1, 1, 1, 1]),
        (When(to_s=2), [1, 1, 0, 0, 0]),
        (When(from_s=1, to_s=3), [0, 1, 1, 0, 0]),
        (When(from_s=1, to_s=2, period_s=2), [0, 1, 0, 1, 0]),
    ],
)
def test_times(when: When, hits: list[int]) -> None:
    script = Script(rules=[Rule(when=when, status=HIT)])
    assert [int(choose(script, ask(CHAT), {}, float(at)).status == HIT) for at in range(5)] == hits


def test_the_first_rule_that_matches_answers() -> None:
    script = Script(rules=[Rule(when=When(model="other")), Rule(status=HIT), Rule(status=500)])
    assert choose(script, ask(CHAT), {}, 0.0).status == HIT


@given(st.text())
def test_pieces_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_tokens_are_words() -> None:
    assert pieces(" a bc\nd ") == [" a", " bc", "\nd "]
    assert prompt_tokens(CHAT) == 4
    assert prompt_tokens({"prompt": "a b"}) == 2
    assert prompt_tokens({"input": ["a b", "c"]}) == 3
    parts = [{"type": "text", "text": "a b"}, {"type": "image_url"}]
    assert prompt_tokens({"messages": [{"role": "user", "content": parts}, "noise"]}) == 2


def test_the_key_into_the_answers() -> None:
    assert last_user_text(CHAT) == "one two three"
    assert last_user_text({"prompt": "p"}) == "p"
    assert last_user_text({"messages": "noise"}) == ""


def test_scripts_as_toml_and_json() -> None:
    wanted = Script(rules=[Rule(when=When(model="m"), status=HIT, headers={"retry-after": "2"})])
    toml = b'[[rules]]\nstatus = 418\nheaders = {retry-after = "2"}\n[rules.when]\nmodel = "m"\n'
    assert parse_script(toml, toml=True) == parse_script(encode(wanted), toml=False) == wanted


@pytest.mark.parametrize("data", [b"[[rules]]\nstatsu = 1\n", b"rules = 1\n", b"= 1"])
def test_a_script_that_is_wrong_is_named(data: bytes) -> None:
    with pytest.raises(ConfigFault, match="script can't be read"):
        parse_script(data, toml=True)


def test_answers_from_lines() -> None:
    assert parse_answers(b'{"prompt": "a", "answer": "b"}\n\n{"prompt": "c", "answer": "d"}') == {
        "a": "b",
        "c": "d",
    }
    with pytest.raises(ConfigFault, match="Line 2"):
        parse_answers(b'{"prompt": "a", "answer": "b"}\n{"prompt": "c"}')


def test_a_body_that_is_not_json_is_no_obstacle() -> None:
    assert understand("POST", "/", "", b"not json").fields == {}
    assert understand("POST", "/", "", b"[1]").fields == {}


@pytest.mark.parametrize(
    ("path", "form", "is_stream"),
    [
        ("/v2/chat", "cohere", False),
        ("/v2/embed", "cohere", False),
        ("/v2/rerank", "cohere", False),
        ("/v1/rerank", "openai", False),
        ("/api/chat", "ollama", True),
        ("/api/embed", "ollama", False),
        ("/model/m-1/converse", "bedrock", False),
        ("/model/m-1/converse-stream", "bedrock", True),
        ("/v1beta/models/m-1:streamGenerateContent?alt=sse", "gemini", True),
        ("/v1beta/models/m-1:batchEmbedContents", "gemini", False),
    ],
)
def test_the_path_says_the_form_and_whether_it_streams(path: str, form: str, is_stream: bool) -> None:
    asked = ask({"model": "m-1"}, path)
    assert (asked.form, asked.is_stream, asked.model) == (form, is_stream, "m-1")
