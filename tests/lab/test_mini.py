"""A mini from a log to a card, with a model that learns in seconds; and logs that must not become one."""

import json
import random
from pathlib import Path

import msgspec
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab import tiny_task  # noqa: E402

from wicket.errors import CallerFault, OperatorFault  # noqa: E402
from wicket.lab.__main__ import main  # noqa: E402
from wicket.lab.mini import Asked, make  # noqa: E402
from wicket.lab.mini_gate import Verdict  # noqa: E402
from wicket.minis.card import FILE_NAME, read_card  # noqa: E402
from wicket.minis.confidence import NEVER, floor_for_quality  # noqa: E402

NUM = 900


def asked(log: Path, base: Path, **changes: object) -> Asked:
    plain = Asked(
        task="wants", examples=str(log), base=str(base), scheme="f16", epochs=10, rate=3e-3, batch_size=16
    )
    return msgspec.structs.replace(plain, **changes)


def made(folder: Path, pairs: list[tuple[str, str]], **changes: object) -> Verdict:
    log = tiny_task.write_log(folder / "log.jsonl", pairs)
    return make(asked(log, tiny_task.base(folder), **changes), folder / "run", folder)


def failed(found: Verdict) -> set[str]:
    return {check.name for check in found.checks if not check.passed}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose gate passed."""
    folder = tmp_path_factory.mktemp("mini")
    found = made(folder, tiny_task.requests(NUM, seed=0))
    assert found.passed, found.checks
    return folder / "run"


def test_the_card_says_what_it_can_and_when(run: Path) -> None:
    card = read_card((run / FILE_NAME).read_bytes())
    assert (card.task, card.run, card.engine) == ("wants", "run", "generation")
    assert card.systems == (tiny_task.SYSTEM,) and card.answers.keys == {"do": ["string"]}
    assert 0 < floor_for_quality(card.calibration, 0.95) < NEVER
    assert card.calibration.num_validated == card.evaluation["test"]["num"]
    assert card.lineage["examples"] == NUM


def test_the_report_holds_the_gate_and_every_step(run: Path) -> None:
    report = json.loads((run / "report.json").read_bytes())
    assert report["gate"]["passed"] and report["kind"] == "mini" and report["data"]["leaked"] == 0
    assert report["scores"]["test"]["exact"] > 0.9
    assert report["training"]["export_difference"] < 0.1
    assert {"data", "reliability", "curve", "training", "asked", "machine"} <= report.keys()
    page = (run / "report.html").read_text()
    assert "Mini: wants" in page and "<script" not in page and page.count("<svg") >= 3


def test_a_finished_stage_is_not_done_again(run: Path) -> None:
    before = (run / "model.gguf").stat().st_mtime_ns
    state = json.loads((run / "run.json").read_bytes())
    del state["stages"]["calibrate"]
    (run / "run.json").write_text(json.dumps(state))
    found = make(asked(run.parent / "log.jsonl", run.parent / "base.gguf"), run, run.parent)
    assert found.passed and (run / "model.gguf").stat().st_mtime_ns == before


def test_another_question_needs_another_folder(run: Path) -> None:
    with pytest.raises(OperatorFault, match="another quality"):
        make(asked(run.parent / "log.jsonl", run.parent / "base.gguf", quality=0.9), run, run.parent)


def test_shuffled_answers_do_not_pass_the_gate(tmp_path: Path) -> None:
    pairs = tiny_task.requests(NUM, seed=1)
    answers = [answer for _, answer in pairs]
    random.Random(1).shuffle(answers)
    found = made(
        tmp_path, [(text, answer) for (text, _), answer in zip(pairs, answers, strict=True)], epochs=3
    )
    assert not found.passed and {"floor", "share", "better_than_guessing"} <= failed(found)
    assert json.loads((tmp_path / "run" / "report.json").read_bytes())["floor"] is None


def test_garbage_answers_do_not_pass_the_gate(tmp_path: Path) -> None:
    chance = random.Random(2)
    pairs = [
        (text, "".join(chance.choices("abcdefgh ", k=12))) for text, _ in tiny_task.requests(400, seed=2)
    ]
    found = made(tmp_path, pairs, epochs=1)
    assert not found.passed and "floor" in failed(found)


def test_a_log_of_its_own_evaluation_teaches_nothing(tmp_path: Path) -> None:
    pairs = tiny_task.requests(400, seed=3)
    judge = tiny_task.write_log(tmp_path / "judge.jsonl", pairs)
    with pytest.raises(CallerFault, match="at least 300 are needed"):
        made(tmp_path, pairs, evaluate=str(judge))


def test_one_answer_in_ten_is_poison_and_is_not_learned(tmp_path: Path) -> None:
    """What is not recognised stays among the judges, so the quality that can be proved is a lower one."""
    chance = random.Random(4)
    poison = ['{"do": "HACKED"}', "I'm sorry, I can't help with that.", "{}", '{"do": 7}']
    pairs = [
        (text, chance.choice(poison) if number % 10 == 0 else answer)
        for number, (text, answer) in enumerate(tiny_task.requests(NUM, seed=4))
    ]
    found = made(tmp_path, pairs, quality=0.85)
    report = json.loads((tmp_path / "run" / "report.json").read_bytes())
    steps = {step["name"]: step["num_removed"] for step in report["data"]["curation"]["steps"]}
    assert steps["broken_answers"] >= 30
    lines = (tmp_path / "run" / "data" / "train.jsonl").read_text()
    assert '\\"do\\"' in lines and "sorry" not in lines and '"answer":"{}"' not in lines
    assert found.passed, found.checks
    answers = (tmp_path / "run" / "data" / "answers-test.jsonl").read_text()
    assert "HACKED" not in answers and "greet" in answers


def test_ten_examples_are_refused_with_what_is_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tiny_task.write_log(tmp_path / "log.jsonl", tiny_task.requests(10, seed=5))
    words = [
        "mini",
        "--task",
        "wants",
        "--examples",
        str(log),
        "--out",
        str(tmp_path / "run"),
        "--home",
        str(tmp_path),
    ]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "10 examples" in said and "at least 300 are needed" in said


def test_a_quality_that_can_not_be_proved_takes_nothing(tmp_path: Path) -> None:
    found = made(tmp_path, tiny_task.requests(400, seed=6), quality=1.0, epochs=1)
    assert "floor" in failed(found)


def test_two_tasks_in_one_log_are_learned_side_by_side(tmp_path: Path) -> None:
    """Their system prompts tell them apart, though the answers have other forms."""
    pairs = tiny_task.requests(NUM, seed=7)
    log = tiny_task.write_log(tmp_path / "log.jsonl", pairs)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines[::2]:
        line["messages"][0]["content"] = "Is it a greeting?"
        is_greeting = "greet" in line["messages"][-1]["content"]
        line["messages"][-1]["content"] = json.dumps({"greeting": is_greeting})
    log.write_text("\n".join(map(json.dumps, lines)) + "\n")
    found = make(asked(log, tiny_task.base(tmp_path), epochs=12), tmp_path / "run", tmp_path)
    card = read_card((tmp_path / "run" / FILE_NAME).read_bytes())
    assert card.systems == ("Is it a greeting?", tiny_task.SYSTEM)
    assert card.answers.keys == {"do": ["string"], "greeting": ["boolean"]}
    assert found.passed, found.checks
