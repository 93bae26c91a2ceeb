"""Planted faults are found: each step with its recall and its precision."""

import json
import random
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.lab.data.made import chat, numbered, origins
from wicket.errors import CallerFault
from wicket.lab.data.document import Document
from wicket.lab.data.languages import detect
from wicket.lab.data.step import Asked, Outcome, module, options_of
from wicket.lab.data.steps.quality import Options as Quality
from wicket.lab.data.steps.quality import verdict
from wicket.lab.data.steps.refusals import is_refusal

WORDS = [
    "".join(letters)
    for letters in zip(
        *(random.Random(n).choices(string.ascii_lowercase, k=900) for n in range(6)), strict=True
    )
]


def run(
    name: str, shard: list[Document], evaluation: list[Document] | None = None, **options: object
) -> Outcome:
    return module(name).apply(shard, options_of(Asked(name, options)), evaluation or [])


def sentence(seed: int, length: int = 14) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=length))


def test_exact_duplicates_are_all_found_and_nothing_else() -> None:
    shard = [chat(sentence(n % 40), f"label{n % 40}", f"a:{n}") for n in range(100)]
    found = run("exact_duplicates", shard)
    assert origins(found.kept) == [f"a:{n}" for n in range(40)]  # recall and precision 1
    assert found.removed[0].where == "a:0" and found.removed[0].reason == "same"
    other = [chat("Same", "one", "a:1"), chat("same ", "two", "a:2")]
    assert len(run("exact_duplicates", other).kept) == 2
    assert origins(run("exact_duplicates", other, of="request", squeeze=True).kept) == ["a:1"]


def test_near_duplicates_by_planting() -> None:
    draw = random.Random(7)
    shard = [chat(sentence(n, 30), "label", f"a:{n}") for n in range(200)]
    planted = []
    for n in range(200):
        words = sentence(n, 30).split()
        words[draw.randrange(30)] = "elsewhere"  # 25 of 31 shingles are left: a similarity from 0.80
        planted.append(chat(" ".join(words), "label", f"b:{n}"))
    found = run("near_duplicates", [*shard, *planted], threshold=0.8)
    removed = {each.document.origin for each in found.removed}
    assert removed <= {f"b:{n}" for n in range(200)}  # precision 1
    assert len(removed) >= 0.99 * 200  # recall; the bands miss one pair in 14,000 at this similarity
    different = [chat(sentence(1, 30), "six", "a:1"), chat(sentence(1, 30), "two", "a:2")]
    assert len(run("near_duplicates", different).kept) == 2
    assert len(run("near_duplicates", different, same_answer=False).kept) == 1


def test_decontamination_by_planting() -> None:
    evaluation = [chat(sentence(n, 20), "x", f"judge:{n}") for n in range(50)]
    clean = [chat(sentence(1000 + n, 20), "x", f"a:{n}") for n in range(200)]
    whole = [chat(sentence(n, 20).upper() + "!", "x", f"whole:{n}") for n in range(10)]
    inside = [
        chat("see " + " ".join(sentence(n, 20).split()[3:17]) + " " + sentence(5000 + n, 30), "x", f"row:{n}")
        for n in range(10, 20)
    ]
    answers = [chat(sentence(3000 + n), sentence(n, 20), f"answer:{n}") for n in range(20, 30)]
    near = [chat(f"{sentence(n, 20)} thanks", "x", f"near:{n}") for n in range(30, 40)]
    found = run("decontaminate", [*clean, *whole, *inside, *answers, *near], evaluation)
    assert origins(found.kept) == origins(clean)  # recall and precision 1
    by_origin = {each.document.origin: each for each in found.removed}
    assert by_origin["whole:3"].reason == "same_words" and by_origin["whole:3"].where == "judge:3"
    row = by_origin["row:12"]
    assert row.reason == "words_in_a_row" and row.where.startswith("judge:12: ")
    assert row.where.removeprefix("judge:12: ")[:40] in " ".join(sentence(12, 20).split()[3:])
    assert found.found == {"evaluation_documents": 50, "found_again": 40}
    only_near = run("decontaminate", near, evaluation, n=0)
    assert {each.reason for each in only_near.removed} == {"nearly_same"} and not only_near.kept


def test_the_evaluations_own_template_is_no_question() -> None:
    frame = "please read the following message of a customer with care and then say which label fits it"
    evaluation = [chat(f"{frame}: {sentence(n)}", "x", f"judge:{n}") for n in range(30)]
    shard = [chat(f"{frame}: {sentence(100 + n)}", "x", f"a:{n}") for n in range(30)]
    assert len(run("decontaminate", shard, evaluation).kept) == 30
    assert not run("decontaminate", evaluation, evaluation).kept
    with pytest.raises(CallerFault, match="--against"):
        run("decontaminate", shard)


