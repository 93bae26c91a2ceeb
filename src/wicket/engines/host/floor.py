"""The two headers of a request that somebody else could answer: how sure to be, and how sure the model is."""

from __future__ import annotations

import re

from wicket.engines.host.exchange import Headers
from wicket.engines.host.fields import bad_value

FLOOR_HEADER = b"x-wicket-floor"
CONFIDENCE_HEADER = b"x-wicket-confidence"
# As Python writes a float of 0 and above.
_DECIMAL = re.compile(r"[0-9]{1,3}(\.[0-9]{1,20})?(e-[0-9]{1,3})?")


def read_floor(header: str) -> float | None:
    """The confidence asked for; None without the header. Raises `CallerFault` for no decimal number."""
    if not header:
        return None
    if not _DECIMAL.fullmatch(header):
        raise bad_value(FLOOR_HEADER.decode(), "expected a decimal number such as 0.95")
    return float(header)


def confidence_header(value: float) -> Headers:
    """How sure the model is."""
    return [(CONFIDENCE_HEADER, f"{value:.4f}".encode() if value else b"0")]
