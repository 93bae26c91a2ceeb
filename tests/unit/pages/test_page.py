"""Pages: everything escaped, nothing fetched, well-formed, headings in order, colours with contrast."""

import itertools
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from wicket.pages.markup import shortened, text
from wicket.pages.parts import (
    Answer,
    Fact,
    Facts,
    Figure,
    Figures,
    Page,
    Paragraph,
    Sample,
    Samples,
    Section,
    Table,
)
from wicket.pages.render import render
from wicket.pages.scales import Axis
from wicket.pages.scatter import Dot, scatter
from wicket.pages.style import DARK, LIGHT, NUM_SERIES

EVIL = "</title><script>alert(\"x\")</script><img src=x onerror='y'>&amp;\x00\x1b[2J\u202eabc"
VOID = {"meta", "img", "br", "link"}


class Reader(HTMLParser):
    """Tags that must close do, in order; what could run or fetch is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.bad: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.bad += [name for name, _ in attrs if name.startswith("on") or name in ("src", "href", "style")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def everything(word: str) -> Page:
    """A page in which `word` stands wherever a text can stand."""
    plot = scatter(word, Axis(word, word), Axis(word, "%", 0, 1), [Dot(word, 1.0, 0.5, 0.4, 0.6)])
    parts = [
        Paragraph(word, "warn"),
        Facts([Fact(word, word, word)]),
        Table(word, [word, word], [[word, word]], [1]),
        Figures([Figure(plot, word)]),
        Samples([Sample(word, word, [Answer(word, word, word, "bad"), Answer("b", "")], word)]),
    ]
    return Page(word, [Section(word, parts)], word, word)


def test_what_came_from_elsewhere_is_text() -> None:
    page = render(everything(EVIL))
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [] and reader.bad == [] and len(set(reader.ids)) == len(reader.ids)
    assert not {"script", "img", "link", "iframe", "object", "form"} & set(reader.tags)
    assert "\x00" not in page and "\x1b" not in page and "\u202e" not in page
    assert page.count("&lt;script&gt;") >= 20
    page.encode()


def test_nothing_is_fetched_or_run() -> None:
    page = render(everything("plain"))
    assert "http:" not in page and "https:" not in page and "url(" not in page and "@import" not in page
    assert "default-src 'none'" in page and "prefers-color-scheme:dark" in page and 'name="viewport"' in page


def test_a_reader_of_headings_and_tables_finds_its_way() -> None:
    reader = Reader()
    reader.feed(render(everything("plain")))
    levels = [int(tag[1]) for tag in reader.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    for tag in ("main", "caption", "thead", "tbody", "th", "figcaption", "desc", "dl", "footer"):
        assert tag in reader.tags, tag
    page = render(everything("plain"))
    assert (
        'scope="col"' in page and 'scope="row"' in page and 'role="img"' in page and "aria-labelledby" in page
    )
    assert '<html lang="en">' in page and 'tabindex="0"' in page


def test_the_same_page_is_the_same_bytes() -> None:
    assert render(everything("plain")) == render(everything("plain"))


def test_a_plot_is_well_formed_by_itself() -> None:
    plot = scatter(EVIL, Axis(EVIL), Axis(EVIL), [Dot(EVIL, 1.0, 2.0)])
    root = ElementTree.fromstring(plot)
    assert [child.tag for child in root][:2] == ["title", "desc"] and "<script" not in plot


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_can_be_told_from_the_paper(colours: dict[str, str]) -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for ground in (colours["paper"], colours["raised"]):
        for name in ("ink", "quiet", "good", "bad", "warn"):
            assert contrast(colours[name], ground) >= 4.5, name
    for number in range(NUM_SERIES):
        assert contrast(colours[f"s{number}"], colours["paper"]) >= 3, number
    assert colours.keys() == LIGHT.keys() == DARK.keys()


def test_long_texts_are_cut_and_say_so() -> None:
    assert shortened("abc", 3) == "abc"
    assert shortened("abcdef", 3) == "abc … (3 more characters)"
    assert text("a\nb\tc") == "a\nb\tc" and text("\ud800") == "\ufffd"
