"""How likely a local model is good enough: its measured ability, less the question's difficulty. Pure.

Rasch's model (Probabilistic Models, 1960): the logit of a right answer is ability minus difficulty. Ability
is what the model's capability card says of the kind of task; difficulty is what the router says of this
question beside others of its kind. What was not measured counts as not known to be possible.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from wicket.minis.capability import CapabilityCard, KindScore
from wicket.minis.confidence import Z_95, interval
from wicket.minis.correction import Correction, corrected
from wicket.minis.kinds import kind_of
from wicket.minis.question import Question
from wicket.minis.router import Reading, Router, chance, read
from wicket.minis.signals import signals

MEASURED_CHARACTERS = 6_000  # longer requests are in no suite, so nothing is known of them
_LEAST, _MOST = 0.005, 0.995  # no finite sample shows more


class Suitability(msgspec.Struct, frozen=True):
    """A judgement: the kind of task, and the chance that the local model is good enough."""

    kind: str
    chance: float


# docs/compact-model.md, "24 questions", temperature 0: right of asked. It is what is known of the built-in
# model before anybody measured it here.
BUILT_IN = "smollm2-135m-instruct"
BUILT_IN_KINDS = {
    "knowledge": KindScore(5, 6),
    "maths": KindScore(1, 3),
    "reasoning": KindScore(0, 2),
    "translation": KindScore(0, 1),
    "classification": KindScore(2, 2),
    "extraction": KindScore(1, 2),
    "code": KindScore(1, 2),
    "chat": KindScore(4, 6),
}


def known_kinds(card: CapabilityCard | None, label: str) -> Mapping[str, KindScore]:
    """The scores to go by: the card's, or for the built-in model those of its page; else none."""
    if card is not None:
        return card.kinds
    return BUILT_IN_KINDS if label == BUILT_IN else {}


def suitability(
    router: Router,
    kinds: Mapping[str, KindScore],
    question: Question,
    correction: Correction | None = None,
) -> Suitability:
    """Whether the local model should answer."""
    kind = kind_of(question)
    score = kinds.get(kind, KindScore(0, 0))
    if question.num_characters > MEASURED_CHARACTERS or score.num == 0 or not question.text:
        return Suitability(kind, 0.0)
    found = signals(question)
    logit = ability(score) - relative_difficulty(router, kind, read(router, found))
    if correction is not None:
        logit += corrected(router, correction, found)
    return Suitability(kind, chance(logit))


def ability(score: KindScore) -> float:
    """The logit of the share of right answers, at the lower end of its interval (Wilson 1927)."""
    low = interval(score.right, score.num, Z_95)[0]
    low = min(_MOST, max(_LEAST, low))
    return math.log(low / (1 - low))


def relative_difficulty(router: Router, kind: str, reading: Reading) -> float:
    """How much harder than others of its kind; the card's score already knows how hard the kind is."""
    return reading.difficulty - router.typical.get(kind, router.typical.get("", 0.0))
