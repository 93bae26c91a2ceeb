"""lm-evaluation-harness over an exported file: its numbers are the engine's own; without it, what to do."""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab import tiny_task  # noqa: E402

from wicket.engines.checkpoints.opening import tokenizer  # noqa: E402
from wicket.engines.contract import Score, Scored  # noqa: E402
from wicket.errors import OperatorFault  # noqa: E402
from wicket.lab import harness  # noqa: E402
from wicket.lab.answering import loaded  # noqa: E402

ROWS = [
    {"text": "the cat sat", "choices": ["on the mat", "in the sea"], "label": 0},
    {"text": "two and two", "choices": ["are five", "are four"], "label": 1},
    {"text": "a dog", "choices": ["barks", "meows"], "label": 0},
]
TASK = """task: {name}
dataset_path: json
dataset_kwargs:
  data_files: {{test: rows.jsonl}}
test_split: test
output_type: {kind}
"""
CHOICE = """doc_to_text: "{{text}}"
doc_to_choice: "{{choices}}"
doc_to_target: label
metric_list:
  - metric: acc
"""
SAID = """doc_to_text: "{{text}}"
doc_to_target: "{{choices[label]}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 4}
metric_list:
  - metric: exact_match
"""
WHOLE = """doc_to_text: ""
doc_to_target: "{{text}}"
metric_list:
  - metric: word_perplexity
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_task.base(tmp_path)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    for name, kind, rest in (
        ("chosen", "multiple_choice", CHOICE),
        ("spoken", "generate_until", SAID),
        ("whole", "loglikelihood_rolling", WHOLE),
    ):
        (tmp_path / f"{name}.yaml").write_text(TASK.format(name=name, kind=kind) + rest)
    return tmp_path


def logprobs(path: Path, text: str, start: int) -> float:
    """Of a text's tokens from `start` on, asked of the engine directly."""
    with loaded(path, scheme="f32") as engine:
        engine.submit(Score(1, tokenizer(path).encode(text, special=False)))
        events = []
        while not engine.is_idle():
            events += engine.step()
    [scored] = [event for event in events if isinstance(event, Scored)]
    return sum(entry.logprob for entry in scored.logprobs[start:])


def test_its_figures_are_what_the_engine_says(folder: Path) -> None:
    pytest.importorskip("lm_eval")
    path = folder / "base.gguf"
    asked = harness.Asked(tasks=["chosen", "spoken", "whole"], folder=folder, arithmetic="f32")
    found = {scores.task: scores for scores in harness.evaluate(path, asked)}
    right = 0
    for row in ROWS:
        size = len(tokenizer(path).encode(str(row["text"]), special=False))
        said = [logprobs(path, f"{row['text']} {choice}", size) for choice in row["choices"]]  # type: ignore[attr-defined]
        right += said.index(max(said)) == row["label"]
    assert found["chosen"].figures["acc,none"] == pytest.approx(right / len(ROWS))
    assert found["chosen"].num == len(ROWS) and found["whole"].figures["word_perplexity,none"] > 1
    assert found["spoken"].figures["exact_match,none"] == 0.0
    limited = harness.evaluate(path, harness.Asked(tasks=["chosen"], folder=folder, limit=1))
    assert limited[0].num == 1
    with pytest.raises(OperatorFault, match="has no task other; there are: chosen, spoken, whole"):
        harness.evaluate(path, harness.Asked(tasks=["other"], folder=folder))


def test_without_the_package_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(OperatorFault, match="pip install lm-eval, or leave it out"):
        harness.evaluate(folder / "base.gguf", harness.Asked(tasks=["chosen"], folder=folder))
