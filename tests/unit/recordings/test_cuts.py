"""Streams cut at random."""

from hypothesis import given
from hypothesis import strategies as st

from wicket.recordings.cuts import MAX_PIECES, pieces


@given(st.binary(max_size=5_000), st.text(max_size=5))
def test_nothing_is_lost_and_the_same_seed_cuts_alike(data: bytes, seed: str) -> None:
    cut = pieces(data, seed)
    assert b"".join(cut) == data and all(cut) and len(cut) <= MAX_PIECES
    assert pieces(data, seed) == cut


def test_characters_and_frames_are_cut_too() -> None:
    data = "data: süß 🙂\n\n".encode() * 40
    cuts = [pieces(data, str(seed)) for seed in range(50)]
    firsts = {piece[:1] for cut in cuts for piece in cut}
    assert any(byte[0] & 0xC0 == 0x80 for byte in firsts)  # a piece begins inside a character
    assert any(piece.endswith(b"\n") and not piece.endswith(b"\n\n") for cut in cuts for piece in cut)
    assert len({len(cut) for cut in cuts}) > 10
