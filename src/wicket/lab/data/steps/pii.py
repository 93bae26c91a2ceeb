"""Personal data and secrets: placeholders in place of values, or the document goes.

The finders are the gateway's own (`wicket.guardrails.pii`), so what was logged through it is scrubbed alike.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

import msgspec

from wicket.errors import CallerFault
from wicket.guardrails.examples import Unfit, scrubbed
from wicket.guardrails.pii import FINDERS, Parameters, scrub
from wicket.lab.data.document import Document, Shard
from wicket.lab.data.step import Outcome, Removed
from wicket.wire import json

VERSION = 1
SCOPE = "document"

_PLACEHOLDER = re.compile(rf"\[({'|'.join(FINDERS)})_\d+\]")


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`kinds` are the finders' names; `do` says whether values are replaced or documents with any removed."""

    kinds: tuple[str, ...] = tuple(FINDERS)
    do: Literal["scrub", "remove"] = "scrub"


def apply(shard: Shard, options: Options, evaluation: Shard = ()) -> Outcome:
    """Scrub or remove; counts placeholders by kind. What holds pictures or sound can't be read and goes."""
    unknown = [kind for kind in options.kinds if kind not in FINDERS]
    if unknown:
        message = f"Step pii: {unknown[0]!r} is no kind of value; kinds: {', '.join(FINDERS)}."
        raise CallerFault("bad_option", message)
    kept, removed = [], []
    found: Counter[str] = Counter()
    num_changed = 0
    for document in shard:
        try:
            clean = _scrubbed(document, Parameters(options.kinds))
        except Unfit as fault:
            removed.append(Removed(document, fault.code))
            continue
        new = _kinds(clean) - _kinds(document)
        found += new
        if new and options.do == "remove":
            removed.append(Removed(document, sorted(new)[0].lower()))
            continue
        num_changed += bool(new)
        kept.append(clean if new else document)
    return Outcome(kept, removed, num_changed=num_changed, found=dict(found))


def _scrubbed(document: Document, parameters: Parameters) -> Document:
    if not document.messages:
        return msgspec.structs.replace(document, text=scrub([document.text], parameters)[0])
    body = {"messages": document.messages[:-1], **({"tools": document.tools} if document.tools else {})}
    request, last = scrubbed(
        json.encode(body), json.encode(document.messages[-1]), [lambda texts: scrub(texts, parameters)]
    )
    clean = json.decode(request)
    # Stored tokens spell the values out.
    is_same = json.decode(last) == document.messages[-1]
    return msgspec.structs.replace(
        document,
        messages=[*clean["messages"], json.decode(last)],
        tools=clean.get("tools"),
        logprobs=document.logprobs if is_same else None,
    )


def _kinds(document: Document) -> Counter[str]:
    text = json.encode([document.messages, document.text, document.tools]).decode()
    return Counter(match[1] for match in _PLACEHOLDER.finditer(text))
