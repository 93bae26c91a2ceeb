"""Whether a mini can take a request, and how sure it may be of what it wrote. Pure.

Everything that speaks against an answer is said in a word that the operator reads in the records, as
`KIND: what`, and it means that another model is asked: nothing here is the caller's mistake.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec

from wicket.engines.contract import Classified, Done, Sampling, TokenLogprob
from wicket.engines.host import request
from wicket.engines.host.conforming import Uncheckable, satisfies
from wicket.engines.host.fields import Body
from wicket.engines.host.request import ChatCall, Limits
from wicket.errors import CallerFault
from wicket.minis import answers, confidence, form
from wicket.minis.card import MiniCard
from wicket.minis.familiarity import familiarity
from wicket.wire import json

GREEDY = Sampling(temperature=0.0)  # a mini's calibration holds for nothing else
_MAX_CHARACTERS = 64  # a token; a text of more is too long, and need not be encoded to know it
_Messages = Annotated[list[dict[str, Any]], msgspec.Meta(min_length=1)]


class NotConfident(CallerFault):
    """The mini does not answer: the request should go to another model, and `confidence` says how far off."""

    status = 422

    def __init__(self, why: str, confidence: float = 0.0) -> None:
        super().__init__("not_confident", f"The mini does not answer this request ({why}).")
        self.confidence = confidence


class Ask(msgspec.Struct, frozen=True):
    """A request that has a form the mini knows: what it is shown, and what the caller wants besides.

    `ignored` are the caller's wishes for sampling, which have no effect on a greedy answer.
    """

    shown: str
    call: ChatCall
    ignored: tuple[str, ...] = ()


class Verdict(msgspec.Struct, frozen=True):
    """An answer as it goes out; `why` is what speaks against it, and then its confidence is 0."""

    content: str
    confidence: float
    why: str = ""


def read(body: bytes, card: MiniCard, *, is_cascade: bool) -> Ask:
    """The request in a body. Raises `NotConfident` for a form that the mini can't take.

    Raises `CallerFault` for a malformed body. In a cascade that is one without messages only: what this
    engine's reader refuses besides, the next model may well take.
    """
    fields = Body(body)
    messages: list[dict[str, Any]] = fields.need("messages", _Messages)
    try:
        call = request.chat(body)
    except CallerFault as fault:
        if not is_cascade:
            raise
        raise NotConfident(f"form: {fault.param or fault.code}") from None
    why = form.unfit({name: fields.read(name, Any) for name in form.FIELDS})
    if why:
        raise NotConfident(f"form: {why}")
    asked = form.asked(messages)
    if asked is None:
        raise NotConfident("form: not one message of text by the user")
    shown = form.shown(card.systems, asked)
    if shown is None:
        raise NotConfident("form: a system prompt that it was not trained with")
    if len(shown) > _MAX_CHARACTERS * card.max_input_tokens:
        raise NotConfident(f"long: {len(shown)} characters")
    return Ask(shown, call, tuple(name for name in request.SAMPLING_FIELDS if fields.read(name, Any)))


def output_tokens(count: int, ask: Ask, card: MiniCard, limits: Limits) -> int:
    """How long an answer may be that follows `count` prompt tokens. Raises `NotConfident` if it can't fit."""
    if count > card.max_input_tokens:
        raise NotConfident(f"long: {count} tokens, and it was trained with up to {card.max_input_tokens}")
    wanted = ask.call.options.max_tokens
    max_tokens = card.max_output_tokens if wanted is None else min(wanted, card.max_output_tokens)
    if count + max_tokens > limits.context_tokens:
        raise NotConfident(f"long: {count} tokens and an answer of {max_tokens} do not fit")
    return max_tokens


def judge(card: MiniCard, ask: Ask, text: str, logprobs: list[TokenLogprob], done: Done) -> Verdict:
    """What an answer is worth: its confidence, or what is wrong with it."""
    if done.finish_reason != "stop" or done.end is None:
        return Verdict(text, 0.0, f"cut: no end within {done.output_tokens} tokens")
    why = answers.broken(card.answers, text, ask.shown)
    if why:
        return Verdict(text, 0.0, f"broken answer: {why}")
    content = answers.canonical(card.answers, text)
    why = _against(ask.call, content)
    if why:
        return Verdict(content, 0.0, why)
    likeness = familiarity(card.familiarity, ask.shown)
    return _weighed(
        card, content, confidence.evidence([entry.logprob for entry in (*logprobs, done.end)], likeness)
    )


def judge_label(card: MiniCard, ask: Ask, found: Classified, limits: Limits) -> Verdict:
    """What a classifier's label for one text is worth. Raises `NotConfident` if the text was too long."""
    count = found.prompt_tokens
    if count > card.max_input_tokens or count >= limits.context_tokens:  # it is cut there
        raise NotConfident(f"long: {count} tokens, and it was trained with up to {card.max_input_tokens}")
    if not found.certainties:
        return Verdict("", 0.0, "broken answer: no probability")
    [(label, _), *_], [certainty] = found.labels[0], found.certainties
    why = answers.broken(card.answers, label) or _against(ask.call, label)
    if why:
        return Verdict(label, 0.0, why)
    likeness = familiarity(card.familiarity, ask.shown)
    seen = confidence.label_evidence(
        certainty.logprob, certainty.margin, certainty.entropy, certainty.similarity, likeness
    )
    return _weighed(card, label, seen)


def _weighed(card: MiniCard, content: str, seen: list[float]) -> Verdict:
    if not all(map(math.isfinite, seen)):
        return Verdict(content, 0.0, "broken answer: no probability")
    return Verdict(content, confidence.confidence(card.calibration, seen))


def _against(call: ChatCall, content: str) -> str:
    """What the caller asked of an answer and this one has not; "" if nothing."""
    if any(stop in content for stop in call.options.stop):
        return "cut: it holds a stop string"
    if call.schema is None:
        return ""
    try:
        is_satisfied = satisfies(call.schema, json.decode(content))
    except (json.DecodeError, RecursionError):
        return "response_format: not JSON"
    except Uncheckable as doubt:
        return f"response_format: {doubt}"
    return "" if is_satisfied else "response_format: another shape"
