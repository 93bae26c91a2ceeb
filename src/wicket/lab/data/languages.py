"""Which language a text is in, told by its script and by its commonest words. Pure, without a model.

Function words (articles, pronouns, prepositions; `function_words.json`) make up a third and more of running
text in any language that has them, and few are as common in another. That is enough to keep a data set to
its languages; it is not enough for a few words, for code or for languages as near as Danish and Norwegian in
one short line: then the answer is "". Languages written in a script of their own are told by it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from wicket.wire import json

_WORD = re.compile(r"[^\W\d_]+(?:[\u2019'][^\W\d_]+)?")
_URL = re.compile(r"https?://\S+|\S+@\S+|`[^`]*`|\[[A-Z_]+_\d+\]")
_MAX_CHARACTERS = 20_000
_LEAST_HITS = 3
_LEAST_SHARE = 0.12  # of words that are function words of the language
_LEAST_LEAD = 1.25  # times the hits of the next language
_SIBLINGS = {"da", "no", "sv"}

# Scripts that tell the language, by ranges of code points; those of several languages are told apart below.
_SCRIPTS: Mapping[str, str] = {
    "el": r"\u0370-\u03ff",
    "he": r"\u0590-\u05ff",
    "ar": r"\u0600-\u06ff",
    "hi": r"\u0900-\u097f",
    "bn": r"\u0980-\u09ff",
    "ta": r"\u0b80-\u0bff",
    "th": r"\u0e00-\u0e7f",
    "ka": r"\u10a0-\u10ff",
    "hy": r"\u0530-\u058f",
    "ko": r"\u1100-\u11ff\uac00-\ud7af",
    "ja": r"\u3040-\u30ff",
    "zh": r"\u3400-\u9fff",
    "ru": r"\u0400-\u04ff",
}
_IN_SCRIPT = {code: re.compile(f"[{ranges}]") for code, ranges in _SCRIPTS.items()}
_FOREIGN = re.compile("[" + "".join(_SCRIPTS.values()) + "]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_PERSIAN = re.compile(r"[پچژگکی]")
_UKRAINIAN = re.compile(r"[іїєґІЇЄҐ]")
_WEIGHT = {"zh": 3, "ja": 2, "ko": 2}  # one sign says as much as several letters


@cache
def languages() -> tuple[str, ...]:
    """The codes of all languages that are told apart."""
    return tuple(sorted({*_function_words(), *_SCRIPTS, "fa", "uk"}))


@cache
def _function_words() -> Mapping[str, frozenset[str]]:
    data = files("wicket.lab.data").joinpath("function_words.json").read_bytes()
    return {code: frozenset(text.split()) for code, text in json.decode(data, type=dict[str, str]).items()}


def detect(text: str) -> str:
    """The language's code (ISO 639-1), "" where it can't be told."""
    text = _URL.sub(" ", text[:_MAX_CHARACTERS])
    by_script = _by_script(text)
    if by_script is not None:
        return by_script
    found = [word.lower().replace("\u2019", "'") for word in _WORD.findall(text)]
    hits = Counter({code: sum(word in known for word in found) for code, known in _function_words().items()})
    (first, most), (second, next_most) = hits.most_common(2)
    if most < _LEAST_HITS or most < _LEAST_SHARE * len(found):
        return ""
    if first in _SIBLINGS and second in _SIBLINGS:  # what these don't share decides
        return first if most > next_most else ""
    return first if most >= _LEAST_LEAD * next_most else ""


def _by_script(text: str) -> str | None:
    """The language by its script; None where most letters are Latin, or there are none."""
    if not _FOREIGN.search(text):
        return None
    sizes = Counter({code: len(p.findall(text)) * _WEIGHT.get(code, 1) for code, p in _IN_SCRIPT.items()})
    if sizes["ja"] * 10 >= sizes["zh"]:  # Japanese mixes its own signs into Chinese ones
        sizes["ja"] += sizes.pop("zh", 0) if sizes["ja"] else 0
    code, most = sizes.most_common(1)[0]
    if most <= len(_LATIN.findall(text)):
        return None
    if code == "ar":
        return "fa" if len(_PERSIAN.findall(text)) * 25 >= most else "ar"
    if code == "ru":
        return "uk" if len(_UKRAINIAN.findall(text)) * 50 >= most else "ru"
    return code
