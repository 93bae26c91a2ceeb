import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.engines import contract, link
from wicket.errors import EngineFault

EVENTS: list[contract.Event] = [
    contract.Piece(1, "héllo", [1, 2], [contract.TokenLogprob(1, -0.5, [(1, -0.5), (2, -1.0)])]),
    contract.Done(1, "stop", 3, 0, 2),
    contract.Embedded(2, [[0.5, -0.5]], 4),
    contract.Refused(3, "unsupported", "no"),
    contract.Classified(4, [[("a", 0.75)]], 1),
]
COMMANDS: list[contract.Command] = [
    contract.Generate(
        7, [1, 2, 3], 5, contract.Sampling(seed=4, logit_bias={3: -1.0}), schema="{}", salt="t"
    ),
    contract.Cancel(7),
    contract.Describe(8),
    contract.Score(9, [1], 2),
]


@given(st.lists(st.integers(min_value=0, max_value=400), max_size=40))
def test_frames_survive_any_split(cuts: list[int]) -> None:
    data = b"".join(map(link.pack, EVENTS))
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    unpacker: link.Unpacker[contract.Event] = link.Unpacker(contract.Event)
    found = []
    for start, end in itertools.pairwise(places):
        found += unpacker.feed(data[start:end])
    assert found == EVENTS


def test_commands_come_back_as_they_went() -> None:
    unpacker: link.Unpacker[contract.Command] = link.Unpacker(contract.Command)
    assert unpacker.feed(b"".join(map(link.pack, COMMANDS))) == COMMANDS


def test_an_oversized_frame_is_refused_before_it_is_read() -> None:
    unpacker: link.Unpacker[contract.Event] = link.Unpacker(contract.Event, max_bytes=10)
    with pytest.raises(EngineFault) as caught:
        unpacker.feed((11).to_bytes(4, "big"))
    assert caught.value.code == "frame_too_long"
    with pytest.raises(EngineFault):
        link.pack(EVENTS[0], max_bytes=3)


@given(st.binary(max_size=64))
def test_garbage_is_a_fault_and_nothing_else(body: bytes) -> None:
    unpacker: link.Unpacker[contract.Event] = link.Unpacker(contract.Event)
    frame = len(body).to_bytes(4, "big") + body
    codes = []
    try:
        assert len(unpacker.feed(frame)) == 1
    except EngineFault as fault:
        codes.append(fault.code)
    assert codes in ([], ["bad_frame"])
