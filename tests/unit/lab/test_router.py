"""Learning a router: the solver, the trees, what is never seen, the figures, and feedback."""

import csv
import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from wicket.errors import CallerFault
from wicket.lab import router as command
from wicket.lab.router_data import Results, read_feedback, read_results
from wicket.lab.router_feedback import fit_correction
from wicket.lab.router_figures import (
    baselines,
    brier,
    calibration_error,
    figures,
    folds_of,
    leave_subjects_out,
)
from wicket.lab.router_fit import Recipe, chances, fit_linear, fit_router
from wicket.lab.router_report import rounded
from wicket.minis.capability import KindScore
from wicket.minis.correction import read_correction
from wicket.minis.question import question_of
from wicket.minis.router import read, read_router, shipped
from wicket.minis.signals import signals
from wicket.minis.suitability import known_kinds, suitability
from wicket.wire.json import encode

SAMPLE = Path(__file__).parents[2] / "data" / "router"
QUICK = Recipe(num_trees=6, least_rows=10, ridge=30.0)
EASY, HARD = "Who wrote the play Hamlet?", "What is 17 + 25 * 3 - 4?"


@pytest.fixture(scope="module")
def sample() -> Results:
    return read_results(SAMPLE)


def test_the_sample_is_read_as_it_was_published(sample: Results) -> None:
    assert sample.values.shape == (240, len(sample.names)) and len(set(sample.subjects.tolist())) == 8
    assert sample.models == ("mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview")
    assert 0.5 < sample.small.mean() < sample.large.mean() < 0.9


@pytest.mark.parametrize("line", ["question only", "q,True", "q,True,yes", "q,1,0"])
def test_other_files_are_refused_by_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.csv").write_text(f"prompt,small,large\nfine,True,False\n{line}\n")
    with pytest.raises(CallerFault, match=r"a\.csv:3"):
        read_results(tmp_path)
    with pytest.raises(CallerFault, match="no CSV"):
        read_results(tmp_path / "nothing")


def test_newtons_method_finds_the_weights_that_made_the_labels() -> None:
    random = np.random.default_rng(3)
    matrix = random.normal(size=(20_000, 3))
    truth = 1 / (1 + np.exp(-(matrix @ [1.0, -2.0, 0.0] + 0.5)))
    labels = (random.random(20_000) < truth).astype(float)
    weights, bias = fit_linear(matrix, labels, np.zeros(20_000), 1.0)
    assert np.allclose(weights, [1.0, -2.0, 0.0], atol=0.1) and abs(bias - 0.5) < 0.1


def test_separable_labels_do_not_run_away() -> None:
    matrix = np.array([[-1.0], [1.0]] * 20)
    weights, bias = fit_linear(matrix, np.array([0.0, 1.0] * 20), np.zeros(40), 0.1)
    assert np.isfinite(weights).all() and weights[0] > 1 and abs(bias) < 1e-6


def test_the_pure_reader_says_what_the_fit_says(sample: Results) -> None:
    router = read_router(encode(rounded(fit_router(sample, QUICK))))
    small, large = chances(router, sample.values)
    for row in range(0, 240, 17):
        said = read(router, dict(zip(sample.names, sample.values[row], strict=True)))
        assert math.isclose(said.small, small[row], abs_tol=1e-9)
        assert math.isclose(said.large, large[row], abs_tol=1e-9)
    assert router.source.num_subjects == 8 and router.source.sha256 == sample.sha256


def test_the_same_seed_makes_the_same_router(sample: Results) -> None:
    first, again = (encode(fit_router(sample, QUICK)) for _ in range(2))
    assert first == again
    assert first != encode(fit_router(sample, msgspec.structs.replace(QUICK, seed=1)))


def test_trees_learn_what_no_line_can(sample: Results) -> None:
    values = np.random.default_rng(1).normal(size=(2_000, len(sample.names)))
    xor = (values[:, 0] > 0) ^ (values[:, 1] > 0)
    subjects = np.array(["a"] * 2_000)
    kinds = ["chat"] * 2_000
    planted = msgspec.structs.replace(
        sample, values=values, small=xor, large=~xor, subjects=subjects, kinds=kinds
    )
    recipe = Recipe(num_trees=80, depth=3, rate=0.3, row_share=1.0, signal_share=0.3)
    assert brier(chances(fit_router(planted, recipe), values)[0], xor) < 0.2


def test_whole_subjects_are_left_out(sample: Results) -> None:
    fold = folds_of(sample.subjects, 4, 5)
    for name in set(sample.subjects.tolist()):
        assert len(set(fold[sample.subjects == name].tolist())) == 1
    assert np.bincount(fold).tolist() == [60] * 4


def test_what_is_said_of_a_subject_does_not_depend_on_its_own_answers(sample: Results) -> None:
    said = leave_subjects_out(sample, QUICK, 4, 0)
    for number in range(4):
        held = said.fold == number
        turned = msgspec.structs.replace(
            sample,
            small=np.where(held, ~sample.small, sample.small),
            large=np.where(held, ~sample.large, sample.large),
        )
        again = leave_subjects_out(turned, QUICK, 4, 0)
        assert np.array_equal(again.small[held], said.small[held])
        assert np.array_equal(again.large[held], said.large[held])
        assert not np.array_equal(again.small[~held], said.small[~held])


