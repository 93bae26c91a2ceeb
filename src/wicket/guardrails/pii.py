"""Personal data and secrets in texts become typed, numbered placeholders: `[EMAIL_1]`, `[PHONE_2]`.

Within one call the same value has the same number in all texts, however it is spelled (blanks, case), and a
value that was recognised in one text is taken out of the others too, where it may stand without the words
that gave it away. What has no form of its own can't be found by patterns: names, postal addresses, places,
employers, dates of birth. Measured in docs/tasks.md.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from wicket.guardrails import secrets
from wicket.guardrails.national_ids import NATIONAL, digits_of, iban_end, is_card

Span = tuple[int, int]
Finder = Callable[[str], Iterator[Span]]

_EMAIL = re.compile(r"(?<![\w.+-])[\w.%+'-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d\d(?=[ -]?[A-Za-z0-9])")
_CARD = re.compile(r"(?<![\w.-])[2-6](?:[ -]?\d){12,18}(?![\w-])", re.ASCII)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = re.compile(rf"(?<![\w.-])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w-]|\.\d)", re.ASCII)
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_VERSION = re.compile(r"(?:version|release|v\.?)\s*$", re.I)
_MAC = re.compile(
    r"(?<![\w:-])(?:[0-9A-F]{2}([:-]))(?:[0-9A-F]{2}\1){4}[0-9A-F]{2}(?![\w:-])", re.I | re.ASCII
)
_WALLET = re.compile(
    r"(?<!\w)(?:0x[0-9a-fA-F]{40}|bc1[02-9ac-hj-np-z]{25,60}|[13][1-9A-HJ-NP-Za-km-z]{25,34})(?!\w)", re.ASCII
)
_NAMED_ID = re.compile(
    r"(?:driv(?:er|ing)['\u2019]?s?['\u2019]? licen[cs]e|passport|social security|\bssn\b|national id|"
    r"identity card|\btax id|\bitin\b|\bbsn\b|steuer-?id\w{0,16}|\bnhs\b|insurance number)"
    r"(?:\s+(?:number|no\.?|nr\.?|num|#))?"
    r"\s*(?:\bis\b|[:=#])?\s*([A-Z0-9](?:[ -]?[A-Z0-9]){4,17})(?![A-Z0-9])",
    re.I | re.ASCII,
)
_PHONE = re.compile(
    r"(?<![\w.:/#$€£-])(?<!\d,)(?:\+ ?|00)?\(?\d(?:[ ().\-/]{0,2}\d){5,16}"
    r"(?: ?(?:x|ext\.?) ?\d{1,6})?(?![\w%])",
    re.I | re.ASCII,
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"  # or a month
_DATE = re.compile(
    rf"(?:\d{{4}}[-/.]{_DAY}[-/.]{_DAY}|{_DAY}([-/.]){_DAY}\1(?:\d{{4}}|\d\d)|{_DAY}[ ./-](?:19|20)\d\d)"
    r"(?: +\d{1,2})?",
    re.ASCII,
)
_AMERICAN = re.compile(r"(?:1[-. ])?[2-9]\d\d[-. ]\d{3}[-. ]\d{4}", re.ASCII)
_SAYS_PHONE = re.compile(
    r"\b(?:call|calls|called|calling|phone|phones|telephone|tel|mobile|cell|fax|office|contact|reach|dial|ring|"
    r"text|sms|whatsapp|hotline|answering|callback)\b",
    re.I | re.ASCII,
)
_BEFORE, _AFTER = 48, 12  # characters in which a word may say that digits are a phone number
_PLACEHOLDER = "[{}_{}]"


def emails(text: str) -> Iterator[Span]:
    """Addresses as RFC 5322 §3.4.1 has them without quotes."""
    if "@" in text:
        yield from (match.span() for match in _EMAIL.finditer(text))


def ibans(text: str) -> Iterator[Span]:
    """Account numbers whose length and check digits are right."""
    for match in _IBAN.finditer(text):
        end = iban_end(text, match.start())
        if end > 0:
            yield match.start(), end


def cards(text: str) -> Iterator[Span]:
    """Payment cards whose check digit is right."""
    yield from (match.span() for match in _CARD.finditer(text) if is_card(match[0]))


def ids(text: str) -> Iterator[Span]:
    """National numbers by form and check digits; other papers' numbers where the text says what they are."""
    for pattern, is_right in NATIONAL:
        yield from (match.span() for match in pattern.finditer(text) if is_right(match[0]))
    for match in _NAMED_ID.finditer(text):
        start, end = match.span(1)
        while not any(c.isdigit() for c in text[start:end].rpartition(" ")[2]) and " " in text[start:end]:
            end = start + text[start:end].rindex(" ")  # words behind the number
        if len(digits_of(text[start:end])) >= 4:
            yield start, end


