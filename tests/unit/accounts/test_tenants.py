import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.accounts.callers import Caller, CallerTable, digest
from wicket.accounts.tenants import MAX_NAME_CHARS, Session, User, checked_name, email_key, new_id
from wicket.errors import CallerFault


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@example.com", "ADA@Example.COM"),
        ("\ufb01@example.com", "fi@example.com"),  # a ligature
        ("\uff41da@example.com", "ada@example.com"),  # full width
        ("stra\u00dfe@example.com", "STRASSE@example.com"),
        ("e\u0301@example.com", "\u00e9@example.com"),
    ],
)
def test_addresses_that_look_alike_are_one(one: str, other: str) -> None:
    assert email_key(one) == email_key(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "@",
        "a@",
        "@b",
        "a@b@c",
        "a b@c",
        "a@b\n",
        "a@b\r\nX: y",
        "\x00a@b",
        "a@" + "b" * 253,
        "a@b\u202e",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(CallerFault) as caught:
        email_key(text)
    assert caught.value.param == "email"


@given(st.text(max_size=60))
def test_a_key_is_its_own_key(text: str) -> None:
    try:
        key = email_key(text)
    except CallerFault:
        return
    assert email_key(key) == key and key.count("@") == 1


@given(st.text(max_size=MAX_NAME_CHARS + 5))
def test_a_name_is_kept_as_given_or_refused(text: str) -> None:
    if text.strip() and len(text) <= MAX_NAME_CHARS and text.isprintable():
        assert checked_name(text, "name") == text and "\n" not in text and "\r" not in text
        return
    with pytest.raises(CallerFault) as caught:
        checked_name(text, "name")
    assert caught.value.param == "name"


def test_secrets_are_not_in_what_is_printed() -> None:
    user = User("user_1", "a@b", "a@b", 1, password="scrypt$secret")
    assert "secret" not in repr(user) and "secret" not in repr([user])
    assert "digest" not in repr(Session("s", b"digest", 1, 1, 1, 1, 1))
    assert new_id("org") != new_id("org") and new_id("org").startswith("org_")


def caller(number: int, text: bytes, **more: object) -> Caller:
    return Caller(number, f"n{number}", digest(text), **more)  # type: ignore[arg-type]


def test_a_rotated_key_is_found_by_both_texts_until_it_is_changed_again() -> None:
    table = CallerTable([caller(1, b"old"), caller(2, b"other")])
    table.add(caller(1, b"new", previous=digest(b"old"), previous_until_ms=50, expires_ms=90))
    before, now = table.find(b"old"), table.find(b"new")
    assert before is not None and now is not None and len(table) == 2
    assert (before.key_id, before.expires_ms, now.expires_ms) == (1, 50, 90)
    table.add(caller(1, b"newer", previous=digest(b"new"), previous_until_ms=99, expires_ms=70))
    assert table.find(b"old") is None
    between = table.find(b"new")
    assert between is not None and between.expires_ms == 70  # a key that ends takes both along
    table.remove(1)
    assert table.find(b"new") is None and table.find(b"newer") is None and len(table) == 1
    table.remove(1)
    assert table.find_digest(digest(b"other")) is not None