def test_a_text_far_longer_than_a_window_is_looked_through() -> None:
    judge = chat(sentence(1, 20), "x", "judge:1")
    text = " ".join(sentence(100 + n, 100) for n in range(100)) + " " + sentence(1, 20)
    assert len(text) > 60_000
    assert not run("decontaminate", [Document(text=text, origin="a:1")], [judge]).kept


def test_length_has_bounds_for_both_sides() -> None:
    shard = numbered({"": "a", "ok": "", "q" * 50: "fine", "short": "y" * 50})
    found = run("length", shard, max_request=20, max_answer=20)
    assert [each.reason for each in found.removed] == [
        "short_request",
        "short_answer",
        "long_request",
        "long_answer",
    ]
    call = Document(messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": [{}]}])
    assert run("length", [call]).kept
    with pytest.raises(CallerFault, match="min_answer is above max_answer"):
        run("length", shard, min_answer=9, max_answer=3)


SENTENCES: dict[str, str] = json.loads((Path(__file__).parent / "sentences.json").read_text())


def test_languages_are_told_apart() -> None:
    assert {code: detect(text) for code, text in SENTENCES.items()} == {code: code for code in SENTENCES}


@pytest.mark.parametrize("text", ["", "ok", "card_arrival", "12345", "`ls -la` x", "sudo apt install nginx"])
def test_what_is_no_language_is_unknown(text: str) -> None:
    assert detect(text) == ""


def test_other_languages_go_and_what_is_unknown_stays() -> None:
    shard = [chat(text, "label", code) for code, text in SENTENCES.items()] + [chat("hm", "ok", "short")]
    found = run("language", shard, keep=["en", "de"])
    assert origins(found.kept) == ["en", "de", "short"]
    assert found.found["en"] == 1 and found.found["unknown"] == 1
    assert origins(run("language", shard, keep=["en"], unknown="remove").kept) == ["en"]
    with pytest.raises(CallerFault, match="'xx' is not told apart"):
        run("language", shard, keep=["xx"])


GOOD = (
    "The account can be closed at any branch, or online under settings. Before that, please move what is "
    "left on it to another account, because a balance can't be paid out afterwards. We keep your statements "
    "for ten years, as the law asks, and you may request copies of them in writing whenever you need some."
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD, ""),
        ("yes", ""),
        ("card_arrival", ""),
        ("```python\n" + "x = 1\n" * 80 + "```", ""),
        ("我搬到了另一个国家。" * 60, ""),
        ("\n".join(f"- item {word} {word[::-1]}" for word in WORDS), ""),
        (GOOD + "\ufffd", "broken_characters"),
        ("a\x00b", "control_characters"),
        ("Lorem ipsum dolor sit amet", "placeholder"),
        ("Nobody knows this answer. " * 40, "repeats_a_phrase"),
        (f"{sentence(1, 60)} {sentence(2, 30)} {sentence(2, 30)} {sentence(2, 30)}", "repeats_itself"),
        ("a b c d e f g h i j " * 5 + sentence(3, 15), "short_words"),
        (" ".join("x" * 20 + word for word in WORDS[:60]), "long_words"),
        (" ".join(f"{number:05d}" for number in range(60)), "few_letters"),
        (" ".join(f"#{word}" for word in WORDS[:60]), "hashes"),
        ("\n".join(["the same line of text"] * 6), "same_lines"),
        ("\n".join(f"{word} and so on..." for word in WORDS[:6]), "cut_lines"),
    ],
)
def test_quality_rules(text: str, reason: str) -> None:
    assert verdict(text, Quality()) == reason


def test_quality_takes_gophers_own_limits_too() -> None:
    bullets = "\n".join(f"- {word}" for word in WORDS[:10])
    assert verdict(bullets, Quality()) == "" and verdict(bullets, Quality(max_bullets=0.9)) == "all_bullets"


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't help with that.",
        "I\u2019m sorry, I can\u2019t assist with that request.",
        "Sorry, I cannot provide medical advice.",
        "As an AI language model, I don't have personal opinions.",
        "I am unable to comply with this request.",
        "Unfortunately, I won't be able to help with this.",
        "I apologize, but I cannot fulfill this request.",
        "Es tut mir leid, aber ich kann dabei nicht helfen.",
        "Je suis désolé, mais je ne peux pas vous aider.",
        "Lo siento, pero no puedo ayudarte con eso.",
    ],
)
def test_refusals_are_found(answer: str) -> None:
    assert is_refusal(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "refusal",
        "Sorry for the delay: your order ships today.",
        "I can't believe it's not butter.",
        "I cannot recommend this restaurant enough.",
        "You can't do that without a passport; here is how to get one.",
        "Unfortunately the train is late. It arrives at nine.",
        "I'm sorry, but I can't help with that. " + GOOD * 3,
    ],
)
def test_answers_are_no_refusals(answer: str) -> None:
    assert not is_refusal(answer)


