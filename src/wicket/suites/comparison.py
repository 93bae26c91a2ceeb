"""What a comparison comes to: answers in, one document out. Pure.

The unit is the case. With several answers per case and model (repeats), a case's share of right answers is
what counts, so that repeats make a case's share more exact and never make the cases more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import msgspec

from wicket.minis.confidence import interval
from wicket.minis.paired import bootstrap, difference, mcnemar, quantile
from wicket.suites.case import Case

VERSION = 1
ALPHA = 0.05  # the p-value below which one model counts as worse than another
_HALF = 0.5
_NANOS = 1e9


class Answered(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One answer of one model to one case; a line of `answers.jsonl`.

    `asked` is the hash of what was sent, `judged` that of how `right` and `score` were found. `error` is the
    fault's code; such an answer is wrong. Times are the client's, in ms; the cost is the ledger's, in
    nano-USD, None where it is unknown. `judge_nanos` is what judging it cost.
    """

    case: str
    asked: str
    model: str
    repeat: int = 0
    created_ms: int = 0
    text: str = ""
    finish_reason: str = ""
    error: str = ""
    message: str = ""
    first_token_ms: float | None = None
    total_ms: float = 0.0
    tokens_per_s: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanos: int | None = None
    request_id: str = ""
    deployment: str = ""
    judged: str = ""
    right: bool = False
    score: float = 0.0
    why: str = ""
    judge_nanos: int = 0

    @property
    def is_right(self) -> bool:
        """Whether it counts as right."""
        return self.right and not self.error


class Spread(msgspec.Struct, frozen=True):
    """The middle and the slow end; None where nothing was measured."""

    p50: float | None = None
    p95: float | None = None


class ModelResult(msgspec.Struct, kw_only=True):
    """One model. Errors are among the wrong answers and shown apart; times leave them out.

    `memory_bytes` and `cpu_s` are those of a local model's processes; `energy_j` is estimated from `cpu_s`.
    """

    model: str
    deployments: list[str]
    right: int
    num: int
    share: float
    interval: tuple[float, float]
    score: float
    missing: int
    errors: int
    error_codes: dict[str, int]
    cost_usd: float | None
    first_token_ms: Spread
    total_ms: Spread
    tokens_per_s: Spread
    input_tokens: int
    output_tokens: int
    memory_bytes: int | None = None
    cpu_s: float | None = None
    energy_j: float | None = None


class PairResult(msgspec.Struct, frozen=True):
    """`b` less `a` over the `num` cases that both answered: the difference of shares, McNemar's p-value."""

    a: str
    b: str
    num: int
    difference: float
    interval: tuple[float, float]
    p_value: float
    only_a: int
    only_b: int


class KindResult(msgspec.Struct, frozen=True):
    """One model's answers to one kind of case."""

    right: int
    num: int
    share: float
    interval: tuple[float, float]


class Comparison(msgspec.Struct, kw_only=True):
    """The document of `wicket compare --json` and `report.json`. `stopped` says why answers are missing."""

    version: int = VERSION
    created_ms: int
    suite: str
    cases: int
    repeats: int
    settings: dict[str, Any]
    stopped: str = ""
    spent_usd: float
    judge_usd: float
    models: list[ModelResult]
    pairs: list[PairResult]
    kinds: dict[str, dict[str, KindResult]]
    machine: dict[str, Any] = {}


def model_results(models: Sequence[str], answers: Sequence[Answered], expected: int) -> list[ModelResult]:
    """Each model's row; `expected` is how many answers each would have."""
    return [_model(model, [one for one in answers if one.model == model], expected) for model in models]


def pair_results(models: Sequence[str], answers: Sequence[Answered], baseline: str = "") -> list[PairResult]:
    """Every pair, or each other model against the baseline."""
    pairs = (
        [(baseline, model) for model in models if model != baseline] if baseline else combinations(models, 2)
    )
    shares = {model: case_shares(answers, model) for model in models}
    return [_pair(a, b, shares) for a, b in pairs]


def kind_results(
    models: Sequence[str], answers: Sequence[Answered], cases: Sequence[Case]
) -> dict[str, dict[str, KindResult]]:
    """By kind, then by model; cases without a kind are left out."""
    kind_of = {case.id: case.kind for case in cases}
    found: dict[str, dict[str, KindResult]] = {}
    for kind in dict.fromkeys(case.kind for case in cases if case.kind):
        for model in models:
            these = [one for one in answers if one.model == model and kind_of.get(one.case) == kind]
            right = sum(one.is_right for one in these)
            ends = _ends(these)
            share = right / len(these) if these else 0.0
            found.setdefault(kind, {})[model] = KindResult(right, len(these), share, ends)
    return found


def case_shares(answers: Sequence[Answered], model: str) -> dict[str, float]:
    """Each case's share of right answers."""
    right: dict[str, list[bool]] = {}
    for one in answers:
        if one.model == model:
            right.setdefault(one.case, []).append(one.is_right)
    return {case: sum(found) / len(found) for case, found in right.items()}


def worse(pair: PairResult) -> bool:
    """Whether `b` is significantly worse than `a`: the exact test says so at the level `ALPHA`."""
    return pair.difference < 0 and pair.p_value < ALPHA


def _model(model: str, answers: Sequence[Answered], expected: int) -> ModelResult:
    good = [one for one in answers if not one.error]
    right = sum(one.is_right for one in answers)
    costs = [one.cost_nanos for one in answers]
    known = [cost for cost in costs if cost is not None]
    num = len(answers)
    return ModelResult(
        model=model,
        deployments=sorted({one.deployment for one in good if one.deployment}),
        right=right,
        num=num,
        share=right / num if num else 0.0,
        interval=_ends(answers),
        score=sum(one.score for one in good) / num if num else 0.0,
        missing=expected - num,
        errors=num - len(good),
        error_codes=dict(Counter(one.error for one in answers if one.error)),
        cost_usd=sum(known) / _NANOS if len(known) == len(costs) else None,
        first_token_ms=_spread([one.first_token_ms for one in good]),
        total_ms=_spread([one.total_ms for one in good]),
        tokens_per_s=_spread([one.tokens_per_s for one in good]),
        input_tokens=sum(one.input_tokens for one in answers),
        output_tokens=sum(one.output_tokens for one in answers),
    )


def _ends(answers: Sequence[Answered]) -> tuple[float, float]:
    """The interval of a share: Wilson's; by the bootstrap over cases where cases were asked repeatedly."""
    shares = list(case_shares(answers, answers[0].model).values()) if answers else []
    if len(shares) == len(answers):
        return interval(sum(one.is_right for one in answers), len(answers))
    return bootstrap(shares)


def _pair(a: str, b: str, shares: Mapping[str, Mapping[str, float]]) -> PairResult:
    both = [case for case in shares[a] if case in shares[b]]
    first, second = [shares[a][case] for case in both], [shares[b][case] for case in both]
    found = difference(first, second)
    split = mcnemar([x > _HALF for x in first], [x > _HALF for x in second])
    ends = (found.low, found.high)
    return PairResult(a, b, found.num, found.mean, ends, split.p_value, split.only_first, split.only_second)


def _spread(values: Sequence[float | None]) -> Spread:
    known = sorted(value for value in values if value is not None)
    return Spread(round(quantile(known, 0.5), 3), round(quantile(known, 0.95), 3)) if known else Spread()
