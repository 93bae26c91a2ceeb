"""Capability cards: read back as written, and never outside their folder."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.errors import OperatorFault
from wicket.minis.capability import CapabilityCard, KindScore, file_name, read_capability
from wicket.wire.json import encode


def test_a_card_is_read_back() -> None:
    card = CapabilityCard(model="compact/x", created_ms=5, suite="ab", kinds={"maths": KindScore(3, 7)})
    assert read_capability(encode(card)) == card


@pytest.mark.parametrize("data", [b"", b"{}", b'{"model": 3}', b"[" * 10_000])
def test_a_damaged_card_is_refused(data: bytes) -> None:
    with pytest.raises(OperatorFault, match="measure the model again"):
        read_capability(data)


def test_a_newer_card_is_refused() -> None:
    card = CapabilityCard(version=2, model="m", created_ms=5, suite="ab", kinds={})
    with pytest.raises(OperatorFault, match="update Wicket"):
        read_capability(encode(card))


@given(st.text(min_size=1))
def test_a_cards_file_stays_in_its_folder(model: str) -> None:
    name = file_name(model)
    assert PurePosixPath(name).name == name and name != ".." and not name.startswith(".") and len(name) < 255
    assert name.isascii() and name.isprintable()


def test_models_have_different_files() -> None:
    names = ["a/b", "a_b", "a%2Fb", "a.b", "a..b", "x" * 400, "x" * 401]
    assert len({file_name(name) for name in names}) == len(names)
    assert file_name("compact/smollm2-135m-instruct") == "compact%2Fsmollm2-135m-instruct.json"
