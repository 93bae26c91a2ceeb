"""What answers of a task look like, which are broken, which say the same."""

import pytest

from wicket.minis.answers import AnswerShape, agree, broken, canonical, shape_of

SLOTS = ['{"people": "2"}', "{}", '{"date": "today", "people": "4"}', '{"time": "7 pm"}'] * 5
LABELS = ["transfer", "balance", "card lost"] * 10


def test_objects_make_a_json_task_though_one_in_ten_is_garbage() -> None:
    shape = shape_of([*SLOTS, "HACKED", "I can't help with that."])
    assert shape.kind == "json"
    assert shape.keys == {"date": ["string"], "people": ["string"], "time": ["string"]}


def test_few_repeated_texts_make_a_label_task() -> None:
    shape = shape_of([*LABELS, "never seen again"])
    assert shape.kind == "label" and shape.labels == ("balance", "card lost", "transfer")


def test_everything_else_is_text() -> None:
    assert shape_of([f"Answer number {number}." for number in range(40)]).kind == "text"
    assert shape_of([]).kind == "text"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ('{"people": "2"}', ""),
        ("{}", ""),
        ('```json\n{"people": "2"}\n```', ""),
        ('{"people": 2}', "wrong_type"),
        ('{"persons": "2"}', "unknown_key"),
        ('{"people": "2"', "not_json"),
        ("[1]", "not_json"),
        ("two people", "not_json"),
        ("  ", "empty"),
        ("[" * 5_000, "not_json"),
        ('{"people": "\ud800"}', "not_json"),
    ],
)
def test_broken_objects(answer: str, reason: str) -> None:
    assert broken(shape_of(SLOTS), answer) == reason


def test_broken_labels_and_texts() -> None:
    shape = shape_of(LABELS)
    assert broken(shape, " card  lost ") == ""
    assert broken(shape, "card") == "unknown_label"
    assert broken(AnswerShape("text"), "anything") == ""
    assert broken(AnswerShape("text"), "") == "empty"


def test_the_order_of_keys_and_blanks_makes_no_difference() -> None:
    shape = shape_of(SLOTS)
    one, other = '{"people": "2",  "date": "today"}', '{"date":"today","people":"2"}'
    assert agree(shape, one, other) and canonical(shape, one) == canonical(shape, other) == other
    assert not agree(shape, one, '{"date":"today","people":"3"}')


def test_labels_and_texts_agree_by_their_words() -> None:
    assert agree(shape_of(LABELS), "card lost", " card  lost\n")
    assert not agree(shape_of(LABELS), "card lost", "Card lost")
    assert agree(AnswerShape("text"), "Yes,  Sir.", "yes, sir.")


def test_the_canonical_spelling_is_its_own() -> None:
    for shape, answers in ((shape_of(SLOTS), SLOTS), (shape_of(LABELS), LABELS)):
        for answer in answers:
            once = canonical(shape, answer)
            assert canonical(shape, once) == once and agree(shape, once, answer)
