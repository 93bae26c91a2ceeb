"""A page as HTML text, whole and on its own: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from wicket.pages.amounts import UNKNOWN
from wicket.pages.markup import text
from wicket.pages.parts import (
    Facts,
    Figures,
    Page,
    Paragraph,
    Part,
    Sample,
    Samples,
    Section,
    Table,
)
from wicket.pages.style import css

# Nothing may be loaded or run, whatever slipped in (Content Security Policy Level 3).
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


_PROSE = 28  # characters from which a cell is a sentence, and keeps room for some words a line


def render(page: Page) -> str:
    """The file's text (UTF-8)."""
    lead = f'<p class="lead">{text(page.lead)}</p>' if page.lead else ""
    footer = f"<footer><p>{text(page.footer)}</p></footer>" if page.footer else ""
    sections = "\n".join(_section(section) for section in page.sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="referrer" content="no-referrer">\n<title>{text(page.title)}</title>\n'
        f"<style>{css()}</style>\n</head>\n<body>\n<main>\n<h1>{text(page.title)}</h1>\n{lead}\n{sections}\n"
        f"</main>\n{footer}\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    parts = "\n".join(_part(part) for part in section.parts)
    return f"<section>\n<h2>{text(section.heading)}</h2>\n{parts}\n</section>"


def _part(part: Part) -> str:
    match part:
        case Paragraph():
            mark = f' class="note {part.tone}"' if part.tone else ""
            return f"<p{mark}>{text(part.text)}</p>"
        case Facts():
            return _facts(part)
        case Table():
            return _table(part)
        case Figures():
            figures = "".join(
                f"<figure>{figure.svg}<figcaption>{text(figure.caption)}</figcaption></figure>"
                for figure in part.figures
            )
            return f'<div class="figures">{figures}</div>'
        case Samples():
            return "\n".join("".join(_sample(sample)) for sample in part.samples)


def _facts(part: Facts) -> str:
    boxes = []
    for fact in part.facts:
        note = f"<dd>{text(fact.note)}</dd>" if fact.note else ""
        boxes.append(f"<div><dt>{text(fact.label)}</dt><dd>{text(fact.value)}</dd>{note}</div>")
    return f'<dl class="facts">{"".join(boxes)}</dl>'


def _table(part: Table) -> str:
    def cell(tag: str, column: int, value: str, scope: str = "") -> str:
        kind = ' class="number"' if column in part.numeric else ""
        if not kind and tag == "td" and len(value) >= _PROSE:
            kind = ' class="prose"'
        return f"<{tag}{scope}{kind}>{text(value)}</{tag}>"

    head = "".join(cell("th", place, name, ' scope="col"') for place, name in enumerate(part.columns))
    rows = "".join(
        "<tr>"
        + "".join(
            cell("td", place, value) if place else cell("th", 0, value, ' scope="row"')
            for place, value in enumerate(row)
        )
        + "</tr>"
        for row in part.rows
    )
    caption = text(part.caption)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{caption}"><table>'
        f"<caption><span>{caption}</span></caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _sample(sample: Sample) -> Iterator[str]:
    yield f"<article><h3>{text(sample.heading)}</h3><pre>{text(sample.request)}</pre>"
    if sample.expected:
        yield f"<h4>Expected</h4><pre>{text(sample.expected)}</pre>"
    yield '<div class="side">'
    for answer in sample.answers:
        verdict = f' <span class="{answer.tone}">· {text(answer.verdict)}</span>' if answer.verdict else ""
        yield f"<div><h4>{text(answer.name)}{verdict}</h4><pre>{text(answer.text) or UNKNOWN}</pre></div>"
    yield "</div></article>"
