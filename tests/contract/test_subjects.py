"""Every dialect's part in embeddings and rankings: what is asked arrives, what is answered comes back."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wicket.config.check import known_dialects
from wicket.dialects.contract import Counts, module
from wicket.dialects.hub import unsayable
from wicket.dialects.subjects import HINTS, Documents, Ranked, Ranking, Texts, Vectors, left_out
from wicket.dialects.translation import Asked, Side, side_of
from wicket.errors import CallerFault, Fault
from wicket.routing.deployment import Deployment
from wicket.wire.fields import peek
from wicket.wire.origin import Origin

SUBJECTS = ("embeddings", "rerank")
PROVIDERS = [
    (name, subject)
    for name in known_dialects()
    for subject in SUBJECTS
    if (side := side_of(name, subject)) is not None and side.write_request is not None
]
CALLERS = [
    (name, subject)
    for name in known_dialects()
    for subject in SUBJECTS
    if (side := side_of(name, subject)) is not None and side.read_request is not None
]
DEPLOYMENT = Deployment(id="p/m", provider="p", model="m", origin=Origin("https", "up.example", 443))
ASKED = Asked(id="req_1", created_s=1, model="asked", fields={})
ASKS: dict[str, Any] = {
    "embeddings": {
        "openai_chat": {"model": "m", "input": ["a", "b"]},
        "cohere": {"model": "m", "texts": ["a", "b"]},
        "gemini": {"requests": [{"content": {"parts": [{"text": text}]}} for text in "ab"]},
    },
    "rerank": {"cohere": {"model": "m", "query": "q", "documents": ["a", "b"]}},
}
WORDS = ["results", "data", "index", "relevance_score", "embeddings", "float", "embedding", "values"]
WORDS += ["usage", "meta", "error", "document"]
SETTINGS: dict[str, dict[str, Any]] = {
    "embeddings": {"dimensions": 5, "task": "query", "truncate": "end", "title": "t", "user": "u"},
    "rerank": {"top_n": 1, "max_tokens_per_doc": 9, "return_documents": True, "priority": 1},
}


def side(name: str, subject: str) -> Side:
    found = side_of(name, subject)
    assert found is not None
    return found


def outcome(function: Callable[[], Any]) -> Any:
    """What it returns, or the fault it raises."""
    try:
        return function()
    except Fault as fault:
        return fault


def plain(subject: str) -> Any:
    if subject == "rerank":
        return Documents(query="q", documents=[msgspec.Raw(b'"a"'), msgspec.Raw(b'"b"')])
    return Texts(texts=["a", "b"])


def test_the_families_are_there() -> None:
    names = {name for name, subject in PROVIDERS if subject == "embeddings"}
    assert names >= {"openai_chat", "cohere", "gemini", "ollama"}
    assert {name for name, subject in PROVIDERS if subject == "rerank"} >= {"cohere", "jina", "voyage"}


@pytest.mark.parametrize(("name", "subject"), PROVIDERS)
def test_what_is_asked_says_all_of_it(name: str, subject: str) -> None:
    found = side(name, subject)
    assert found.write_request is not None and found.api in module(name).APIS
    body = found.write_request(plain(subject), DEPLOYMENT)
    assert body.dropped == () and body.content_type == b""
    said = json.dumps(json.loads(body.data))
    assert '"a"' in said and '"b"' in said and ("m" in said)
    whole = module(name).target(DEPLOYMENT, found.api, streamed=False)
    assert whole.startswith(DEPLOYMENT.base_path) or name == "ollama"


@pytest.mark.parametrize(("name", "subject"), PROVIDERS)
def test_a_setting_is_sent_or_told_or_refused_by_its_caller_s_name(name: str, subject: str) -> None:
    write = side(name, subject).write_request
    assert write is not None
    bare = write(plain(subject), DEPLOYMENT).data
    for setting, value in SETTINGS[subject].items():
        ask = plain(subject)
        ask.note(setting, f"its.{setting}", value)
        body = outcome(lambda ask=ask: write(ask, DEPLOYMENT))  # type: ignore[misc]
        if isinstance(body, Fault):
            assert body.param == f"its.{setting}", setting
        elif body.data == bare:
            assert body.dropped == (f"its.{setting}",) and setting in HINTS, setting
        else:
            assert body.dropped == (), setting


@pytest.mark.parametrize(("name", "subject"), PROVIDERS)
@settings(max_examples=150, deadline=None)
@given(
    data=st.binary(max_size=80)
    | st.recursive(
        st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(WORDS),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(msgspec.json.encode)
)
def test_no_answer_raises_anything_but_a_fault(name: str, subject: str, data: bytes) -> None:
    read = side(name, subject).read_answer
    assert read is not None
    answer = outcome(lambda: read(data, plain(subject)))
    if isinstance(answer, Fault):
        assert answer.elsewhere and answer.message
        return
    assert len(answer.vectors if subject == "embeddings" else answer.results) <= 2


@pytest.mark.parametrize(("name", "subject"), CALLERS)
def test_a_caller_s_request_is_read_and_answered(name: str, subject: str) -> None:
    found = side(name, subject)
    assert found.read_request is not None and found.write_answer is not None
    api = found.api
    ask = found.read_request(peek(json.dumps(ASKS[subject][name]).encode()), api)
    counts = Counts(input_tokens=7, searches=1)
    answer: Any = Vectors(vectors=[msgspec.Raw(b"[1.50]"), msgspec.Raw(b"[2e-3]")], counts=counts)
    if subject == "rerank":
        answer = Ranking(results=[Ranked(1, msgspec.Raw(b"0.90"))], counts=counts)
    data = found.write_answer(answer, ask, ASKED)
    assert found.read_answer is not None
    again = found.read_answer(data, ask)
    assert again.counts is not None and again.counts.input_tokens == 7
    assert b"1.50" in data or b"0.90" in data  # numbers stay as they came
    assert module(name).whole(data, api).counts == again.counts


@pytest.mark.parametrize(("name", "subject"), CALLERS)
@settings(max_examples=150, deadline=None)
@given(
    value=st.recursive(
        st.none() | st.integers() | st.text(max_size=4) | st.booleans(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["content", "parts", "text", "taskType", "new"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    ),
    data=st.data(),
)
def test_whatever_a_caller_writes_is_read_or_refused_by_name(
    name: str, subject: str, value: Any, data: st.DataObject
) -> None:
    fields = dict(ASKS[subject][name])
    known = [
        "dimensions",
        "encoding_format",
        "input_type",
        "truncate",
        "embedding_types",
        "top_n",
        "taskType",
    ]
    at = data.draw(st.sampled_from([*fields, *known]))
    fields[at] = value
    if subject == "rerank" and not (isinstance(fields["documents"], list) and fields["documents"]):
        return  # admission has looked at that
    found = side(name, subject)
    assert found.read_request is not None
    read = found.read_request
    told = outcome(lambda: read(peek(json.dumps(fields).encode()), found.api))
    assert not isinstance(told, Fault) or (told.status == 400 and told.param)


def test_what_is_unread_is_told() -> None:
    ask = Texts(texts=["a"], unread=["a.b"])
    ask.note("title", "the.title", "t")
    ask.note("user", "user", "u")
    with pytest.raises(CallerFault) as caught:
        left_out(ask, ())
    assert caught.value.param == unsayable("the.title").param
    assert left_out(ask, ("title",)) == ("a.b", "user")
