"""Forms: what is read, what is refused, and that what goes on is what was read."""

import email.parser
import email.policy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wicket.errors import CallerFault
from wicket.wire.fields import Edits
from wicket.wire.form import MAX_HEAD_BYTES, MAX_PARTS, MAX_TEXT_BYTES, Form, boundary_of, read_form

TYPED, ONCE = ("stream", "n", "provider"), ("model", "stream")


def part(head: str, content: bytes = b"x") -> bytes:
    return b"--B\r\n%b\r\n\r\n%b\r\n" % (head.encode(), content)


def named(name: str, content: bytes = b"x", more: str = "") -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"{more}', content)


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--B--\r\n"


def parse(body: bytes) -> Form:
    return read_form(body, b"B", typed=TYPED, once=ONCE)


def values(found: Form) -> dict[str, Any]:
    return {name: msgspec.json.decode(raw) for name, raw in found.items()}


def test_texts_files_and_typed_fields() -> None:
    body = form(
        named("model", b"whisper-1"),
        named("file", b"\x00\xff\r\n", '; filename="a.wav"'),
        named("stream", b"True"),
        named("n", b"2"),
        named("prompt", b"true"),
        named("provider", b'{"order": ["x"]}'),
        named("empty", b""),
    )
    assert values(parse(body)) == {
        "model": "whisper-1",
        "file": {},
        "stream": True,
        "n": 2,
        "prompt": "true",
        "provider": {"order": ["x"]},
        "empty": "",
    }


def as_email(body: bytes) -> list[tuple[str | None, str | None, bytes]]:
    """Another reader's opinion: name, file name, content."""
    head = b"Content-Type: multipart/form-data; boundary=B\r\n\r\n"
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    return [
        (
            str(found) if (found := one.get_param("name", header="content-disposition")) else None,
            one.get_filename(),
            one.get_payload(decode=True) or b"",
        )
        for one in message.iter_parts()
    ]


def test_the_model_is_put_and_everything_else_stays() -> None:
    sound = bytes(range(256)) * 3
    body = b"preamble\r\n" + form(
        named("file", sound, '; filename="a.wav"'), named("model", b"mine/x"), named("p", "ä€".encode())
    )
    sent = parse(body + b"epilogue").edited(Edits(put={"model": b'"x"'}))
    assert sent == form(
        part('content-disposition: form-data; name="file"; filename="a.wav"', sound),
        part('content-disposition: form-data; name="model"', b"x"),
        part('content-disposition: form-data; name="p"', "ä€".encode()),
    )


def test_fields_are_removed_renamed_and_added() -> None:
    body = form(named("a", b"1"), named("b", b"2"), named("wicket", b"{}"))
    edits = Edits(put={"model": b'"m"', "k": b"[1]"}, rename={"a": "c"}, remove=("wicket",))
    assert values(parse(parse(body).edited(edits))) == {"c": "1", "b": "2", "model": "m", "k": "[1]"}


@settings(max_examples=200, deadline=None)
@given(
    contents=st.lists(st.binary(max_size=60).filter(lambda data: b"--B" not in data), max_size=5),
    cut=st.integers(0, 400),
)
def test_any_bytes_of_a_file_come_through_and_no_cut_does(contents: list[bytes], cut: int) -> None:
    parts = [named(f"f{i}", data, '; filename="x"') for i, data in enumerate(contents)]
    body = form(named("model", b"m"), *parts)
    again = parse(parse(body).edited(Edits(put={"model": b'"other"'})))
    assert [again.body[one.start : one.end] for one in again.parts] == [b"other", *contents]
    if cut < len(body) - len(b"--\r\n"):
        with pytest.raises(CallerFault):
            parse(body[:cut])


PIECES = [
    b"--B", b"--B--", b"\r\n", b"\n", b" ", b"model", b"x", b'name="model"', b"name=model", b"form-data;",
    b"Content-Disposition: ", b'; filename="', b'"', b"\\", b"\x00", b"\xff", b":", b'; name="p"',
]  # fmt: skip
JOINED = st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join)
PART = st.builds(
    lambda head, more, content: b"--B\r\n%b%b\r\n\r\n%b\r\n" % (head, more, content),
    st.sampled_from([b"", b'Content-Disposition: form-data; name="f"', b"Content-Disposition: form-data"]),
    JOINED,
    JOINED,
)


