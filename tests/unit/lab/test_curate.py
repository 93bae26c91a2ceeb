import json
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.lab.logged import examples_of, intents, poisoned, samples_of, slots
from wicket.lab.curate import Curated, Options, curate, report_of
from wicket.lab.examples import BrokenLine, Examples, Sample
from wicket.wire.json import encode

LONG = (
    "Dear all, please move my stay of three nights at the harbour house from May to June as my train is late"
)


def curated(samples: list[Sample], **options: object) -> Curated:
    evaluation = options.pop("evaluation", ())
    return curate(examples_of(samples), Options(**options), evaluation=evaluation)  # type: ignore[arg-type]


def removed(found: Curated) -> dict[str, dict[str, int]]:
    return {step.name: step.reasons for step in found.steps if step.num_removed}


def ids(found: Curated) -> set[str]:
    return {sample.id for sample in found.samples}


def changed(sample: Sample, **fields: object) -> Sample:
    return msgspec.structs.replace(sample, **fields)


def later(rows: list[tuple[str, str]]) -> list[Sample]:
    """Samples to add to a log: with ids of their own, and newer."""
    return [changed(sample, id=f"new{sample.id}", at_ms=sample.at_ms + 10**9) for sample in samples_of(rows)]


@pytest.mark.parametrize("rows", [slots(), intents()], ids=["slots", "intents"])
def test_clean_data_stays_but_for_copies(rows: list[tuple[str, str]]) -> None:
    found = curated(samples_of(rows))
    assert set(removed(found)) <= {"duplicates", "near_duplicates", "contradictions"}
    assert len(found.samples) >= 0.95 * len(rows)
    assert len(found.groups) == 1 and found.learned[0].shape.kind == found.groups[0].kind
    undecided = sum(step.num_removed for step in found.steps if step.name == "contradictions")
    assert sum(sample.weight for sample in found.samples) == len(rows) - undecided


# What the rules without any training find of one poisoned answer in ten.
FOUND = [
    ("slots", "hacked", 1.0),  # no JSON
    ("slots", "text", 1.0),
    ("slots", "other", 0.65),  # words that are not in the request
    ("intents", "text", 1.0),  # a label that nothing else has
]


@pytest.mark.parametrize(("task", "poison", "share"), FOUND)
def test_poison_that_rules_find(task: str, poison: str, share: float) -> None:
    rows = {"slots": slots, "intents": intents}[task]()
    clean = curated(samples_of(rows))
    mixed, bad = poisoned(rows, poison)
    found = curated(samples_of(mixed))
    assert len(bad - ids(found)) >= share * len(bad)
    assert len(ids(clean) - ids(found) - bad) <= 0.02 * len(rows)
    assert found.learned[0].shape.kind == clean.learned[0].shape.kind
    assert set(found.learned[0].shape.keys) == set(clean.learned[0].shape.keys)


def test_empty_objects_are_broken_where_a_key_is_always_there() -> None:
    rows = [(f"{text}", json.dumps({"intent": label})) for text, label in intents()]
    mixed, bad = poisoned(rows, "empty")
    found = curated(samples_of(mixed))
    assert removed(found)["unusual_answers"] == {"missing_key": len(bad)} and not bad & ids(found)
    assert found.learned[0].always == ("intent",)


def test_answers_of_minis_are_not_learned_unless_a_person_corrected_them() -> None:
    samples = samples_of(intents())
    samples[0] = changed(samples[0], deployment="mini/intents")
    samples[1] = changed(samples[1], deployment="mini:intents", corrected=True)
    found = curated(samples)
    assert removed(found)["mini_answers"] == {"mini": 1}
    assert "0" not in ids(found) and "1" in ids(found)
    step = next(step for step in found.steps if step.name == "mini_answers")
    assert step.shown == ("0",) and step.num_before == 1200


def test_answers_with_a_low_score_are_not_learned() -> None:
    samples = samples_of(intents())
    scores = [0.0, 0.49, 0.5, 1.0, -1.0]
    samples[: len(scores)] = [changed(s, score=score) for s, score in zip(samples, scores, strict=False)]
    found = curated(samples)
    assert removed(found)["low_score"] == {"low_score": 2} and {"2", "3", "4"} <= ids(found)


