"""Signatures: Gemini's own, and those of other families on their way through a Gemini caller's history.

A signature is bytes to Google's SDKs, so they send it back in base64's other alphabet; here it is always the
standard one. What another provider sealed (Anthropic's thinking) is wrapped with its origin's name, so that
it comes back to that provider and never reaches Google.
"""

from __future__ import annotations

import base64
import binascii
import re

from wicket.errors import CallerFault

ORIGIN = "gemini"
_MARK = b"wicket:"
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")

UNSIGNED = base64.b64encode(b"skip_thought_signature_validator").decode()
"""What Google documents for function calls that no Gemini model made: their signature is not checked."""


def standard(data: str, path: str) -> str:
    """Base64 in its standard alphabet, padded. Raises `CallerFault` naming `path` for anything else."""
    if "-" in data or "_" in data:
        data = data.replace("-", "+").replace("_", "/")
    if not _BASE64.fullmatch(data) or len(data.rstrip("=")) % 4 == 1:
        raise CallerFault("invalid_base64", f"'{path}' is not valid base64.", param=path)
    return data if len(data) % 4 == 0 else data.rstrip("=") + "=" * (-len(data.rstrip("=")) % 4)


def alike(signature: str) -> str:
    """A signature in the standard alphabet; one that is no base64 is left to whoever made it."""
    try:
        return standard(signature, "")
    except CallerFault:
        return signature


def seal(origin: str, signature: str, *, is_redacted: bool = False) -> str:
    """A signature as a Gemini caller gets it."""
    if origin == ORIGIN or not signature:
        return signature
    mark = _MARK + origin.encode() + (b":r:" if is_redacted else b":s:")
    return base64.b64encode(mark + signature.encode()).decode()


def unseal(signature: str) -> tuple[str, str, bool]:
    """Origin, signature and whether it stands for redacted thinking."""
    if signature.startswith("d2lja2V0O"):  # the mark in base64, but for its last byte's rest
        try:
            mark, _, rest = base64.b64decode(signature, validate=True).decode().partition(":")
            origin, _, rest = rest.partition(":")
            kind, _, inner = rest.partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ORIGIN, signature, False
        if mark == "wicket" and origin and kind in ("r", "s"):
            return origin, inner, kind == "r"
    return ORIGIN, signature, False