def addresses(text: str) -> Iterator[Span]:
    """IP and MAC addresses, IPv6 in any of its spellings (RFC 4291 §2.2)."""
    for match in _IPV4.finditer(text):
        if not _VERSION.search(text[max(0, match.start() - 10) : match.start()]):
            yield match.span()
    for match in _IPV6.finditer(text):
        if _is_ipv6(match[0]):
            yield match.span()
    yield from (match.span() for match in _MAC.finditer(text))


def wallets(text: str) -> Iterator[Span]:
    """Addresses of Bitcoin and Ethereum, by their form."""
    for match in _WALLET.finditer(text):
        if any(c.isdigit() for c in match[0][1:]) and any(c.isalpha() for c in match[0][1:]):
            yield match.span()


def phones(text: str) -> Iterator[Span]:
    """Phone numbers: by their form, or because the words around say so."""
    for match in _PHONE.finditer(text):
        start, end = match.span()
        around = f"{text[max(0, start - _BEFORE) : start]} {text[end : end + _AFTER]}"
        if _is_phone(match[0], around):
            yield start, end


FINDERS: dict[str, Finder] = {  # in this order: what is found first is no longer there for the next
    "PRIVATE_KEY": secrets.private_keys,
    "URL": secrets.urls,
    "SECRET": secrets.tokens,
    "EMAIL": emails,
    "IBAN": ibans,
    "CARD": cards,
    "ID": ids,
    "IP": addresses,
    "WALLET": wallets,
    "PHONE": phones,
}
_NEEDS_DIGITS = frozenset({"IBAN", "CARD", "ID", "PHONE"})


class Parameters(msgspec.Struct, frozen=True):
    """Which kinds are taken out."""

    kinds: tuple[str, ...] = tuple(FINDERS)


_EVERYTHING = Parameters()


def scrub(texts: Sequence[str], parameters: Parameters = _EVERYTHING) -> list[str]:
    """The texts of one example with placeholders in place of values. Scrubbing twice changes nothing more."""
    names = _Names()
    found = [_replaced(text, names, parameters.kinds) for text in texts]
    return names.everywhere(found)


class _Names:
    """Which placeholder stands for which value."""

    def __init__(self) -> None:
        self._by_value: dict[tuple[str, str], str] = {}
        self._by_text: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def of(self, kind: str, text: str) -> str:
        value = (kind, _normal(kind, text))
        name = self._by_value.get(value)
        if name is None:
            self._counts[kind] = number = self._counts.get(kind, 0) + 1
            name = self._by_value[value] = _PLACEHOLDER.format(kind, number)
        if not text.isalpha():  # a password that is a plain word would take that word out everywhere
            self._by_text[text] = name
        return name

    def everywhere(self, texts: list[str]) -> list[str]:
        """Known values also where nothing but themselves tells what they are."""
        if not self._by_text:
            return texts
        longest_first = sorted(self._by_text, key=len, reverse=True)
        pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
        return [pattern.sub(lambda match: self._by_text[match[0]], text) for text in texts]


def _replaced(text: str, names: _Names, kinds: Iterable[str]) -> str:
    has_digits = any(c.isdigit() for c in text)
    for kind in kinds:
        if kind in _NEEDS_DIGITS and not has_digits:
            continue
        spans = sorted(FINDERS[kind](text))
        if not spans:
            continue
        parts, place = [], 0
        for start, end in spans:
            if start < place:  # inside one that was replaced
                continue
            parts += [text[place:start], names.of(kind, text[start:end])]
            place = end
        text = "".join([*parts, text[place:]])
    return text


def _normal(kind: str, text: str) -> str:
    if kind in ("CARD", "PHONE"):
        return "".join(map(str, digits_of(text)))
    if kind in ("IBAN", "ID"):
        return re.sub(r"[ .-]", "", text).upper()
    return text.lower() if kind in ("EMAIL", "IP") else text


def _is_ipv6(text: str) -> bool:
    if sum(bool(group) for group in text.split(":")) < 3:  # "a::b" is code more often than an address
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_phone(text: str, around: str) -> bool:
    number = len(digits_of(text.lower().partition("x")[0]))
    if _DATE.fullmatch(text) or not 6 <= number <= 15:
        return False
    if text.startswith(("+", "00")):
        return number >= 8
    if "x" in text.lower() or "(" in text or _AMERICAN.fullmatch(text):
        return number >= 7
    if text[0] == "0" and 8 <= number <= 12:
        return True
    return bool(_SAYS_PHONE.search(around))
