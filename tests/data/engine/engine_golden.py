"""What torch said about each prompt, and how far another engine is from it. Needs nothing but Python."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
# A choice that torch itself makes by less than this (in nats) is a tie that rounding may turn.
NEAR_TIE = 0.1


@dataclass(frozen=True)
class Case:
    """`top`: (id, natural-log probability) of the next token, best first; `margins`: gap to the second."""

    name: str
    text: str
    ids: list[int]
    greedy: list[int]
    greedy_text: str
    margins: list[float]
    top: list[tuple[int, float]]


@dataclass(frozen=True)
class Verdict:
    """Shares are in 0..1 over the cases; divergences in nats. `clear` leaves torch's own near ties out."""

    cases: int
    first_token: float
    first_token_clear: float
    prefix: float
    whole: float
    kl_mean: float | None
    kl_max: float | None


def cases(path: Path = HERE / "smollm2_golden.json") -> list[Case]:
    """The cases that have a prompt of at least one token."""
    rows = json.loads(path.read_text("utf-8"))["cases"]
    return [Case(**(row | {"top": [(i, v) for i, v in row["top"]]})) for row in rows if row["ids"]]


def divergence(case: Case, logprobs: Mapping[int, float]) -> float:
    """KL(torch || engine) in nats over torch's top tokens that the engine names, and one bin for all others.

    Merging tokens into one bin can only lower the true divergence.
    """
    ours = [(math.exp(v), v, logprobs[i]) for i, v in case.top if i in logprobs]
    rest = max(1e-9, 1.0 - sum(p for p, _, _ in ours))
    other = max(1e-9, 1.0 - sum(math.exp(q) for _, _, q in ours))
    return sum(p * (v - q) for p, v, q in ours) + rest * (math.log(rest) - math.log(other))


def same_prefix(expected: Sequence[int], got: Sequence[int]) -> int:
    """How many tokens agree before the first that differs."""
    for n, (a, b) in enumerate(zip(expected, got, strict=False)):
        if a != b:
            return n
    return min(len(expected), len(got))


def verdict(
    answers: Sequence[tuple[Case, Sequence[int]]], distances: Sequence[float] | None = None
) -> Verdict:
    """Judge greedy continuations, and next-token divergences where the engine gives log-probabilities."""
    prefixes = [same_prefix(case.greedy, got) for case, got in answers]
    first = [n > 0 for n in prefixes]
    clear = [hit for hit, (case, _) in zip(first, answers, strict=True) if case.margins[0] >= NEAR_TIE]
    return Verdict(
        cases=len(answers),
        first_token=sum(first) / len(first),
        first_token_clear=sum(clear) / len(clear) if clear else 1.0,
        prefix=sum(prefixes) / sum(len(case.greedy) for case, _ in answers),
        whole=sum(n == len(case.greedy) for n, (case, _) in zip(prefixes, answers, strict=True))
        / len(answers),
        kl_mean=sum(distances) / len(distances) if distances else None,
        kl_max=max(distances) if distances else None,
    )
