"""Vocabularies of byte-level BPE cut down: of a task, and of the checkpoint that a recipe halves."""

import gzip
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab import tiny_decoder  # noqa: E402

from wicket.engines.checkpoints.locate import find  # noqa: E402
from wicket.engines.checkpoints.opening import tokenizer  # noqa: E402
from wicket.engines.checkpoints.tokenizer import Tokenizer  # noqa: E402
from wicket.errors import EngineFault  # noqa: E402
from wicket.lab.encode import Encoder  # noqa: E402
from wicket.lab.techniques.trim_tokens import Words, kept_tokens, parts_of, trimmed  # noqa: E402
from wicket.lab.vocabulary import copy_vocabulary, pieces_vocabulary  # noqa: E402
from wicket.lab.vocabulary_trim import keep_rows, rows_kept, trim_vocabulary  # noqa: E402

ROOT = Path(__file__).parents[2]
TASK = ROOT / "examples" / "demo" / "tldr" / "train.jsonl.gz"
STRANGE = (
    "antidisestablishmentarianism",
    "Zażółć gęślą jaźń, 漢字 und 🎉",
    " \t\n\n  indented\r\n",
    "1234567890 --option=value | tee 'a b' && !?",
    "<|im_start|>system",
)
SMALL = Words(
    ["<end>", "a", "b", "c", "d", "ab", "cd", "abc", "abcd", "bc"],
    [3, *[1] * 9],
    ["a b", "c d", "ab c", "ab cd", "b c"],
)


def test_a_token_keeps_what_it_is_merged_from() -> None:
    # "abcd" is a+b, c+d, ab+cd: "abc" is not on the way
    assert parts_of("abcd", {merge: rank for rank, merge in enumerate(SMALL.merges)}) == {"abcd", "ab", "cd"}
    assert kept_tokens(SMALL, [8], 0) == [0, 1, 2, 3, 4, 5, 6, 8]


def test_the_rest_is_filled_by_rank() -> None:
    assert kept_tokens(SMALL, [], 7) == [0, 1, 2, 3, 4, 5, 6]
    assert kept_tokens(SMALL, [9], 7) == [0, 1, 2, 3, 4, 5, 9]
    assert kept_tokens(SMALL, [], 100) == list(range(10))


def test_no_merge_of_what_is_gone_stays() -> None:
    found = trimmed(SMALL, [0, 1, 2, 3, 4, 6])
    assert found == Words(["<end>", "a", "b", "c", "d", "cd"], [3, 1, 1, 1, 1, 1], ["c d"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vocabulary of SmolLM2."""
    path = tmp_path_factory.mktemp("words") / "whole.gguf"
    copy_vocabulary(path, find("smollm2-135m-instruct", path.parent).path)
    return path


@pytest.fixture(scope="module")
def samples() -> list[tuple[str, str]]:
    with gzip.open(TASK) as file:
        rows = [json.loads(line)["messages"] for line in file]
    return [(row[0]["content"], row[1]["content"]) for row in rows[:600]]


def ids_of(words: Tokenizer, samples: list[tuple[str, str]]) -> list[list[int]]:
    encoded = [Encoder(words).sample(request, answer) for request, answer in samples]
    return [[*each.prompt, *each.answer] for each in encoded]


@pytest.fixture(scope="module")
def small(whole: Path, samples: list[tuple[str, str]]) -> Path:
    seen = {token for ids in ids_of(tokenizer(whole), samples) for token in ids}
    path = whole.with_name("small.gguf")
    trim_vocabulary(path, whole, seen, 4_096)
    return path


def test_a_task_is_cut_as_before(whole: Path, small: Path, samples: list[tuple[str, str]]) -> None:
    rows = rows_kept(whole, small)
    assert len(rows) == 4_096 == tokenizer(small).vocab_size and rows == sorted(set(rows))
    now = [[rows[token] for token in ids] for ids in ids_of(tokenizer(small), samples)]
    assert now == ids_of(tokenizer(whole), samples)


@pytest.mark.parametrize("text", STRANGE)
def test_any_text_comes_back(whole: Path, small: Path, text: str) -> None:
    words = tokenizer(small)
    ids = words.encode(text, special=False)
    assert words.decode(ids) == text
    assert len(ids) >= len(tokenizer(whole).encode(text, special=False))


def test_control_tokens_and_ends_stay(whole: Path, small: Path) -> None:
    before, after = tokenizer(whole), tokenizer(small)
    assert after.special_tokens.keys() == before.special_tokens.keys()
    rows = rows_kept(whole, small)
    assert [rows[end] for end in after.eos_ids] == before.eos_ids
    assert rows[after.special_tokens["<|im_end|>"]] == before.special_tokens["<|im_end|>"]
    ids = after.encode("<|im_start|>user\nls<|im_end|>")
    assert ids[0] == after.special_tokens["<|im_start|>"] and ids[-1] == after.special_tokens["<|im_end|>"]


def test_a_model_keeps_the_rows_of_its_tokens() -> None:
    model = tiny_decoder.decoder()
    before = model.top["embed"].detach().clone()
    ids = torch.tensor([[3, 1, 2]])
    with torch.no_grad():
        logits = model(ids)
        keep_rows(model, [0, 5, 9, 20])
        after = model(torch.tensor([[3, 1, 2]]))
    assert model.shape.vocab_size == 4 and after.shape == (1, 3, 4)
    assert torch.equal(model.top["embed"].detach(), before[[0, 5, 9, 20]])
    assert logits.shape == (1, 3, tiny_decoder.VOCABULARY)
    with pytest.raises(EngineFault, match="has only 4 tokens"):
        keep_rows(model, [0, 4])


def test_pieces_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pieces.gguf"
    pieces_vocabulary(path, ROOT / "tests" / "data" / "stories260K" / "tok512.bin")
    with pytest.raises(EngineFault, match="byte-level BPE"):
        trim_vocabulary(tmp_path / "small.gguf", path, [], 300)
