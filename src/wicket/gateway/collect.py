"""Which requests are kept as examples, and what is kept of them. Pure.

A request is an example when its route collects (and the sample takes it) or its caller asked for it, and when
its answer is one that can be learned from: complete, one choice, of the size of a task. Whatever dialect it
was asked in, it is kept in OpenAI's form.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from wicket.accounts.example import Example
from wicket.errors import CallerFault
from wicket.gateway.attempt import MAX_TAKEN_BYTES, Attempt
from wicket.gateway.call import Arrival, Call, Collected
from wicket.gateway.crossing import is_conversation
from wicket.gateway.openai_form import FORM, message_of, request_body
from wicket.routing.deployment import Route

COLLECT_HEADER = b"x-wicket-collect"
MAX_EXAMPLE_BYTES = 256 * 1024  # request and answer together; a task's requests are far smaller
REFUSED = "refused"  # by the caller, where the route would have collected
TOO_LARGE = "too_large"
UNFIT = "unfit"  # cut, several choices, neither text nor tool calls

_OFF = b"off"
_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 / golden ratio (Knuth, TAOCP 3, 6.4: multiplicative hashing)
_NOT_SAID = -1.0


def collected(arrival: Arrival, route: Route, header_task: Callable[[bytes], str]) -> Collected | None:
    """What a request is an example of. Raises `CallerFault` for a header that names no open task."""
    value = arrival.headers.get(COLLECT_HEADER)
    is_chat = is_conversation(arrival.api)
    if value is None:
        is_taken = is_chat and is_sampled(arrival.id, route.sample_ppm)
        return Collected(route.collect, arrival.body) if is_taken else None
    if value.strip().lower() == _OFF:
        return Collected("") if route.collect and is_chat else None
    task = header_task(value.strip())
    if not is_chat:
        message = "Only conversations are collected: leave 'x-wicket-collect' out, or send \"off\"."
        raise CallerFault("unsupported", message, param=COLLECT_HEADER.decode())
    return Collected(task, arrival.body)


def is_sampled(request_id: int, share_ppm: int) -> bool:
    """Whether the sample takes a request: the id decides, so that asking twice gives the same answer."""
    spread = (request_id * _GOLDEN & 0xFFFFFFFFFFFFFFFF) >> 32
    return spread * 1_000_000 >> 32 < share_ppm


def example_of(call: Call, answer: Attempt | None) -> Example | str:
    """The example of an answered request, or why there is none: `REFUSED`, `TOO_LARGE` or `UNFIT`."""
    kept = call.collected
    if kept is None or answer is None:
        return UNFIT
    if not kept.task:
        return REFUSED
    size = answer.num_taken if call.is_streamed else len(answer.parts[0])
    if len(kept.body) > MAX_EXAMPLE_BYTES or size > MAX_TAKEN_BYTES:
        return TOO_LARGE
    message = message_of(call, answer)
    try:
        request = kept.body if call.api.dialect == FORM else request_body(call)
    except CallerFault:
        return UNFIT
    if message is None:
        return UNFIT
    if len(request) + len(message) > MAX_EXAMPLE_BYTES:
        return TOO_LARGE
    return Example(
        id=call.id,
        started_ms=call.unix_ms,
        task=kept.task,
        key_id=call.caller.key_id,
        model=call.model,
        deployment=answer.deployment.id,
        request=request,
        answer=message,
        confidence=_confidence(answer),
    )


def _confidence(answer: Attempt) -> float:
    """A mini's own word; nobody else's, since any provider could send such a header."""
    said = answer.headers.get(b"x-wicket-confidence") if answer.deployment.engine else None
    try:
        value = float(said) if said is not None else _NOT_SAID
    except ValueError:
        return _NOT_SAID
    return value if math.isfinite(value) else _NOT_SAID
