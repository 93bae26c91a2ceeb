import random
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.lab.logged import START_MS, examples_of, intents, samples_of, slots
from wicket.errors import CallerFault
from wicket.lab.curate import curate
from wicket.lab.examples import Sample
from wicket.lab.groups import find_groups
from wicket.lab.split import Sizes, Split, check_split, manifest, needed, split, split_clusters

SMALL = Sizes(least_train=10, least_validation=3, least_test=3)


def ids(part: tuple[Sample, ...]) -> set[str]:
    return {sample.id for sample in part}


@pytest.mark.parametrize("rows", [slots(), intents()], ids=["slots", "intents"])
def test_every_example_is_in_one_part_and_the_newest_are_for_the_test(rows: list[tuple[str, str]]) -> None:
    curated = curate(examples_of(samples_of(rows)))
    found = split(curated.samples, curated.groups)
    parts = [ids(found.train), ids(found.validation), ids(found.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(curated.samples)
    num = len(curated.samples)
    assert 0.14 * num <= len(found.test) <= 0.17 * num and 0.14 * num <= len(found.validation) <= 0.17 * num
    middles = [
        sorted(s.at_ms for s in part)[len(part) // 2] for part in (found.train, found.validation, found.test)
    ]
    assert middles == sorted(middles)
    early = sorted(sample.at_ms for sample in found.test)[len(found.test) // 20]  # some clusters reach back
    assert sum(sample.at_ms > early for sample in found.train) < 0.01 * num
    check_split(found, curated.groups)


def template(index: int, draw: random.Random) -> str:
    pool = ["".join(letters) for letters in product("bdfgk", "aeiou", "lmnrstw")]
    return " ".join(draw.choices(pool, k=12)) + f" order {index}"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_copies_and_templates_stay_on_one_side(seed: int) -> None:
    draw = random.Random(seed)
    rows = []
    for index in range(60):
        text = template(index, draw)
        rows += [(text, "x")] + [(text.replace(f"order {index}", f"order {draw.randrange(999)}"), "y")] * 2
    draw.shuffle(rows)
    grouped = find_groups(samples_of(rows))
    found = split(grouped.samples, grouped.groups, SMALL)
    check_split(found, grouped.groups)
    sides: dict[str, set[str]] = {}
    for name, part in (("train", found.train), ("validation", found.validation), ("test", found.test)):
        for sample in part:
            sides.setdefault(sample.text.partition(" order")[0], set()).add(name)
    assert all(len(names) == 1 for names in sides.values())
    shuffled = draw.sample(list(grouped.samples), len(rows))
    assert split(shuffled, grouped.groups, SMALL) == found


def test_the_check_sees_a_copy_on_the_other_side() -> None:
    grouped = find_groups(samples_of(intents()[:400]))
    found = split(grouped.samples, grouped.groups, SMALL)
    check_split(found, grouped.groups)
    copy = msgspec.structs.replace(found.train[0], id="copy", text=found.train[0].text.upper() + "!")
    leaky = Split(
        train=found.train,
        validation=found.validation,
        test=(*found.test, copy),
        num_clusters=0,
        largest_cluster=0,
    )
    with pytest.raises(CallerFault, match="must be on one side") as caught:
        check_split(leaky, grouped.groups)
    assert caught.value.code == "leaky_split"


def test_ten_examples_are_too_few_and_the_message_says_how_many_it_takes() -> None:
    grouped = find_groups(samples_of(intents()[:10]))
    with pytest.raises(CallerFault, match=r"There are 10 examples .* at least 300 are needed") as caught:
        split(grouped.samples, grouped.groups)
    assert caught.value.code == "too_few_examples" and needed(Sizes()) == 300


def test_one_request_over_and_over_can_not_be_split() -> None:
    rows = [(f"Please cancel my order number {number} today", "cancel") for number in range(400)]
    grouped = find_groups(samples_of(rows))
    with pytest.raises(CallerFault, match="400 of them are one cluster"):
        split(grouped.samples, grouped.groups)


@pytest.mark.parametrize(("validation", "test"), [(0.0, 0.1), (0.5, 0.5), (0.1, -0.1)])
def test_shares_that_make_no_sense_are_refused(validation: float, test: float) -> None:
    grouped = find_groups(samples_of(intents()))
    with pytest.raises(CallerFault, match="Shares of validation and test"):
        split(grouped.samples, grouped.groups, Sizes(validation=validation, test=test))


def test_short_texts_that_differ_in_numbers_alone_are_no_template() -> None:
    grouped = find_groups(
        samples_of([("2 people", "2"), ("3 people", "3"), ("the 3 of us at 8 please", "3")])
    )
    assert len(set(split_clusters(grouped.samples, grouped.groups))) == 3


def test_the_manifest_holds_sizes_times_and_hashes() -> None:
    grouped = find_groups(samples_of(intents()))
    found = split(grouped.samples, grouped.groups)
    page = manifest(found)
    assert page["test"]["examples"] == len(found.test) and len(page["test"]["sha256"]) == 64
    assert page["train"]["oldest_ms"] == START_MS and page["test"]["newest_ms"] == START_MS + 1000 * 1199
    assert len({page[name]["sha256"] for name in ("train", "validation", "test")}) == 3
