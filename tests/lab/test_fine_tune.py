"""Fine-tuning: it learns, it goes on after an interruption, it stops when there is nothing to gain."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab import tiny_task  # noqa: E402

from wicket.engines.checkpoints.opening import open_checkpoint, tokenizer  # noqa: E402
from wicket.lab.encode import IGNORED, Encoded, Encoder, batches, collate  # noqa: E402
from wicket.lab.llama import Llama, from_checkpoint  # noqa: E402
from wicket.lab.saves import FILE_NAME  # noqa: E402
from wicket.lab.techniques.fine_tune import Plan, Training, token_losses  # noqa: E402

PLAN = Plan(epochs=4, batch_size=8, rate=3e-3, save_every_s=0.0)


class Interrupted(Exception):
    """What a kill would be."""


@pytest.fixture
def samples(tmp_path: Path) -> list[Encoded]:
    encoder = Encoder(tokenizer(tiny_task.base(tmp_path)))
    return [encoder.sample(text, answer) for text, answer in tiny_task.requests(120, seed=0)]


def student(folder: Path) -> Llama:
    return from_checkpoint(open_checkpoint(tiny_task.base(folder)))


def mean_loss(model: Llama, samples: list[Encoded]) -> float:
    with torch.inference_mode():
        return float(token_losses(model, *collate(samples)).mean())


def test_targets_stand_where_the_token_before_them_is() -> None:
    ids, targets = collate([Encoded([5, 6], [7, 8]), Encoded([9], [4])])
    assert ids.tolist() == [[5, 6, 7, 8], [9, 4, 0, 0]]
    assert targets.tolist() == [[IGNORED, 7, 8, IGNORED], [4, IGNORED, IGNORED, IGNORED]]


def test_batches_hold_every_sample_once_in_another_order_each_time() -> None:
    lengths = [number % 7 for number in range(100)]
    one, other = batches(lengths, 8, seed=1), batches(lengths, 8, seed=2)
    assert sorted(index for batch in one for index in batch) == list(range(100))
    assert one != other and one == batches(lengths, 8, seed=1)


def test_it_learns_what_it_is_shown(tmp_path: Path, samples: list[Encoded]) -> None:
    model = student(tmp_path)
    before = mean_loss(model, samples)
    trained = Training(model, samples, PLAN).run()
    assert trained.steps == 4 * 15 and trained.num_samples == 4 * 120 and trained.stopped == "epochs"
    assert mean_loss(model, samples) < 0.5 * before
    assert trained.curve[-1][1] < trained.curve[0][1]


def test_an_interrupted_training_goes_on_where_it_was(tmp_path: Path, samples: list[Encoded]) -> None:
    whole = student(tmp_path)
    Training(whole, samples, PLAN).run()
    calls = 0

    def interrupt(share: float, words: str) -> None:
        nonlocal calls
        calls += 1
        if calls == 25:
            raise Interrupted

    first = Training(student(tmp_path), samples, PLAN, tmp_path)
    with pytest.raises(Interrupted):
        first.run(interrupt)
    assert (tmp_path / FILE_NAME).exists()
    resumed = student(tmp_path)
    trained = Training(resumed, samples, PLAN, tmp_path).run()
    assert trained.steps == 60 and trained.num_samples == 480
    # Moments are saved in bfloat16, so the ends are alike, not equal.
    assert mean_loss(resumed, samples) == pytest.approx(mean_loss(whole, samples), abs=0.05)


def test_a_damaged_save_is_as_none(tmp_path: Path, samples: list[Encoded]) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"\x08\0\0\0\0\0\0\0{garbage")
    trained = Training(student(tmp_path), samples, Plan(epochs=1, batch_size=40), tmp_path).run()
    assert trained.steps == 3


def test_samples_can_be_left_out_after_the_first_epoch(tmp_path: Path, samples: list[Encoded]) -> None:
    seen: list[float] = []

    def choose(losses: list[float]) -> frozenset[int]:
        seen.extend(losses)
        return frozenset(range(100))

    trained = Training(student(tmp_path), samples, Plan(epochs=3, batch_size=10)).run(choose=choose)
    assert len(seen) == 120 and all(loss > 0 for loss in seen)
    assert trained.num_samples == 120 + 2 * 20


def test_a_wrong_answer_stands_out_by_its_loss(tmp_path: Path, samples: list[Encoded]) -> None:
    encoder = Encoder(tokenizer(tiny_task.base(tmp_path)))
    wrong = [encoder.sample(text, "zzzzzz") for text, _ in tiny_task.requests(126, seed=0)[120:]]
    training = Training(student(tmp_path), [*samples, *wrong], Plan(epochs=6, batch_size=8, rate=3e-3))
    training.run()
    losses = training.losses.of
    assert sorted(losses[120:])[1] > sorted(losses[:120])[110]


def test_a_time_limit_ends_it(tmp_path: Path, samples: list[Encoded]) -> None:
    trained = Training(student(tmp_path), samples, Plan(epochs=10_000, minutes=0.02)).run()
    assert trained.stopped == "minutes" and trained.seconds < 30


def test_a_loss_that_is_no_number_stops_it(tmp_path: Path, samples: list[Encoded]) -> None:
    model = student(tmp_path)
    with torch.no_grad():
        model.top["norm"][0] = float("nan")
    with pytest.raises(FloatingPointError, match="after 0 steps"):
        Training(model, samples, PLAN).run()
