from __future__ import annotations

import pytest

from wicket.errors import KeyFault
from wicket.server.bearer import read_bearer, unknown_key

KEY = b"wk-0123456789abcdefghij"


@pytest.mark.parametrize(
    "header", [b"Bearer " + KEY, b"bearer " + KEY, b"BEARER   " + KEY + b" ", b" Bearer " + KEY]
)
def test_the_key_is_what_follows_the_scheme(header: bytes) -> None:
    assert read_bearer(header) == KEY


def test_the_other_headers_count_only_without_authorization() -> None:
    assert read_bearer(None, KEY) == KEY
    assert read_bearer(b"Bearer " + KEY, b"another-key-that-is-not-read") == KEY


def test_an_admin_key_may_hold_spaces_and_dollars() -> None:
    odd = b"$a key with spaces, and a $dollar"
    assert read_bearer(b"Bearer " + odd) == odd


@pytest.mark.parametrize(
    ("header", "code", "words"),
    [
        (None, "missing_api_key", "no API key"),
        (b"", "missing_api_key", "empty"),
        (b"Bearer", "missing_api_key", "empty"),
        (b"Bearer   ", "missing_api_key", "variable is not set"),
        (b"Basic dXNlcjpwYXNz", "invalid_authorization", '"Basic"'),
        (KEY, "invalid_authorization", '"Bearer" is missing'),
        (b"$apikey", "invalid_api_key", "did not expand"),
        (b"Bearer $apikey", "invalid_api_key", "did not expand"),
        (b"Bearer ${KEY}", "invalid_api_key", "did not expand"),
        (b"Bearer %API_KEY%", "invalid_api_key", "did not expand"),
        (b"Bearer $env:API_KEY", "invalid_api_key", "did not expand"),
        (b"Bearer short", "invalid_api_key", "not known"),
        (b"AWS4-HMAC-SHA256 Credential=a, b", "invalid_authorization", "not understood"),
    ],
)
def test_each_mistake_has_its_own_hint(header: bytes | None, code: str, words: str) -> None:
    with pytest.raises(KeyFault) as caught:
        read_bearer(header)
    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.status == 401


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (b"$WICKET_PRODUCTION_API_KEY", "did not expand"),
        (b"${WICKET_PRODUCTION_API_KEY}", "did not expand"),
        (b'"' + KEY + b'"', "quotation marks"),
        (b"Bearer " + KEY, "twice"),
        (b"sk-proj-0123456789abcdef0123", "provider's own key"),
        (KEY, "not known here"),
    ],
)
def test_a_long_key_that_nobody_knows_is_explained_without_repeating_it(key: bytes, words: str) -> None:
    fault = unknown_key(key)
    assert words in fault.message
    assert key.decode() not in fault.message
