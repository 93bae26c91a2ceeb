from __future__ import annotations

import re

import pytest

from wicket.accounts.callers import Caller, CallerTable, digest
from wicket.accounts.keys import allows_model, create_key, parse_lifetime
from wicket.errors import CallerFault


def test_a_key_is_160_random_bits_and_kept_as_its_hash() -> None:
    row, text = create_key("ada", 1_000, team="red", models=("small",), expires_ms=2_000)
    assert re.fullmatch(r"wk-[0-9a-hjkmnp-tv-z]{32}", text)
    assert row.digest == digest(text.encode())
    assert re.fullmatch(r"key_[0-9a-z]{16}", row.public_id)
    assert row.shown == f"{text[:7]}…{text[-4:]}"
    assert text[7:-4] not in repr(row)
    assert (row.id, row.team, row.models, row.created_ms, row.expires_ms) == (
        0,
        "red",
        ("small",),
        1_000,
        2_000,
    )
    assert CallerTable([row.caller()]).find(text.encode()) == row.caller()


def test_keys_differ() -> None:
    made = [create_key("k", 1) for _ in range(200)]
    assert len({text for _, text in made}) == len({row.public_id for row, _ in made}) == 200
    assert len({row.salt for row, _ in made}) == 200
    for place in (3, 20, 34):
        assert len({text[place] for _, text in made}) > 16


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201, "\x1b[31m"])
def test_names_that_could_harm_a_terminal_are_refused(name: str) -> None:
    with pytest.raises(CallerFault) as caught:
        create_key(name, 1)
    assert caught.value.code == "invalid_key_name"


def test_an_expiry_in_the_past_is_refused() -> None:
    with pytest.raises(CallerFault, match="past"):
        create_key("k", 1_000, expires_ms=1_000)


def test_a_key_may_be_for_some_models_only() -> None:
    caller = Caller(1, "k", b"", models=("small",))
    assert allows_model(caller, "small") and not allows_model(caller, "large")
    assert allows_model(Caller(1, "k", b""), "large")


def test_lifetimes() -> None:
    assert [parse_lifetime(text) for text in ("90s", "2m", "1h", "30d", "1w")] == [
        90_000,
        120_000,
        3_600_000,
        2_592_000_000,
        604_800_000,
    ]
    for bad in ("", "0d", "5", "-1d", "1y", "1.5h", "9999999s"):
        with pytest.raises(CallerFault):
            parse_lifetime(bad)
