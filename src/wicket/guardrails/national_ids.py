"""Numbers that states and banks give to people, told from other numbers by their check digits.

Sources: ISO 13616 (IBAN; lengths by country from SWIFT's IBAN registry), ISO/IEC 7812-1 (payment cards,
Luhn), ISO 7064 (MOD 97-10, MOD 11-2), and the published rules of each country's number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

IBAN_LENGTHS = dict(
    re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27"
        "GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27"
        "MD24ME22MK19MR27MT31MU30NL18NO15PK24PL28PS29PT25QA29RO24RS22SA24SC31SE24SI19SK24SM27ST25SV28TL23"
        "TN24TR26UA29VA22VG24XK20",
    )
)
_ALNUM = re.compile(r"[A-Za-z0-9]")
_VERHOEFF = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
_CF_ODD = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]


def digits_of(text: str) -> list[int]:
    """Its ASCII digits."""
    return [ord(c) - 48 for c in text if "0" <= c <= "9"]


def is_luhn(digits: Sequence[int]) -> bool:
    """Luhn's check (ISO/IEC 7812-1, annex B)."""
    doubled = [
        d if place % 2 == 0 else (2 * d - 9 if d > 4 else 2 * d) for place, d in enumerate(digits[::-1])
    ]
    return sum(doubled) % 10 == 0


def is_card(text: str) -> bool:
    """Whether the digits are a payment card's by their number, issuer and check digit."""
    digits = digits_of(text)
    is_formed = 13 <= len(digits) <= 19 and len(set(digits)) > 1 and digits[0] in (2, 3, 4, 5, 6)
    return is_formed and is_luhn(digits)


def iban_end(text: str, start: int) -> int:
    """Where the IBAN that begins at `start` ends; -1 if none does. Blanks and hyphens may stand inside."""
    wanted = int(IBAN_LENGTHS.get(text[start : start + 2].upper(), 0))
    seen: list[str] = []
    place = start
    while place < len(text) and len(seen) < wanted:
        if _ALNUM.match(text[place]):
            seen.append(text[place].upper())
        elif text[place] not in " -":
            return -1
        place += 1
    if len(seen) < wanted or not wanted or (place < len(text) and _ALNUM.match(text[place])):
        return -1
    turned = "".join(str(int(c, 36)) for c in [*seen[4:], *seen[:4]])
    return place if int(turned) % 97 == 1 else -1


def _ssn(text: str) -> bool:
    digits = digits_of(text)
    area = digits[0] * 100 + digits[1] * 10 + digits[2]
    return area not in (0, 666) and area < 900 and any(digits[3:5]) and any(digits[5:])


def _sin(text: str) -> bool:
    digits = digits_of(text)
    return digits[0] not in (0, 8) and is_luhn(digits)


def _dni(text: str) -> bool:
    plain = re.sub(r"[ .-]", "", text).upper()
    number = int({"X": "0", "Y": "1", "Z": "2"}.get(plain[0], plain[0]) + plain[1:-1])
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == plain[-1]


def _nir(text: str) -> bool:
    plain = re.sub(r"[ .-]", "", text).upper().replace("2A", "19").replace("2B", "18")
    return plain.isdigit() and 97 - int(plain[:13]) % 97 == int(plain[13:])


def _codice_fiscale(text: str) -> bool:
    values = [ord(c) - 65 if c.isalpha() else int(c) for c in text.upper()]
    total = sum(_CF_ODD[v] if place % 2 == 0 else v for place, v in enumerate(values[:15]))
    return total % 26 == values[15]


def _pesel(text: str) -> bool:
    digits = digits_of(text)
    month, day = digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]
    total = sum(w * d for w, d in zip((1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), digits, strict=True))
    return 1 <= month % 20 <= 12 and 1 <= day <= 31 and total % 10 == 0


def _personnummer(text: str) -> bool:
    digits = digits_of(text)[-10:]
    month, day = digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]
    return 1 <= month <= 12 and 1 <= day % 60 <= 31 and is_luhn(digits)


def _cpf(text: str) -> bool:
    digits = digits_of(text)
    for length in (9, 10):
        rest = sum(d * (length + 1 - place) for place, d in enumerate(digits[:length])) * 10 % 11 % 10
        if rest != digits[length]:
            return False
    return len(set(digits)) > 1


def _aadhaar(text: str) -> bool:
    """Verhoeff's check: digits, permuted by their place, multiplied in the dihedral group of order 10."""
    check, permuted = 0, list(range(10))
    digits = digits_of(text)
    for digit in reversed(digits):
        check = _dihedral(check, permuted[digit])
        permuted = [permuted[_VERHOEFF[d]] for d in range(10)]
    return check == 0 and digits[0] > 1


def _dihedral(a: int, b: int) -> int:
    if a < 5:
        return (a + b) % 5 + (5 if b >= 5 else 0)
    return (a - b) % 5 + (5 if b < 5 else 0)


def _belgian(text: str) -> bool:
    number = "".join(map(str, digits_of(text)))
    return any(97 - int(century + number[:9]) % 97 == int(number[9:]) for century in ("", "2"))


def _hetu(text: str) -> bool:
    number = int(text[:6] + text[7:10])
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[number % 31] == text[10].upper()


def _chinese(text: str) -> bool:
    total = sum(int(d) * pow(2, 17 - place, 11) for place, d in enumerate(text[:17]))
    return "10X98765432"[total % 11] == text[17].upper() and 1 <= int(text[10:12]) <= 12


def _any(_: str) -> bool:
    return True


# What it looks like, and whether its check digits hold. US social security numbers and British national
# insurance numbers have none: their form and their forbidden areas must do.
NATIONAL: Sequence[tuple[re.Pattern[str], Callable[[str], bool]]] = [
    (re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])", re.ASCII), _ssn),
    (
        re.compile(
            r"(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D](?!\w)", re.ASCII | re.I
        ),
        _any,
    ),
    (re.compile(r"(?<![\w-])\d{3}([- ])\d{3}\1\d{3}(?![\w-])", re.ASCII), _sin),
    (re.compile(r"(?<!\w)(?:\d{8}|[XYZ]-?\d{7})[ -]?[A-HJ-NP-TV-Z](?!\w)", re.ASCII | re.I), _dni),
    (
        re.compile(
            r"(?<!\w)[1-478] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d(?!\w)",
            re.ASCII | re.I,
        ),
        _nir,
    ),
    (
        re.compile(
            r"(?<!\w)[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z](?!\w)",
            re.ASCII | re.I,
        ),
        _codice_fiscale,
    ),
    (re.compile(r"(?<![\w.-])\d{11}(?![\w-])", re.ASCII), _pesel),
    (re.compile(r"(?<!\w)(?:19|20)?\d{6}[-+]\d{4}(?!\w)", re.ASCII), _personnummer),
    (re.compile(r"(?<!\w)\d{3}\.\d{3}\.\d{3}-\d\d(?!\w)", re.ASCII), _cpf),
    (re.compile(r"(?<![\w.-])\d{4}([- ]?)\d{4}\1\d{4}(?![\w-])", re.ASCII), _aadhaar),
    (re.compile(r"(?<!\w)\d\d\.\d\d\.\d\d-\d{3}\.\d\d(?!\w)", re.ASCII), _belgian),
    (re.compile(r"(?<!\w)[0-3]\d[01]\d{3}[-+A]\d{3}[0-9A-FHJ-NPR-Y](?!\w)", re.ASCII | re.I), _hetu),
    (re.compile(r"(?<!\w)[1-9]\d{5}(?:19|20)\d{9}[\dX](?!\w)", re.ASCII | re.I), _chinese),
]
