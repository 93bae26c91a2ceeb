"""Documents for the tests of steps."""

from collections.abc import Mapping
from typing import Any

from wicket.lab.data.document import Document


def chat(request: str, answer: str, origin: str = "a.jsonl:1", **more: Any) -> Document:
    messages = [{"role": "user", "content": request}, {"role": "assistant", "content": answer}]
    return Document(messages=messages, origin=origin, **more)


def numbered(pairs: Mapping[str, str]) -> list[Document]:
    return [chat(request, answer, f"a.jsonl:{n}") for n, (request, answer) in enumerate(pairs.items(), 1)]


def origins(documents: Any) -> list[str]:
    return [document.origin for document in documents]
