"""Rows as CSV (RFC 4180) that spreadsheets open without running anything in it.

A cell that begins like a formula is shown as text by an apostrophe before it: a key or a team may be called
`=HYPERLINK(…)` (OWASP, "CSV Injection"). Numbers stay as they are.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """A header line and a line per row, each ended by CRLF; what a row lacks is empty."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row.get(name, "")) for name in columns])
    return file.getvalue()


def cell(value: Any) -> str:
    """A value as a cell's text: no control characters, and no formula.

    Spreadsheets look past white space, also past full-width signs, when they decide what a formula is.
    """
    text = str(value)
    if _NUMBER.fullmatch(text):
        return text
    clean = "".join(c if c.isprintable() else " " for c in text)
    first = clean.lstrip()[:1]
    risky = text.startswith(_FORMULA) or first in ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
    return "'" + clean if risky else clean