def test_figures_by_hand() -> None:
    small = np.array([True, True, False, False, True, False, False, False, True, True])
    large = np.array([True, True, True, True, True, True, True, True, True, False])
    best = figures(large.astype(float) - small, small, large)  # 5 right become 10 of 9 + 1
    assert best.calls == 0.4 and best.cpt50 == 0.2 and best.cpt80 == 0.4
    worst = figures(small.astype(float) - large, small, large)
    assert worst.calls == 1.0 and worst.cpt50 == 0.8
    assert (best.apgr, worst.apgr) == pytest.approx((0.925, 0.075))


def test_a_perfect_score_beats_every_baseline(sample: Results) -> None:
    found = dict(baselines(sample))
    assert found["oracle"].calls < found["oracle of subjects"].calls <= found["random"].calls
    assert abs(found["random"].apgr - 0.5) < 0.1


def test_calibration_error_is_zero_only_for_honest_chances() -> None:
    right = np.random.default_rng(0).random(20_000) < 0.7
    assert calibration_error(np.full(20_000, 0.7), right) < 0.02
    assert calibration_error(np.full(20_000, 0.9), right) > 0.15


def feedback_file(folder: Path, num: int) -> Path:
    path = folder / "feedback.jsonl"
    lines = [
        {"messages": [{"role": "user", "content": f"{text} ({number})"}], "score": score}
        for number in range(num)
        for text, score in ((EASY, 1.0), (HARD, 0.0))
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    return path


def test_feedback_teaches_what_this_model_can_do(tmp_path: Path) -> None:
    kinds = {kind: KindScore(7, 14) for kind in ("knowledge", "maths")}
    router = read_router(encode(fit_router(read_results(SAMPLE), QUICK)))
    correction, said = fit_correction(router, kinds, read_feedback(feedback_file(tmp_path, 40)), "m", 1)
    before = {text: suitability(router, kinds, question_of(text)).chance for text in (EASY, HARD)}
    after = {text: suitability(router, kinds, question_of(text), correction).chance for text in (EASY, HARD)}
    assert after[EASY] > max(0.8, before[EASY]) and after[HARD] < min(0.3, before[HARD])
    assert said["brier_after"] < said["brier_before"] and said["feedback"] == 80


def exported(deployment: str, score: float | None, *turns: str) -> str:
    roles = ("user", "assistant")
    messages = [{"role": roles[at % 2], "content": text} for at, text in enumerate(turns)]
    return json.dumps({"messages": messages, "meta": {"id": "r", "deployment": deployment, "score": score}})


def test_an_export_is_feedback_on_the_model_that_answered(tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    lines = [
        exported("compact/m", 1.0, "One?", "Yes."),
        exported("compact/m", None, "Nobody said.", "Yes."),
        exported("mine/large", 0.0, "Another.", "Yes."),
        exported("compact/m", 0.0, "First.", "An answer.", "And now?", "A long answer. " * 50),
    ]
    path.write_text("\n".join(lines))
    found = read_feedback(path, "compact/m")
    assert found.scores == [1.0, 0.0]
    assert [(one.text, one.num_characters) for one in found.questions] == [("One?", 4), ("And now?", 24)]


def test_what_does_not_help_is_not_put_in_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, path = "compact/smollm2-135m-instruct", tmp_path / "f.jsonl"
    chance = suitability(shipped(), known_kinds(None, model.rpartition("/")[2]), question_of(EASY)).chance
    line = {"messages": [{"role": "user", "content": EASY}], "score": chance}
    path.write_text("\n".join([json.dumps(line)] * 20))
    assert command.main(["feedback", str(path), "--model", model, "--home", str(tmp_path)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["out"] is None and not (tmp_path / "capabilities").exists()


@pytest.mark.parametrize(
    "line",
    [
        '{"messages": [], "score": 1}',
        '{"messages": [{"role": "user", "content": "x"}], "score": 2}',
        '{"messages": [{"role": "user", "content": [{"type": "image_url"}]}], "score": 1}',
        '{"score": 1}',
        "nonsense",
    ],
)
def test_bad_feedback_is_refused_by_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": "x"}], "score": 1}\n\n' + line)
    with pytest.raises(CallerFault, match=r"f\.jsonl:3"):
        read_feedback(path)


def test_the_command_fits_scores_and_takes_feedback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "router.json"
    assert command.main(["fit", str(SAMPLE), "--out", str(out), "--seed", "3"]) == 0
    capsys.readouterr()
    assert command.main(["score", str(SAMPLE), "--router", str(out)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["same_source"] is True and report["rows"] == 240
    assert report["router"]["calls"] < report["baselines"]["random"]["calls"]
    feedback = str(feedback_file(tmp_path, 15))
    taking = ["feedback", feedback, "--model", "compact/smollm2-135m-instruct", "--home", str(tmp_path)]
    assert command.main(taking) == 0
    written = Path(json.loads(capsys.readouterr().out)["out"])
    assert read_correction(written.read_bytes()).num_feedback == 30 and written.parent.name == "capabilities"
    assert command.main(["feedback", str(feedback_file(tmp_path, 5)), *taking[2:]]) == 1
    assert "20 are the least" in capsys.readouterr().err


def test_the_command_says_what_is_wrong_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["score", str(tmp_path)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_signals_of_the_sample_are_those_of_the_requests(sample: Results) -> None:
    path = sorted(SAMPLE.glob("*.csv"))[0]
    with path.open(newline="", encoding="utf-8") as file:
        prompt = list(csv.reader(file))[1][0]
    assert list(signals(question_of(prompt)).values()) == sample.values[0].tolist()
