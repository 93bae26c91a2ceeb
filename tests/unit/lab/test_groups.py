import json
import random

from tests.unit.lab.logged import examples_of, intents, poisoned, samples_of, slots, small_talk
from wicket.lab.curate import curate
from wicket.lab.groups import find_groups
from wicket.lab.split import split


def test_two_tasks_and_small_talk_in_one_route_are_told_apart() -> None:
    parts = {"json": slots()[:400], "label": intents()[:400], "text": small_talk(300)}
    rows = [(row, kind) for kind, part in parts.items() for row in part]
    random.Random(2).shuffle(rows)
    grouped = find_groups(samples_of([row for row, _ in rows]))
    assert sorted(group.kind for group in grouped.groups) == ["json", "label", "text"]
    right = sum(
        grouped.groups[sample.group].kind == kind
        for sample, (_, kind) in zip(grouped.samples, rows, strict=True)
    )
    assert right >= 0.98 * len(rows)
    assert sum(group.num_requests for group in grouped.groups) == len(rows)


def test_system_prompts_are_groups_of_their_own() -> None:
    samples = samples_of(slots(), "Find slots.") + samples_of(intents(), "Name the intent.", first=900)
    grouped = find_groups(samples)
    assert [(group.system, group.num_requests) for group in grouped.groups] == [
        ("Name the intent.", 1200),
        ("Find slots.", 900),
    ]
    found = curate(examples_of(samples))
    assert [learned.shape.kind for learned in found.learned] == ["label", "json"]
    parts = split(found.samples, found.groups)
    assert {sample.group for sample in parts.train} == {0, 1}


def test_poison_makes_no_group() -> None:
    for poison in ("hacked", "empty", "other", "text"):
        for rows in (slots(), intents()):
            assert len(find_groups(samples_of(poisoned(rows, poison)[0])).groups) == 1, poison


def test_templates_are_found_and_frequent_openings_are_none() -> None:
    head = "Classify the following message of a customer of our bank into one of the known intents: "
    samples = samples_of([(head + text, label) for text, label in intents()] + slots())
    grouped = find_groups(samples)
    assert {(group.prefix, group.kind, group.num_requests) for group in grouped.groups} == {
        (head, "label", 1200),
        ("", "json", 900),
    }
    assert grouped.groups[0].bare(samples[0].text) == intents()[0][0]
    assert all(not group.prefix and not group.suffix for group in find_groups(samples_of(slots())).groups)


def test_the_same_samples_in_another_order_give_the_same_groups() -> None:
    samples = samples_of(slots()[:300] + intents()[:300] + small_talk(200))
    grouped = find_groups(samples)
    shuffled = find_groups(random.Random(4).sample(samples, len(samples)))
    assert shuffled.groups == grouped.groups
    assert {s.id: s.group for s in shuffled.samples} == {s.id: s.group for s in grouped.samples}


def test_objects_with_other_keys_are_another_task() -> None:
    draw = random.Random(8)
    forms = [
        (text, json.dumps({"intent": label, "urgent": draw.random() < 0.5})) for text, label in intents()
    ]
    rows = slots() + forms
    draw.shuffle(rows)
    for mixed in (rows, poisoned(rows, "other")[0]):
        grouped = find_groups(samples_of(mixed))
        assert [group.keys for group in grouped.groups] == [
            ("intent", "urgent"),
            ("date", "first_name", "last_name", "people", "time"),
        ]
    assert find_groups(samples_of(slots())).groups[0].keys == ()


def test_one_request_with_two_kinds_of_answers_is_on_one_side() -> None:
    texts = [text for text, _ in intents()[:600]]
    rows = [(text, json.dumps({"intent": "a"})) for text in texts] + [(text, "b") for text in texts]
    random.Random(9).shuffle(rows)
    grouped = find_groups(samples_of(rows))
    assert len(grouped.groups) == 2
    parts = split(grouped.samples, grouped.groups)
    assert not {sample.text for sample in parts.train} & {sample.text for sample in parts.test}
