from __future__ import annotations

import pytest

from wicket.accounts.webhooks import low_balance, pause_ms, signature, turned


def test_a_signature_is_hmac_sha256_of_the_time_and_the_body() -> None:
    """Made with `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret`."""
    assert signature("secret", 1_700_000_000, b'{"a":1}') == (
        "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
    )
    assert signature("secret", 1_700_000_001, b'{"a":1}') != signature("secret", 1_700_000_000, b'{"a":1}')


def test_pauses_double_up_to_an_hour() -> None:
    pauses = [pause_ms(tries) for tries in range(1, 30)]
    assert pauses[:4] == [5_000, 10_000, 20_000, 40_000] and pauses == sorted(pauses)
    assert pauses[-1] == 3_600_000


@pytest.mark.parametrize(
    ("balance", "below", "was_low", "now"),
    [
        (5, 10, False, True),
        (5, 10, True, None),
        (10, 10, True, False),
        (10, 10, False, None),
        (-5, None, False, None),
        (-5, None, True, False),
    ],
)
def test_a_crossing_is_told_once(balance: int, below: int | None, was_low: bool, now: bool | None) -> None:
    assert turned(balance, below, was_low) is now


def test_facts_are_exact_dollars() -> None:
    assert low_balance("team", "red", -1_500_000_000, 250_000_000) == {
        "scope": "team",
        "name": "red",
        "balance_usd": "-1.5",
        "below_usd": "0.25",
    }
