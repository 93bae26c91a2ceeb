"""An ID token checked: signature, issuer, audience, times, nonce (OpenID Connect Core 1.0 §3.1.3.7).

RS256 and ES256 only (RFC 7518 §3.3, §3.4). The key's type decides with the header which of the two, so no
token chooses how it is checked; "none" and the symmetric ones are not there at all.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from wicket.errors import OperatorFault, PermissionFault
from wicket.wire.json import DecodeError, decode

LEEWAY_S = 60
MIN_RSA_BITS = 2_048
MAX_TOKEN_BYTES = 64 * 1024
_P256_BYTES = 32


class Expected(msgspec.Struct, frozen=True):
    """What a token must say."""

    issuer: str
    client_id: str
    nonce: str


class Identity(msgspec.Struct, frozen=True):
    """Who it is, as the provider says. `email` is "" unless the provider has verified it."""

    subject: str
    email: str = ""
    name: str = ""


def read_token(token: str, keys: Sequence[Mapping[str, Any]], expected: Expected, now_s: float) -> Identity:
    """Who the token is about. Raises `PermissionFault` for anything that is not as it must be."""
    head, claims, signed, signature = _parts(token)
    _check_signature(head, keys, signed, signature)
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    if claims.get("iss") != expected.issuer:
        raise bad_token("its issuer is another one")
    if expected.client_id not in audiences:
        raise bad_token("it is for another client")
    if (len(audiences) > 1 or party is not None) and party != expected.client_id:
        raise bad_token("it was issued to another client")
    if now_s >= _moment(claims, "exp") + LEEWAY_S:
        raise bad_token("it has expired")
    if max(_moment(claims, name) for name in ("iat", "nbf") if name in ("iat", *claims)) > now_s + LEEWAY_S:
        raise bad_token("it is from the future")
    if claims.get("nonce") != expected.nonce:
        raise bad_token("it answers another request")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
        raise bad_token("it names nobody")
    email, name = claims.get("email"), claims.get("name")
    return Identity(
        subject,
        email if isinstance(email, str) and claims.get("email_verified") is True else "",
        name[:100] if isinstance(name, str) and name.isprintable() else "",
    )


def key_id(token: str) -> str:
    """Which key the token says it is signed with, "" if it does not say."""
    found = _parts(token)[0].get("kid", "")
    return found if isinstance(found, str) else ""


def bad_token(why: str) -> PermissionFault:
    """The provider's token is not to be trusted."""
    return PermissionFault("bad_id_token", f"The provider's ID token is refused: {why}.")


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    pieces = token.split(".")
    if len(pieces) != 3 or len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise bad_token("it is no signed token")
    try:
        head, claims = decode(_bytes(pieces[0])), decode(_bytes(pieces[1]))
    except (DecodeError, RecursionError):
        raise bad_token("it is no signed token") from None
    if not isinstance(head, dict) or not isinstance(claims, dict) or "crit" in head:
        raise bad_token("it is no signed token")
    return head, claims, f"{pieces[0]}.{pieces[1]}".encode(), _bytes(pieces[2])


def _check_signature(
    head: Mapping[str, Any], keys: Sequence[Mapping[str, Any]], signed: bytes, signature: bytes
) -> None:
    kinds = {"RS256": "RSA", "ES256": "EC"}
    algorithm, kid = head.get("alg"), head.get("kid")
    if not isinstance(algorithm, str) or algorithm not in kinds:
        raise bad_token("it is signed in a way that is not taken (RS256 and ES256 are)")
    usable = [
        key
        for key in keys
        if key.get("kty") == kinds[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]
    verify = _verify_rsa if algorithm == "RS256" else _verify_ec
    if not any(verify(key, signed, signature) for key in usable):
        raise bad_token("its signature is not the provider's")


def _verify_rsa(key: Mapping[str, Any], signed: bytes, signature: bytes) -> bool:
    _need_package()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        public = rsa.RSAPublicNumbers(_number(key, "e"), _number(key, "n")).public_key()
        if public.key_size < MIN_RSA_BITS:
            return False
        public.verify(signature, signed, padding.PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def _verify_ec(key: Mapping[str, Any], signed: bytes, signature: bytes) -> bool:
    _need_package()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    if key.get("crv") != "P-256" or len(signature) != 2 * _P256_BYTES:
        return False
    r, s = signature[:_P256_BYTES], signature[_P256_BYTES:]
    try:
        numbers = ec.EllipticCurvePublicNumbers(_number(key, "x"), _number(key, "y"), ec.SECP256R1())
        der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        numbers.public_key().verify(der, signed, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _need_package() -> None:
    try:
        import cryptography  # noqa: F401 - an extra, for those who sign in elsewhere
    except ImportError:
        message = "Signing in by OpenID Connect needs a package: pip install 'wicket[oidc]'."
        raise OperatorFault("missing_package", message) from None


def _number(key: Mapping[str, Any], name: str) -> int:
    text = key.get(name)
    if not isinstance(text, str):
        raise ValueError(name)
    return int.from_bytes(_bytes(text), "big")


def _moment(claims: Mapping[str, Any], name: str) -> float:
    found = claims.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise bad_token(f"it has no '{name}'")
    return found


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise bad_token("it is no signed token") from None
