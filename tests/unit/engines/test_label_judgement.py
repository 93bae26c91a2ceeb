"""What a classifier's label is worth, by a mini's card."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.engines.mini_runs import card, write_run
from wicket.engines.checkpoints import locate
from wicket.engines.contract import Certainty, Classified
from wicket.engines.host import judgement
from wicket.engines.host.judgement import Ask, NotConfident, Verdict
from wicket.engines.host.request import Limits, chat
from wicket.errors import EngineFault
from wicket.minis.answers import AnswerShape
from wicket.minis.card import MiniCard
from wicket.minis.confidence import EVIDENCE, LABEL_EVIDENCE, Calibration, confidence, label_evidence
from wicket.minis.familiarity import familiarity, learn
from wicket.wire import json

LIMITS = Limits(context_tokens=64, vocab_size=300, max_logprobs=0)
SURE = Certainty(logprob=-0.1, margin=3.0, entropy=0.4, similarity=0.9)
TEXT = "where is my card"


def label_card(**changes: Any) -> MiniCard:
    fields: dict[str, Any] = {
        "engine": "label",
        "answers": AnswerShape("label", {}, ("card", "other"), 10),
        "max_input_tokens": 20,
        "max_output_tokens": 1,
        "calibration": Calibration(
            [-1.0, 1.0, -2.0, 0.5, -8.0], [2.0] * 5, [0.5, 1.0, 0.25, 2.0, 0.125], -0.5
        ),
        "familiarity": learn(["my card is lost"]),
    }
    return card(**(fields | changes))


def judge(found: Classified, made: MiniCard | None = None, **fields: Any) -> Verdict:
    body = json.encode({"messages": [{"role": "user", "content": TEXT}], **fields})
    return judgement.judge_label(made or label_card(), Ask(TEXT, chat(body)), found, LIMITS)


def classified(label: str = "card", count: int = 6, *certainties: Certainty) -> Classified:
    return Classified(1, [[(label, 0.9), ("other", 0.05)]], count, list(certainties or (SURE,)))


def test_both_kinds_of_evidence_are_as_long() -> None:
    assert len(EVIDENCE) == len(LABEL_EVIDENCE) == len(label_evidence(-0.1, 3.0, 0.4, 0.9, -5.0))


def test_confidence_follows_the_card() -> None:
    made = label_card()
    seen = [-0.1, 3.0, -0.4, 0.9, familiarity(made.familiarity, TEXT)]
    found = judge(classified())
    assert found == Verdict("card", confidence(made.calibration, seen)) and 0.5 < found.confidence < 1
    for worse in ({"logprob": -2.0}, {"margin": 0.5}, {"entropy": 2.0}, {"similarity": 0.2}):
        changed = {name: getattr(SURE, name) for name in SURE.__struct_fields__} | worse
        assert judge(classified("card", 6, Certainty(**changed))).confidence < found.confidence


def test_what_speaks_against_a_label() -> None:
    assert "unknown_label" in judge(classified("pirate")).why
    assert "no probability" in judge(classified("card", 6, Certainty(float("nan"), 1.0, 1.0, 1.0))).why
    assert "no probability" in judge(Classified(1, [[("card", 1.0)]], 6)).why
    assert "stop" in judge(classified(), stop=["ar"]).why
    assert "not JSON" in judge(classified(), response_format={"type": "json_object"}).why


@pytest.mark.parametrize(("count", "most"), [(21, 20), (64, 200), (70, 200)])
def test_long_texts_go_up(count: int, most: int) -> None:
    with pytest.raises(NotConfident, match="long"):
        judge(classified("card", count), label_card(max_input_tokens=most))
    assert judge(classified("card", min(most, 63)), label_card(max_input_tokens=most)).why == ""


def test_a_card_needs_labels_to_pick_from(tmp_path: Path) -> None:
    write_run(tmp_path, label_card(answers=AnswerShape("text", {}, (), 10)))
    with pytest.raises(EngineFault, match="whose answers are none"):
        locate.find("mini:slots", tmp_path)
    write_run(tmp_path, label_card())
    found = locate.find("mini:slots", tmp_path).mini
    assert found is not None and found.engine == "label"