def test_refusals_that_say_so_and_phrases_of_ones_own() -> None:
    field = Document(messages=[{"role": "user", "content": "x"}, {"role": "assistant", "refusal": "No."}])
    filtered = chat("x", "half an ans", meta={"finish_reason": "content_filter"})
    own = chat("x", "Not my department.")
    found = run("refusals", [field, filtered, own], phrases=["not my department"])
    assert [each.reason for each in found.removed] == ["refusal_field", "content_filter", "refuses"]


def test_personal_data_is_scrubbed_alike_in_request_and_answer() -> None:
    planted = [
        chat(f"Write to anna{n}@example.org please", f"Sent to anna{n}@example.org", f"a:{n}")
        for n in range(50)
    ]
    clean = [chat(sentence(n), "label", f"b:{n}") for n in range(50)]
    found = run("pii", [*planted, *clean])
    assert found.num_changed == 50 and found.found == {"EMAIL": 100}  # recall and precision 1
    first = found.kept[0].messages
    assert first[0]["content"] == "Write to [EMAIL_1] please" and first[1]["content"] == "Sent to [EMAIL_1]"
    assert list(found.kept[50:]) == clean
    assert origins(run("pii", [*planted, *clean], do="remove").kept) == origins(clean)
    assert run("pii", planted, kinds=["CARD"]).num_changed == 0
    with pytest.raises(CallerFault, match="'SHOE_SIZE' is no kind"):
        run("pii", planted, kinds=["SHOE_SIZE"])


def test_stored_tokens_of_a_scrubbed_answer_go() -> None:
    told = [["bob@example.org", -0.1, []]]
    kept = run(
        "pii", [chat("who?", "bob@example.org", logprobs=told), chat("who?", "me", logprobs=told)]
    ).kept
    assert kept[0].logprobs is None and kept[1].logprobs == told


def test_pictures_cant_be_scrubbed_and_go() -> None:
    parts = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    shard = [Document(messages=[{"role": "user", "content": parts}, {"role": "assistant", "content": "cat"}])]
    assert [each.reason for each in run("pii", shard).removed] == ["not_text"]


def test_noise_misspells_requests_only() -> None:
    shard = [chat(f"{sentence(n)} `code` [EMAIL_1]", "the label", f"a:{n}") for n in range(20)]
    found = run("noise", shard, copies=2, characters=0.1, seed=3)
    assert found.num_added == 40 and len(found.kept) == 60
    noisy = [document for document in found.kept if document.meta.get("augmented")]
    assert all(document.messages[1]["content"] == "the label" for document in noisy)
    assert all(document.messages[0]["content"].endswith("`code` [EMAIL_1]") for document in noisy)
    assert len({document.messages[0]["content"] for document in found.kept}) == 60
    assert run("noise", shard, copies=2, characters=0.1, seed=3) == found
    assert run("noise", shard, copies=2, characters=0.1, seed=4) != found
    assert run("noise", shard, characters=0.0, words=0.0).num_added == 0


def test_templates_fill_slots_and_wrap_documents() -> None:
    free = {"user": "A table for {n} at {place}", "assistant": '{"people": {n}}'}
    slots = {"n": ["2", "4"], "place": ["the Red Lion", "Luigi's"]}
    found = run("template", [], templates=[free], slots=slots, number=10)
    asked = [document.messages[0]["content"] for document in found.kept]
    assert sorted(asked) == sorted(f"A table for {n} at {p}" for n in slots["n"] for p in slots["place"])
    assert found.kept[0].messages[1]["content"].startswith('{"people": ')
    wrapped = run(
        "template", [chat("x {n}", "y")], templates=[{"user": "Hey: {request}", "assistant": "{answer}"}]
    )
    assert wrapped.kept[1].messages[0]["content"] == "Hey: x {n}"  # a document's braces are no slots
    with pytest.raises(CallerFault, match=r"slots.place is empty"):
        run("template", [], templates=[free], slots={"n": ["1"]}, number=1)
    with pytest.raises(CallerFault, match="how many"):
        run("template", [], templates=[free], slots=slots)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60)), max_size=8))
def test_no_text_breaks_a_step(pairs: list[tuple[str, str]]) -> None:
    shard = [chat(request, answer, f"a:{n}") for n, (request, answer) in enumerate(pairs)]
    for name in (
        "exact_duplicates",
        "near_duplicates",
        "length",
        "language",
        "quality",
        "refusals",
        "pii",
        "noise",
    ):
        found = run(name, shard)
        assert len(found.kept) + len(found.removed) == len(shard) + found.num_added
    judged = run("decontaminate", shard, [*shard, chat("judge", "x")])
    assert all(not document.messages[0]["content"].strip() for document in judged.kept)
