from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.errors import CallerFault
from wicket.state.batches import Line as BatchLine
from wicket.state.batches import NewBatch, Wrong, answered, not_answered, read_line
from wicket.state.files import expiry_ms, shown_name
from wicket.state.tenant import is_ours, new_id, tenant_of
from wicket.wire import json


@given(st.text(max_size=400))
def test_a_name_is_one_printable_part(name: str) -> None:
    shown = shown_name(name)
    assert shown and len(shown) <= 255 and shown.isprintable()
    assert "/" not in shown and "\\" not in shown and shown not in (".", "..")


def test_ends() -> None:
    assert expiry_ms("", "", 5) == 0 and expiry_ms("created_at", "3600", 5) == 3_600_005
    for anchor, seconds in (
        ("", "3600"), ("now", "3600"), ("created_at", ""), ("created_at", "3599"), ("created_at", "-1"),
        ("created_at", "2592001"), ("created_at", "9" * 40), ("created_at", "\u0663600"),
    ):  # fmt: skip
        with pytest.raises(CallerFault):
            expiry_ms(anchor, seconds, 5)


def test_ids_and_tenants() -> None:
    made = {new_id("file-") for _ in range(100)}
    assert len(made) == 100 and all(is_ours("file-", each) for each in made)
    for text in ("", "file-", "file-x", next(iter(made)) + "0", next(iter(made)).upper(), "../" + "0" * 24):
        assert not is_ours("file-", text)
    own = [
        tenant_of(7, 0, ""),
        tenant_of(8, 0, ""),
        tenant_of(7, 0, "key:8"),
        tenant_of(7, 8, ""),
        tenant_of(7, 0, "8"),
    ]
    assert len(set(own)) == len(own)
    assert tenant_of(1, 0, "a") == tenant_of(2, 0, "a") and tenant_of(1, 3, "a") == tenant_of(2, 3, "b")


@given(st.binary(max_size=200))
def test_no_line_breaks_the_reader(data: bytes) -> None:
    with pytest.raises(Wrong):
        read_line(data, "/v1/chat/completions")


def test_results_hold_whatever_came() -> None:
    line = BatchLine(3, 0, 1, "mine")
    data = answered("batch_a", line, 200, "req_1", b' {\r\n"x": 1.50}\n')
    assert b"\n" not in data and b"\r" not in data and b"1.50" in data
    good = json.decode(data)
    assert good["response"] == {"status_code": 200, "request_id": "req_1", "body": {"x": 1.5}}
    assert good["id"] == "batch_req_a_3" and good["custom_id"] == "mine" and good["error"] is None
    assert (
        json.decode(answered("batch_a", line, 502, "", b"<html>\xff"))["response"]["body"] == "<html>\ufffd"
    )
    bad = json.decode(not_answered("batch_a", line, "interrupted", "why"))
    assert bad["response"] is None and bad["error"] == {"code": "interrupted", "message": "why"}


@pytest.mark.parametrize("metadata", [{str(n): "x" for n in range(17)}, {"k" * 65: "x"}, {"k": "x" * 513}])
def test_metadata_is_bounded(metadata: dict[str, str]) -> None:
    with pytest.raises(CallerFault) as caught:
        NewBatch("file-x", "/v1/x", "24h", metadata).check(["/v1/x"])
    assert caught.value.param == "metadata"
