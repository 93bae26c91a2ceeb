"""Other families' thoughts and seals on their way through a caller who speaks Anthropic's dialect.

Such a caller sends thinking blocks back byte for byte, signature included, and knows no signature on a tool
call. So a thought of another family carries its origin inside the signature field, and a tool call's seal
(Gemini's `thoughtSignature`) travels in a `redacted_thinking` block behind the call. Reading the request
takes both apart again; what reaches Anthropic itself never has them.
"""

from __future__ import annotations

MARK = "wicket."
_CALL = "call."


def pack(origin: str, signature: str) -> str:
    """A thought's signature with its origin."""
    return f"{MARK}{origin}.{signature}"


def unpack(signature: str) -> tuple[str, str] | None:
    """Origin and signature; None for a signature of Anthropic's own."""
    if not signature.startswith(MARK):
        return None
    origin, _, rest = signature.removeprefix(MARK).partition(".")
    return origin, rest


def pack_call(origin: str, call_id: str, signature: str) -> str:
    """The data of the block that carries a tool call's seal."""
    return f"{MARK}{_CALL}{origin}.{len(call_id)}.{call_id}{signature}"


def unpack_call(data: str) -> tuple[str, str, str] | None:
    """Origin, the call's id and its seal; None for any other block."""
    start = MARK + _CALL
    if not data.startswith(start):
        return None
    origin, _, rest = data.removeprefix(start).partition(".")
    length, _, rest = rest.partition(".")
    if not length.isdecimal() or int(length) > len(rest):
        return None
    return origin, rest[: int(length)], rest[int(length) :]