def test_a_correction_outranks_what_was_logged() -> None:
    samples = samples_of(intents())
    right = changed(samples[5], id="right", answer="transactions", corrected=True, at_ms=samples[5].at_ms - 1)
    older = changed(right, id="older", answer="oil_change_how", at_ms=right.at_ms - 1)
    found = curated([*samples, right, older, changed(samples[5], id="again")])
    assert removed(found)["outranked"] == {"corrected": 2, "older_correction": 1}
    assert "right" in ids(found) and not {"5", "older", "again"} & ids(found)


def test_refusals_are_not_learned_of_texts() -> None:
    draw = random.Random(1)
    words = [text for text, _ in intents()]
    rows = [(text, f"Certainly: {' '.join(draw.sample(words, 2))}") for text in words]
    refusals = [
        "I'm sorry, but I can't help with that.",
        "I\u2019m sorry, I cannot assist you here.",
        "Sorry, I can't do that.",
        "I cannot provide this.",
        "As an AI language model, I have no opinion.",
        "I apologize, but I am not able to do so.",
        "Unfortunately, I am unable to say.",
    ]
    welcome = ["I'm sorry to hear that your card was lost. Let us block it.", "I can help with that."]
    for place, answer in enumerate([*refusals, *welcome]):
        rows[place] = (rows[place][0], answer)
    found = curated(samples_of(rows))
    assert removed(found)["broken_answers"] == {"refusal": len(refusals)}
    assert {"7", "8"} <= ids(found)


def test_equal_examples_become_one_with_their_weight() -> None:
    samples = samples_of(slots())
    twins = [changed(samples[3], id=f"twin{n}", at_ms=samples[3].at_ms + n) for n in range(4)]
    spelled = changed(twins[0], id="spelled", answer=f"```json\n{twins[0].answer}\n```", at_ms=1)
    found = curated([*samples, *twins, spelled])
    one = next(sample for sample in found.samples if sample.text == samples[3].text)
    assert one.id == "twin3" and one.weight >= 6


def test_of_nearly_equal_requests_the_newest_stays() -> None:
    answer = intents()[0][1]
    copies = later([(LONG, answer), (f"{LONG}, sorry", answer)])
    found = curated(samples_of(intents()) + copies)
    assert "new1" in ids(found) and "new0" not in ids(found)


def test_a_clear_majority_stands_and_a_tie_does_not() -> None:
    one, other = sorted({label for _, label in intents()})[:2]
    three_to_one = [("is it a or b", one)] * 3 + [("Is it A or B?", other)]
    tie = [("is it c or d", one), ("is it c or d", other)]
    found = curated(samples_of(intents()) + later(three_to_one + tie))
    assert removed(found)["contradictions"]["outvoted"] == 1
    assert {s.answer for s in found.samples if "a or b" in s.text} == {one}
    assert not [s for s in found.samples if "c or d" in s.text]


def test_a_correction_wins_against_a_majority_of_nearly_equal_requests() -> None:
    one, other = sorted({label for _, label in intents()})[:2]
    logged = [changed(s, text=f"{LONG} again and {'so ' * place}on", at_ms=s.at_ms) for place, s in
              enumerate(later([(LONG, one)] * 1))]  # fmt: skip
    logged += later([("Is it e or f", one)] * 5)[1:]
    right = changed(logged[-1], id="right", text="is it E or F?", answer=other, corrected=True)
    found = curated([*samples_of(intents()), *logged, right])
    assert {s.id for s in found.samples if "e or f" in s.text.casefold()} == {"right"}


