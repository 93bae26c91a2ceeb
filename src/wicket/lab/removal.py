"""What a step of curation leaves and what it takes out, as a value."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wicket.lab.examples import Sample


class Removal(msgspec.Struct, frozen=True):
    """`removed` come with the reason, in a word."""

    kept: list[Sample]
    removed: list[tuple[Sample, str]]


def newest_first(removed: Sequence[tuple[Sample, str]]) -> list[tuple[Sample, str]]:
    """The samples to show of a step: always the same ones."""
    return sorted(removed, key=lambda pair: (-pair[0].at_ms, pair[0].id))


def split_by(samples: Sequence[Sample], reasons: dict[int, str]) -> Removal:
    """Take out the samples at the places that have a reason."""
    kept = [sample for place, sample in enumerate(samples) if place not in reasons]
    removed = [(samples[place], reason) for place, reason in sorted(reasons.items())]
    return Removal(kept, removed)
