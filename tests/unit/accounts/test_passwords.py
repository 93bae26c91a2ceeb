import pytest

from wicket.accounts.passwords import STANDARD, Hardness, checked, hashed, is_outdated, matches, nobodys
from wicket.accounts.throttle import MAX_NAMES, Throttle
from wicket.errors import CallerFault

QUICK = Hardness(4, 8, 1)


def test_the_standard_takes_what_owasp_asks_for() -> None:
    kept = hashed(b"correct horse")
    assert kept.startswith("scrypt$15$8$3$") and matches("correct horse", kept)
    assert not is_outdated(kept) and is_outdated(hashed(b"x", QUICK)) and not is_outdated("")
    assert 128 * (1 << STANDARD.log_n) * STANDARD.r == 32 << 20


def test_a_password_is_found_again_and_no_other() -> None:
    kept = hashed(checked("Pässwort 1234"), QUICK)
    assert kept != hashed(checked("Pässwort 1234"), QUICK)  # salted
    assert matches("Pa\u0308sswort 1234", kept)
    for other in ("Passwort 1234", "pässwort 1234", "", "Pässwort 1234 ", "x" * 5_000):
        assert not matches(other, kept)


@pytest.mark.parametrize("kept", ["", "scrypt$", "scrypt$a$8$1$x$y", "bcrypt$4$8$1$AAAA$AAAA", "$" * 5])
def test_what_is_no_hash_matches_nothing(kept: str) -> None:
    assert not matches("correct horse", kept) and not matches("", kept)
    assert not matches("correct horse", nobodys(QUICK))


@pytest.mark.parametrize("password", ["", "123456789", "x" * 1_025, "é" * 513])
def test_lengths_are_bounded_in_bytes(password: str) -> None:
    with pytest.raises(CallerFault) as caught:
        checked(password, "new")
    assert caught.value.param == "new" and (not password or password not in caught.value.message)
    assert checked("é" * 5) and checked("x" * 1_024)


def test_tries_come_back_as_they_grow_old() -> None:
    throttle = Throttle(3, 10.0)
    assert [throttle.take("a", float(now)) for now in (0, 1, 2)] == [0, 0, 0]
    assert throttle.take("a", 5.0) == 5.0
    assert throttle.take("b", 5.0) == 0
    assert throttle.take("a", 10.0) == 0 and throttle.take("a", 10.5) == 0.5
    throttle.forget("a")
    assert throttle.take("a", 10.5) == 0


def test_the_table_of_tries_is_bounded() -> None:
    throttle = Throttle(1, 1e9)
    for number in range(MAX_NAMES + 10):
        throttle.take(str(number), 0.0)
    assert len(throttle._tries) == MAX_NAMES and throttle.take(str(MAX_NAMES), 1.0) > 0
