"""Where a recorded stream is cut: recordings don't keep chunk borders, and a reader must not need them."""

from __future__ import annotations

import random

MAX_PIECES = 256


def pieces(data: bytes, seed: str) -> list[bytes]:
    """`data` cut at random positions, the same for the same seed: inside characters and frames as well."""
    if len(data) < 2:
        return [data] if data else []
    chance = random.Random(seed)  # noqa: S311  # reproducible, and no secret
    num_cuts = min(len(data) - 1, chance.randint(1, max(1, min(MAX_PIECES - 1, len(data) // 12))))
    cuts = sorted(chance.sample(range(1, len(data)), num_cuts))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
