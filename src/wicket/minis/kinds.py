"""Which kind of task a question is, by its words: the kinds that a capability card has scores for. Pure.

The rules look for what people write when they ask for such a thing, in English, in the order of their
certainty. What no rule knows is "chat", which is measured as well.
"""

from __future__ import annotations

import re

from wicket.minis.question import Question

KINDS = (
    *("chat", "extraction", "classification", "code", "maths", "reasoning", "knowledge", "translation"),
    "long",
)
LONG_CHARACTERS = 1_000
_FOREIGN_SHARE = 0.04  # of characters beyond ASCII
_LEAST_WORDS = 6  # fewer words tell no language
_ENGLISH_SHARE = 0.1
_ENGLISH = frozenset(
    "a an and are as at be by can did do does for from has have how i if in is it me my not of on or please "
    "that the this to was we what when where which who why will with would you your".split()
)
_TRANSLATION = re.compile(
    r"\btranslat(?:e|ion)\b|\b(?:say|write|put|answer) (?:this |it |that )?in (?:french|german|spanish|italian|"
    r"portuguese|dutch|polish|russian|chinese|japanese|korean|arabic|hindi|turkish|latin)\b",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"```|\b(?:def|class|import|return|function|const) \w+[(:{;=]|[{};]\n|\b(?:python|javascript|typescript|sql|regex|"
    r"regular expression|bash|shell command|html|css|json object|c\+\+|java|rust|golang|source code|stack trace|"
    r"compiler|unit test|git (?:command|commit|rebase|merge))\b",
    re.IGNORECASE,
)
_CLASSIFICATION = re.compile(
    r"\b(?:classify|categori[sz]e|sentiment|label (?:the|this|it)|positive or negative|spam or|which (?:category|label|"
    r"language) is|(?:answer|reply)(?: with)? (?:yes or no|true or false)|is this an? .{1,80}\bor\b)",
    re.IGNORECASE,
)
_EXTRACTION = re.compile(
    r"\bextract\b|\breturn (?:a )?json\b|\bas json\b|\b(?:in|from) (?:this|the (?:following|above)) "
    r"(?:text|sentence|message|paragraph|passage|e-?mail|invoice)\b|\b(?:mention(?:s|ed)?|is due|is named)\b.{0,40}\?",
    re.IGNORECASE,
)
_MATHS = re.compile(
    r"\d\s*[-+*/×÷^=]\s*\d|\b\d*[xyz]\s*[-+*/^=]\s*\d|\b(?:solve|calculate|compute|evaluate|integral|derivative|equation|"
    r"square root|multiplied|divided by|times|average|percent(?:age)?|probability|area of|perimeter|how many .* left)\b"
    r"|\d ?%",
    re.IGNORECASE,
)
_REASONING = re.compile(
    r"\b(?:puzzle|riddle|logic(?:al|ally)?|deduce|infer|follows? from|comes next|(?:tall|old|short|young|fast|heavi|"
    r"bigg?)(?:er|est)|how many|step by step|every .* is|all \w+ are|no \w+ is|which day)\b",
    re.IGNORECASE,
)
_KNOWLEDGE = re.compile(
    r"\b(?:who|whom|whose|when|where|which|what|capital of|define|explain|name the)\b", re.IGNORECASE
)
_SEQUENCE = re.compile(r"(?:\d+, ){3}")


def kind_of(question: Question) -> str:
    """One of `KINDS`."""
    text = question.text
    if _TRANSLATION.search(text) or _is_foreign(question):
        return "translation"
    if question.num_characters >= LONG_CHARACTERS:
        return "long"
    for kind, rule in _RULES:
        if rule.search(text):
            return kind
    return "chat"


def _is_foreign(question: Question) -> bool:
    """Whether it is written in another language than English, as far as letters and small words tell."""
    if sum(character > "\x7f" and character.isalpha() for character in question.stem) > (
        _FOREIGN_SHARE * len(question.stem)
    ):
        return True
    words = question.words
    known = sum(word.lower() in _ENGLISH for word in words)
    is_prose = question.stem.count(" ") > _LEAST_WORDS
    return is_prose and len(words) >= _LEAST_WORDS and known < _ENGLISH_SHARE * len(words)


_RULES = (
    ("code", _CODE),
    ("classification", _CLASSIFICATION),
    ("extraction", _EXTRACTION),
    ("reasoning", _SEQUENCE),
    ("maths", _MATHS),
    ("reasoning", _REASONING),
    ("knowledge", _KNOWLEDGE),
)
