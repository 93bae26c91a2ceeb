"""Access tokens of Google's: the request for one, and what its answer says. No clock and no sockets here.

Sources: RFC 7523 (a signed assertion as a grant), RFC 7518 §3.3 (RS256), RFC 6749 §6 (refresh tokens), and
Google's "Using OAuth 2.0 for server to server applications" and "Authenticate by the metadata server".
Only an assertion needs a package (cryptography, the extra `vertex`).
"""

from __future__ import annotations

import base64
import re
from urllib.parse import urlencode

import msgspec

from wicket.errors import OperatorFault, ProviderFault
from wicket.upstream.fetch import Response
from wicket.upstream.request_head import complete, head, without_body
from wicket.wire import json
from wicket.wire.google_keys import GoogleKeys

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
ASSERTION_S = 3_600  # the most that Google takes
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_FORM = "application/x-www-form-urlencoded"
_MAX_WORDS = 300
_TOKEN = re.compile(r"[!-~]+")


class Token(msgspec.Struct, frozen=True):
    """An access token and for how long it holds, in seconds from its answer. Never print one."""

    value: str
    lifetime_s: int

    def __repr__(self) -> str:
        return f"Token({self.lifetime_s} s)"


class _Answer(msgspec.Struct):
    access_token: str = ""
    expires_in: float = 0
    error: str = ""
    error_description: str = ""


def token_request(keys: GoogleKeys, unix_s: int) -> bytes:
    """The whole HTTP request for a token. Raises `OperatorFault` for a key that can't sign."""
    plain = [("accept", "application/json"), ("user-agent", "wicket")]
    if keys.kind == "metadata":
        return without_body(head("GET", keys.target, keys.origin, [*plain, ("metadata-flavor", "Google")]))
    if keys.kind == "service_account":
        form = {"grant_type": _GRANT, "assertion": assertion(keys, unix_s)}
    else:
        form = {
            "grant_type": "refresh_token",
            "client_id": keys.client_id,
            "client_secret": keys.client_secret,
            "refresh_token": keys.refresh_token,
        }
    lines = head("POST", keys.target, keys.origin, [*plain, ("content-type", _FORM)])
    return complete(lines, urlencode(form).encode())


def assertion(keys: GoogleKeys, unix_s: int) -> str:
    """The signed claims of a service account (RFC 7523 §3). Raises `OperatorFault`."""
    heading = {"alg": "RS256", "typ": "JWT", **({"kid": keys.private_key_id} if keys.private_key_id else {})}
    claims = {
        "iss": keys.client_email,
        "scope": SCOPE,
        "aud": keys.audience,
        "iat": unix_s,
        "exp": unix_s + ASSERTION_S,
    }
    signed = f"{_encoded(json.encode(heading))}.{_encoded(json.encode(claims))}"
    return f"{signed}.{_encoded(_signature(keys.private_key, signed.encode()))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signature(private_key: str, data: bytes) -> bytes:
    try:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ImportError:
        message = "Signing with a service account's key needs a package: pip install 'wicket[vertex]'."
        raise OperatorFault("extra_missing", message) from None
    try:
        key = serialization.load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError):
        raise _bad_key() from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _bad_key()
    signature: bytes = key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return signature


def _bad_key() -> OperatorFault:
    return OperatorFault("credential_unusable", "The service account's private_key is no RSA key in PEM.")


def read_token(answer: Response) -> Token:
    """The token in an answer. Raises `ProviderFault` with the endpoint's reason: for the operator only."""
    try:
        said = json.decode(answer.body, type=_Answer)
    except msgspec.DecodeError:
        said = _Answer()
    if answer.status == 200 and _TOKEN.fullmatch(said.access_token) and said.expires_in >= 1:
        return Token(said.access_token, int(min(said.expires_in, 86_400)))
    words = ": ".join(each for each in (said.error, said.error_description) if each)[:_MAX_WORDS]
    reason = words or f"it answered {answer.status}"
    message = f"Google gives no access token ({reason})."
    if answer.status >= 500 or answer.status == 429:
        raise ProviderFault("provider_unavailable", message, status=503)
    raise ProviderFault("provider_auth_failed", message)
