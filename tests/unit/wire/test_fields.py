"""Peek and splice against the slow, obvious way: decode, edit, encode."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wicket.errors import CallerFault
from wicket.wire import fields as top
from wicket.wire.fields import Edits, Fields, peek, splice

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(["model", "stream", "a", "b", "é", "", 'q"uote', "max_tokens"]) | TEXT
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=8)
EDITS = st.tuples(
    st.dictionaries(KEYS, VALUES, max_size=3),
    st.dictionaries(KEYS, KEYS, max_size=3),
    st.lists(KEYS, max_size=3),
)


def obvious(
    value: dict[str, Any], put: dict[str, Any], rename: dict[str, str], remove: list[str]
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, content in value.items():
        if name in remove:
            continue
        target = rename.get(name)
        if target is None:
            kept[name] = content
        elif target not in value:
            kept[target] = content
    return {**kept, **put}


@settings(max_examples=200, deadline=None)
@given(
    value=OBJECTS,
    edits=EDITS,
    style=st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}]),
    ascii_only=st.booleans(),
)
def test_a_splice_is_decode_edit_encode(value: Any, edits: Any, style: Any, ascii_only: bool) -> None:
    put, rename, remove = edits
    body = json.dumps(value, ensure_ascii=ascii_only, **style).encode()
    raw = {name: json.dumps(content).encode() for name, content in put.items()}
    got = json.loads(splice(peek(body), Edits(put=raw, rename=rename, remove=tuple(remove))))
    wanted = obvious(value, put, rename, remove)
    assert got == wanted and list(got) == list(wanted)


@settings(max_examples=100, deadline=None)
@given(value=OBJECTS)
def test_an_untouched_value_keeps_its_bytes(value: Any) -> None:
    members = {name: json.dumps(content, indent=1) for name, content in value.items()}
    body = "{" + " , ".join(f"{json.dumps(name)} : {text}" for name, text in members.items()) + " }"
    again = splice(peek(body.encode()), Edits(put={"model": b'"new"'})).decode()
    assert all(text in again for name, text in members.items() if name != "model")


@settings(max_examples=200, deadline=None)
@given(
    body=st.binary(max_size=60) | OBJECTS.map(lambda value: json.dumps(value).encode()),
    at=st.integers(0, 200),
    byte=st.binary(max_size=2),
)
def test_any_bytes_are_an_object_or_a_fault_as_the_library_says(body: bytes, at: int, byte: bytes) -> None:
    body = body[:at] + byte + body[at:]
    found = read(body)
    if found is not None:
        assert list(found) == list(json.loads(body))
        assert json.loads(splice(found, Edits())) == json.loads(body)


def read(body: bytes) -> Fields | None:
    """The fields, None where they are refused as they should be; anything else fails the test."""
    try:
        return peek(body)
    except CallerFault as fault:
        if (fault.code, fault.status) != ("invalid_json", 400):
            raise
        return None


@pytest.mark.parametrize("depth", [900, 1_500, 10_000, 200_000])
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_is_refused_or_read_but_never_crashes(depth: int, pair: tuple[bytes, bytes]) -> None:
    body = b'{"x":' + pair[0] * depth + (b"1" if pair[1] == b"}" else b"") + pair[1] * depth + b"}"
    found = read(body)
    assert found is None or list(found) == ["x"]
    assert (found is None) == (depth > 1_000)


def test_of_a_repeated_field_the_last_counts_under_any_spelling() -> None:
    found = peek(b'{"model":"a","\\u006dodel":"b"}')
    assert top.text(found, "model") == "b" and splice(found, Edits()) == b'{"model":"b"}'


def test_a_renamed_field_keeps_its_place_and_yields_to_one_that_is_there() -> None:
    edits = Edits(rename={"a": "z"})
    assert splice(peek(b'{"x":1,"a":2,"y":3}'), edits) == b'{"x":1,"z":2,"y":3}'
    assert splice(peek(b'{"a":2,"z":3}'), edits) == b'{"z":3}'


@pytest.mark.parametrize(
    ("raw", "text", "flag", "count"),
    [
        (b'"a"', "a", CallerFault, CallerFault),
        (b"null", None, False, None),
        (b"true", CallerFault, True, CallerFault),
        (b"false", CallerFault, False, CallerFault),
        (b"1", CallerFault, CallerFault, 1),
        (b"0", CallerFault, CallerFault, CallerFault),
        (b"-1", CallerFault, CallerFault, CallerFault),
        (b"1.5", CallerFault, CallerFault, CallerFault),
        (b"[]", CallerFault, CallerFault, CallerFault),
    ],
)
def test_values_have_the_type_they_must_have(raw: bytes, text: Any, flag: Any, count: Any) -> None:
    found = peek(b'{"x":' + raw + b"}")
    for read, wanted in [(top.text, text), (top.flag, flag), (top.at_least_one, count)]:
        if wanted is CallerFault:
            with pytest.raises(CallerFault) as caught:
                read(found, "x")
            assert caught.value.param == "x" and "'x'" in caught.value.message
        else:
            assert read(found, "x") == wanted
    assert (top.text({}, "x"), top.flag({}, "x"), top.at_least_one({}, "x")) == (None, False, None)
