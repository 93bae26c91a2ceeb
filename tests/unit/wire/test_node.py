"""A caller's object taken apart: types, paths, and what nobody took."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from wicket.errors import CallerFault
from wicket.wire.node import Node, kind

NODE = (
    b'{"t":"a","f":true,"n":1.5,"w":5.0,"big":9007199254740993,"l":["a"],"o":{"x":1},"os":[{"y":2}],"z":null}'
)


def node() -> Node:
    return Node.of(msgspec.Raw(NODE), "at[0]")


def test_every_field_by_its_type() -> None:
    made = node()
    assert (made.text("t"), made.flag("f"), made.number("n"), made.whole("w")) == ("a", True, 1.5, 5)
    assert made.whole("big") == 9007199254740993
    assert made.texts("l") == ("a",) and made.any("o") == {"x": 1}
    inner, [item] = made.node("o"), made.nodes("os") or []
    assert inner is not None and (inner.at("x"), item.at("y")) == ("at[0].o.x", "at[0].os[0].y")
    assert made.text("z") is None and made.text("none") is None
    assert made.left_paths() == []


def test_what_nobody_took_is_named() -> None:
    made = node()
    made.take("t", "f")
    made.raw("n")
    assert made.left_paths() == ["at[0].w", "at[0].big", "at[0].l", "at[0].o", "at[0].os"]
    assert set(made.left()) == {"w", "big", "l", "o", "os"}


@pytest.mark.parametrize(
    ("ask", "param"),
    [
        (lambda made: made.text("f"), "at[0].f"),
        (lambda made: made.flag("t"), "at[0].t"),
        (lambda made: made.number("t"), "at[0].t"),
        (lambda made: made.whole("n"), "at[0].n"),
        (lambda made: made.texts("os"), "at[0].os[0]"),
        (lambda made: made.node("l"), "at[0].l"),
        (lambda made: made.nodes("l"), "at[0].l[0]"),
        (lambda made: made.items("o"), "at[0].o"),
        (lambda made: made.needed_text("none"), "at[0].none"),
    ],
)
def test_a_wrong_field_is_named(ask: Callable[[Node], Any], param: str) -> None:
    with pytest.raises(CallerFault) as caught:
        ask(node())
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"{}", "object"),
        (b" []", "array"),
        (b'"a"', "string"),
        (b"-1", "number"),
        (b"true", "boolean"),
        (b"null", "null"),
    ],
)
def test_kinds(raw: bytes, name: str) -> None:
    assert kind(msgspec.Raw(raw)) == name
