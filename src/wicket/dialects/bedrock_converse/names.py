"""Names of tools and ids of calls in the alphabets that Converse takes.

A name comes back in an answer, so its new form holds the old one. An id only has to be the same wherever the
history has it, so one that is too long may become a digest. Source: `ToolUseBlock` of the API reference (ids
`[a-zA-Z0-9_.:-]+`, names `[a-zA-Z0-9_-]+`, 64 characters at most).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from wicket.dialects.hub import unsayable

MAX_CHARACTERS = 64
_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ENCODED = "wk-"


def call_id(found: str) -> str:
    """A caller's id of a call as Converse takes it; equal ids stay equal, others stay apart."""
    if _ID.fullmatch(found) and not found.startswith(_ENCODED):
        return found
    return _ENCODED + hashlib.blake2s(found.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def tool_name(found: str, path: str) -> str:
    """A tool's name as Converse takes it; `callers_name` gives the caller's own back.

    Raises `CallerFault` for one that does not fit: 64 plain characters, or 45 bytes of others.
    """
    if _NAME.fullmatch(found) and not found.startswith(_ENCODED):
        return found
    made = _ENCODED + base64.urlsafe_b64encode(found.encode("utf-8", "surrogatepass")).decode().rstrip("=")
    if not found or len(made) > MAX_CHARACTERS:
        raise unsayable(path, "a tool's name is letters, digits, '_' and '-' there, at most 64 of them")
    return made


def callers_name(found: str) -> str:
    """The name that `tool_name` made `found` of."""
    if not found.startswith(_ENCODED):
        return found
    text = found.removeprefix(_ENCODED)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return found
