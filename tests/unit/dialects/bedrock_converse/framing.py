"""Messages of `application/vnd.amazon.eventstream`, made for tests."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any


def framed(name: str, value: Any, kind: str = "event") -> bytes:
    """One message: `name` is the event's or the exception's, `value` its JSON."""
    headers = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    head = b"".join(
        bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(text)) + text.encode()
        for key, text in headers.items()
    )
    body = json.dumps(value).encode()
    prelude = struct.pack(">II", 16 + len(head) + len(body), len(head))
    data = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + body
    return data + struct.pack(">I", zlib.crc32(data))
