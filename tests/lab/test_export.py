"""Exports: what the engine computes from the file is what the student computes."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

gguf = pytest.importorskip("gguf")
torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab import tiny_task  # noqa: E402
from tests.lab.tiny_decoder import decoder  # noqa: E402
from tests.unit.engines.checkpoints import HEADS, HIDDEN  # noqa: E402

from wicket.engines.checkpoints.gguf import read_gguf  # noqa: E402
from wicket.engines.checkpoints.llama import halves_from_pairs  # noqa: E402
from wicket.engines.checkpoints.opening import open_checkpoint, tokenizer  # noqa: E402
from wicket.engines.contract import Score, Scored  # noqa: E402
from wicket.errors import EngineFault  # noqa: E402
from wicket.lab.answering import answers, loaded  # noqa: E402
from wicket.lab.encode import PLAIN, Encoder  # noqa: E402
from wicket.lab.export_gguf import FORMATS, K_FORMATS, export_gguf, pairs_from_halves  # noqa: E402
from wicket.lab.llama import Llama, from_checkpoint  # noqa: E402

TOLERANCE = 5e-3  # nats between the engine and torch on what the file holds
TOKENS = [260, *b"hello there, do buy", 259, 97, 98, 261]


@pytest.fixture
def student(tmp_path: Path) -> Llama:
    return from_checkpoint(open_checkpoint(tiny_task.base(tmp_path)))


def scores(model: Llama, tokens: list[int]) -> list[float]:
    with torch.inference_mode():
        found = model(torch.tensor([tokens])).log_softmax(-1)[0]
    return [float(found[place - 1, token]) for place, token in enumerate(tokens) if place]


def difference(path: Path) -> float:
    """The largest, between the engine and torch, in nats."""
    with loaded(path, scheme="f32") as engine:
        engine.submit(Score(1, TOKENS))
        events = []
        while not engine.is_idle():
            events += engine.step()
    found = next(event for event in events if isinstance(event, Scored))
    engines = [entry.logprob for entry in found.logprobs[1:]]
    held = scores(from_checkpoint(open_checkpoint(path)), TOKENS)
    return float(np.abs(np.array(engines) - np.array(held)).max())


@pytest.mark.parametrize("scheme", FORMATS)
def test_the_engine_scores_what_the_file_holds(student: Llama, tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "model.gguf"
    export_gguf(student, tiny_task.base(tmp_path), path, scheme=scheme, template=PLAIN, name="tiny")
    assert difference(path) < TOLERANCE


@pytest.mark.parametrize("scheme", K_FORMATS)
def test_k_formats_hold_rows_of_256_and_other_rows_are_in_plainer_ones(tmp_path: Path, scheme: str) -> None:
    base, path = tiny_task.base(tmp_path), tmp_path / "model.gguf"
    sizes = {"num_layers": 1, "hidden": 256, "num_heads": 4, "num_kv_heads": 2, "head_size": 64, "ffn": 320}
    shape = msgspec.structs.replace(open_checkpoint(base).shape, **sizes)
    export_gguf(decoder(seed=3, shape=shape), base, path, scheme=scheme, template=PLAIN, name="wide")
    kinds = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(path).tensors}
    assert kinds["blk.0.attn_q.weight"] == kinds["blk.0.ffn_up.weight"] == scheme.upper()
    assert kinds["blk.0.ffn_down.weight"] == kinds["token_embd.weight"] == "Q8_0"
    assert difference(path) < TOLERANCE


def test_fewer_bits_hold_less(student: Llama, tmp_path: Path) -> None:
    path, base, errors = tmp_path / "model.gguf", tiny_task.base(tmp_path), {}
    for scheme in FORMATS:
        export_gguf(student, base, path, scheme=scheme, template=PLAIN, name="tiny")
        again = from_checkpoint(open_checkpoint(path))
        pairs = zip(student.parameters(), again.parameters(), strict=True)
        errors[scheme] = sum(float((one - other).detach().abs().sum()) for one, other in pairs)
    assert errors["f32"] == 0 < errors["f16"] < errors["q8_0"] < errors["q5_0"] < errors["q4_0"]


def test_plain_numbers_come_back_as_they_were(student: Llama, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    export_gguf(student, tiny_task.base(tmp_path), path, scheme="f32", template=PLAIN, name="tiny")
    again = from_checkpoint(open_checkpoint(path))
    assert again.shape == student.shape
    for (name, one), (other_name, other) in zip(
        student.named_parameters(), again.named_parameters(), strict=True
    ):
        assert name == other_name and torch.equal(one, other)


def test_vocabulary_and_template_go_along(student: Llama, tmp_path: Path) -> None:
    path, base = tmp_path / "model.gguf", tiny_task.base(tmp_path)
    export_gguf(student, base, path, scheme="q8_0", template=PLAIN, name="tiny")
    before, after = read_gguf(base).metadata, read_gguf(path).metadata
    kept = [key for key in before if key.startswith("tokenizer.") and key != "tokenizer.chat_template"]
    assert len(kept) > 4 and all(before[key] == after[key] for key in kept)
    assert after["tokenizer.chat_template"] == PLAIN
    assert tokenizer(path).encode("hello") == tokenizer(base).encode("hello")


def test_an_unknown_format_and_no_numbers_are_refused(student: Llama, tmp_path: Path) -> None:
    base = tiny_task.base(tmp_path)
    with pytest.raises(EngineFault, match="q4_0"):
        export_gguf(student, base, tmp_path / "m.gguf", scheme="q9", template=PLAIN, name="tiny")
    with torch.no_grad():
        student.top["norm"][3] = float("inf")
    with pytest.raises(EngineFault, match="no numbers"):
        export_gguf(student, base, tmp_path / "m.gguf", scheme="f16", template=PLAIN, name="tiny")
    assert not (tmp_path / "m.gguf").exists()


def test_pairs_and_halves_are_inverse() -> None:
    matrix = np.random.default_rng(0).standard_normal((HIDDEN, 3)).astype(np.float32)
    assert np.array_equal(
        halves_from_pairs(pairs_from_halves(matrix, HIDDEN // HEADS), HIDDEN // HEADS), matrix
    )


def test_answers_are_greedy_with_a_logprob_for_every_token(student: Llama, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    export_gguf(student, tiny_task.base(tmp_path), path, scheme="f32", template=PLAIN, name="tiny")
    encoder = Encoder(tokenizer(path))
    prompts = [encoder.prompt(text) for text, _ in tiny_task.requests(40, seed=3)]
    with loaded(path, scheme="f32") as engine:
        found = answers(engine, prompts, 5)
    assert len(found) == 40
    for prompt, answer in zip(prompts[:4], found[:4], strict=True):
        tokens = list(prompt)
        for logprob in answer.logprobs:
            with torch.inference_mode():
                row = student(torch.tensor([tokens])).log_softmax(-1)[0, -1]
            tokens.append(int(row.argmax()))
            assert logprob == pytest.approx(float(row.max()), abs=0.01)
        assert answer.is_complete == (tokens[-1] == encoder.end_id)
