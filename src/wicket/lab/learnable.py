"""Whether a mini would learn a group of requests, and what it saves: the rules of `discover.py`. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

# The share of requests that a mini takes at 95 % precision, until a training of the task itself says it: 0.6
# is a little less than was measured on restaurant8k's slots (0.64), 0.2 a guess; free text is not counted on.
ASSUMED = {"label": 0.6, "json": 0.6, "short": 0.2, "text": 0.0}
NEEDED = {"label": 500, "json": 1000, "short": 1000, "text": 1000}
NEEDED_PER_LABEL = 20
SHORT_CHARACTERS = 60
LEAST_VALID = 0.8
LEAST_AGREEING = 0.8
LEAST_REPEATS = 20  # fewer requests that were asked again say nothing of whether answers agree
LEAST_DAYS = 1.0  # less traffic says nothing of a month
MONTH_DAYS = 30.0
SHOWN_KEYS = 5


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """How regular a group's answers are. `entropy_bits` is of the answers' distribution.

    `valid` is the share that is not broken; `repeats_agree` the share of requests asked again that got the
    same answer, None where hardly any was asked again.
    """

    kind: str
    distinct: int
    entropy_bits: float
    valid: float
    repeats_agree: float | None
    labels: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    median_characters: int = 0


class Verdict(msgspec.Struct, frozen=True):
    """`code` is for programs: learnable, uncertain, unlikely, irregular, constant or too_few.

    `sort` is what the assumptions go by ("label", "json", "short", "text"), `needed` about how many requests
    it takes.
    """

    code: Literal["learnable", "uncertain", "unlikely", "irregular", "constant", "too_few"]
    text: str
    sort: str
    needed: int


class Measured(msgspec.Struct, frozen=True):
    """What a trained run of the task takes, from its report."""

    run: str
    share: float
    precision: float


class Saving(msgspec.Struct, frozen=True):
    """What a mini could save of a group's cost. `basis` says where `share` is from; None: not known."""

    share: float
    usd: float | None
    usd_per_month: float | None
    basis: str


def judge(answers: Answers, requests: int) -> Verdict:
    """The verdict on a group."""
    is_short = answers.median_characters <= SHORT_CHARACTERS and answers.distinct <= 0.8 * requests
    sort = answers.kind if answers.kind != "text" else "short" if is_short else "text"
    needed = max(NEEDED[sort], NEEDED_PER_LABEL * len(answers.labels))
    kind = _kind(answers, sort)
    if answers.kind == "label" and len(answers.labels) == 1:
        return Verdict("constant", f"always the same answer: {answers.labels[0][:60]!r}", sort, needed)
    if sort == "text":
        return Verdict("unlikely", "free text: a mini will rarely match", sort, needed)
    if answers.valid < LEAST_VALID:
        broken = f"{1 - answers.valid:.0%} of the answers are broken"
        return Verdict("irregular", f"{kind}: {broken}, so mend the prompt first", sort, needed)
    if answers.repeats_agree is not None and answers.repeats_agree < LEAST_AGREEING:
        same = f"only {answers.repeats_agree:.0%} of repeated requests get the same answer"
        return Verdict("irregular", f"{kind}: {same}", sort, needed)
    if requests < needed:
        return Verdict("too_few", f"{kind}: too few, {requests} of ~{needed} needed", sort, needed)
    if sort == "short":
        return Verdict("uncertain", f"{kind}: a training will show it", sort, needed)
    return Verdict("learnable", f"{kind}: learnable", sort, needed)


def saving(verdict: Verdict, cost_usd: float | None, days: float, measured: Measured | None) -> Saving:
    """What could be saved of a group's cost, from a run's measured share, else from `ASSUMED`."""
    if verdict.code in ("unlikely", "irregular"):
        share, basis = 0.0, "nothing is counted on"
    elif measured is not None:
        share = measured.share
        basis = (
            f"run {measured.run} takes {share:.0%} of its test requests at {measured.precision:.0%} precision"
        )
    else:
        share = ASSUMED[verdict.sort]
        basis = f"assuming that a mini takes {share:.0%} of such requests; a training measures it"
    usd = None if cost_usd is None else cost_usd * share
    month = None if usd is None or days < LEAST_DAYS else usd / days * MONTH_DAYS
    return Saving(share, usd, month, basis)


def _kind(answers: Answers, sort: str) -> str:
    if sort == "label":
        return f"label task with {len(answers.labels)} labels"
    if sort == "json":
        more = f" and {len(answers.keys) - SHOWN_KEYS} more" if len(answers.keys) > SHOWN_KEYS else ""
        return f"JSON task with the keys {', '.join(answers.keys[:SHOWN_KEYS])}{more}"
    return "short texts"
