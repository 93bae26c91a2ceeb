"""Which credit pays: for any grants and amounts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wicket.accounts.split import Grant, split_charge

GRANTS = st.lists(
    st.builds(
        Grant,
        st.integers(1, 5),
        st.just("team:1"),
        st.integers(0, 50),
        st.sampled_from([0, 100, 200, 300]),
    ),
    unique_by=lambda grant: grant.number,
)


def test_the_grant_that_ends_first_pays_first_then_the_prepaid_credit() -> None:
    grants = [Grant(1, "team:1", 5), Grant(2, "team:1", 5, 900), Grant(3, "team:1", 5, 800)]
    assert split_charge("team:1", 12, grants, 700) == [("grant:3", 5), ("grant:2", 5), ("grant:1", 2)]
    assert split_charge("team:1", 12, grants, 800) == [
        ("grant:2", 5),
        ("grant:1", 5),
        ("credit:team:1", 2),
    ]
    assert split_charge("team:1", 12, [], 0) == [("credit:team:1", 12)]
    assert split_charge("team:1", 5, [Grant(1, "team:1", 5)], 0) == [("grant:1", 5)]


@given(amount=st.integers(1, 200), grants=GRANTS, at_ms=st.integers(0, 400))
def test_any_charge_is_paid_exactly_and_no_grant_beyond_what_it_has(
    amount: int, grants: list[Grant], at_ms: int
) -> None:
    parts = split_charge("team:1", amount, grants, at_ms)
    assert sum(nanos for _, nanos in parts) == amount
    assert len({account for account, _ in parts}) == len(parts)
    paid = dict(parts)
    for grant in grants:
        nanos = paid.get(grant.account, 0)
        assert 0 <= nanos <= grant.left_nanos
        if grant.expires_ms and at_ms >= grant.expires_ms:
            assert nanos == 0
        elif "credit:team:1" in paid:
            assert nanos == grant.left_nanos  # the prepaid credit pays only what no grant can
