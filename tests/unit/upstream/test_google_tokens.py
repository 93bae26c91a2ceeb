"""Google's access tokens: what is asked for with which credential, and what the answer says."""

import base64
import json
from urllib.parse import parse_qs

import pytest

from wicket.errors import Fault, OperatorFault, ProviderFault
from wicket.upstream.fetch import Response
from wicket.upstream.google_tokens import SCOPE, Token, assertion, read_token, token_request
from wicket.wire.google_keys import GoogleKeys
from wicket.wire.origin import Origin

ENDPOINT = Origin("https", "oauth2.googleapis.com", 443)
USER = GoogleKeys(
    kind="authorized_user",
    origin=ENDPOINT,
    target="/token",
    client_id="id&1",
    client_secret="a secret",
    refresh_token="1//refresh",
)
MACHINE = GoogleKeys(kind="metadata", origin=Origin("http", "metadata.google.internal", 80), target="/at")


def service_account(private_key: str, **more: str) -> GoogleKeys:
    return GoogleKeys(
        kind="service_account",
        origin=ENDPOINT,
        target="/token",
        audience="https://oauth2.googleapis.com/token",
        client_email="robot@p.iam.gserviceaccount.com",
        private_key=private_key,
        **more,
    )


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_an_assertion_is_signed_by_rfc_7523() -> None:
    pytest.importorskip("cryptography", reason="the extra vertex is not installed")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    keys = service_account(pem, private_key_id="k1")
    head, claims, signature = assertion(keys, 1_700_000_000).split(".")
    assert json.loads(decoded(head)) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert json.loads(decoded(claims)) == {
        "iss": "robot@p.iam.gserviceaccount.com",
        "scope": SCOPE,
        "aud": "https://oauth2.googleapis.com/token",
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
    }
    key.public_key().verify(
        decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    request_head, _, body = token_request(keys, 1_700_000_000).partition(b"\r\n\r\n")
    assert request_head.startswith(b"POST /token HTTP/1.1\r\nhost: oauth2.googleapis.com\r\n")
    form = parse_qs(body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assert form["assertion"] == [f"{head}.{claims}.{signature}"]


def test_a_key_of_another_kind_is_the_operators_fault() -> None:
    pytest.importorskip("cryptography", reason="the extra vertex is not installed")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for pem in ("no key", "", curve.decode()):
        with pytest.raises(OperatorFault) as caught:
            assertion(service_account(pem), 1)
        assert caught.value.code == "credential_unusable"
        assert pem[:20] not in caught.value.message or not pem


def test_a_users_refresh_token_is_sent_as_a_form() -> None:
    _, _, body = token_request(USER, 1).partition(b"\r\n\r\n")
    assert parse_qs(body.decode(), strict_parsing=True) == {
        "grant_type": ["refresh_token"],
        "client_id": ["id&1"],
        "client_secret": ["a secret"],
        "refresh_token": ["1//refresh"],
    }


def test_the_machines_own_identity_is_asked_for_with_its_header() -> None:
    sent = token_request(MACHINE, 1)
    assert sent.startswith(b"GET /at HTTP/1.1\r\nhost: metadata.google.internal\r\n")
    assert b"\r\nmetadata-flavor: Google\r\n" in sent


def test_nothing_secret_is_shown() -> None:
    assert "secret" not in repr(USER) and "refresh" not in repr(USER)
    assert "ya29" not in repr(Token("ya29.x", 5))


def test_a_token_is_read() -> None:
    body = b'{"access_token":"ya29.a","expires_in":3599,"token_type":"Bearer"}'
    assert read_token(Response(200, (), body)) == Token("ya29.a", 3599)
    assert read_token(Response(200, (), b'{"access_token":"a","expires_in":1e9}')).lifetime_s == 86_400


@pytest.mark.parametrize(
    ("status", "body", "code", "reason"),
    [
        (400, b'{"error":"odd","error_description":"Bad."}', "provider_auth_failed", "odd: Bad."),
        (401, b"<html>", "provider_auth_failed", "401"),
        (200, b"{}", "provider_auth_failed", "200"),
        (200, b'{"access_token":"a b","expires_in":5}', "provider_auth_failed", "200"),
        (200, b'{"access_token":"a\\r\\nx: y","expires_in":5}', "provider_auth_failed", "200"),
        (200, b'{"access_token":"a","expires_in":0}', "provider_auth_failed", "200"),
        (200, b'{"access_token":5}', "provider_auth_failed", "200"),
        (503, b"", "provider_unavailable", "503"),
        (429, b"", "provider_unavailable", "429"),
    ],
)  # fmt: skip
def test_what_is_no_token_says_why(status: int, body: bytes, code: str, reason: str) -> None:
    with pytest.raises(ProviderFault) as caught:
        read_token(Response(status, (), body))
    assert isinstance(caught.value, Fault)
    assert caught.value.code == code and reason in caught.value.message
