"""What can be seen of a question without understanding it: the numbers that a router decides by. Pure.

No word of a subject is among them, so that what is learned of some subjects holds for others: length, digits,
mathematical signs, the form of the question and the shape of its options.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from wicket.minis.question import Question, words_of

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_YEAR = re.compile(r"\b(?:1[0-9]{3}|20[0-2]\d)\b")
_MATHS = re.compile(r"[=+*/^<>∫∑√≤≥≠±\u00d7÷∈∞π\\{}|]")
_SENTENCE = re.compile(r"[.!?](?:\s|$)")
_NOT = re.compile(
    r"\b(?:not|except|never|false|incorrect|least|cannot|isn't|doesn't|untrue)\b", re.IGNORECASE
)
_LOUD_NOT = re.compile(r"\b(?:NOT|EXCEPT|LEAST|FALSE|NEVER|INCORRECT)\b")
_STATEMENTS = re.compile(r"\b(?:Statement|Scenario|II|III)\b")
_HOW_MANY = re.compile(r"how (?:many|much|far|long|fast)", re.IGNORECASE)
_CODE = re.compile(r"[{};]\s*\n|\bdef \w+\(|\bint \w+|==|:=|->|\(\)|\bfor \(|print|O\(|```")
_QUANTITY = re.compile(r"[\s\d.,$%+\-*/^()=a-zA-Z]{0,4}[\d.,/\-+*^() ]+[\s%a-zA-Z/^\d°]{0,12}")
_ROMAN = re.compile(r"(?:I|II|III|IV|i|ii|iii|\(?[abc1-4]\)?)(?:[, ]|$)")
_CUES = (
    *("what", "who", "when", "where", "why", "how", "which", "if", "find", "calculate", "compute", "suppose"),
    *(
        "let",
        "best",
        "most",
        "should",
        "would",
        "all",
        "following",
        "about",
        "many",
        "much",
        "true",
        "called",
    ),
    *("known", "example", "refers"),
)
_CUE_WORDS = 60  # the last words of a question, which say what is asked
_PEOPLE = frozenset(("he", "she", "his", "her", "man", "woman", "patient"))
_QUANTITY_CHARACTERS = 60  # a longer option is no quantity


def signals(question: Question) -> dict[str, float]:
    """Every signal by its name, always the same names in the same order."""
    return _of_words(question) | _of_form(question) | _of_options(question)


def _of_words(question: Question) -> dict[str, float]:
    stem, words = question.stem, question.words
    lower = [word.lower() for word in words]
    count, size = max(1, len(words)), max(1, len(stem))
    numbers = len(_NUMBER.findall(stem))
    signs = len(_MATHS.findall(stem))
    last = frozenset(lower[-_CUE_WORDS:])
    known = frozenset(lower)
    found = {
        "words": math.log1p(len(words)),
        "characters": math.log1p(question.num_characters),
        "long": max(0.0, math.log1p(len(words)) - 4.0),
        "word_length": sum(map(len, words)) / count,
        "long_words": sum(len(word) > 9 for word in words) / count,
        "variety": len(known) / count,
        "sentences": math.log1p(len(_SENTENCE.findall(stem))),
        "numbers": math.log1p(numbers),
        "has_number": float(numbers > 0),
        "number_share": numbers / max(1, len(words) + numbers),
        "years": math.log1p(len(_YEAR.findall(stem))),
        "signs": math.log1p(signs),
        "sign_share": signs / size,
        "capitals": sum(word[0].isupper() for word in words) / count,
        "letters": sum(len(word) == 1 and word not in ("a", "i") for word in lower) / count,
        "upper": sum(len(word) > 1 and word.isupper() for word in words) / count,
        "foreign": sum(character > "\x7f" for character in stem) / size,
        "you": float("you" in known or "your" in known),
        "i": float("I" in words),
        "people": float(not known.isdisjoint(_PEOPLE)),
    }
    return found | {f"says_{cue}": float(cue in last) for cue in _CUES}


def _of_form(question: Question) -> dict[str, float]:
    stem, text = question.stem, question.text
    return {
        "dollar": float("$" in stem),
        "percent": float("%" in text),
        "asks": float(stem.endswith("?")),
        "has_question": float("?" in stem),
        "colon": float(stem.endswith((":", "…", "..."))),
        "blank": float("__" in stem),
        "open": float(not stem.endswith(("?", ":", "."))),
        "period": float(stem.endswith(".")),
        "quote": float('"' in stem or "“" in stem),
        "lines": math.log1p(stem.count("\n")),
        "negated": float(_NOT.search(stem[-400:]) is not None),
        "loudly_negated": float(_LOUD_NOT.search(stem) is not None),
        "statements": float(_STATEMENTS.search(text) is not None),
        "how_many": float(_HOW_MANY.search(stem) is not None),
        "code": float(_CODE.search(text) is not None),
    }


def _of_options(question: Question) -> dict[str, float]:
    options = question.options
    words = [words_of(option) for option in options]
    sets = [frozenset(word.lower() for word in each) for each in words]
    sizes = [len(each) for each in words] or [0]
    mean = sum(sizes) / len(sizes)
    spread = math.sqrt(sum((size - mean) ** 2 for size in sizes) / len(sizes))
    text = " ".join(options).lower()
    num_words = max(1, sum(sizes))
    stem = frozenset(word.lower() for word in question.words)
    return {
        "option_words": math.log1p(mean),
        "option_spread": spread / (1 + mean),
        "option_longest": math.log1p(max(sizes)),
        "option_single": float(bool(options) and max(sizes) <= 1),
        "option_numbers": _share(options, lambda option: _NUMBER.search(option) is not None),
        "option_quantities": _share(options, _is_quantity),
        "option_signs": math.log1p(len(_MATHS.findall(text))),
        "option_wordless": sum(not each for each in words) / max(1, len(words)),
        "option_alike": _likeness(sets),
        "option_combined": float(_are_combinations(sets)),
        "option_repeats_stem": sum(len(s & stem) / max(1, len(s)) for s in sets) / max(1, len(sets)),
        "option_all": float("all of the" in text or "all the above" in text or "both" in text),
        "option_none": float("none of" in text or "neither" in text),
        "option_yes_no": float(_number_of(options, ("yes", "no")) >= 3),
        "option_true_false": float(_number_of(options, ("true", "false")) >= 2),
        "option_roman": float(sum(_ROMAN.match(option) is not None for option in options) >= 2),
        "option_capital": _share(options, lambda option: option[:1].isupper()),
        "option_names": sum(_capitals(each) for each in words) / max(1, len(words)),
        "option_because": float("because" in text),
        "option_word_length": sum(len(word) for each in words for word in each) / num_words,
        "option_sorted": float(_are_sorted(options)),
        "option_commas": _share(options, lambda option: "," in option),
        "option_semicolons": _share(options, lambda option: ";" in option),
    }


def _share(options: list[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, options)) / max(1, len(options))


def _is_quantity(option: str) -> bool:
    return len(option) <= _QUANTITY_CHARACTERS and _QUANTITY.fullmatch(option) is not None


def _capitals(words: list[str]) -> float:
    return sum(word[0].isupper() for word in words) / max(1, len(words))


def _number_of(options: list[str], starts: tuple[str, ...]) -> int:
    return sum(option[:8].lower().startswith(starts) for option in options)


def _likeness(sets: list[frozenset[str]]) -> float:
    """The mean share of words that two options have in common (Jaccard)."""
    pairs = [(one, other) for at, one in enumerate(sets) for other in sets[:at]]
    return sum(len(one & other) / max(1, len(one | other)) for one, other in pairs) / max(1, len(pairs))


def _are_combinations(sets: list[frozenset[str]]) -> bool:
    """Whether the options only combine the same few words, as "True, False" and "False, True" do."""
    if len(sets) < 3:
        return False
    longest = max(map(len, sets))
    return min(map(len, sets)) > 0 and longest <= 4 and len(frozenset[str]().union(*sets)) <= longest + 1


def _are_sorted(options: list[str]) -> bool:
    """Whether each option has a number, and the numbers rise or fall."""
    found = [_NUMBER.search(option) for option in options]
    try:
        values = [float(number[0].replace(",", "")) for number in found if number is not None]
    except ValueError:
        return False
    return bool(options) and len(values) == len(options) and values in (sorted(values), sorted(values)[::-1])
