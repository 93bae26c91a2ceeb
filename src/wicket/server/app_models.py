"""The models that can be called now, in the form of whoever asks, and the record of a caller's request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from wicket.accounts.keys import allows_model
from wicket.accounts.record import Record
from wicket.accounts.request_ids import format_id, parse_id
from wicket.dialects.openai_chat import CHAT
from wicket.errors import CallerFault, PermissionFault
from wicket.routing.deployment import ABILITIES, Deployment, Route
from wicket.server.admin_shapes import record_json
from wicket.server.app_house import SIGNED_IN, Call, Routes, Snapshot, family_of
from wicket.server.model_lists import (
    anthropic_list,
    anthropic_model,
    cohere_list,
    cohere_model,
    gemini_list,
    gemini_model,
)
from wicket.supervisor.messages import EngineState
from wicket.wire.json import encode

FAMILY = CHAT.dialect  # whose form the cards have
_JSON = "application/json"
_ENDPOINTS: dict[tuple[str, ...], str] = {
    ("embeddings",): "embed",
    ("rerank",): "rerank",
}  # Cohere's words for models of one ability
_PICO_PER_MILLION = 1_000_000  # pico-USD per token to USD per million tokens


def model_card(
    model: Mapping[str, Any], route: Route, default_model: str, engines: Mapping[str, EngineState]
) -> dict[str, Any]:
    """OpenAI's four fields of `model`, then ours: who answers, how much it takes, what it costs."""
    card: dict[str, Any] = {
        **model,
        "is_default": route.name == default_model,
        "deployments": list(dict.fromkeys(deployment.id for deployment in route.deployments)),
    }
    if not route.deployments:
        return card
    first = route.deployments[0]
    state = engines.get(first.engine) if first.engine else None
    if state is not None:
        card["engine"] = {"name": state.name, "state": state.state, "message": state.message}
    if route.floor:  # who answers, and at what price, is decided for each request
        return card | {"quality": route.floor}
    shown = route.deployments[-1] if route.task else first  # what a cascade can and costs is not its mini's
    if shown.context_tokens:
        card["context_tokens"] = shown.context_tokens
    if shown.max_output_tokens:
        card["max_output_tokens"] = shown.max_output_tokens
    if shown.prices is not None:
        card["prices"] = prices_usd(shown)
    return card


def prices_usd(deployment: Deployment) -> dict[str, float]:
    """USD per million tokens by kind; `request` is USD per request."""
    if deployment.prices is None:
        return {}
    input_pico, output_pico, cached_pico, cache_write_pico, request_nanos = deployment.prices
    kinds = {
        "input": input_pico,
        "output": output_pico,
        "cached": cached_pico,
        "cache_write": cache_write_pico,
    }
    prices = {kind: pico / _PICO_PER_MILLION for kind, pico in kinds.items() if pico is not None}
    if request_nanos:
        prices["request"] = request_nanos / 1e9
    return prices


async def list_models(call: Call) -> Response:
    """`GET /v1/models`: what this key may call, the local model first, in the form of whoever asks."""
    cards = _cards(call)
    match family_of(call.request):
        case "anthropic_messages":
            made = anthropic_list(cards)
        case "gemini":
            made = gemini_list(cards)
        case "cohere":
            snapshot, endpoint = call.house.snapshot, call.request.query_params.get("endpoint", "")
            made = cohere_list([card | _for(snapshot.resolve(card["id"])) for card in cards], endpoint)
        case _:
            made = {"object": "list", "data": cards}
    return Response(encode(made), media_type=_JSON)


def _for(route: Route) -> dict[str, Any]:
    """Which of Cohere's endpoints a model is for: chats, unless it is known to be for something else."""
    first = next(iter(route.deployments), None)
    able = tuple([name for name in ABILITIES if first is not None and name not in first.lacks])
    return {"endpoints": [_ENDPOINTS.get(able, "chat")]}


def _cards(call: Call) -> list[dict[str, Any]]:
    snapshot, engines = call.house.snapshot, call.house.engine_states()
    return [
        model_card(model, snapshot.resolve(model["id"]), snapshot.default_model, engines)
        for model in snapshot.models()
        if allows_model(call.caller, model["id"])
    ]


async def show_model(call: Call) -> Response:
    """`GET /v1/models/ID`; the id may hold slashes. A name that is callable but not listed has a card too."""
    name = call.request.path_params["id"]
    card = named_card(call.house.snapshot, name, call.house.engine_states())
    if not allows_model(call.caller, name):
        raise PermissionFault("model_not_allowed", "This key may not call that model.", param="model")
    family, route = family_of(call.request), call.house.snapshot.resolve(name)
    if family != FAMILY:
        if family == "cohere":
            made = cohere_model(card | _for(route))
        else:
            made = gemini_model(card) if family == "gemini" else anthropic_model(card)
        return Response(encode(made), media_type=_JSON)
    first = next(iter(route.deployments), None)
    if first is not None and first.engine and not route.floor:  # else it would be one of several
        card["card"] = await call.house.engine_card(first)
    return Response(encode(card), media_type=_JSON)


def named_card(snapshot: Snapshot, name: str, engines: Mapping[str, EngineState]) -> dict[str, Any]:
    """The card of whatever answers to `name`. Raises `UnknownModelFault`."""
    route = snapshot.resolve(name)
    listed = {model["id"]: model for model in snapshot.models()}
    model = listed.get(name) or {"id": name, "object": "model", "created": 0, "owned_by": _owner(route)}
    return model_card(model, route, snapshot.default_model, engines)


def _owner(route: Route) -> str:
    return route.deployments[0].provider if route.deployments else "wicket"


async def show_request(call: Call) -> Response:
    """`GET /v1/requests/ID`: the record of a request, for its own key or the admin key."""
    number = parse_id(call.request.path_params["id"])
    value = await call.ask("requests.get", {"id": number})
    record = None if value is None else msgspec.convert(value, Record)
    if record is None or not (
        call.caller is SIGNED_IN or call.caller.is_admin or record.key_id == call.caller.key_id
    ):
        message = (
            f"There is no request {format_id(number)} of this key. "
            "Records appear a moment after the answer's end."
        )
        raise CallerFault("unknown_request", message, status=404, param="id")
    return Response(encode(record_json(record)), media_type=_JSON)


ROUTES: Routes = [
    ("/v1/models", "key", {"GET": list_models}),
    ("/v1/models/{id:path}", "key", {"GET": show_model}),
    ("/v1beta/models", "key", {"GET": list_models}),
    ("/v1beta/models/{id:path}", "key", {"GET": show_model}),
    ("/v1/requests/{id}", "key", {"GET": show_request}),
]
