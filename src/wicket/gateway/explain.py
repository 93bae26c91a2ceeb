"""A request's plan as a document: who would be asked, in which order and why, and who would not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wicket.gateway.call import Call
from wicket.gateway.needs import read_needs
from wicket.gateway.planning import Situation, chosen, facts_of
from wicket.routing.deployment import FEATURES, Deployment, Limits, Route
from wicket.routing.estimate import cost_pico
from wicket.routing.filters import Removed
from wicket.routing.plan import Facts, reason_of
from wicket.routing.preferences import Preferences

_PICO = 1e12
_KINDS = ("input", "output", "cached", "cache_write")
_NOTHING = Preferences()


def explain(now: Situation, call: Call) -> dict[str, Any]:
    """The plan; nobody is asked. `candidates` are in the order in which they would be."""
    route, wanted = call.route, call.preferences or _NOTHING
    facts = facts_of(now, call)
    found = chosen(call, facts)
    needs = read_needs(call.fields, call.api, call.body_bytes, route, call.preferences)
    return {
        "object": "plan",
        "model": call.model,
        "policy": wanted.policy or route.policy,
        "commit": route.commit,
        "is_stream": call.is_streamed,
        "timeouts": _seconds(route),
        "retries": route.retries,
        "max_attempts": route.max_attempts,
        "hedge": _hedge(route),
        "continue": route.continues,
        "needs": {
            "features": list(needs.features),
            "input_tokens": facts.input_tokens,
            "output_tokens": facts.output_tokens or None,
        },
        "limits": [_limits(part.limits) for part in route.parts or (route,) if part.limits]
        + ([_limits(wanted.limits)] if wanted.limits else []),
        "candidates": [
            {"place": place, **_candidate(one, call, facts)} for place, one in enumerate(found.order, 1)
        ],
        "filtered": [_filtered(one) for one in found.removed],
        "dropped": list(wanted.dropped),
    }


def _candidate(one: Deployment, call: Call, facts: Facts) -> dict[str, Any]:
    return {
        **_name(one),
        "reason": _reason(one, call, facts),
        "estimate_usd": _estimate(one, facts),
        "prices": _prices(one),
        "context_tokens": one.context_tokens or None,
        "max_output_tokens": one.max_output_tokens or None,
        "features": {
            name: True if name in one.features else False if name in one.lacks else None for name in FEATURES
        },
        "region": one.region or None,
        "data_collection": one.data_collection or None,
        "health": _health(one, call, facts),
    }


def _name(one: Deployment) -> dict[str, Any]:
    return {"deployment": one.id, "provider": one.provider, "model": one.model, "credential": one.credential}


def _filtered(one: Removed) -> dict[str, Any]:
    return {**_name(one.deployment), "reason": one.reason, "param": one.param or None}


def _reason(one: Deployment, call: Call, facts: Facts) -> str:
    """Why it stands there: the caller's word first, then the policy of its part, then its health."""
    wanted, route = call.preferences or _NOTHING, call.route
    policy = wanted.policy or _part_of(one, route).policy
    said = reason_of(one, policy, facts)
    if one.provider in wanted.order:
        return f"provider.order[{wanted.order.index(one.provider)}]; {said}"
    return said


def _part_of(one: Deployment, route: Route) -> Route:
    return next((part for part in route.parts if any(each is one for each in part.deployments)), route)


def _estimate(one: Deployment, facts: Facts) -> float | None:
    cost = cost_pico(one, facts.input_tokens, facts.output_tokens)
    return None if cost is None else cost / _PICO


def _prices(one: Deployment) -> dict[str, float] | None:
    """USD per million tokens by kind; `request` is USD per request."""
    if one.prices is None:
        return None
    by_kind: Sequence[int | None] = one.prices[:4]
    known = {kind: pico / 1e6 for kind, pico in zip(_KINDS, by_kind, strict=True) if pico is not None}
    return known | ({"request": one.prices[4] / 1e9} if one.prices[4] else {})


def _health(one: Deployment, call: Call, facts: Facts) -> dict[str, Any] | None:
    """What is known of it now; None where nobody watches. `late_ms`: when it would be raced, asked first."""
    health = facts.health
    if health is None:
        return None
    hedge = call.route.hedge
    late_us = 0
    if hedge is not None:
        late_us = hedge.after_us or health.late_us(one, hedge.after, call.is_streamed)
    rest_us = max(0, health.reopens_us(one) - facts.now_us)
    return {
        "is_cooling": bool(rest_us),
        "reopens_in_ms": rest_us // 1_000,
        "running": health.num_running(one),
        "has_room": health.has_room(one),
        "first_token_ms": health.first_token_us(one, facts.now_us) // 1_000 or None,
        "late_ms": late_us // 1_000 or None,
        "tokens_per_s": round(health.tokens_per_s(one), 1) or None,
        "headroom": round(health.headroom(one, facts.now_us), 3),
    }


def _hedge(route: Route) -> dict[str, float | None] | None:
    """When a late first token is raced, as the configuration says it; None for never."""
    hedge = route.hedge
    if hedge is None:
        return None
    return {
        "after": None if hedge.after_us else hedge.after,
        "after_s": hedge.after_us / 1e6 if hedge.after_us else None,
        "max_share": hedge.max_share_ppm / 1e6,
    }


def _seconds(route: Route) -> dict[str, float]:
    times = route.timeouts
    return {
        "connect_s": times.connect_ms / 1_000,
        "first_token_s": times.first_token_ms / 1_000,
        "gap_s": times.gap_ms / 1_000,
        "total_s": times.total_ms / 1_000,
    }


def _limits(limits: Limits) -> dict[str, Any]:
    """What has to be kept to; prices in USD per million tokens."""
    return {
        "from": "request" if limits.param else "route",
        "max_price": {
            kind: bound / scale
            for kind, bound, scale in (
                ("input", limits.max_input_pico, 1e6),
                ("output", limits.max_output_pico, 1e6),
                ("request", limits.max_request_nanos, 1e9),
            )
            if bound is not None
        },
        "region": list(limits.regions),
        "data_collection": "deny" if limits.no_collection else "allow",
        "require": list(limits.require),
    }
