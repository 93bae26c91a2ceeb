"""A label mini from a log to a card, with strangers of its own making, on a tiny encoder."""

import json
import random
from pathlib import Path

import msgspec
import pytest
from tests.unit.engines import encoders

torch = pytest.importorskip("torch")

from tests.lab import tiny_task  # noqa: E402

from wicket.errors import CallerFault  # noqa: E402
from wicket.lab.calibrate import calibrate  # noqa: E402
from wicket.lab.mini import Asked, make, parse  # noqa: E402
from wicket.lab.mini_data import lessons_of  # noqa: E402
from wicket.lab.strangers import LEAST_LABELS, ONE_IN, counted, held_labels, weight_of  # noqa: E402
from wicket.minis.card import FILE_NAME, read_card  # noqa: E402

NUM = 480
KEYS = "bcdefghijklm"
FILLERS = [*encoders.WORDS[:7], *"nopqrstuvwxyz"]


def log_of(folder: Path, keys: str = KEYS) -> Path:
    """A letter among other words decides the label; a rare one is once in training and once in the test."""
    chance = random.Random(0)
    pairs: dict[str, str] = {"a loan my bank is": "rare"}
    while len(pairs) < NUM:
        key = chance.choice(keys)
        words = [*chance.sample(FILLERS, 3), key, key]
        chance.shuffle(words)
        pairs[" ".join(words)] = f"kind {key}"
    pairs["my account is lost"] = "rare"
    return tiny_task.write_log(folder / "log.jsonl", list(pairs.items()))


def asked(folder: Path, **changes: object) -> Asked:
    weights = encoders.random_weights(1)
    bare = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier.")}
    base = encoders.write_encoder(folder / "base", bare)
    plain = Asked(task="kinds", examples=str(log_of(folder)), base=str(base), quality=0.5, least_train=200)
    return msgspec.structs.replace(plain, **changes)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    make(asked(folder), folder / "run", folder)
    return folder / "run"


def test_it_learns_the_labels_of_the_task_and_no_others(run: Path) -> None:
    card = read_card((run / FILE_NAME).read_bytes())
    config = json.loads((run / "model" / "config.json").read_text())
    assert card.engine == "label" and card.answers.labels == tuple(f"kind {key}" for key in KEYS)
    assert list(config["id2label"].values()) == list(card.answers.labels)
    assert any(lesson.answer == "rare" for lesson in lessons_of(run, "train"))
    assert card.evaluation["test"]["exact"] > 0.5


def test_strangers_are_what_another_training_was_not_taught(run: Path) -> None:
    card, report = read_card((run / FILE_NAME).read_bytes()), json.loads((run / "report.json").read_text())
    lessons = lessons_of(run, "train")
    held = held_labels(card.answers.labels, 0)
    num = sum(lesson.answer in held for lesson in lessons)
    assert len(held) == len(KEYS) // ONE_IN and num > 10
    lines = (run / "data" / "answers-strangers.jsonl").read_text().splitlines()
    met = [json.loads(line) for line in lines]
    assert len(met) == num == report["scores"]["strangers"]["num"]
    assert all(each["expected"] in held and each["answer"] not in held for each in met)
    assert report["scores"]["strangers"]["right"] == 0
    validated = report["scores"]["validation"]["num"]
    assert card.calibration.num_validated == counted(validated, num, 0.08) > validated
    assert card.evaluation["strangers"] == 0.08
    assert not (run / "rehearsal").exists()


def test_few_labels_are_taken_for_all_there_are(tmp_path: Path) -> None:
    wanted = asked(tmp_path)
    log_of(tmp_path, KEYS[:3])
    make(wanted, tmp_path / "run", tmp_path)
    card = read_card((tmp_path / "run" / FILE_NAME).read_bytes())
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["scores"]["strangers"] is None and card.evaluation["strangers"] == 0.0
    assert card.calibration.num_validated == report["scores"]["validation"]["num"]


def test_labels_held_back() -> None:
    labels = [f"l{number}" for number in range(LEAST_LABELS)]
    assert held_labels(labels[1:], 0) == frozenset()
    assert held_labels(labels, 3) == held_labels(labels[::-1], 3) < frozenset(labels)
    assert len(held_labels(labels, 3)) == LEAST_LABELS // ONE_IN
    assert len({held_labels(labels, seed) for seed in range(20)}) > 1


def test_strangers_weigh_their_share() -> None:
    weight = weight_of(300, 60, 0.1)
    assert 60 * weight / (300 + 60 * weight) == pytest.approx(0.1)
    assert counted(300, 60, 0.1) == 334 and counted(300, 0, 0.1) == 300 and weight_of(300, 0, 0.1) == 0.0


def test_calibration_by_weight_is_calibration_by_number() -> None:
    chance = random.Random(1)
    rows = [[chance.gauss(0, 1), chance.gauss(0, 1)] for _ in range(200)]
    right = [row[0] + chance.gauss(0, 1) > -1 for row in rows]
    twice = calibrate(rows * 2, right * 2, 400)
    weighted = calibrate(rows, right, 400, [2.0] * 200)
    assert weighted.weights == pytest.approx(twice.weights) and weighted.bias == pytest.approx(twice.bias)


@pytest.mark.parametrize("share", ["-0.1", "0.6", "nan"])
def test_a_share_of_strangers_that_makes_no_sense(share: str) -> None:
    words = ["--task", "t", "--examples", "e", "--out", "o", "--home", "h", f"--strangers={share}"]
    with pytest.raises(CallerFault, match="--strangers"):
        parse(words)
