"""The host's HTTP face: OpenAI's routes, so that for the gateway an engine is a deployment like any other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from wicket.engines import contract
from wicket.engines.host import answer, chat, mini, verbs
from wicket.engines.host.completion import complete, scored
from wicket.engines.host.exchange import Endpoint, Exchange
from wicket.engines.host.model import Model
from wicket.engines.host.posting import another_verb, dropped, posted, refusal
from wicket.errors import CallerFault, EngineFault, UnknownModelFault
from wicket.wire import json

if TYPE_CHECKING:
    from starlette.applications import Starlette

Handler = Callable[[Model, Exchange], Awaitable[None]]


async def converse(model: Model, exchange: Exchange) -> None:
    """POST /v1/chat/completions, by a mini's rules where it is one."""
    await (mini.chat if model.is_mini else chat.chat)(model, exchange)


async def _asked(
    model: Model, verb: str, command: Callable[[int], contract.Embed | contract.Classify]
) -> contract.Event:
    """The one event that answers a command about texts. Raises the refusal, if it is one."""
    with model.gate.entered():
        await model.loaded(verb)
        [command_id] = model.core.new_ids(1)
        async with posted(model, [command(command_id)]) as mailbox:
            event = await mailbox.next()
    if isinstance(event, contract.Refused):
        raise refusal(event)
    return event


async def embed(model: Model, exchange: Exchange) -> None:
    """POST /v1/embeddings."""
    call = verbs.texts(await exchange.body())
    model.named(call.model)
    event = await _asked(model, "embed", lambda each: contract.Embed(each, call.texts))
    if not isinstance(event, contract.Embedded):
        raise another_verb()
    verbs.check_dimensions(call.dimensions, len(event.vectors[0]) if event.vectors else 0)
    body = answer.embeddings(event.vectors, model.id, event.prompt_tokens, is_base64=call.is_base64)
    await exchange.reply(200, body, dropped(call.dropped))


async def score(model: Model, exchange: Exchange) -> None:
    """POST /v1/score: the log-probability of each token of `input`, `top` alternatives each."""
    call = verbs.score(await exchange.body())
    model.named(call.model)
    with model.gate.entered():
        await model.loaded("score")
        prompter = await model.prompter()
        tokens = await prompter.complete(call.input) if isinstance(call.input, str) else call.input
        limits = model.limits
        if len(tokens) > limits.context_tokens:
            message = f"This model's maximum context length is {limits.context_tokens} tokens. "
            message += f"However, your input has {len(tokens)} tokens. Please shorten it."
            raise CallerFault("context_length_exceeded", message, param="input")
        if any(token >= limits.vocab_size for token in tokens):
            message = f"'input' holds token ids that this model has not: they are below {limits.vocab_size}."
            raise CallerFault("invalid_value", message, param="input")
        [command_id] = model.core.new_ids(1)
        async with posted(model, [contract.Score(command_id, tokens, call.top)]) as mailbox:
            entries = scored(await mailbox.next())
    found = [
        verbs.scored(entry, prompter.spell(entry.token_id).decode(errors="replace")) for entry in entries
    ]
    usage = {"prompt_tokens": len(found), "total_tokens": len(found)}
    body = {"object": "list", "data": found, "model": model.id, "usage": usage}
    await exchange.reply(200, json.encode(body), dropped(call.dropped))


async def classify(model: Model, exchange: Exchange) -> None:
    """POST /v1/classify: the `top` likeliest labels with probabilities for each text of `input`."""
    call = verbs.classify(await exchange.body())
    model.named(call.model)
    event = await _asked(model, "classify", lambda each: contract.Classify(each, call.texts, call.top))
    if not isinstance(event, contract.Classified):
        raise another_verb()
    data = [
        {"index": index, "labels": [{"label": label, "probability": chance} for label, chance in labels]}
        for index, labels in enumerate(event.labels)
    ]
    usage = {"prompt_tokens": event.prompt_tokens, "total_tokens": event.prompt_tokens}
    body = {"object": "list", "data": data, "model": model.id, "usage": usage}
    await exchange.reply(200, json.encode(body), dropped(call.dropped))


async def models(model: Model, exchange: Exchange) -> None:
    """GET /v1/models."""
    await exchange.reply(200, json.encode({"object": "list", "data": [await model.describe()]}))


async def one_model(model: Model, exchange: Exchange) -> None:
    """GET /v1/models/ID, with the model's card."""
    model.named(exchange.scope["path_params"]["model"])
    await exchange.reply(200, json.encode(await model.describe()))


async def health(model: Model, exchange: Exchange) -> None:
    """GET /healthz: the process lives."""
    await exchange.reply(200, b'{"status":"ok"}')


async def readiness(model: Model, exchange: Exchange) -> None:
    """GET /readyz: 200 when requests are answered now; else 503 with "loading", or "failed" and why."""
    try:
        await model.check()
    except EngineFault as fault:
        body: dict[str, object] = {"status": "loading"}
        if fault.code != "engine_loading":
            body = {"status": "failed", "error": {"code": fault.code, "message": fault.message}}
        await exchange.reply(503, json.encode(body))
    else:
        await exchange.reply(200, b'{"status":"ready"}')


async def nothing(model: Model, exchange: Exchange) -> None:
    """Any other path."""
    path = exchange.scope["path"][:100]
    raise UnknownModelFault("not_found", f"There is no {exchange.scope['method']} {path} here.")


_ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/v1/chat/completions", converse),
    ("POST", "/v1/completions", complete),
    ("POST", "/v1/embeddings", embed),
    ("POST", "/v1/score", score),
    ("POST", "/v1/classify", classify),
    ("GET", "/v1/models", models),
    ("GET", "/v1/models/{model:path}", one_model),
    ("GET", "/healthz", health),
    ("GET", "/readyz", readiness),
]


def application(model: Model) -> Starlette:
    """The ASGI application for a model."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    def bound(handler: Handler) -> Endpoint:
        return Endpoint(lambda exchange: handler(model, exchange))

    routes = [Route(path, bound(handler), methods=[method]) for method, path, handler in _ROUTES]
    routes.append(Route("/{path:path}", bound(nothing)))
    return Starlette(routes=routes)
