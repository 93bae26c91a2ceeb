"""Frames come out the same wherever the bytes were split."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wicket.wire.sse import FrameSplitter, FrameTooLong, payload

LINES = st.sampled_from(
    [b"data: {}", b"data:x", b"data: a b", b": comment", b"event: e", b"id: 1", b"", b"data", b"\xc3\xa9"]
)
STREAMS = st.tuples(
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb"]),
    st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n"])), max_size=12),
).map(lambda parts: parts[0] + b"".join(line + end for line, end in parts[1]))


def split(*pieces: bytes) -> tuple[list[bytes], bytes]:
    splitter = FrameSplitter()
    frames = [frame for piece in pieces for frame in splitter.feed(piece)]
    return frames, splitter.finish()


def payloads(found: tuple[list[bytes], bytes]) -> list[bytes]:
    return [data for frame in [*found[0], found[1]] if (data := payload(frame))]


@settings(max_examples=250, deadline=None)
@given(stream=STREAMS | st.binary(max_size=40), cuts=st.lists(st.integers(0, 120), max_size=6))
def test_any_split_gives_the_payloads_of_the_whole(stream: bytes, cuts: list[int]) -> None:
    ends = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    pieces = [stream[a:b] for a, b in pairwise(ends)]
    whole = payloads(split(stream))
    assert payloads(split(*pieces)) == whole
    assert payloads(split(*[stream[i : i + 1] for i in range(len(stream))])) == whole


@settings(max_examples=300, deadline=None)
@given(stream=STREAMS)
def test_the_payloads_are_those_of_the_standards_own_words(stream: bytes) -> None:
    assert payloads(split(stream)) == by_the_standard(stream)


def by_the_standard(stream: bytes) -> list[bytes]:
    """WHATWG HTML §9.2.6, line by line; a block cut off by the end counts here, as its bytes did arrive."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found, data = [], []
    for line in [*text.split(b"\n"), b""]:
        if line:
            name, _, value = line.partition(b":")
            if name == b"data" and b":" in line:
                data.append(value.removeprefix(b" "))
            continue
        if b"\n".join(data):
            found.append(b"\n".join(data))
        data = []
    return found


def test_frames_are_forwarded_with_all_their_lines() -> None:
    frames, rest = split(b"event: e\r\ndata: 1\r\n\r\n: c\r\n\r\ndata: 2")
    assert frames == [b"event: e\ndata: 1", b": c"] and rest == b"data: 2"


def test_a_frame_without_end_is_bounded() -> None:
    splitter = FrameSplitter(max_bytes=100)
    assert splitter.feed(b"data: " + b"x" * 50 + b"\n\n") == [b"data: " + b"x" * 50]
    with pytest.raises(FrameTooLong):
        splitter.feed(b"x" * 101)


def test_a_frame_of_ten_megabytes_comes_whole_and_each_byte_is_looked_at_once() -> None:
    class Counted(bytes):
        num_joined = 0

        def __radd__(self, other: bytes) -> bytes:
            Counted.num_joined += len(other)
            return bytes(other) + bytes(self)

    frame = b"data: " + b"x" * 10_000_000
    splitter = FrameSplitter()
    found = []
    for at in range(0, len(frame), 4_096):
        found += splitter.feed(Counted(frame[at : at + 4_096]))
    assert found == [] and Counted.num_joined == 0, "what waits is not copied for every piece"
    assert splitter.feed(b"\n\ndata: 2\n\n") == [frame, b"data: 2"]


def test_a_frame_that_comes_in_pieces_is_bounded() -> None:
    splitter = FrameSplitter(max_bytes=100)
    for _ in range(100):
        splitter.feed(b"x")
    with pytest.raises(FrameTooLong):
        splitter.feed(b"x")


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        (b"data: a", b"a"),
        (b"data:a", b"a"),
        (b"data:  a", b" a"),
        (b": a", b""),
        (b"data: a\ndata: b", b"a\nb"),
        (b"id: 1\ndata: a", b"a"),
        (b"", b""),
        (b"data:", b""),
    ],
)
def test_a_frames_payload(frame: bytes, data: bytes) -> None:
    assert payload(frame) == data
