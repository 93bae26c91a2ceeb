"""A bound on JSON schemas, checked before an engine compiles one: size, depth, counts, references.

Reference cycles through structure (a tree of nodes) are fine for a grammar; a `$ref` that only leads to
other `$ref`s and back names nothing, and one that leaves the document would have to be fetched: refused.
"""

from __future__ import annotations

from typing import Any

from wicket.errors import CallerFault
from wicket.wire import json

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32
MAX_NODES = 4000
MAX_CHOICES = 1000
MAX_REPEATS = 4096
MAX_PATTERN_CHARS = 512
_REPEATS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")


def bounded(schema: Any, param: str) -> str:
    """The schema as JSON text. Raises `CallerFault` naming `param` if it is none, or costs too much."""
    if not isinstance(schema, dict):
        raise _refused("it must be a JSON object", param)
    text: str = json.encode(schema).decode()
    if len(text) > MAX_BYTES:
        raise _refused(f"it has {len(text)} bytes, more than {MAX_BYTES}", param)
    _walk(schema, param)
    return text


def _walk(schema: dict[str, Any], param: str) -> None:
    nodes = 0
    stack: list[tuple[Any, int]] = [(schema, 1)]
    while stack:
        node, depth = stack.pop()
        nodes += 1
        if nodes > MAX_NODES:
            raise _refused(f"it has more than {MAX_NODES} parts", param)
        if depth > MAX_DEPTH:
            raise _refused(f"it is nested deeper than {MAX_DEPTH}", param)
        if isinstance(node, dict):
            why = _costly(node) or _bad_reference(node, schema)
            if why:
                raise _refused(why, param)
            stack.extend((value, depth + 1) for value in node.values())
        elif isinstance(node, list):
            stack.extend((value, depth + 1) for value in node)


def _costly(node: dict[str, Any]) -> str:
    choices = node.get("enum")
    if isinstance(choices, list) and len(choices) > MAX_CHOICES:
        return f"an enum has more than {MAX_CHOICES} choices"
    for name in _REPEATS:
        count = node.get(name)
        if isinstance(count, int | float) and count > MAX_REPEATS:
            return f"{name} is more than {MAX_REPEATS}"
    pattern = node.get("pattern")
    if isinstance(pattern, str) and len(pattern) > MAX_PATTERN_CHARS:
        return f"a pattern has more than {MAX_PATTERN_CHARS} characters"
    return ""


def _bad_reference(node: dict[str, Any], root: dict[str, Any]) -> str:
    seen: set[str] = set()
    here: Any = node
    while isinstance(here, dict) and isinstance(reference := here.get("$ref"), str):
        if reference in seen:
            return f"the reference {reference!r} leads only to itself"
        if not reference.startswith("#"):
            return f"the reference {reference[:80]!r} leaves the document"
        seen.add(reference)
        here = resolve(reference, root)
        if here is None:
            return f"the reference {reference[:80]!r} leads nowhere"
    return ""


def resolve(reference: str, root: dict[str, Any]) -> Any:
    """What a JSON pointer in a fragment names (RFC 6901 §6); None if nothing."""
    here: Any = root
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict):
            here = here.get(name)
        elif isinstance(here, list) and name.isdecimal() and int(name) < len(here):
            here = here[int(name)]
        else:
            return None
    return here


def _refused(why: str, param: str) -> CallerFault:
    return CallerFault("invalid_schema", f"The JSON schema can't be used: {why}.", param=param)
