"""Whether the process lives, whether inference is answered now, what it has done, and its description."""

from __future__ import annotations

from functools import cache

from starlette.responses import Response

from wicket.config.check_cascade import is_mini
from wicket.dialects.openai_chat import fault_body
from wicket.errors import OperatorFault, PermissionFault
from wicket.server.answers import fault_headers
from wicket.server.app_house import Call, House, Routes, authenticate
from wicket.wire.json import decode, encode

_JSON = "application/json"
_PROMETHEUS = "text/plain; version=0.0.4"
_RETRY_MS = 1_000


def unready_reasons(house: House) -> list[str]:
    """Why inference would not be answered now; empty when it would.

    A loading engine makes the server unready, but for a mini: without it all goes to the large model. A
    failed engine does not, as long as some model is left that can answer: the rest is served, and the failed
    model's requests say why they are refused.
    """
    if not house.is_ready:
        return ["the worker is starting or draining"]
    states = {name: state for name, state in house.engine_states().items() if not is_mini(name)}
    reasons = [f"engine {state.name} is loading" for state in states.values() if state.state == "loading"]
    if reasons:
        return reasons
    failed = {name for name, state in states.items() if state.state == "failed"}
    if not failed:
        return []
    snapshot = house.snapshot
    for model in snapshot.models():
        if any(deployment.engine not in failed for deployment in snapshot.resolve(model["id"]).deployments):
            return []
    return [f"engine {name} failed: {states[name].message}" for name in sorted(failed)]


async def healthz(call: Call) -> Response:
    """The process lives."""
    return Response(encode({"status": "ok"}), media_type=_JSON)


async def readyz(call: Call) -> Response:
    """200, or 503 with the reasons."""
    engines = {name: state.state for name, state in call.house.engine_states().items()}
    reasons = unready_reasons(call.house)
    if not reasons:
        return Response(encode({"status": "ready", "engines": engines}), media_type=_JSON)
    fault = OperatorFault("not_ready", f"Not ready: {'; '.join(reasons)}.", retry_after_ms=_RETRY_MS)
    body = {"status": "not_ready", "reasons": reasons, "engines": engines, **decode(fault_body(fault))}
    response = Response(encode(body), fault.status, media_type=_JSON)
    response.raw_headers.extend(fault_headers(fault))
    return response


async def metrics(call: Call) -> Response:
    """Prometheus' text form. For the admin key, unless the configuration makes it public."""
    if not call.house.is_metrics_public and not authenticate(call.house, call.request).is_admin:
        raise PermissionFault("admin_key_required", "Metrics need the admin key.")
    return Response(str(await call.ask("metrics")), media_type=_PROMETHEUS)


async def openapi(call: Call) -> Response:
    """The description of every route."""
    return Response(_document(), media_type=_JSON)


@cache
def _document() -> bytes:
    from wicket.server.openapi import document  # large, and few ask

    return encode(document())


ROUTES: Routes = [
    ("/healthz", "open", {"GET": healthz}),
    ("/readyz", "open", {"GET": readyz}),
    ("/metrics", "open", {"GET": metrics}),
    ("/openapi.json", "open", {"GET": openapi}),
]
