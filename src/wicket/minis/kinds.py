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
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "can",
        "did",
        "do",
        "does",
        "for",
        "from",
        "has",
        "have",
        "how",
        "i",
        "if",
        "in",
        "is",
        "it",
        "me",
        "my",
        "not",
        "of",
        "on",
        "or",
        "please",
        "that",
        "the",
        "this",
        "to",
        "was",
        "we",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)
_TONGUES = (
    "french|german|spanish|italian|portuguese|dutch|polish|russian|chinese|japanese|korean|arabic|hindi|"
    "turkish|latin"
)
_TRANSLATION = re.compile(
    rf"\btranslat(?:e|ion)\b|\b(?:say|write|put|answer) (?:this |it |that )?in (?:{_TONGUES})\b",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"```|[{};]\n|\b(?:def|class|import|return|function|const) \w+[(:{;=]|\bgit (?:command|commit|rebase)\b|"
    r"\b(?:python|javascript|typescript|sql|regex|regular expression|bash|shell command|html|css|json object|"
    r"c\+\+|java|rust|golang|source code|stack trace|compiler|unit test)\b",
    re.IGNORECASE,
)
_CLASSIFICATION = re.compile(
    r"\b(?:classify|categori[sz]e|sentiment|label (?:the|this|it)|positive or negative|spam or|"
    r"which (?:category|label|language) is|(?:answer|reply)(?: with)? (?:yes or no|true or false)|"
    r"is this an? .{1,80}\bor\b)",
    re.IGNORECASE,
)
_EXTRACTION = re.compile(
    r"\bextract\b|\breturn (?:a )?json\b|\bas json\b|\b(?:mention(?:s|ed)?|is due|is named)\b.{0,40}\?|"
    r"\b(?:in|from) (?:this|the (?:following|above)) "
    r"(?:text|sentence|message|paragraph|passage|e-?mail|invoice)\b",
    re.IGNORECASE,
)
_MATHS = re.compile(
    r"\d\s*[-+*/\u00d7÷^=]\s*\d|\b\d*[xyz]\s*[-+*/^=]\s*\d|\d ?%|\b(?:solve|calculate|compute|"
    r"evaluate|integral|derivative|equation|square root|multiplied|divided by|times|average|percent(?:age)?|"
    r"probability|area of|perimeter|how many .{1,80} left)\b",
    re.IGNORECASE,
)
_REASONING = re.compile(
    r"\b(?:puzzle|riddle|logic(?:al|ally)?|deduce|infer|follows? from|comes next|how many|step by step|"
    r"which day|(?:tall|old|short|young|fast|heavi|bigg)(?:er|est)|every .{1,40} is|all \w+ are|no \w+ is)\b",
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
    words = [word for word in question.words if len(word) > 1]  # symbols belong to no language
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
