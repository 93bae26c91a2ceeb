"""Texts that are no good to learn from, by what can be counted. Each rule names its source.

- Gopher: Rae et al. 2021, "Scaling Language Models", appendix A.1.1 and table A1: word length, symbols,
  bullets, ellipses, letters, repeated lines, paragraphs and n-grams.
- C4: Raffel et al. 2020, "Exploring the Limits of Transfer Learning", section 2.2: placeholder text.
- ours: a text cut in the middle of its bytes leaves U+FFFD; control characters are no text.

Both papers sift web pages; here an answer may be one word, and a good one a list. So a rule speaks only
where there is enough to count: those of words from `min_words` on (Gopher keeps no shorter page), those of
lines from `min_lines` on; marks of lists are no words; lists may be all bullets; and repetition may be
`leniency` times Gopher's. With Gopher's own limits, from 30 words on, 24 of 175 answers that people wrote for
Self-Instruct went; with these 2. Gopher's stop words and C4's sentences that end in a stop would remove
labels and code, and are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import msgspec

from wicket.lab.data.document import Part, Shard, text_part
from wicket.lab.data.step import Outcome, Removed

VERSION = 1
SCOPE = "document"
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]

# Gopher, table A1: characters in the commonest n-gram, and in all repeated n-grams, as shares of the text.
TOP_GRAMS = {2: 0.20, 3: 0.18, 4: 0.16}
REPEATED_GRAMS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}

_LETTER = re.compile(r"[^\W\d_]")
_FENCE = re.compile(r"^(?:```|~~~).*?^(?:```|~~~)\s*$", re.M | re.S)
_BULLETS = ("•", "‣", "▪", "◦", "-", "*", "\u2013")
_MARK = re.compile(r"[-*•‣▪◦\u2013+>|#]+|\(?(?:\d{1,3}|[a-zA-Z])[.):]")  # of lists and tables
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
# Words of scripts without blanks are whole sentences: what is said of words does not hold there.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits as shares from 0 to 1, word lengths in characters. `of`: which text is judged."""

    of: Part = "answer"
    min_words: int = 50
    min_lines: int = 4
    min_mean_word: float = 3.0  # Gopher
    max_mean_word: float = 10.0  # Gopher
    max_symbols: Share = 0.10  # Gopher: "#" or "…" per word
    min_lettered: Share = 0.80  # Gopher: words with at least one letter
    max_bullets: Share = 1.0  # lines that begin with a bullet; Gopher: 0.9
    max_ellipses: Share = 0.30  # Gopher: lines that end with "…"
    max_same_lines: Share = 0.30  # Gopher: of lines; also of paragraphs
    max_same_characters: Share = 0.20  # Gopher: of characters, in repeated lines
    leniency: float = 2.0  # times Gopher's limits on n-grams; 0 leaves them out


def apply(shard: Shard, options: Options, evaluation: Shard = ()) -> Outcome:
    """Take out what breaks a rule; the reason is the first one broken."""
    kept, removed = [], []
    for document in shard:
        reason = verdict(text_part(document, options.of), options)
        if reason:
            removed.append(Removed(document, reason))
        else:
            kept.append(document)
    return Outcome(kept, removed)


def verdict(text: str, options: Options) -> str:
    """The rule that a text breaks, "" for none. Fenced code need not be prose."""
    if "\ufffd" in text:
        return "broken_characters"
    if _CONTROL.search(text):
        return "control_characters"
    if "lorem ipsum" in text.lower():  # C4
        return "placeholder"
    prose = _FENCE.sub("", text)
    words = [word for word in prose.split() if not _MARK.fullmatch(word)]
    if len(words) >= options.min_words and not _UNSPACED.search(prose):
        reason = _words(words, prose, options) or (
            _grams(words, options.leniency) if options.leniency else ""
        )
        if reason:
            return reason
    lines = [line.strip() for line in prose.splitlines() if line.strip()]
    return _lines(lines, options) if len(lines) >= options.min_lines else ""


def _words(words: Sequence[str], text: str, options: Options) -> str:
    mean = sum(map(len, words)) / len(words)
    if mean < options.min_mean_word:
        return "short_words"
    if mean > options.max_mean_word:
        return "long_words"
    for name, number in (
        ("hashes", text.count("#")),
        ("ellipses", text.count("...") + text.count("…")),
    ):
        if number / len(words) > options.max_symbols:
            return name
    lettered = sum(_LETTER.search(word) is not None for word in words)
    return "few_letters" if lettered / len(words) < options.min_lettered else ""


def _lines(lines: Sequence[str], options: Options) -> str:
    if sum(line.startswith(_BULLETS) for line in lines) / len(lines) > options.max_bullets:
        return "all_bullets"
    if sum(line.endswith(("...", "…")) for line in lines) / len(lines) > options.max_ellipses:
        return "cut_lines"
    again = Counter(lines)
    same = [line for line, number in again.items() for _ in range(number - 1)]
    if len(same) / len(lines) > options.max_same_lines:
        return "same_lines"
    if sum(map(len, same)) / sum(map(len, lines)) > options.max_same_characters:
        return "same_lines"
    return ""


def _grams(words: Sequence[str], leniency: float) -> str:
    lower = [word.lower() for word in words]
    total = sum(map(len, lower))
    for size, limit in TOP_GRAMS.items():
        grams = Counter(tuple(lower[at : at + size]) for at in range(len(lower) - size + 1))
        gram, number = max(grams.items(), key=lambda pair: (pair[1] * len("".join(pair[0])), pair[0]))
        if number > 1 and number * len("".join(gram)) / total > limit * leniency:
            return "repeats_a_phrase"
    for size, limit in REPEATED_GRAMS.items():
        if _repeated(lower, size) / total > limit * leniency:
            return "repeats_itself"
    return ""


def _repeated(words: Sequence[str], size: int) -> int:
    """Characters in n-grams that stood before, each counted once."""
    seen: set[tuple[str, ...]] = set()
    found = at = 0
    while at + size <= len(words):
        gram = tuple(words[at : at + size])
        if gram in seen:
            found += sum(map(len, gram))
            at += size
        else:
            seen.add(gram)
            at += 1
    return found
