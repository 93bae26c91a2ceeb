"""The route behind `auto`, out of what the operator wrote."""

from pathlib import Path
from typing import Any

import pytest

from wicket.config.load import load, parse
from wicket.config.snapshot import Snapshot, compile_snapshot
from wicket.errors import ConfigFault
from wicket.routing.deployment import Route
from wicket.routing.plan import Facts, plan

COMPACT = '[engines.compact]\nmodel = "smollm2-135m-instruct"\n'
MINE = '[providers.mine]\nbase_url = "http://127.0.0.1:9000/v1"\napi_key = ["a", "b"]\n'
BIG = '[models.big]\ndeployments = ["compact", "mine/gpt"]\nmarkup = 0.5\ntimeouts = { total_s = 30 }\n'
LOCAL = "compact/smollm2-135m-instruct"


def compiled(text: str) -> Snapshot:
    config = parse(text, {}, source="wicket.toml", base=Path("/etc"))
    return compile_snapshot(config, version=1, engine_sockets={"compact": "/run/c.sock"})


def asked(snapshot: Snapshot) -> list[str]:
    return [one.id for one in snapshot.resolve("auto").deployments]


def listed(snapshot: Snapshot) -> list[str]:
    return [model["id"] for model in snapshot.models()]


def test_without_a_provider_the_local_model_answers_everything() -> None:
    snapshot = compile_snapshot(load(None, {}), version=1, engine_sockets={})
    assert asked(snapshot) == [LOCAL] and snapshot.resolve("auto").floor == 0.0
    assert listed(snapshot)[:2] == ["mini", "auto"]
    assert snapshot.default_model == "mini"


def test_the_first_rule_with_a_large_model_stands_behind_the_compact_engine() -> None:
    only_local = '[models.local]\ndeployments = ["compact"]\n'
    route = compiled(COMPACT + MINE + only_local + BIG).resolve("auto")
    assert [(one.id, one.credential) for one in route.deployments] == [
        (LOCAL, 0),
        ("mine/gpt", 0),
        ("mine/gpt", 1),
    ]
    assert (route.floor, route.markup_ppm, route.timeouts.total_ms) == (0.8, 500_000, 30_000)
    assert route.policy == "ordered"


def test_the_operator_sets_quality_and_may_leave_the_deployments_out() -> None:
    snapshot = compiled(COMPACT + MINE + "[models.auto]\nquality = 0.95\nmarkup = 0.1\n" + BIG)
    route = snapshot.resolve("auto")
    assert (route.floor, route.markup_ppm, route.timeouts.total_ms) == (0.95, 100_000, 600_000)
    assert asked(snapshot) == [LOCAL, "mine/gpt", "mine/gpt"]
    assert listed(snapshot).count("auto") == 1


def test_the_operators_own_deployments_are_taken_as_written() -> None:
    auto = '[models.auto]\ndeployments = ["compact", "mine/other"]\nquality = 0.0\n'
    snapshot = compiled(COMPACT + MINE + auto + BIG)
    assert asked(snapshot) == [LOCAL, "mine/other", "mine/other"] and snapshot.resolve("auto").floor == 0.0


def test_without_an_engine_there_is_no_choice_to_make() -> None:
    snapshot = compiled(MINE + '[models.big]\ndeployments = ["mine/gpt"]\n')
    assert asked(snapshot) == ["mine/gpt", "mine/gpt"] and snapshot.resolve("auto").floor == 0.0
    assert listed(compiled("")) == []
    assert listed(compiled("[models.auto]\nquality = 0.9\n")) == []


def test_a_rule_lends_its_limits_and_keeps_its_mini_and_what_it_collects() -> None:
    learned = (
        '[models.slots]\ndeployments = ["mini:slots", "mine/gpt"]\npolicy = "cascade"\nquality = 0.9\n'
        'collect = "slots"\nmarkup = 0.5\n[tasks.slots]\nsample = 0.5\n'
    )
    route = compiled(COMPACT + MINE + learned).resolve("auto")
    assert [one.id for one in route.deployments] == [LOCAL, "mine/gpt", "mine/gpt"]
    assert (route.policy, route.task, route.collect, route.sample_ppm) == ("ordered", "", "", 1_000_000)
    assert (route.markup_ppm, route.floor) == (500_000, 0.8)


def test_it_collects_only_for_its_own_task() -> None:
    route = compiled(COMPACT + MINE + '[models.auto]\ncollect = "chat"\n' + BIG).resolve("auto")
    assert (route.collect, route.floor) == ("chat", 0.8) and asked_of(route)[0] == LOCAL


def test_a_local_model_behind_everybody_has_nothing_to_judge() -> None:
    auto = '[models.auto]\ndeployments = ["mine/gpt", "compact"]\nquality = 0.9\n'
    assert compiled(COMPACT + MINE + auto).resolve("auto").floor == 0.0


def asked_of(route: Route, **facts: Any) -> list[str]:
    return [one.id for one in plan(route, Facts(**facts))]


def test_who_can_not_judge_is_not_asked() -> None:
    route = compiled(COMPACT + MINE + BIG).resolve("auto")
    large = ["mine/gpt", "mine/gpt"]
    assert plan(route, Facts()) is route.deployments
    assert asked_of(route, is_chat=False) == large
    assert asked_of(route, unready=frozenset({"compact"})) == large
    assert asked_of(route, unready=frozenset({"other"})) == [LOCAL, *large]
    last = '[models.auto]\ndeployments = ["compact", "mine/gpt", "small"]\n'
    small = '[engines.small]\nmodel = "/models/small"\n'
    route = compiled(COMPACT + small + MINE + last).resolve("auto")
    assert asked_of(route, is_chat=False) == [*large, "small/small"]
    assert asked_of(route, unready=frozenset({"compact", "small"})) == [*large, "small/small"]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('deployments = ["mini:slots", "mine/gpt"]', "deployments[0]: auto takes any request and a mini"),
        ('policy = "cascade"', 'policy: auto chooses by itself: leave "cascade" to the models with a mini'),
        ("check_share = 0.5", 'check_share: has a meaning with policy = "cascade" only'),
        ("budget_usd_per_day = 5", 'budget_usd_per_day: has a meaning with policy = "cascade" only'),
        ("price = { input = 1 }", "price: needs deployments written here"),
        ("quality = 1.5", "quality:"),
    ],
)
def test_what_auto_can_not_have_is_told_by_line(lines: str, says: str) -> None:
    with pytest.raises(ConfigFault) as caught:
        compiled(f"[models.auto]\n{lines}\n{MINE}")
    assert f"wicket.toml:2: models.auto.{says}" in caught.value.message


def test_a_quality_that_nothing_has_is_warned_of() -> None:
    config = parse(COMPACT + "[models.auto]\nquality = 1.0\n", {}, source="w", base=Path("/etc"))
    assert any("no local model will answer" in warning for warning in config.warnings)


@pytest.mark.parametrize(
    "text",
    ['[providers.auto]\nbase_url = "http://h/v1"\n', '[engines.auto]\nmodel = "smollm2-135m-instruct"\n'],
)
def test_the_name_is_taken(text: str) -> None:
    with pytest.raises(ConfigFault, match="auto always names the choice between models"):
        compiled(text)


def test_any_other_model_needs_deployments() -> None:
    with pytest.raises(ConfigFault, match="deployments"):
        compiled('[models.other]\npolicy = "ordered"\n')
