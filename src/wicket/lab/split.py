"""Train, validation and test, by time and by group of requests: never by row alone. Pure.

Requests that are nearly equal, or equal but for their numbers, stay on one side, or a model would be tested
on what it was taught. The newest are for the test, those before them for validation, as in the
mini's own life.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from wicket.errors import CallerFault
from wicket.lab.duplicates import request_clusters
from wicket.lab.examples import Sample, digest
from wicket.lab.groups import Group
from wicket.lab.shingles import clusters, words

LEAST_TEMPLATE_WORDS = 5  # shorter texts that are equal but for numbers have nothing else in common
NEAR = 0.8
_NUMBER = re.compile(r"\d+")


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of validation and test (the rest is for training), and how many each part needs."""

    validation: float = 0.15
    test: float = 0.15
    least_train: int = 200
    least_validation: int = 50
    least_test: int = 50


DEFAULTS = Sizes()


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """The three parts, each the oldest first. `num_clusters` were kept together, the largest of so many."""

    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    test: tuple[Sample, ...]
    num_clusters: int
    largest_cluster: int


def split(
    samples: Sequence[Sample],
    groups: Sequence[Group],
    sizes: Sizes = DEFAULTS,
    near: float = NEAR,
) -> Split:
    """Deal the samples out. Their order makes no difference.

    Raises `CallerFault` `too_few_examples`, with how many there are and how many it takes; `bad_sizes`.
    """
    if min(sizes.validation, sizes.test) <= 0 or sizes.validation + sizes.test >= 1:
        raise CallerFault(
            "bad_sizes", "Shares of validation and test must be above 0 and leave some to train."
        )
    ordered = sorted(samples, key=lambda s: (s.at_ms, s.id, s.system, s.text, s.answer))
    if len(ordered) < needed(sizes):
        raise _too_few(len(ordered), sizes)
    members: dict[int, list[int]] = defaultdict(list)
    for place, cluster in enumerate(split_clusters(ordered, groups, near)):
        members[cluster].append(place)
    # A cluster stands where its middle member stands in time; the newest come first.
    queue = sorted(members.values(), key=lambda places: (-places[len(places) // 2], places))
    num_test = max(sizes.least_test, round(sizes.test * len(ordered)))
    num_validation = max(sizes.least_validation, round(sizes.validation * len(ordered)))
    test, queue = _take(queue, num_test)
    validation, queue = _take(queue, num_validation)
    train = sorted(place for places in queue for place in places)
    if (
        len(test) < sizes.least_test
        or len(validation) < sizes.least_validation
        or len(train) < sizes.least_train
    ):
        raise _too_alike(len(ordered), max(map(len, members.values())), sizes)
    return Split(
        train=tuple(ordered[place] for place in train),
        validation=tuple(ordered[place] for place in validation),
        test=tuple(ordered[place] for place in test),
        num_clusters=len(members),
        largest_cluster=max(map(len, members.values())),
    )


def split_clusters(samples: Sequence[Sample], groups: Sequence[Group], near: float = NEAR) -> list[int]:
    """For each sample the place of the first of those that must stay on its side."""
    first: dict[tuple[int, str], int] = {}
    pairs = list(enumerate(request_clusters(samples, groups, near)))
    for place, sample in enumerate(samples):
        found = words(groups[sample.group].bare(sample.text))
        if len(found) >= LEAST_TEMPLATE_WORDS:
            key = sample.group, _NUMBER.sub("0", " ".join(found))
            pairs.append((first.setdefault(key, place), place))
    return clusters(len(samples), pairs)


def check_split(found: Split, groups: Sequence[Group], near: float = NEAR) -> None:
    """Raises `CallerFault` `leaky_split` if requests that belong together are on two sides."""
    parts = [("train", found.train), ("validation", found.validation), ("test", found.test)]
    samples = [sample for _, part in parts for sample in part]
    names = [name for name, part in parts for _ in part]
    sides: dict[int, str] = {}
    for place, cluster in enumerate(split_clusters(samples, groups, near)):
        side = sides.setdefault(cluster, names[place])
        if side != names[place]:
            message = (
                f"Example {samples[place].id} ({names[place]}) is nearly the same as "
                f"{samples[cluster].id} ({side}): they must be on one side of the split."
            )
            raise CallerFault("leaky_split", message)


def needed(sizes: Sizes) -> int:
    """How many examples a split takes at least."""
    return sizes.least_train + sizes.least_validation + sizes.least_test


def manifest(found: Split) -> dict[str, Any]:
    """The split as a JSON document for a run's report: sizes, times and hashes of each part."""
    parts = {"train": found.train, "validation": found.validation, "test": found.test}
    return {
        "clusters": found.num_clusters,
        "largest_cluster": found.largest_cluster,
        **{
            name: {
                "examples": len(part),
                "oldest_ms": min((sample.at_ms for sample in part), default=0),
                "newest_ms": max((sample.at_ms for sample in part), default=0),
                "sha256": digest(part),
            }
            for name, part in parts.items()
        },
    }


def _take(queue: list[list[int]], wanted: int) -> tuple[list[int], list[list[int]]]:
    """Clusters from the front until there are enough; one that is too large for the part is left in place."""
    taken: list[int] = []
    left: list[list[int]] = []
    for places in queue:
        if len(taken) < wanted and len(taken) + len(places) <= 1.5 * wanted:
            taken += places
        else:
            left.append(places)
    return sorted(taken), left


def _too_few(num: int, sizes: Sizes) -> CallerFault:
    message = (
        f"There are {num} examples after curation, and at least {needed(sizes)} are needed "
        f"({sizes.least_train} to train, {sizes.least_validation} to validate, {sizes.least_test} to test): "
        "collect more."
    )
    return CallerFault("too_few_examples", message)


def _too_alike(num: int, largest: int, sizes: Sizes) -> CallerFault:
    message = (
        f"The {num} examples after curation can't be split without near copies on two sides: {largest} of "
        f"them are one cluster. At least {needed(sizes)} different ones are needed: collect more."
    )
    return CallerFault("too_few_examples", message)
