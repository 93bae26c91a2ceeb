from __future__ import annotations

import msgspec

from wicket.accounts.callers import Caller, CallerTable, digest


def test_who_stands_for_a_key_stands_beside_it_and_goes_with_it() -> None:
    real = Caller(7, "k", digest(b"real key"))
    lent = msgspec.structs.replace(real, digest=digest(b"lent"), is_lent=True)
    table = CallerTable([real, lent])
    assert (table.find(b"real key"), table.find(b"lent")) == (real, lent) and len(table) == 1
    table.add(msgspec.structs.replace(real, digest=digest(b"rotated")))
    assert table.find(b"real key") is None and table.find(b"rotated") and table.find(b"lent") == lent
    table.add(msgspec.structs.replace(lent, digest=digest(b"lent anew")))
    assert table.find(b"lent") is None and table.find(b"lent anew")
    table.remove(7)
    assert table.find(b"rotated") is None and table.find(b"lent anew") is None
