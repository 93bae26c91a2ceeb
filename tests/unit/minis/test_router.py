"""The shipped router: sound, small, and worth what is said of it on a sample of its own public data."""

import csv
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from wicket.errors import OperatorFault
from wicket.minis.question import question_of
from wicket.minis.router import FILE_NAME, Reading, Router, read, read_router, shipped
from wicket.minis.signals import signals
from wicket.wire.json import encode

SAMPLE = Path(__file__).parents[2] / "data" / "router"


def rows() -> Iterator[tuple[Reading, bool, bool, int]]:
    router = shipped()
    for path in sorted(SAMPLE.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for prompt, small, large in list(csv.reader(file))[1:]:
                said = read(router, signals(question_of(prompt)))
                yield said, small == "True", large == "True", len(prompt)


def gained(kept: list[tuple[Reading, bool, bool, int]]) -> float:
    """Right answers more per question when the large model takes them."""
    return sum(large - small for _, small, large, _ in kept) / len(kept)


def test_the_file_is_small_and_says_where_it_is_from() -> None:
    data = resources.files("wicket.minis").joinpath(FILE_NAME).read_bytes()
    assert len(data) < 1_000_000
    source = shipped().source
    assert source.licence == "Apache-2.0" and len(source.sha256) == 64 and source.num_rows > 10_000
    licence = resources.files("wicket.minis").joinpath("router.LICENSE.txt").read_text()
    assert "Apache License" in licence and "RouteLLM" in licence


def test_it_sorts_a_sample_by_what_the_large_model_adds() -> None:
    found = sorted(rows(), key=lambda row: -row[0].gain)
    half = len(found) // 2
    assert len(found) == 240
    assert gained(found[:half]) > 1.5 * gained(found[half:])
    by_length = sorted(found, key=lambda row: -row[3])
    assert gained(found[:half]) > gained(by_length[:half])


def test_its_chances_are_calibrated_on_the_sample() -> None:
    found = sorted(rows(), key=lambda row: row[0].small)
    for part in (found[:80], found[80:160], found[160:]):
        said = sum(row[0].small for row in part) / len(part)
        assert abs(said - sum(row[1] for row in part) / len(part)) < 0.12
    assert all(0 < row[0].small < 1 and 0 < row[0].large < 1 for row in found)


def test_difficulty_is_in_logits_of_the_small_models_chance() -> None:
    easy = read(
        shipped(), signals(question_of("What is the capital of France?\nA. Paris\nB. Rome\nC. Oslo\nD. Bern"))
    )
    assert easy.gain == easy.large - easy.small
    assert (easy.difficulty < 0) == (easy.small > 0.5)


def broken() -> Iterator[bytes]:
    good: Router = shipped()
    yield b"{}"
    yield b"not json"
    yield encode(msgspec.structs.replace(good, version=2))
    yield encode(msgspec.structs.replace(good, means=good.means[1:]))
    yield encode(msgspec.structs.replace(good, deviations=[0.0, *good.deviations[1:]]))
    few = msgspec.structs.replace(good.small, weights=[1.0])
    yield encode(msgspec.structs.replace(good, small=few))
    tree = msgspec.structs.replace(good.large.trees[0], signals=[999, *good.large.trees[0].signals[1:]])
    yield encode(msgspec.structs.replace(good, large=msgspec.structs.replace(good.large, trees=[tree])))
    tree = msgspec.structs.replace(good.large.trees[0], leaves=[0.0])
    yield encode(msgspec.structs.replace(good, large=msgspec.structs.replace(good.large, trees=[tree])))


@pytest.mark.parametrize("data", list(broken()))
def test_a_damaged_file_is_refused_whole(data: bytes) -> None:
    with pytest.raises(OperatorFault, match=r"router\.json"):
        read_router(data)
