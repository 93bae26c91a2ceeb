"""New documents from templates with slots.

`{city}` is drawn from a list; `{request}` and `{answer}` are a document's own.
Templates without `{request}` and `{answer}` make `number` documents of their own, each different; with them,
each document gets `copies` in other words.
"""

from __future__ import annotations

import hashlib
import random
import re
from typing import Annotated

import msgspec

from wicket.errors import CallerFault
from wicket.lab.data.document import Document, Shard, answer_text, has_answer, request_text
from wicket.lab.data.step import Outcome
from wicket.wire import json

VERSION = 1
SCOPE = "shard"
OWN = ("request", "answer")

_SLOT = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to ask, with its answer. `system` "" is none."""

    user: str
    assistant: str
    system: str = ""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`slots`: what each may be. `copies` per document, or `number` in all (see the module)."""

    templates: tuple[Template, ...]
    slots: dict[str, tuple[str, ...]] = {}
    copies: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    number: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    seed: int = 0


def apply(shard: Shard, options: Options, evaluation: Shard = ()) -> Outcome:
    """Add the documents. Raises `CallerFault` for a slot without values."""
    own, free = _sorted(options)
    kept: list[Document] = []
    for document in shard:
        kept.append(document)
        if own and len(document.messages) and has_answer(document):
            kept += _copies(document, own, options)
    kept += _free(free, options)
    return Outcome(kept, num_added=len(kept) - len(shard))


def slots_of(template: Template) -> list[str]:
    """The slots' names, each once."""
    text = "\0".join((template.system, template.user, template.assistant))
    return list(dict.fromkeys(_SLOT.findall(text)))


def _sorted(options: Options) -> tuple[list[Template], list[Template]]:
    """Those filled from documents, and the free ones."""
    if not options.templates:
        raise CallerFault("bad_option", "Step template: there is no template.")
    own: list[Template] = []
    free: list[Template] = []
    for place, template in enumerate(options.templates):
        names = slots_of(template)
        for name in names:
            if name not in OWN and not options.slots.get(name):
                message = (
                    f"Step template: templates[{place}] has the slot {{{name}}}, but slots.{name} is empty."
                )
                raise CallerFault("bad_option", message)
        (own if set(names) & set(OWN) else free).append(template)
    if free and not options.number:
        raise CallerFault("bad_option", "Step template: say how many to make: number.")
    return own, free


def _copies(document: Document, templates: list[Template], options: Options) -> list[Document]:
    content = json.encode_sorted([options.seed, document.messages])
    draw = random.Random(hashlib.sha256(content).digest())  # noqa: S311 - not a secret
    own = {"request": request_text(document), "answer": answer_text(document)}
    made = [
        _filled(draw.choice(templates), options, draw, own, document.origin) for _ in range(options.copies)
    ]
    return _different(made)


def _free(templates: list[Template], options: Options) -> list[Document]:
    if not templates:
        return []
    draw = random.Random(options.seed)  # noqa: S311 - not a secret
    found: dict[bytes, Document] = {}
    for number in range(20 * options.number):  # few slots have few fillings: then there are fewer
        if len(found) == options.number:
            break
        made = _filled(templates[number % len(templates)], options, draw, {}, "template")
        found.setdefault(json.encode(made.messages), made)
    return list(found.values())


def _filled(
    template: Template, options: Options, draw: random.Random, own: dict[str, str], origin: str
) -> Document:
    values = {
        name: own[name] if name in own else draw.choice(options.slots[name]) for name in slots_of(template)
    }
    turns = [("system", template.system), ("user", template.user), ("assistant", template.assistant)]
    messages = [
        {"role": role, "content": _SLOT.sub(lambda match: values[match[1]], text)}
        for role, text in turns
        if text
    ]
    return Document(messages=messages, meta={"augmented": "template"}, origin=origin)


def _different(made: list[Document]) -> list[Document]:
    return list({json.encode(document.messages): document for document in made}.values())
