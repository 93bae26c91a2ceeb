import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.accounts.networks import block_of, checked_networks, client_address, is_inside, is_loopback
from wicket.errors import CallerFault

TRUSTED = ("10.0.0.0/8", "fd00::/8", "127.0.0.1/32")


@pytest.mark.parametrize(
    ("address", "networks", "inside"),
    [
        ("192.0.2.7", ("192.0.2.0/24",), True),
        ("192.0.3.7", ("192.0.2.0/24",), False),
        ("::ffff:192.0.2.7", ("192.0.2.0/24",), True),
        ("2001:db8::1", ("2001:db8::/32", "192.0.2.0/24"), True),
        ("2001:db9::1", ("2001:db8::/32",), False),
        ("fe80::1%eth0", ("fe80::/10",), True),
        ("", ("0.0.0.0/0", "::/0"), False),
        ("unix", ("0.0.0.0/0",), False),
        ("192.0.2.7", (), False),
    ],
)
def test_an_address_lies_in_a_network_or_not(address: str, networks: tuple[str, ...], inside: bool) -> None:
    assert is_inside(address, networks) == inside


@pytest.mark.parametrize(
    ("peer", "said", "expected"),
    [
        ("203.0.113.5", ["198.51.100.1"], "203.0.113.5"),  # who is not trusted says what they like
        ("10.1.1.1", [], "10.1.1.1"),
        ("10.1.1.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.1.1.1", ["192.0.2.99, 198.51.100.1"], "198.51.100.1"),  # the client's own word comes first
        ("10.1.1.1", ["192.0.2.99", "198.51.100.1, 10.2.2.2"], "198.51.100.1"),
        ("10.1.1.1", ["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
        ("10.1.1.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("fd00::1", ["[2001:db8::9]:443"], "2001:db8::9"),
        ("10.1.1.1", ["unknown"], ""),
        ("10.1.1.1", ["198.51.100.1, "], ""),
        ("10.1.1.1", ["' OR 1=1"], ""),
    ],
)
def test_a_proxy_that_is_trusted_says_who_asks(peer: str, said: list[str], expected: str) -> None:
    assert client_address(peer, said, TRUSTED) == expected
    assert client_address(peer, said, ()) == peer


@given(st.lists(st.text(max_size=40), max_size=5))
def test_no_header_makes_an_untrusted_peer_somebody_else(said: list[str]) -> None:
    assert client_address("203.0.113.5", said, TRUSTED) == "203.0.113.5"
    found = client_address("10.1.1.1", said, TRUSTED)
    assert found == "" or is_inside(found, ("0.0.0.0/0", "::/0"))


def test_networks_are_checked_and_made_plain() -> None:
    assert checked_networks(["192.0.2.9/24", "192.0.2.0/24", "2001:DB8::/32", "198.51.100.7"]) == (
        "192.0.2.0/24",
        "2001:db8::/32",
        "198.51.100.7/32",
    )
    for wrong in ("", "10.0.0.0/33", "example.com", "10.0.0.0/8\n", "1"):
        with pytest.raises(CallerFault) as caught:
            checked_networks([wrong])
        assert caught.value.param == "networks"


def test_loopback_and_blocks() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1")))
    assert not any(map(is_loopback, ("", "10.0.0.1", "localhost")))
    assert block_of("2001:db8::1") == block_of("2001:db8::ffff:2") != block_of("2001:db8:0:1::1")
    assert block_of("192.0.2.1") != block_of("192.0.2.2") and block_of("") == "nowhere"
