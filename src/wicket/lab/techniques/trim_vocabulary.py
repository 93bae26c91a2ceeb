"""A smaller vocabulary of word pieces: what the task uses, the commonest of the rest, and single letters.

Rows of the embedding table that a task never looks up are most of a small encoder. A word that loses its
piece is spelled by shorter ones, at worst letter by letter, by WordPiece's own rule (Schuster & Nakajima
2012; the longest piece that fits, from the left). Which pieces are commonest is read off their order: BERT's
vocabularies are sorted by how often a piece was seen.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from wicket.errors import EngineFault


def kept_pieces(tokenizer: dict[str, Any], seen: Iterable[int], size: int) -> list[int]:
    """The ids to keep, in order: control tokens, ASCII letters, all of `seen`, then by rank up to `size`.

    `tokenizer` is a `tokenizer.json`. The vocabulary may end up larger than `size` if more was seen. Raises
    `EngineFault` for one that is not made of word pieces.
    """
    vocabulary = _vocabulary(tokenizer)
    prefix = tokenizer["model"].get("continuing_subword_prefix", "##")
    kept = {entry["id"] for entry in tokenizer.get("added_tokens", ())}
    kept |= {number for piece, number in vocabulary.items() if _is_letter(piece.removeprefix(prefix))}
    kept |= set(seen)
    for piece, number in sorted(vocabulary.items(), key=lambda item: item[1]):
        if len(kept) >= size:
            break
        if not piece.startswith("[unused") and not _is_foreign(piece):
            kept.add(number)
    return sorted(kept)


def trimmed(tokenizer: dict[str, Any], kept: list[int]) -> dict[str, Any]:
    """A `tokenizer.json` that knows the pieces `kept` only, numbered by their place in the list."""
    vocabulary = _vocabulary(tokenizer)
    place = {number: index for index, number in enumerate(kept)}
    made = copy.deepcopy(tokenizer)
    made["model"]["vocab"] = {
        piece: place[number]
        for piece, number in sorted(vocabulary.items(), key=lambda item: item[1])
        if number in place
    }
    for entry in made.get("added_tokens", ()):
        entry["id"] = place[entry["id"]]
    special = (made.get("post_processor") or {}).get("special_tokens", {})
    for entry in special.values():
        entry["ids"] = [place[number] for number in entry["ids"]]
    return made


def _vocabulary(tokenizer: dict[str, Any]) -> dict[str, int]:
    model = tokenizer.get("model", {})
    kind = (tokenizer.get("post_processor") or {}).get("type", "TemplateProcessing")
    if model.get("type") != "WordPiece" or kind != "TemplateProcessing":
        raise EngineFault("bad_checkpoint", "Only a vocabulary of word pieces can be trimmed.")
    found: dict[str, int] = model["vocab"]
    return found


def _is_letter(piece: str) -> bool:
    return len(piece) == 1 and piece.isascii()


def _is_foreign(piece: str) -> bool:
    return len(piece.removeprefix("##")) == 1 and not piece.isascii()
