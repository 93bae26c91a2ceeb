"""Text as it may be shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wicket.engines.decoding.text_stream import TextStream


def shown(pieces: list[bytes], stops: list[str]) -> tuple[list[str], bool]:
    stream = TextStream(stops)
    texts = []
    for piece in pieces:
        text, is_stopped = stream.feed(piece)
        texts.append(text)
        if is_stopped:
            return texts, True
    return [*texts, stream.finish()], False


def test_half_characters_wait() -> None:
    assert shown([b"a\xf0\x9f", b"\x98", b"\x80b"], []) == (["a", "", "😀b", ""], False)


def test_a_possible_stop_waits_and_comes_out_if_it_was_none() -> None:
    assert shown([b"one E", b"N", b"ough"], ["END"]) == (["one ", "", "ENough"[:6], ""], False)


def test_a_stop_is_cut_off_wherever_it_is_split() -> None:
    assert shown([b"go E", b"ND on"], ["END"]) == (["go ", ""], True)


def test_the_first_of_several_stops_counts() -> None:
    assert shown([b"a\nb END"], ["END", "\n"]) == (["a"], True)


def test_broken_bytes_become_replacement_characters() -> None:
    assert "".join(shown([b"a\xff", b"b\xf0"], [])[0]) == "a\ufffdb\ufffd"


@given(
    st.text(alphabet="abé😀", max_size=30),
    st.lists(st.text(alphabet="abé😀", min_size=1, max_size=4), max_size=3),
    st.data(),
)
def test_splitting_changes_nothing(text: str, stops: list[str], data: st.DataObject) -> None:
    raw = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    texts, is_stopped = shown(pieces, stops)
    ends = [text.find(stop) for stop in stops if stop in text]
    assert is_stopped == bool(ends)
    if len(stops) <= 1:
        assert "".join(texts) == (text[: ends[0]] if ends else text)
    else:
        assert not any(stop in "".join(texts) for stop in stops)
