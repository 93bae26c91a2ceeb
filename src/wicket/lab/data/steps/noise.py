"""Copies of documents whose request is misspelled: a student that sees typing errors learns to bear them.

Errors are those of hands: neighbours swapped, a character left out, doubled, or hit beside (on a QWERTY
keyboard), a word left out. Placeholders such as [EMAIL_1] and code between backticks stay. What a document
becomes depends on the seed and on itself alone, not on its place.
"""

from __future__ import annotations

import hashlib
import random
import re
from typing import Annotated, Any

import msgspec

from wicket.lab.data.document import Document, Shard, has_answer
from wicket.lab.data.step import Outcome
from wicket.wire import json

VERSION = 1
SCOPE = "document"
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_KEPT = re.compile(r"`[^`]*`|\[[A-Z_]+_\d+\]|https?://\S+")
_BLANK = re.compile(r"(\s+)")


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`characters` and `words` are the shares that are hit; `copies` are added to each document."""

    copies: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    characters: Share = 0.03
    words: Share = 0.02
    seed: int = 0


def apply(shard: Shard, options: Options, evaluation: Shard = ()) -> Outcome:
    """Add the copies behind each document; one that comes out unchanged is not added."""
    kept: list[Document] = []
    num_added = 0
    for document in shard:
        kept.append(document)
        for copy in range(options.copies):
            noisy = _copy(document, options, copy)
            if noisy is not None:
                kept.append(noisy)
                num_added += 1
    return Outcome(kept, num_added=num_added)


def misspelled(text: str, options: Options, draw: random.Random) -> str:
    """The text with errors, drawn from `draw`."""
    parts, place = [], 0
    for match in _KEPT.finditer(text):
        parts += [_words(text[place : match.start()], options, draw), match[0]]
        place = match.end()
    return "".join([*parts, _words(text[place:], options, draw)])


def _copy(document: Document, options: Options, copy: int) -> Document | None:
    content = json.encode_sorted([options.seed, copy, document.messages, document.text])
    draw = random.Random(hashlib.sha256(content).digest())  # noqa: S311 - not a secret
    meta: dict[str, Any] = {**document.meta, "augmented": "noise"}
    if not document.messages:
        text = misspelled(document.text, options, draw)
        return None if text == document.text else msgspec.structs.replace(document, text=text, meta=meta)
    messages = list(document.messages)
    end = len(messages) - has_answer(document)
    place = next((at for at in reversed(range(end)) if messages[at].get("role") == "user"), None)
    if place is None or not isinstance(messages[place].get("content"), str):
        return None
    before = messages[place]["content"]
    after = misspelled(before, options, draw)
    if after == before or not after.strip():
        return None
    messages[place] = {**messages[place], "content": after}
    return msgspec.structs.replace(document, messages=messages, meta=meta, logprobs=None)


def _words(text: str, options: Options, draw: random.Random) -> str:
    parts = _BLANK.split(text)
    found = []
    for part in parts:
        if part and not part.isspace():
            if draw.random() < options.words:
                continue
            part = _characters(part, options.characters, draw)
        found.append(part)
    return "".join(found)


def _characters(word: str, share: float, draw: random.Random) -> str:
    letters = list(word)
    found: list[str] = []
    at = 0
    while at < len(letters):
        letter = letters[at]
        at += 1
        if not letter.isalpha() or draw.random() >= share:
            found.append(letter)
            continue
        error = draw.randrange(4)
        if error == 0 and at < len(letters) and letters[at].isalpha():
            found += [letters[at], letter]
            at += 1
        elif error == 1:
            continue
        elif error == 2:
            found += [letter, letter]
        else:
            found.append(_beside(letter, draw))
    return "".join(found)


def _beside(letter: str, draw: random.Random) -> str:
    for row in _ROWS:
        place = row.find(letter.lower())
        if place >= 0:
            near = row[max(0, place - 1) : place] + row[place + 1 : place + 2]
            chosen = draw.choice(near)
            return chosen.upper() if letter.isupper() else chosen
    return letter
