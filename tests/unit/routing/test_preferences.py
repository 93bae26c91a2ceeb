"""What callers may say of the route, and that a wrong word is refused by its field's name."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wicket.errors import CallerFault
from wicket.routing.plan import POLICIES
from wicket.routing.preferences import OURS, Preferences, read_preferences
from wicket.wire import fields as top
from wicket.wire import json

KNOWN = {"groq": ("groq",), "openai": ("openai", "work"), "deepinfra": ()}
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
WORDS = ["order", "only", "ignore", "sort", "max_price", "timeouts", "policy", "explain", "zdr", "by"]


def providers(name: str) -> Sequence[str] | None:
    return KNOWN.get(name.lower())


def read(**fields: Any) -> Preferences:
    return read_preferences(top.peek(json.encode(fields)), providers, POLICIES)


def test_everything_at_once() -> None:
    wanted = read(
        model="x",
        models=["a", "b", "a"],
        route="fallback",
        provider={
            "order": ["Groq", "openai"],
            "only": ["openai", "deepinfra"],
            "ignore": ["groq"],
            "sort": "throughput",
            "allow_fallbacks": False,
            "max_price": {"prompt": "0.5", "completion": 1, "request": 0.01},
            "data_collection": "deny",
            "region": "EU",
            "require_parameters": True,
            "zdr": False,
            "preferred_max_latency": 3,
        },
        wicket={"timeouts": {"total_s": 2.5, "gap_s": 1}, "commit": "whole", "explain": True},
    )
    assert wanted.models == ("a", "b")
    assert wanted.order == ("groq", "openai", "work")
    assert (wanted.only, wanted.ignore) == (("openai", "work"), ("groq",))
    assert (wanted.policy, wanted.policy_field) == ("throughput", "provider.sort")
    assert (wanted.allow_fallbacks, wanted.require_parameters) == (False, True)
    limits = wanted.limits
    assert limits is not None and limits.no_collection and limits.regions == ("eu",)
    assert (limits.max_input_pico, limits.max_output_pico, limits.max_request_nanos) == (
        500_000,
        1_000_000,
        10_000_000,
    )
    assert wanted.seconds == {"total_s": 2.5, "gap_s": 1.0}
    assert (wanted.commit, wanted.is_explained, wanted.chooses) == ("whole", True, True)
    assert wanted.dropped == ("provider.preferred_max_latency",)


def test_nothing_is_the_routes_own() -> None:
    for fields in ({}, {"provider": None, "models": None, "wicket": None, "route": None}, {"provider": {}}):
        assert read(**fields) == Preferences()
    assert not read(wicket={"timeouts": {"gap_s": 1}, "explain": True}).chooses
    assert read(provider={"only": []}).only == (), "only these, and these are none"
    assert read(provider={"sort": {"by": "price", "partition": "model"}}).policy == "price"
    assert read(wicket={"policy": "least-busy"}).policy == "least_busy"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"models": "a"}, "models"),
        ({"models": ["a", 3]}, "models[1]"),
        ({"models": [f"m{i}" for i in range(17)]}, "models"),
        ({"route": "sort"}, "route"),
        ({"provider": "groq"}, "provider"),
        ({"provider": {"ordr": []}}, "provider"),
        ({"provider": {"order": "groq"}}, "provider.order"),
        ({"provider": {"order": ["groq", "nobody"]}}, "provider.order[1]"),
        ({"provider": {"only": [None]}}, "provider.only[0]"),
        ({"provider": {"ignore": [""]}}, "provider.ignore[0]"),
        ({"provider": {"sort": "fastest"}}, "provider.sort"),
        ({"provider": {"sort": {"by": "price", "partition": "none"}}}, "provider.sort.partition"),
        ({"provider": {"allow_fallbacks": "no"}}, "provider.allow_fallbacks"),
        ({"provider": {"require_parameters": 1}}, "provider.require_parameters"),
        ({"provider": {"max_price": 3}}, "provider.max_price"),
        ({"provider": {"max_price": {"prompt": "cheap"}}}, "provider.max_price.prompt"),
        ({"provider": {"max_price": {"prompt": True}}}, "provider.max_price.prompt"),
        ({"provider": {"max_price": {"completion": -1}}}, "provider.max_price.completion"),
        ({"provider": {"max_price": {"prompt": "nan"}}}, "provider.max_price.prompt"),
        ({"provider": {"max_price": {"image": 1}}}, "provider.max_price.image"),
        ({"provider": {"data_collection": "never"}}, "provider.data_collection"),
        ({"provider": {"region": [3]}}, "provider.region[0]"),
        ({"provider": {"zdr": True}}, "provider.zdr"),
        ({"provider": {"quantizations": ["fp8"]}}, "provider.quantizations"),
        ({"wicket": []}, "wicket"),
        ({"wicket": {"tag": 1}}, "wicket"),
        ({"wicket": {"timeouts": {"total_s": 0}}}, "wicket.timeouts.total_s"),
        ({"wicket": {"timeouts": {"total_s": 1e9}}}, "wicket.timeouts.total_s"),
        ({"wicket": {"timeouts": {"total": 1}}}, "wicket.timeouts"),
        ({"wicket": {"commit": "never"}}, "wicket.commit"),
        ({"wicket": {"explain": "yes"}}, "wicket.explain"),
        ({"wicket": {"policy": "cascade"}}, "wicket.policy"),
        ({"wicket": {"policy": "price"}, "provider": {"sort": "price"}}, "wicket.policy"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(CallerFault) as caught:
        read(**fields)
    assert caught.value.param == param and 400 <= caught.value.status < 500
    assert f"'{param}" in caught.value.message


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # the machine may be busy
@given(st.dictionaries(st.sampled_from(sorted(OURS)), TREES | st.dictionaries(st.sampled_from(WORDS), TREES)))
def test_any_value_is_read_or_refused_by_name(fields: dict[str, Any]) -> None:
    found = caught(fields)
    if isinstance(found, CallerFault):
        assert found.param and found.param.split(".")[0].split("[")[0] in OURS
        assert found.message.isprintable()
    else:
        assert found.seconds.keys() <= {"connect_s", "first_token_s", "gap_s", "total_s"}


def caught(fields: dict[str, Any]) -> Preferences | CallerFault:
    try:
        return read(**fields)
    except CallerFault as fault:
        return fault
