"""What is asked, what it may cost at most, and how long to wait."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.lab.data.made import chat
from wicket.lab.data.document import Document
from wicket.lab.generation import paraphrase
from wicket.lab.generation.plan import Settings, bound, cost, errands, key_of, wait_s
from wicket.upstream.scripted_script import prompt_tokens

ASKED = [Document(messages=[{"role": "user", "content": text}]) for text in ("one", "two", "one")]


def test_samples_times_prompts_each_once() -> None:
    found, num_repeated = errands(ASKED, Settings(model="m", samples=2))
    assert len(found) == 4 and num_repeated == 2 and len({errand.key for errand in found}) == 4
    assert [errand.sample for errand in found] == [0, 0, 1, 1]


def test_what_makes_another_request() -> None:
    def key(**more: Any) -> str:
        return errands(ASKED[:1], Settings(**{"model": "m", **more}))[0][0].key

    assert key() == key(max_tokens=9) == key(limit_field="max_completion_tokens") == key(concurrency=3)
    others = [
        key(model="n"),
        key(temperature=0.5),
        key(system="s"),
        key(top_logprobs=3),
        key(fields={"seed": 1}),
    ]
    assert len({key(), *others}) == 6
    assert key_of({"b": 1, "a": 2}, 0) == key_of({"a": 2, "b": 1}, 0) != key_of({"a": 2, "b": 1}, 1)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=300), st.integers(1, 4000), st.floats(0, 100), st.floats(0, 100))
def test_a_bound_is_one(text: str, limit: int, dear_in: float, dear_out: float) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "max_tokens": limit}
    prices = ({"input": dear_in, "output": dear_out},)
    most, num_input = bound(body, prices), prompt_tokens(body)
    assert most.tokens >= num_input + limit and most.nanos >= cost(num_input, limit, prices)
    assert bound({**body, "n": 3}, prices).tokens >= num_input + 3 * limit


def test_the_dearest_price_counts() -> None:
    assert cost(1000, 100, [{"input": 1.0, "output": 2.0}, {"input": 3.0, "cache_write": 4.0}]) == 4_000_000
    assert cost(10, 10, [{"request": 0.5}]) == 500_000_000 and cost(10, 10, None) == 0


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 60), st.floats(0, 1), st.none() | st.integers(0, 10**9))
def test_waits_grow_and_end(num_failed: int, draw: float, asked: int | None) -> None:
    waits = Settings(model="m", wait_s=0.5, max_wait_s=30.0)
    found = wait_s(waits, num_failed, draw, asked)
    assert 0.25 <= found <= 300.0 and (asked is None or found >= min(asked / 1000, 300.0))
    assert wait_s(waits, 1, 1.0, None) == 0.5 and wait_s(waits, 3, 1.0, None) == 2.0


def test_paraphrases_are_judged() -> None:
    document = chat("Where is parcel [ID_1]?", "track")
    assert "Where is parcel [ID_1]?" in paraphrase.asking(document)[0]["content"]
    assert paraphrase.mistake(document, "where is PARCEL [ID_1]") == "it is the same"
    assert paraphrase.mistake(document, "Track my parcel") == "[ID_1] is missing"
    assert paraphrase.mistake(document, "word " * 90 + "[ID_1]") == "it is far longer than the message"
    assert paraphrase.mistake(document, "Find [ID_1] for me") == ""
    told = paraphrase.result(document, "---\nFind [ID_1] for me\n---")
    assert told == [{"role": "user", "content": "Find [ID_1] for me"}, document.messages[1]]
    assert paraphrase.asking(Document(messages=[{"role": "user", "content": [{"type": "image_url"}]}])) == []
