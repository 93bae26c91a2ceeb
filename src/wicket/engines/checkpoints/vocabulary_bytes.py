"""The bytes behind a vocabulary's spellings."""

from __future__ import annotations

import re
from functools import cache

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@cache
def byte_letters() -> dict[str, int]:
    """GPT-2's alphabet: a printable character for each byte (https://github.com/openai/gpt-2, encoder.py)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in set(printable))
    letters.update({chr(256 + n): byte for n, byte in enumerate(others)})
    return letters


def byte_level_bytes(text: str) -> bytes:
    """Bytes of a token spelled in GPT-2's alphabet; one that isn't is taken as UTF-8 text."""
    letters = byte_letters()
    try:
        return bytes([letters[letter] for letter in text])
    except KeyError:
        return text.encode()


def sentencepiece_bytes(text: str) -> bytes:
    """Bytes of a SentencePiece token: `<0xNN>` is a byte and U+2581 a space."""
    match = _BYTE.fullmatch(text)
    if match is not None:
        return bytes([int(match[1], 16)])
    return text.replace("\u2581", " ").encode()
