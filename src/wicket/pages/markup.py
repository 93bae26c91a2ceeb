"""Text into HTML: what came from elsewhere is escaped here, and what steers a reader is taken out."""

from __future__ import annotations

from html import escape

# C0 and C1 controls but line ends and tabs, and the marks that turn the direction of text around (Unicode
# Standard Annex 9), with which an answer could rewrite how its neighbours read.
_INVISIBLE = {
    code: "\ufffd"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


def text(value: str) -> str:
    """Safe between tags and inside a quoted attribute."""
    return escape(value.translate(_INVISIBLE), quote=True)


def shortened(value: str, limit: int) -> str:
    """At most `limit` characters, with a sign and the number of those left out."""
    if len(value) <= limit:
        return value
    return f"{value[:limit].rstrip()} … ({len(value) - limit:,} more characters)"
