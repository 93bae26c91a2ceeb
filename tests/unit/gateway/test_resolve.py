"""From a request's fields to its route and its plan: models merged, limits of time, who may be asked."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.routing.sample import Told, deployment
from wicket.accounts.callers import Caller
from wicket.dialects.openai_chat import CHAT, CLASSIFY
from wicket.errors import CallerFault, PermissionFault, UnknownModelFault
from wicket.gateway.admit import admit
from wicket.gateway.call import Arrival, Call
from wicket.gateway.explain import explain
from wicket.gateway.planning import planned
from wicket.gateway.rules import RuleBook
from wicket.routing.deployment import Deployment, Limits, Route
from wicket.routing.filters import with_questions
from wicket.routing.plan import Health
from wicket.wire import json

A, B, C = deployment("p/a", prices=(5, 5, None, None, 0)), deployment("q/b"), deployment("p/c")
LOCAL = deployment("e/l", engine="e")
MINI = deployment("mini/t", engine="mini:t", task="t")


def route(name: str, *found: Deployment, **fields: Any) -> Route:
    return with_questions(Route(name=name, deployments=found, **fields))


class Named:
    """`Routes` by name."""

    def __init__(self, *routes: Route) -> None:
        self.routes = {each.name: each for each in routes}

    def resolve(self, name: str, /) -> Route:
        if name not in self.routes:
            raise UnknownModelFault("model_not_found", "No.", param="model")
        return self.routes[name]

    def resolve_all(self, name: str, /) -> Route:
        return self.routes.get(f"all:{name}") or self.resolve(name)

    def providers_called(self, name: str, /) -> Sequence[str] | None:
        return (name,) if name in "pqe" else None

    def header_task(self, value: bytes, /) -> str:
        return ""


ROUTES = Named(
    route("one", A),
    route("two", B, C, policy="price", markup_ppm=500_000),
    route("both", A, B),
    route("strict", A, B, limits=Limits(max_input_pico=1)),
    route("all:one", A, B),
    route("auto", LOCAL, A, floor=0.5),
    route("cascade", MINI, A, policy="cascade", task="t"),
    route("labels", LOCAL, A),
)
NOBODY = Caller(key_id=1, name="k", digest=b"")


class Now:
    """`planning.Situation`."""

    unready: frozenset[str] = frozenset()
    cascades: dict[str, Any] = {}

    def __init__(self, health: Health | None = None) -> None:
        self.health = health


def call(model: str | None = "one", caller: Caller = NOBODY, api: Any = CHAT, **fields: Any) -> Call:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}], "input": "x", **fields}
    if model is not None:
        body["model"] = model
    return admit(Arrival(api, {}, json.encode(body), 7, 1_000, 1), caller, ROUTES)


def order(asked: Call, health: Health | None = None) -> list[str]:
    return [one.id for one in planned(Now(health), asked)]


def test_a_request_without_routing_has_the_routes_own_tuple() -> None:
    asked = call("both")
    assert asked.preferences is None and asked.route is ROUTES.routes["both"]
    assert planned(Now(), asked) is asked.route.deployments


def test_models_are_parts_of_one_route_and_what_is_twice_stays_first() -> None:
    asked = call("one", models=["both", "one", "two"])
    assert [part.name for part in asked.route.parts] == ["one", "both", "two"]
    assert order(asked) == ["p/a", "q/b", "p/c"]
    assert asked.model == "one" and asked.route.name == "one"
    assert [asked.route.markup_of(one) for one in asked.route.deployments] == [0, 0, 500_000]
    assert order(call(None, models=["two", "one"])) == ["q/b", "p/c", "p/a"]
    assert order(asked, Told(p={"reopens_us": 9_000})) == ["q/b", "p/a", "p/c"], "who cools is last of all"


def test_each_part_keeps_to_its_own_limits() -> None:
    assert order(call("two", models=["strict"])) == ["q/b", "p/c"]
    with pytest.raises(
        CallerFault, match=r"Nobody is left to answer 'strict': p/a input costs .* price unknown"
    ):
        order(call("strict"))


def test_a_choice_takes_all_providers_of_a_name() -> None:
    assert order(call("one", provider={"order": ["q"]})) == ["q/b", "p/a"]
    assert order(call("one", wicket={"timeouts": {"gap_s": 1}})) == ["p/a"], "limits of time choose nobody"


def test_limits_of_time_are_of_one_request_and_not_remembered() -> None:
    asked = call("both", wicket={"timeouts": {"connect_s": 0.25, "gap_s": 3}, "commit": "whole"})
    kept = ROUTES.routes["both"]
    assert (asked.route.timeouts.connect_ms, asked.route.timeouts.gap_ms) == (250, 3_000)
    assert asked.route.timeouts.total_ms == kept.timeouts.total_ms
    assert (asked.route.commit, kept.commit) == ("whole", "first-token")
    found = planned(Now(), asked)
    assert found is not asked.route.deployments, "what is remembered of a route is found by this tuple"
    book = RuleBook()
    assert book.find(asked, found) is not book.find(asked, found)


def test_each_model_needs_the_keys_leave() -> None:
    caller = Caller(key_id=1, name="k", digest=b"", models=("one", "two"))
    assert order(call("one", caller, models=["two"])) == ["p/a", "q/b", "p/c"]
    with pytest.raises(PermissionFault) as caught:
        call("one", caller, models=["two", "both"])
    assert caught.value.param == "models[1]"
    with pytest.raises(UnknownModelFault):
        call("one:floor", caller)  # allowed, but no route of these tests
    with pytest.raises(PermissionFault):
        call("both:floor", caller)


@pytest.mark.parametrize(
    ("model", "fields", "param"),
    [
        ("one", {"models": ["auto"]}, "models[0]"),
        ("cascade", {"models": ["one"]}, "model"),
        ("auto", {"provider": {"sort": "price"}}, "provider.sort"),
        ("auto", {"wicket": {"policy": "price"}}, "wicket.policy"),
        ("cascade", {"provider": {"order": ["p"]}}, "provider.order"),
        ("cascade", {"provider": {"allow_fallbacks": False}}, "provider.allow_fallbacks"),
        (None, {}, "model"),
        (None, {"models": []}, "model"),
        ("one", {"models": ["x" * 300]}, "models[0]"),
    ],
)
def test_what_can_not_be_is_refused(model: str | None, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(CallerFault) as caught:
        call(model, **fields)
    assert caught.value.param == param


def test_who_chooses_itself_still_keeps_to_limits() -> None:
    assert order(call("auto", provider={"only": ["p"]})) == ["p/a"]
    assert order(call("auto", provider={"data_collection": "deny"})) == ["e/l"], (
        "what runs here collects nothing"
    )


def test_labels_are_asked_of_local_models_whatever_else_is_named() -> None:
    assert order(call("labels", api=CLASSIFY, models=["one"])) == ["e/l"]


def test_the_explanation_is_the_plan_with_what_is_known() -> None:
    health = Told(q={"reopens_us": 2_001_000, "num_running": 2, "first_token_us": 340_000, "headroom": 0.25})
    asked = call("both", models=["two"], provider={"max_price": {"prompt": 0}})
    shown = explain(Now(health), asked)
    assert [one["deployment"] for one in shown["filtered"]] == ["p/a", "q/b", "p/c"]
    assert {one["param"] for one in shown["filtered"]} == {"provider.max_price"}
    shown = explain(Now(health), call("both"))
    first, second = shown["candidates"]
    assert (first["deployment"], first["estimate_usd"]) == ("p/a", pytest.approx(5e-12 * (500 + 19), rel=0.1))
    assert second["reason"] == "last: it cools for 2.0 s; as configured"
    assert second["health"] == {
        "is_cooling": True,
        "reopens_in_ms": 2_000,
        "running": 2,
        "has_room": True,
        "first_token_ms": 340,
        "tokens_per_s": None,
        "headroom": 0.25,
    }
    json.encode(shown)
