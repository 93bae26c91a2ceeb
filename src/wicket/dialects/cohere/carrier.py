"""Other families' seals on their way through a caller who speaks Cohere's dialect, which has none of its own.

A thought or a call that is sealed carries a `signature` beside its own members, which Cohere's clients keep
and send back with the rest. It names the family, so that it reaches nobody else.
"""

from __future__ import annotations

from typing import Any

from wicket.wire import json
from wicket.wire.fields import Fields

SEAL = "signature"  # the member's name
_PLAIN, _REDACTED = "s", "r"


def pack(origin: str, signature: str, *, is_redacted: bool = False) -> str:
    """A seal with its origin."""
    return f"{origin}:{_REDACTED if is_redacted else _PLAIN}:{signature}"


def unpack(packed: str) -> tuple[str, str, bool] | None:
    """Origin, seal, and whether it stands for redacted thinking; None for what `pack` did not write."""
    origin, _, rest = packed.partition(":")
    kind, mark, signature = rest.partition(":")
    if not (origin and mark and kind in (_PLAIN, _REDACTED)):
        return None
    return origin, signature, kind == _REDACTED


def without_seals(fields: Fields) -> tuple[bytes | None, tuple[str, ...]]:
    """`messages` without seals that `pack` wrote, and their paths; None where there is none.

    Cohere would have to make sense of them. A thought that was nothing but its seal is left out with it.
    """
    raw = fields.get("messages")
    if raw is None or SEAL.encode() not in bytes(raw):
        return None, ()
    messages = json.decode(raw)
    dropped: list[str] = []
    for number, message in enumerate(messages if isinstance(messages, list) else ()):
        for name in ("content", "tool_calls"):
            items = message.get(name) if isinstance(message, dict) else None
            if isinstance(items, list):
                path = f"messages[{number}].{name}"
                message[name] = [
                    one for place, one in enumerate(items) if _keep(one, f"{path}[{place}]", dropped)
                ]
    return (json.encode(messages), tuple(dropped)) if dropped else (None, ())


def _keep(item: Any, path: str, dropped: list[str]) -> bool:
    """Take a seal off; whether anything is left."""
    sealed = item.get(SEAL) if isinstance(item, dict) else None
    if not isinstance(sealed, str) or unpack(sealed) is None:
        return True
    del item[SEAL]
    dropped.append(f"{path}.{SEAL}")
    return item.get("type") != "thinking" or bool(item.get("thinking"))
