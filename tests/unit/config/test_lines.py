"""The locator against many layouts of TOML; the oracle is the line comment `#>path` beside each value."""

from __future__ import annotations

import re
import textwrap
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.config.lines import Lines

LAYOUTS = {
    "tables": """
        title = "x"                     #> title
        [server]                        #> server
        port = 1                        #> server.port
        [providers.mine]                #> providers.mine
        base_url = "u"                  #> providers.mine.base_url
        [providers . "a.b" . 'c d']     #> providers.a\\.b.c d
        x = 1                           #> providers.a\\.b.c d.x
    """,
    "dotted keys": """
        a.b.c = 1                       #> a.b.c
        a.d = 2                         #> a.d
        "q\\u0041\\t".e = 3              #> qA\t.e
        [t]
        x . y = 4                       #> t.x.y
    """,
    "inline tables and arrays": """
        p = { x = 1, y = { z = 2 } }    #> p.y.z
        list = [                        #> list
          1,                            #> list.0
          # [not.a.table]
          "two ] , }",                  #> list.1
          { k = 3 },                    #> list.2.k
          [ 4,
            5 ],                        #> list.3.1
        ]
        after = 6                       #> after
    """,
    "strings that look like toml": '''
        a = """
        [server]
        port = 1
        \\""" still inside
        """
        b = \'\'\'
        x = "
        [[y]]\'\'\'
        c = "# no comment \\" ["          #> c
        d = \'\\\'                          #> d
        e = """ends with quotes"""""
        f = 1                           #> f
    ''',
    "arrays of tables": """
        [[rule]]                        #> rule.0
        name = "a"                      #> rule.0.name
        [rule.sub]                      #> rule.0.sub
        x = 1                           #> rule.0.sub.x
        [[rule.item]]
        y = 1                           #> rule.0.item.0.y
        [[rule]]                        #> rule.1
        name = "b"                      #> rule.1.name
        [[rule.item]]
        y = 2                           #> rule.1.item.0.y
        [[rule.item]]
        y = 3                           #> rule.1.item.1.y
    """,
    "values of every kind": """
        d = 1979-05-27T07:32:00Z        #> d
        n = -1_000.5e+3                 #> n
        b = true # comment "            #> b
        h = 0xFF                        #> h
        i = nan                         #> i
        e = []                          #> e
        t = {}                          #> t
        z = 0                           #> z
    """,
}


def _marks(text: str) -> list[tuple[int, tuple[str | int, ...]]]:
    marks = []
    for number, line in enumerate(text.split("\n"), start=1):
        match = re.search(r"#> (.*)$", line)
        if match:
            parts = re.split(r"(?<!\\)\.", match.group(1).rstrip(" "))
            path = tuple(int(p) if p.isdigit() else p.replace("\\.", ".") for p in parts)
            marks.append((number, path))
    return marks


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_every_marked_value_is_found_on_its_line(name: str, ends: str) -> None:
    text = textwrap.dedent(LAYOUTS[name])
    tomllib.loads(text)
    marks = _marks(text)
    assert marks
    lines = Lines(text.replace("\n", ends))
    assert [lines.of(path) for _, path in marks] == [number for number, _ in marks]


def test_an_unknown_path_is_placed_at_what_is_around_it() -> None:
    lines = Lines("[a]\n[a.b]\nx = 1\n")
    assert lines.of(("a", "b", "missing")) == 2
    assert lines.of(("a", "other", "deep")) == 1
    assert lines.of(("nowhere",)) == 0
    assert lines.of(()) == 0


def test_what_is_not_toml_ends_the_scan_and_keeps_what_came_before() -> None:
    lines = Lines("a = 1\nb = 'never closed\nc = 3\n")
    assert lines.of(("a",)) == 1
    assert lines.of(("c",)) == 0


def test_deep_nesting_ends_the_scan() -> None:
    lines = Lines("a = 1\nb = " + "[" * 500 + "]" * 500 + "\nc = 1\n")
    assert lines.of(("a",)) == 1


@given(st.text(alphabet=st.sampled_from("ab.=[]{}\"'\\\n\r\t #,1é\x00")))
def test_any_text_is_survived(text: str) -> None:
    assert Lines(text).of(("a",)) >= 0


_KEYS = st.text(alphabet=st.sampled_from("abc-_ .\"'é["), min_size=1, max_size=6)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.integers() | st.booleans() | st.text(alphabet=st.sampled_from("ab\"'\\[]{}#=,\n"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


def _quoted(text: str) -> str:
    body = "".join(f"\\u{ord(c):04x}" if c in '"\\\n' else c for c in text)
    return f'"{body}"'


def _inline(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return _quoted(value) if isinstance(value, str) else str(value)


@given(st.dictionaries(_KEYS, _VALUES, min_size=1, max_size=6))
def test_top_level_keys_of_generated_documents_are_found(document: dict[str, Any]) -> None:
    text = "".join(f"{_quoted(key)} = {_inline(value)}\n" for key, value in document.items())
    assert tomllib.loads(text) == document
    lines = Lines(text)
    assert [lines.of((key,)) for key in document] == list(range(1, len(document) + 1))
