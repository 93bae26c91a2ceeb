"""Other families' seals on their way through a caller who speaks Cohere's dialect, which has none of its own.

A thought or a call that is sealed carries a `signature` beside its own members, which Cohere's clients keep
and send back with the rest. It names the family, so that it reaches nobody else.
"""

from __future__ import annotations

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
