"""Labels from an encoder with a head, against a plain forward pass; heads that can't be used."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.engines import encoders
from tests.unit.engines.checkpoints import Weights
from wicket.engines import minilm
from wicket.engines.contract import (
    Classified,
    Classify,
    Embed,
    Embedded,
    Engine,
    Event,
    Generate,
    Refused,
)
from wicket.errors import EngineFault

IDS = {
    "my card is lost": [2, 4, 5, 6, 7, 3],
    "Open accounts": [2, 8, 10, 11, 3],
    "a card": [2, 9, 5, 3],
}


@pytest.fixture(scope="module")
def weights() -> Weights:
    return encoders.random_weights()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, weights: Weights) -> Iterator[Engine]:
    folder = encoders.write_encoder(tmp_path_factory.mktemp("bert"), weights)
    made = minilm.load(folder, threads=1, cache_dir=None, scheme="f32")
    yield made
    made.close()


def run(engine: Engine, *commands: Classify | Embed | Generate) -> Sequence[Event]:
    for command in commands:
        engine.submit(command)
    events: list[Event] = []
    while not engine.is_idle():
        events += engine.step()
    return events


def classified(engine: Engine, texts: list[str], top: int = 0) -> Classified:
    (event,) = run(engine, Classify(1, texts, top))
    assert isinstance(event, Classified)
    return event


def test_labels_are_those_of_a_plain_forward(engine: Engine, weights: Weights) -> None:
    found = classified(engine, list(IDS))
    assert found.prompt_tokens == sum(map(len, IDS.values()))
    for ids, labels, certainty in zip(IDS.values(), found.labels, found.certainties, strict=True):
        vector = encoders.forward(weights, ids)
        logits = vector @ weights["classifier.weight"].T + weights["classifier.bias"]
        chances = np.exp(logits) / np.exp(logits).sum()
        order = np.argsort(-chances)
        assert [label for label, _ in labels] == [encoders.LABELS[index] for index in order]
        np.testing.assert_allclose([chance for _, chance in labels], chances[order], atol=1e-5)
        best, second = chances[order[:2]]
        assert certainty.logprob == pytest.approx(math.log(best), abs=1e-4)
        assert certainty.margin == pytest.approx(math.log(best / second), abs=1e-4)
        assert certainty.entropy == pytest.approx(-(chances * np.log(chances)).sum(), abs=1e-4)
        likeness = float(vector @ weights["classifier.centroids"][order[0]])
        assert certainty.similarity == pytest.approx(likeness, abs=1e-4)


@pytest.mark.parametrize(("scheme", "tolerance"), [("f16", 1e-2), ("int8", 0.1), ("int8_g64", 0.1)])
def test_other_schemes_are_near(tmp_path: Path, weights: Weights, scheme: str, tolerance: float) -> None:
    folder = encoders.write_encoder(tmp_path / "bert", weights)
    made = minilm.load(folder, threads=1, cache_dir=None, scheme=scheme)
    assert made.capabilities().scheme == scheme
    found = classified(made, list(IDS))
    made.close()
    for ids, certainty in zip(IDS.values(), found.certainties, strict=True):
        logits = encoders.forward(weights, ids) @ weights["classifier.weight"].T + weights["classifier.bias"]
        best = float((logits - np.log(np.exp(logits).sum())).max())
        assert certainty.logprob == pytest.approx(best, abs=tolerance)


def test_schemes_by_what_is_asked_of_them(tmp_path: Path, weights: Weights) -> None:
    folder = encoders.write_encoder(tmp_path / "bert", weights)
    made = minilm.load(folder, threads=1, cache_dir=None)
    assert made.capabilities().scheme == minilm.LABEL_SCHEME
    made.close()
    with pytest.raises(EngineFault, match="int3"):
        minilm.load(folder, threads=1, cache_dir=None, scheme="int3")


def test_batches_keep_the_order_of_the_texts(engine: Engine) -> None:
    texts = [text * (1 + index % 3) for index, text in enumerate([*IDS, "", "ha ha", "?"] * 30)]
    together = classified(engine, texts, 1)
    alone = {text: classified(engine, [text], 1) for text in set(texts)}
    for text, labels, certainty in zip(texts, together.labels, together.certainties, strict=True):
        single = alone[text]
        assert labels[0][0] == single.labels[0][0][0]
        assert certainty.logprob == pytest.approx(single.certainties[0].logprob, abs=1e-4)


def test_as_many_labels_as_asked(engine: Engine) -> None:
    assert [len(classified(engine, ["a card"], top).labels[0]) for top in (0, 1, 2, 9)] == [3, 1, 2, 3]
    assert classified(engine, []) == Classified(1, [], 0, [])


def test_what_it_says_of_itself(engine: Engine) -> None:
    known = engine.capabilities()
    assert known.verbs == ["embed", "classify"] and "labels: 3" in known.notes
    (event,) = run(engine, Embed(2, ["a card"]))
    assert isinstance(event, Embedded) and len(event.vectors[0]) == encoders.HIDDEN
    (refused,) = run(engine, Generate(3, [1], 4))
    assert isinstance(refused, Refused) and refused.code == "unsupported"


def test_an_encoder_without_a_head_only_embeds(tmp_path: Path, weights: Weights) -> None:
    bare = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier.")}
    made = minilm.load(encoders.write_encoder(tmp_path / "bare", bare), threads=1, cache_dir=None)
    assert made.capabilities().verbs == ["embed"]
    (refused,) = run(made, Classify(1, ["a"]))
    assert isinstance(refused, Refused) and refused.code == "unsupported"
    made.close()


NAMED = {str(index): label for index, label in enumerate(encoders.LABELS)}


@pytest.mark.parametrize(
    "changes",
    [
        {"classifier_pooling": "cls"},
        {"classifier_pooling": None},
        {"id2label": None},
        {"id2label": ["a", "b", "c"]},
        {"id2label": {"0": "a"}},
        {"id2label": {"0": "a", "1": "b"}},
        {"id2label": {"0": "a", "1": "b", "3": "c"}},
        {"id2label": {"0": "a", "1": "b", "2": "b"}},
        {"id2label": {"0": "a", "1": "b", "2": ""}},
        {"id2label": {"0": "a", "1": "b", "2": "c" * 300}},
        {"id2label": {"0": 1, "1": 2, "2": 3}},
        {"id2label": NAMED | {"3": "one too many"}},
    ],
)
def test_heads_without_usable_labels_are_refused(
    tmp_path: Path, weights: Weights, changes: dict[str, Any]
) -> None:
    folder = encoders.write_encoder(tmp_path / "odd", weights, **changes)
    with pytest.raises(EngineFault) as caught:
        minilm.load(folder, threads=1, cache_dir=None)
    assert caught.value.code == "bad_checkpoint"


@pytest.mark.parametrize("name", ["classifier.weight", "classifier.bias", "classifier.centroids"])
def test_damaged_heads_are_refused(tmp_path: Path, weights: Weights, name: str) -> None:
    spoilt = {"shape": weights[name][..., :2], "numbers": weights[name] * np.float32("nan")}
    if name != "classifier.weight":  # without that one there is no head at all
        spoilt["missing"] = weights[name][:0]
    for kind, tensor in spoilt.items():
        changed = {key: value for key, value in weights.items() if key != name}
        if kind != "missing":
            changed[name] = tensor
        folder = encoders.write_encoder(tmp_path / kind, changed)
        with pytest.raises(EngineFault, match=r"classifier") as caught:
            minilm.load(folder, threads=1, cache_dir=None)
        assert caught.value.code == "bad_checkpoint"