def test_requests_that_differ_in_what_their_answers_differ_in_are_no_contradiction() -> None:
    text = (
        "Hello, I was given your number by a friend who had a wonderful evening at your place last week "
        "and I wonder whether you would have a table outside for us on Friday at a quarter past seven or so, "
        "preferably near the garden because one of us can not walk so far, we are {} people in all, thank you"
    )
    rows = [(text.format(n), json.dumps({"people": n})) for n in ("three", "four", "nine")]
    found = curated(samples_of(slots()) + later(rows))
    assert {"new0", "new1", "new2"} <= ids(found)
    lying = later(
        [(text.format("three"), json.dumps({"people": "friend"})), (text.format("three"), rows[0][1])]
    )
    assert not {"new0", "new1"} & ids(curated(samples_of(slots()) + lying))


def test_evaluation_data_is_taken_out_of_training() -> None:
    train, held = intents()[:1000], intents()[1000:]
    planted = [text.upper() + " !" for text, _ in held[:30]]
    near = [f"{LONG} this year", LONG]
    log = train + [(text, train[0][1]) for text in planted] + [(near[0], train[1][1])]
    evaluation = samples_of([*held, (near[1], "")])
    found = curated(samples_of(log), evaluation=evaluation)
    reasons = removed(found)["evaluation_data"]
    assert reasons["exact"] >= 30 and reasons["near"] >= 1
    assert not {str(place) for place in range(1000, 1031)} & ids(found)
    clean = curated(samples_of(train), evaluation=evaluation)
    assert len(clean.samples) >= 0.98 * len(curated(samples_of(train)).samples)


def test_a_template_does_not_make_all_requests_nearly_equal() -> None:
    head = "You will be given a message of a guest. Read it with care, think of what the guest wants. "
    tail = (
        " End of the message. Now answer with one word from the list, and with nothing else at all, please."
    )
    rows = [(f"{head}{text}{tail}", label) for text, label in intents()]
    found = curated(samples_of(rows), evaluation=samples_of([(f"{head}{rows[7][0]}", ""), rows[8]]))
    assert len(found.samples) >= 0.95 * len(rows)
    assert found.groups[0].prefix == head and found.groups[0].suffix == tail
    assert removed(found)["evaluation_data"]["exact"] >= 1 and "8" not in ids(found)


def test_accidents_of_length_are_taken_out() -> None:
    long_text, long_answer = later([("on and on " * 300, intents()[0][1]), ("short", "{}")])
    found = curated([*samples_of(intents()), long_text])
    assert removed(found)["length"] == {"long_request": 1} and "new0" not in ids(found)
    assert long_answer.answer == "{}"


def test_the_callers_own_rule_comes_last() -> None:
    found = curated(samples_of(intents()), quality=lambda s: "rude" if "please" in s.text else "")
    assert found.steps[-1].name == "quality" and set(removed(found)["quality"]) == {"rude"}
    assert not [sample for sample in found.samples if "please" in sample.text]


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000))
def test_order_makes_no_difference(seed: int) -> None:
    mixed, _ = poisoned(slots()[:400] + intents()[:400], "other")
    samples = samples_of(mixed)
    found = curated(samples)
    assert curated(random.Random(seed).sample(samples, len(samples))) == found


def test_the_report_adds_up_and_is_a_json_document() -> None:
    mixed, _ = poisoned(slots(), "hacked")
    samples = samples_of(mixed)
    examples = Examples(tuple(samples), 910, 7, 3, (BrokenLine(4, "no JSON"),), "")
    found = curate(examples)
    report = report_of(examples, found)
    assert encode(report)
    assert report["lines"] - sum(step["num_removed"] for step in report["steps"]) == report["kept"]
    for before, after in zip(report["steps"], report["steps"][1:], strict=False):
        assert before["num_before"] - before["num_removed"] == after["num_before"]
    assert report["steps"][0]["reasons"] == {"other_form": 7, "broken_line": 3}
    assert report["steps"][0]["shown"] == ["line 4"] or report["steps"][0]["shown"] == ("line 4",)
    assert all(len(step["shown"]) <= 5 for step in report["steps"])
    assert report["groups"][0]["answers"] == "json" and report["groups"][0]["kept"] == report["kept"]


def test_nothing_is_curated_to_nothing() -> None:
    found = curated([])
    assert found.samples == () and found.groups == () and found.learned == ()
