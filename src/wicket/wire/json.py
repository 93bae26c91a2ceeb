"""The one JSON door: every encode and decode on the request path goes through here."""

from __future__ import annotations

from typing import Any

import msgspec

DecodeError = msgspec.DecodeError
ValidationError = msgspec.ValidationError

_encoder = msgspec.json.Encoder()
encode = _encoder.encode
encode_sorted = msgspec.json.Encoder(order="sorted").encode  # equal values give equal bytes
decode = msgspec.json.decode


def dumps(value: Any, *, indent: int = 2) -> str:
    """Readable JSON text for people and for `--json`."""
    return msgspec.json.format(_encoder.encode(value), indent=indent).decode()
