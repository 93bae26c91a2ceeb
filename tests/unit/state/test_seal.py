from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.state.seal import KEY_BYTES, MAX_ID, TAG_BYTES, Pin, Seal

KEY = bytes(range(KEY_BYTES))
SEAL = Seal(KEY)
PIN = Pin("own", b"12345678", "resp_0123456789abcdef")
ID = SEAL.seal("resp_", "team:a", PIN)


@given(st.text(max_size=80), st.binary(max_size=16), st.text(max_size=200), st.text(max_size=40))
def test_what_is_sealed_opens_for_its_tenant(provider: str, credential: bytes, id: str, tenant: str) -> None:
    pin = Pin(provider, credential, id)
    sealed = SEAL.seal("resp_", tenant, pin)
    assert re.fullmatch("resp_[A-Za-z0-9_-]+", sealed)
    if len(sealed) <= MAX_ID:
        assert SEAL.open("resp_", tenant, sealed) == pin
        assert SEAL.open("resp_", tenant + "x", sealed) is None


def test_it_tells_nothing_and_is_the_same_each_time() -> None:
    raw = urlsafe_b64decode(ID.removeprefix("resp_") + "==")
    assert b"own" not in raw and b"0123456789" not in raw
    assert SEAL.seal("resp_", "team:a", PIN) == ID
    longer = SEAL.seal("resp_", "team:a", Pin("own", b"12345678", "resp_0123456789abcdeg"))
    shared = [one == other for one, other in zip(ID[5:], longer[5:], strict=True)]
    assert sum(shared) < len(shared) / 2  # not a key stream used twice


@pytest.mark.parametrize("tenant", ["", "team:b", "team:", "key:1", "team:a ", "Team:a"])
def test_another_tenant_has_no_such_id(tenant: str) -> None:
    assert SEAL.open("resp_", tenant, ID) is None


def test_context_is_not_run_together() -> None:
    """Moving a character from the prefix to the tenant, or from the tenant to the text, is another id."""
    sealed = SEAL.seal("ab", "c", PIN)
    assert SEAL.open("a", "bc", "a" + sealed.removeprefix("ab")) is None
    assert SEAL.open("file-", "team:a", ID.replace("resp_", "file-")) is None


def test_every_bit_counts() -> None:
    data = urlsafe_b64decode(ID.removeprefix("resp_") + "=" * (-len(ID.removeprefix("resp_")) % 4))
    for place in range(len(data) * 8):
        forged = bytearray(data)
        forged[place // 8] ^= 1 << place % 8
        text = "resp_" + urlsafe_b64encode(bytes(forged)).rstrip(b"=").decode()
        assert SEAL.open("resp_", "team:a", text) is None


def test_every_length_but_its_own_is_forged() -> None:
    for end in range(len(ID)):
        assert SEAL.open("resp_", "team:a", ID[:end]) is None
    for more in ("A", "=", "==", "\n", " ", "AAAA", "%00"):
        assert SEAL.open("resp_", "team:a", ID + more) is None


def test_one_text_for_one_id() -> None:
    """The bits that base64 leaves over are zero: no second spelling opens."""
    body = ID.removeprefix("resp_")
    spare = {2: 16, 3: 4}.get(len(body) % 4, 1)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    at = alphabet.index(body[-1])
    others = [alphabet[n] for n in range(at - at % spare, at - at % spare + spare) if n != at]
    assert others or spare == 1
    for other in others:
        assert SEAL.open("resp_", "team:a", "resp_" + body[:-1] + other) is None


def test_another_key_knows_none_of_them() -> None:
    other = Seal(bytes(KEY_BYTES))
    assert other.open("resp_", "team:a", ID) is None
    assert other.credential((("a", "b"),)) != SEAL.credential((("a", "b"),))


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: urlsafe_b64encode(data).decode()))
def test_nothing_else_opens_or_fails(text: str) -> None:
    assert SEAL.open("resp_", "team:a", text) is None
    assert SEAL.open("resp_", "team:a", "resp_" + text) is None


def test_a_credential_is_named_by_its_value_alone() -> None:
    headers = (("authorization", "Bearer secret"),)
    assert SEAL.credential(headers) == SEAL.credential(tuple(headers))
    assert SEAL.credential(headers) != SEAL.credential((("authorization", "Bearer other"),))
    assert b"secret" not in SEAL.credential(headers)


def test_a_key_has_its_length() -> None:
    assert TAG_BYTES == 16
    for length in (0, KEY_BYTES - 1, KEY_BYTES + 1):
        with pytest.raises(ValueError):
            Seal(bytes(length))
