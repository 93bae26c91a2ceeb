"""The key in a request's headers, with a hint for each common way of getting it wrong.

No message repeats what was sent: it may be somebody's key.
"""

from __future__ import annotations

import re

from wicket.errors import KeyFault

MIN_KEY_BYTES = 20  # no key of ours, and no admin key, is shorter

_UNEXPANDED = re.compile(
    rb"\$[A-Za-z_][A-Za-z0-9_]*|\$env:[A-Za-z_][A-Za-z0-9_]*|%[A-Za-z_][A-Za-z0-9_]*%|\{\{.*\}\}"
)
_EXAMPLE = 'Send "Authorization: Bearer <key>"; `wicket keys create --name NAME` makes a key.'


def read_bearer(authorization: bytes | None, api_key: bytes | None = None) -> bytes:
    """The key out of `Authorization: Bearer …`, else out of `x-api-key` or `api-key`.

    Raises `KeyFault` when there is none, or nothing that could be a key.
    """
    if authorization is None:
        if api_key is None:
            raise KeyFault("missing_api_key", f"This request has no API key. {_EXAMPLE}")
        key = api_key.strip()
    else:
        key = _after_scheme(authorization.strip())
    if not key:
        raise KeyFault(
            "missing_api_key",
            "The API key is empty. If it comes from an environment variable, that variable is not set here.",
        )
    if len(key) < MIN_KEY_BYTES:
        raise unknown_key(key)
    return key


def unknown_key(key: bytes) -> KeyFault:
    """Why a presented key is not known: the fault for a key that no table holds."""
    if b"${" in key or _UNEXPANDED.fullmatch(key):
        message = (
            "The API key is the name of a variable, not its value: the shell did not expand it. "
            'Put the header in double quotes, e.g. -H "Authorization: Bearer $WICKET_API_KEY".'
        )
    elif key[:1] in (b'"', b"'") or key[-1:] in (b'"', b"'"):
        message = "The API key has quotation marks around it. Send it without them."
    elif key.lower().startswith(b"bearer "):
        message = 'The API key begins with "Bearer" twice. Give the client the key alone.'
    elif key.startswith((b"sk-proj-", b"sk-ant-", b"gsk_", b"AIza")):
        message = (
            "This is a provider's own key. Wicket wants one of its keys here: "
            "`wicket keys create --name NAME` makes one; the provider's key belongs in the configuration."
        )
    else:
        message = "This API key is not known here: mistyped, revoked, or of another server."
    return KeyFault("invalid_api_key", message)


def _after_scheme(value: bytes) -> bytes:
    scheme, _, rest = value.partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip()
    if scheme.lower() in (b"basic", b"digest", b"token", b"apikey", b"negotiate"):
        name = scheme.decode("ascii").capitalize()
        raise KeyFault("invalid_authorization", f'The scheme "{name}" is not understood. {_EXAMPLE}')
    if not value:
        return b""
    if not rest:
        if b"${" in value or _UNEXPANDED.fullmatch(value):
            raise unknown_key(value)
        raise KeyFault("invalid_authorization", f'The word "Bearer" is missing before the key. {_EXAMPLE}')
    raise KeyFault("invalid_authorization", f"The Authorization header is not understood. {_EXAMPLE}")
