"""Ability less difficulty: what a card, a router and feedback make of a request."""

import msgspec
import pytest

from wicket.errors import OperatorFault
from wicket.minis.capability import CapabilityCard, KindScore
from wicket.minis.correction import Correction, correction_name, read_correction
from wicket.minis.question import question_of
from wicket.minis.router import shipped
from wicket.minis.suitability import BUILT_IN, BUILT_IN_KINDS, MEASURED_CHARACTERS, known_kinds, suitability
from wicket.wire.json import encode

ROUTER = shipped()
PLAIN = question_of("What is the capital of France?")
HARD = question_of(
    "Let V be the set of all real polynomials p(x) with p(0) = p(1). Which of the following statements is "
    "NOT true of the derivative of x^3 - 2x^2 in V?\nA. It is 3x^2 - 4x\nB. It is 0 at x = 4/3\n"
    "C. Both A and B\nD. None"
)
ABLE = {kind: KindScore(14, 14) for kind in ("knowledge", "maths", "chat", "long")}


def correction(bias: float, weight: float = 0.0) -> Correction:
    weights = [weight] * len(ROUTER.names)
    return Correction(
        model="m", created_ms=1, names=ROUTER.names, weights=weights, bias=bias, num_feedback=30
    )


def test_a_better_measured_model_is_trusted_more() -> None:
    chances = [
        suitability(ROUTER, {"knowledge": KindScore(right, 14)}, PLAIN).chance for right in (0, 4, 8, 12, 14)
    ]
    assert chances == sorted(chances) and chances[0] < 0.1 and chances[-1] > 0.8


def test_the_same_share_of_more_cases_says_more() -> None:
    few, many = (suitability(ROUTER, {"knowledge": KindScore(n * 9, n * 10)}, PLAIN).chance for n in (1, 20))
    assert few < many


def test_a_harder_question_of_the_same_ability_is_less_likely_right() -> None:
    assert suitability(ROUTER, ABLE, HARD).kind == "maths"
    assert suitability(ROUTER, ABLE, HARD).chance < suitability(ROUTER, ABLE, PLAIN).chance


@pytest.mark.parametrize(
    "question",
    [
        question_of(""),
        question_of("Name the capital."[:9] * 1_000),
        question_of("Who?", MEASURED_CHARACTERS + 1),
    ],
)
def test_what_was_never_measured_is_not_for_the_local_model(question: object) -> None:
    assert suitability(ROUTER, ABLE, question).chance == 0.0  # type: ignore[arg-type]


def test_a_kind_without_a_score_is_refused_and_an_unknown_model_altogether() -> None:
    assert suitability(ROUTER, {"maths": KindScore(9, 9)}, PLAIN).chance == 0.0
    assert known_kinds(None, "some-other-model") == {}
    assert known_kinds(None, BUILT_IN) == BUILT_IN_KINDS
    card = CapabilityCard(model="m", created_ms=1, suite="s", kinds={"chat": KindScore(1, 2)})
    assert known_kinds(card, BUILT_IN) == card.kinds


def test_the_built_in_model_is_not_trusted_with_what_it_gets_wrong() -> None:
    for text in (
        "What is 17 + 25?",
        "Translate into French: Good morning.",
        "Ada is taller than Ben. Who is taller?",
    ):
        assert suitability(ROUTER, BUILT_IN_KINDS, question_of(text)).chance < 0.5, text


def test_feedback_moves_the_chance_either_way() -> None:
    before = suitability(ROUTER, ABLE, PLAIN).chance
    assert suitability(ROUTER, ABLE, PLAIN, correction(-1.0)).chance < before
    assert suitability(ROUTER, ABLE, PLAIN, correction(+1.0)).chance > before
    stale = msgspec.structs.replace(correction(-9.0), names=["other"], weights=[0.0])
    assert suitability(ROUTER, ABLE, PLAIN, stale).chance == before


def test_a_correction_is_read_back_or_refused() -> None:
    assert read_correction(encode(correction(0.5))) == correction(0.5)
    for data in (b"{}", b"[", encode(msgspec.structs.replace(correction(0.5), weights=[]))):
        with pytest.raises(OperatorFault):
            read_correction(data)
    assert correction_name("compact/../m").endswith(".feedback.json") and "/" not in correction_name(
        "compact/../m"
    )
