"""The route behind `auto`, out of what the operator wrote."""

from pathlib import Path

import pytest

from wicket.config.load import load, parse
from wicket.config.snapshot import Snapshot, compile_snapshot
from wicket.errors import ConfigFault

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
