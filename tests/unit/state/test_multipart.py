from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.errors import CallerFault
from wicket.state.multipart import (
    MAX_HEAD,
    MAX_PARTS,
    FileBegan,
    FileEnded,
    FormReader,
    Piece,
    Value,
    boundary_of,
)

EDGE = b"edge"


def form(*parts: tuple[str, str | None, bytes]) -> bytes:
    out = b"a preamble that nobody reads"
    for name, filename, content in parts:
        more = f'; filename="{filename}"' if filename is not None else ""
        head = f'\r\n--edge\r\nContent-Type: x\r\nContent-Disposition: form-data; name="{name}"{more}'
        out += head.encode() + b"\r\n\r\n" + content
    return out + b"\r\n--edge--\r\nan epilogue"


def read(data: bytes, size: int = 0) -> list[Any]:
    """The events, pieces of a file joined."""
    reader = FormReader(EDGE)
    events: list[Any] = []
    step = size or len(data) or 1
    for at in range(0, len(data), step):
        events += list(reader.feed(data[at : at + step]))
    reader.finish()
    joined: list[Any] = []
    for event in events:
        if isinstance(event, Piece) and joined and isinstance(joined[-1], Piece):
            joined[-1] = Piece(joined[-1].data + event.data)
        else:
            joined.append(event)
    return joined


@given(
    st.binary(max_size=300) | st.sampled_from([b"\r\n--edg", b"\r\n--edge", b"\r\n", b"--edge--"]),
    st.integers(1, 40),
)
def test_a_file_comes_through_whatever_it_holds(content: bytes, size: int) -> None:
    if b"\r\n--edge" in content:
        return  # then the client would have had to choose another boundary
    data = form(("purpose", None, b"batch"), ("file", "a.txt", content), ("x", None, "ü".encode()))
    body = [Piece(content)] if content else []
    wanted = [Value("purpose", "batch"), FileBegan("file", "a.txt"), *body, FileEnded(), Value("x", "ü")]
    assert read(data, size) == wanted
    assert read(data) == wanted


def test_names_as_clients_write_them() -> None:
    for written, name in (
        ('a\\"b', 'a"b'),
        ("a%22b", 'a"b'),
        ("..\\x", "..\\x"),
        ("a;b=c", "a;b=c"),
        ("ü", "ü"),
    ):
        assert read(form(("file", written, b"")))[0] == FileBegan("file", name)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"--edge",
        b"--edge\r\n",
        b"--edgeX\r\n",
        b"--edge\r\n\r\nx\r\n--edge--",
        b"--edge\r\nContent-Disposition: attachment\r\n\r\nx\r\n--edge--",
        b"--edge\r\nContent-Disposition: form-data\r\n\r\nx\r\n--edge--",
        b'--edge\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n--edge--',
        b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--edge--',
        b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--edge',
        b"--edge\r\n" + b"x" * (MAX_HEAD + 10),
        form(*[("a", None, b"x")] * (MAX_PARTS + 1)),
        form(("a", None, b"x" * 70_000)),
    ],
)
def test_what_is_no_form(data: bytes) -> None:
    for size in (0, 7):
        with pytest.raises(CallerFault) as caught:
            read(data, size)
        assert caught.value.code == "invalid_form"


@given(st.binary(max_size=400))
def test_noise_is_refused_and_nothing_else_happens(data: bytes) -> None:
    for noise in (data, b"--edge\r\n" + data, form(("a", "b", data))[:-20]):
        try:
            read(noise)
        except CallerFault:
            pass


def test_what_comes_behind_the_end_is_not_held() -> None:
    reader = FormReader(EDGE)
    list(reader.feed(form(("a", None, b"x"))))
    assert list(reader.feed(b"y" * 100_000)) == [] and not reader._pending


@pytest.mark.parametrize(
    ("written", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; boundary="a b"', b"a b"),
        ("multipart/form-data;boundary=a-b'c", b"a-b'c"),
    ],
)
def test_the_boundary(written: str, boundary: bytes) -> None:
    assert boundary_of(written) == boundary


@pytest.mark.parametrize(
    "written", ["", "multipart/form-data", "multipart/mixed; boundary=a", "application/json", "x" * 5_000,
                "multipart/form-data; boundary=" + "x" * 71]
)  # fmt: skip
def test_no_boundary(written: str) -> None:
    with pytest.raises(CallerFault) as caught:
        boundary_of(written)
    assert caught.value.status == 415
