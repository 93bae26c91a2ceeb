"""Which requests a mini may be asked, and what it is shown of them. Pure.

A mini learns one kind of request: at most one system prompt, known from its training, and one user message of
text. Everything else (conversations, images, tools, several choices) goes to the large model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

ABILITIES = ("tools", "functions", "audio", "prediction", "web_search_options")  # a mini has none of these
FIELDS = (*ABILITIES, "n", "logprobs", "logit_bias", "ignore_eos", "modalities")  # what `unfit` looks at


class Asked(msgspec.Struct, frozen=True):
    """One request as a mini sees it: the system prompt ("" for none) and the user's text."""

    system: str
    text: str


def asked(messages: Sequence[Mapping[str, Any]]) -> Asked | None:
    """The request behind OpenAI's `messages`; None if it has another form."""
    turns = [(message.get("role"), text_of(message.get("content"))) for message in messages]
    system = ""
    if turns and turns[0][0] in ("system", "developer"):
        system = turns[0][1] or ""
        turns = turns[1:]
    if len(turns) != 1 or turns[0][0] != "user" or not turns[0][1]:
        return None
    return Asked(system, turns[0][1])


def text_of(content: Any) -> str | None:
    """A message's text, from a string or from text parts; None if it holds anything else."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = []
    for part in content:
        if (
            not isinstance(part, Mapping)
            or part.get("type") != "text"
            or not isinstance(part.get("text"), str)
        ):
            return None
        texts.append(part["text"])
    return "".join(texts)


def unfit(fields: Mapping[str, Any]) -> str:
    """What of a chat request's other fields a mini can't do, by the field's name; "" if nothing."""
    for name in ABILITIES:
        if fields.get(name):
            return name
    if fields.get("n") not in (None, 1):
        return "n"
    for name in ("logprobs", "logit_bias", "ignore_eos"):
        if fields.get(name):
            return name
    return "" if fields.get("modalities") in (None, [], ["text"]) else "modalities"


def shown(systems: Sequence[str], request: Asked) -> str | None:
    """The text that the mini is shown; None for a system prompt that it was not trained for.

    System prompts are constant, so they are left out; with several, the text begins with the prompt's number.
    """
    if request.system not in systems:
        return None
    return request.text if len(systems) == 1 else f"#{systems.index(request.system)}\n{request.text}"
