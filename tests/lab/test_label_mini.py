"""Label minis: the encoder in torch against engine and transformers, and trainings that learn and resume."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.engines import encoders
from tests.unit.engines.checkpoints import Weights

from wicket.engines import minilm
from wicket.engines.contract import Embed, Embedded
from wicket.errors import CallerFault, EngineFault

torch = pytest.importorskip("torch")

from wicket.lab import label_mini  # noqa: E402
from wicket.lab.bert import with_layers, with_words  # noqa: E402
from wicket.lab.encoder_folder import read_base, word_pieces  # noqa: E402
from wicket.lab.label_mini import Small, answer, evidence_of, fit, mean_logits, usual_plan  # noqa: E402
from wicket.lab.mini_data import Lesson  # noqa: E402
from wicket.lab.techniques.fine_tune_encoder import (  # noqa: E402
    EncoderTraining,
    Labelled,
    Plan,
    centroids,
    vectors_of,
)
from wicket.lab.techniques.trim_vocabulary import kept_pieces, trimmed  # noqa: E402
from wicket.minis.confidence import LABEL_EVIDENCE  # noqa: E402

SUBJECTS = ["my card", "a card", "my account", "a account", "my cards", "my accounts"]
PHRASES = {
    "lost": ["{} is lost", "lost {}"],
    "open": ["open {}", "{} is open"],
    "other": ["is {}", "ha {} ha"],
}
LESSONS = [
    Lesson(f"{label} {index}", phrase.format(subject), label)
    for index, subject in enumerate(SUBJECTS[:5])
    for label, phrases in PHRASES.items()
    for phrase in phrases
]
UNSEEN = [(phrase.format(SUBJECTS[5]), label) for label, some in PHRASES.items() for phrase in some]
QUICK = Plan(epochs=12, batch_size=8, rate=2e-3, head_rate=2e-2, smoothing=0.0, decay=1.0)


def bare(seed: int = 1) -> Weights:
    weights = encoders.random_weights(seed)
    return {name: tensor for name, tensor in weights.items() if not name.startswith("classifier.")}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoders.write_encoder(tmp_path_factory.mktemp("base"), bare())


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    folder = tmp_path_factory.mktemp("fitted")
    made = fit(folder, base, LESSONS, QUICK)
    assert made.export_difference < 0.02 and not made.suspected
    assert made.trained.stopped == "epochs" and made.trained.num_samples == 12 * len(LESSONS)
    assert made.trained.curve[-1][1] < made.trained.curve[0][1] / 2
    assert made.bytes == (folder / "model" / "model.safetensors").stat().st_size
    return folder


def num_right(folder: Path) -> int:
    found = answer(folder, [text for text, _ in UNSEEN])
    return sum(picked.text == label for picked, (_, label) in zip(found, UNSEEN, strict=True))


def test_vectors_are_those_of_a_plain_forward(base: Path) -> None:
    weights, ids = bare(), [[2, 4, 5, 6, 7, 3], [2, 9, 5, 3], [2, 3]]
    found = vectors_of(read_base(base).encoder(), ids, is_exact=True)
    expected = np.stack([encoders.forward(weights, each) for each in ids])
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_the_engine_says_what_torch_says(fitted: Path) -> None:
    texts = [lesson.shown for lesson in LESSONS]
    model = read_base(fitted / "model")
    encoder = model.encoder()
    pieces = word_pieces(model.tokenizer)
    with torch.no_grad():
        ours = vectors_of(encoder, [each.ids for each in pieces.encode_batch(texts)], is_exact=True)
    engine = minilm.load(fitted / "model", threads=1, cache_dir=None, scheme="f32")
    engine.submit(Embed(1, texts))
    events = [event for _ in range(10) for event in engine.step()]
    engine.close()
    [event] = events
    assert isinstance(event, Embedded)
    np.testing.assert_allclose(np.array(event.vectors), ours.numpy(), atol=1e-4)


def test_transformers_reads_the_encoder(fitted: Path) -> None:
    transformers = pytest.importorskip("transformers")
    path = fitted / "model"
    theirs = transformers.AutoModel.from_pretrained(path, dtype=torch.float32, add_pooling_layer=False).eval()
    assert theirs.config.id2label == dict(enumerate(sorted(PHRASES)))
    ids = word_pieces(read_base(path).tokenizer).encode("my card is lost").ids
    with torch.no_grad():
        mean = theirs(torch.tensor([ids])).last_hidden_state[0].mean(0)
    ours = vectors_of(read_base(path).encoder(), [ids], is_exact=True)[0]
    torch.testing.assert_close(mean / mean.norm(), ours, atol=1e-5, rtol=0)


def test_it_learns(fitted: Path) -> None:
    assert num_right(fitted) == len(UNSEEN)
    [picked] = answer(fitted, ["my account is lost"])
    assert len(evidence_of(picked, -3.0)) == len(LABEL_EVIDENCE) and picked.certainty.logprob > -0.5
    assert not list((fitted / "training").rglob("*.safetensors"))


class Interrupted(Exception):
    """The power went out."""


def test_an_interrupted_training_goes_on(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(**{name: getattr(QUICK, name) for name in QUICK.__struct_fields__} | {"save_every_s": 0.0})
    shares: list[float] = []

    class Watched(label_mini.Progress):
        is_cut = True

        def at(self, share: float, words: str = "") -> None:
            shares.append(share)
            if self.is_cut and share > 0.5:
                raise Interrupted

    monkeypatch.setattr(label_mini, "Progress", Watched)
    with pytest.raises(Interrupted):
        fit(tmp_path, base, LESSONS, plan)
    assert not (tmp_path / "model").exists()
    Watched.is_cut = False
    before = len(shares)
    made = fit(tmp_path, base, LESSONS, plan)
    assert shares[before] >= 0.45 and len(shares) - before < before * 1.2
    assert made.trained.num_samples == 12 * len(LESSONS)
    assert num_right(tmp_path) >= len(UNSEEN) - 1


def test_a_finished_training_with_averages_comes_back_the_same(tmp_path: Path, base: Path) -> None:
    base_folder = read_base(base)
    texts = word_pieces(base_folder.tokenizer).encode_batch([lesson.shown for lesson in LESSONS])
    labels = sorted(PHRASES)
    samples = [
        Labelled(each.ids, labels.index(lesson.answer)) for each, lesson in zip(texts, LESSONS, strict=True)
    ]
    plan = msgspec.structs.replace(QUICK, average=0.5)

    def trained(save: Path | None, plan: Plan) -> Any:
        torch.manual_seed(3)
        model = base_folder.encoder(3)
        EncoderTraining(model, samples, plan, save).run()
        return model

    mean, again = (trained(tmp_path, plan).state_dict() for _ in range(2))
    last = trained(None, QUICK).state_dict()
    assert all(torch.equal(mean[name], again[name]) for name in mean)
    assert not torch.allclose(mean["layers.0.inner.weight"], last["layers.0.inner.weight"])
    fitted = trained(None, msgspec.structs.replace(plan, end="fitted")).state_dict()
    assert not torch.allclose(fitted["head.weight"], mean["head.weight"])
    torch.testing.assert_close(fitted["layers.0.inner.weight"], mean["layers.0.inner.weight"])


def test_classifiers_are_mixed_by_their_probabilities() -> None:
    one, other = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([[0.0, 3.0, 9.0]])
    mixed = mean_logits([one, other], [0.7, 0.3]).softmax(-1)
    torch.testing.assert_close(mixed, 0.7 * one.softmax(-1) + 0.3 * other.softmax(-1))


def test_a_small_one_is_taught_by_the_untouched_encoder_too(tmp_path: Path, base: Path) -> None:
    made = fit(tmp_path, base, LESSONS, QUICK, Small(layers=(1,), pieces=0, frozen=0.4, plan=QUICK))
    assert made.export_difference < 0.02 and num_right(tmp_path) >= len(UNSEEN) - 1


def test_a_small_one_keeps_what_it_learned(tmp_path: Path, base: Path) -> None:
    small = Small(layers=(1,), pieces=0, plan=QUICK)
    made = fit(tmp_path, base, LESSONS, QUICK, small)
    whole = read_base(base).encoder(3)
    assert made.num_parameters < whole.num_parameters() * 0.7
    assert num_right(tmp_path) >= len(UNSEEN) - 1
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["num_hidden_layers"] == 1 and config["vocab_size"] < len(encoders.PIECES)


def test_doubtful_lessons_are_left_out(tmp_path: Path, base: Path) -> None:
    poisoned = [*LESSONS, Lesson("poison", "my card is lost", "open")]
    seen: list[float] = []

    def last(losses: list[float]) -> frozenset[int]:
        seen.extend(losses)
        return frozenset([len(losses) - 1])

    made = fit(tmp_path, base, poisoned, QUICK, None, last)
    assert made.suspected == ("poison",) and len(seen) == len(poisoned)
    assert all(0 < loss < 20 for loss in seen)
    assert made.trained.num_samples == len(poisoned) + 11 * len(LESSONS)
    assert num_right(tmp_path) == len(UNSEEN)


def test_time_runs_out(tmp_path: Path, base: Path) -> None:
    plan = Plan(epochs=100_000, batch_size=8, minutes=0.01)
    made = fit(tmp_path, base, LESSONS, plan)
    assert made.trained.stopped == "minutes" and answer(tmp_path, ["my card"])[0].text in PHRASES


def test_one_answer_is_nothing_to_learn(tmp_path: Path, base: Path) -> None:
    with pytest.raises(CallerFault, match="one answer"):
        fit(tmp_path, base, [Lesson("1", "a card", "x"), Lesson("2", "a", "x")], QUICK)


@pytest.mark.parametrize("kind", ["missing", "shape", "pickle", "numbers", "other"])
def test_bases_that_can_not_be_used(tmp_path: Path, kind: str) -> None:
    weights, changes = bare(), {}
    name = "encoder.layer.1.output.dense.weight"
    if kind == "missing":
        del weights[name]
    elif kind == "shape":
        weights[name] = weights[name][:, :5]
    elif kind == "numbers":
        weights[name] = weights[name] * np.float32("nan")
    elif kind == "other":
        changes["model_type"] = "roberta"
    folder = encoders.write_encoder(tmp_path / "base", weights, **changes)
    if kind == "pickle":
        torch.save({"weight": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(EngineFault):
        fit(tmp_path, folder, LESSONS, QUICK)


def test_trimmed_vocabularies_spell_what_they_lost(base: Path) -> None:
    tokenizer = read_base(base).tokenizer
    kept = kept_pieces(tokenizer, {4, 5}, 0)
    small = word_pieces(trimmed(tokenizer, kept))
    whole = word_pieces(tokenizer)
    assert small.encode("my card").tokens == whole.encode("my card").tokens
    assert whole.encode("lost").tokens == ["[CLS]", "lost", "[SEP]"]
    assert small.encode("head").tokens == ["[CLS]", "h", "##e", "##a", "##d", "[SEP]"]
    assert [small.token_to_id(token) for token in ("[PAD]", "[CLS]", "[SEP]")] == [0, 2, 3]
    assert len(kept_pieces(tokenizer, {4, 5}, len(kept) + 2)) == len(kept) + 2
    with pytest.raises(EngineFault, match="word pieces"):
        kept_pieces({"model": {"type": "BPE", "vocab": {}}}, (), 10)


def test_smaller_encoders_are_parts_of_the_larger(base: Path) -> None:
    model = read_base(base).encoder(2)
    same = with_words(with_layers(model, [0, 1]), list(range(len(encoders.PIECES))))
    ids = [[2, 4, 5, 3]]
    torch.testing.assert_close(vectors_of(same, ids), vectors_of(model, ids))
    few = with_words(model, [2, 3, 4, 5])
    torch.testing.assert_close(vectors_of(few, [[0, 2, 3, 1]]), vectors_of(model, ids))
    middle = centroids(torch.eye(3), [0, 0, 2], 4)
    torch.testing.assert_close(middle.norm(dim=1), torch.tensor([1.0, 0.0, 1.0, 0.0]))


def test_few_lessons_are_seen_more_often() -> None:
    epochs = [usual_plan(num).epochs for num in (0, 30, 2_000, 4_000, 100_000)]
    assert epochs == [20, 20, 5, 3, 3] and usual_plan(9, minutes=2.0, seed=5).minutes == 2.0


def test_lessons_are_balanced() -> None:
    counts: Any = Counter(lesson.answer for lesson in LESSONS)
    assert len(LESSONS) == 30 and set(counts.values()) == {10}
