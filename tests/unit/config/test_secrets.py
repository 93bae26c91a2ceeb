from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.config.secrets import MAX_SECRET_BYTES, SecretError, mask, read_secret, variable


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("", "…"),
        ("short", "…"),
        ("123456789012345", "…"),
        ("1234567890123456", "…3456"),
        ("sk-abcdefghijklmnopwxyz", "sk-…wxyz"),
    ],
)
def test_a_mask_shows_at_most_the_last_four(secret: str, shown: str) -> None:
    assert mask(secret) == shown


@given(st.text(min_size=5, max_size=200))
def test_a_mask_never_holds_the_secret(secret: str) -> None:
    assert secret not in mask(secret)
    assert len(mask(secret)) <= 8


def test_the_three_ways_to_write_a_credential(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("  from-file\n")
    environ = {"MY_KEY": "from-env"}
    assert read_secret("literal-key", environ, tmp_path).value == "literal-key"
    assert read_secret("env:MY_KEY", environ, tmp_path).value == "from-env"
    assert read_secret("file:key", environ, tmp_path).value == "from-file"
    assert read_secret(f"file:{tmp_path}/key", environ, Path("/")).origin == f"file:{tmp_path}/key"


@pytest.mark.parametrize(
    ("written", "says", "is_missing"),
    [
        ("env:ABSENT", "the environment variable ABSENT is not set", True),
        ("env:BLANK", "the environment variable BLANK is empty", True),
        ("env:DOLLAR", "DOLLAR holds text with a $ sign that the shell did not expand", False),
        ("env:PERCENT", "PERCENT holds text with a $ sign", False),
        ("env:not a name", "not the name of a variable", False),
        ("env:SPACES", "SPACES holds spaces", False),
        ("$OPENAI_API_KEY", "write env:NAME", False),
        ("${OPENAI_API_KEY}", "write env:NAME", False),
        ("", "is empty", True),
        ("two words", "holds spaces", False),
        ("schlüssel", "holds spaces", False),
        ("file:absent", "there is no file", True),
        ("file:.", "there is no file", True),
        ("file:empty", "is empty", True),
        ("file:lines", "holds spaces, line ends", False),
        ("file:large", "too large", False),
        ("file:a\x00b", "file", False),
    ],
)
def test_what_is_wrong_with_a_credential(tmp_path: Path, written: str, says: str, is_missing: bool) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "lines").write_text("one\ntwo\n")
    (tmp_path / "large").write_bytes(b"x" * (MAX_SECRET_BYTES + 1))
    environ = {"BLANK": " \t", "DOLLAR": "$OPENAI_API_KEY", "PERCENT": "%OPENAI%", "SPACES": "a b"}
    with pytest.raises(SecretError, match=says.replace("$", r"\$")) as caught:
        read_secret(written, environ, tmp_path)
    if not written.startswith("file:a"):
        assert caught.value.is_missing is is_missing


def test_surrounding_white_space_of_a_variable_is_not_part_of_the_key() -> None:
    assert variable("K", {"K": " key\n"}) == "key"


@given(st.text())
def test_a_credential_fits_a_header_or_is_a_secret_error(written: str) -> None:
    try:
        value = read_secret(written, {}, Path("/nonexistent")).value
    except SecretError:
        return
    assert value.isascii() and value.isprintable() and " " not in value


@given(st.text(alphabet="xyz \t\n", min_size=12).map(lambda text: f"q{text}q"))
def test_an_error_does_not_hold_the_credential(written: str) -> None:
    if any(mark in written for mark in " \t\n"):
        with pytest.raises(SecretError) as caught:
            read_secret(written, {}, Path("/"))
        assert written not in str(caught.value)
    else:
        assert read_secret(written, {}, Path("/")).value == written