@settings(max_examples=500, deadline=None)
@given(st.lists(PART, max_size=3))
def test_whatever_is_taken_is_read_alike_by_another_reader(parts: list[bytes]) -> None:
    body = form(named("model", b"a"), *parts)
    try:
        found = parse(body)
    except CallerFault:
        return
    sent = found.edited(Edits(put={"model": b'"safe"'}))
    models = [content for name, _, content in as_email(sent) if name == "model"]
    assert models == [b"safe"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "boundary"),
        (b"--C\r\n", "boundary"),
        (b"--B", "line's end"),
        (b"--B\r\n", "cut"),
        (named("a"), "cut"),
        (form(named("a", b"1\r\n--Bx\r\n2")), "line's end"),
        (form(named("a", b"1\r\n--B \r\n2")), "line's end"),
        (form(part("Content-Type: text/plain")), "no name"),
        (form(part('Content-Disposition: attachment; name="a"')), "no name"),
        (form(part('Content-Disposition: form-data; name=""')), "no name"),
        (form(part('Content-Disposition: form-data; name="a"; name="b"')), "no name"),
        (form(part(r'Content-Disposition: form-data; name="a\"b"')), "no name"),
        (form(part('Content-Disposition: form-data; name="a\r\nX: y"')), "no name"),
        (form(part('Content-Disposition: form-data; name="a\tb"')), "no name"),
        (form(part('Content-Disposition: form-data;\r\n name="a"')), "malformed"),
        (form(part('Content-Disposition: form-data; name="a"\r\nContent-Disposition: x')), "twice"),
        (form(part('Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64')), "mail"),
        (form(part("X" * (MAX_HEAD_BYTES + 1))), "headers"),
        (b'--B\r\nContent-Disposition: form-data; name="a"\r\n--B--\r\n', "headers"),
        (b'--B\nContent-Disposition: form-data; name="a"\n\nx\n--B--\n', "line's end"),
        (form(*[named(f"f{i}") for i in range(MAX_PARTS + 1)]), "parts"),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, word: str) -> None:
    with pytest.raises(CallerFault) as caught:
        parse(body)
    assert word in caught.value.message and caught.value.code == "invalid_form"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (form(named("model", b"a"), named("model", b"b")), "model"),
        (form(named("model", b"a", '; filename="m"')), "model"),
        (form(named("prompt", b"\xff")), "prompt"),
        (form(named("prompt", b"x" * (MAX_TEXT_BYTES + 1))), "prompt"),
    ],
)
def test_what_is_wrong_with_a_field_names_it(body: bytes, param: str) -> None:
    with pytest.raises(CallerFault) as caught:
        parse(body)
    assert caught.value.param == param


def test_a_file_s_name_can_not_hide_a_field() -> None:
    tricky = part(r'Content-Disposition: form-data; name="file"; filename="a\"; name=\"model"', b"smuggled")
    ending = part(r'Content-Disposition: form-data; name="image"; filename="a\\"; x="y"', b"data")
    found = parse(form(tricky, ending, named("model", b"m")))
    assert [one.name for one in found.parts] == ["file", "image", "model"]
    sent = found.edited(Edits())
    assert b"\\" not in sent and b"%22; name=%22model" in sent
    assert [name for name, _, _ in as_email(sent)] == ["file", "image", "model"]


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        (b"multipart/form-data; boundary=abc", b"abc"),
        (b'Multipart/Form-Data;charset=utf-8; Boundary="a b:c"', b"a b:c"),
        (b"application/json", None),
        (b"multipart/mixed; boundary=abc", None),
        (b"", None),
    ],
)
def test_the_boundary_is_in_the_type(content_type: bytes, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "more",
    [b"", b";", b"; boundary=", b'; boundary="a\x00b"', b"; boundary=" + b"x" * 71, b"; boundary=\xff"],
)
def test_a_form_needs_a_boundary(more: bytes) -> None:
    with pytest.raises(CallerFault) as caught:
        boundary_of(b"multipart/form-data" + more)
    assert "boundary" in caught.value.message


@pytest.mark.parametrize("boundary", [b"abc", b"a b:c", b"----WebKitFormBoundary7"])
def test_a_form_says_its_own_type(boundary: bytes) -> None:
    found = read_form(b"--%b--\r\n" % boundary, boundary, typed=(), once=())
    assert boundary_of(found.content_type) == boundary
