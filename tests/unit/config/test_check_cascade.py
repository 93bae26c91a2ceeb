"""A mini in the configuration: what may be written, what follows from it, and how every mistake is told."""

from pathlib import Path

import msgspec
import pytest

from wicket.config.check_cascade import pinned
from wicket.config.load import parse
from wicket.config.schema import Config
from wicket.config.snapshot import Snapshot, compile_snapshot
from wicket.errors import ConfigFault, OperatorFault, UnknownModelFault

MINE = '[providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\nprices.big = { input = 3.0, output = 15.0 }\n'


def parsed(text: str) -> Config:
    return parse(MINE + text, {}, source="wicket.toml", base=Path("/etc"))


def model(*lines: str, deployments: str = '["mini:slots", "mine/big"]', policy: str = "cascade") -> str:
    return "\n".join(["[models.x]", f"deployments = {deployments}", f'policy = "{policy}"', *lines])


def mistake(text: str) -> str:
    with pytest.raises(ConfigFault) as caught:
        parsed(text)
    assert "\n" not in caught.value.message
    return caught.value.message.removeprefix("wicket.toml:")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (model(), "6: models.x.policy: a cascade needs quality (such as 0.95) or budget_usd_per_day"),
        (
            model("quality = 0.9", "budget_usd_per_day = 1"),
            "8: models.x.budget_usd_per_day: write it or quality, not both",
        ),
        (model("quality = 0.4"), "7: models.x.quality: is a share of right answers: from 0.5 to 1.0"),
        (
            model("quality = 0.9", deployments='["mini:slots"]'),
            "5: models.x.deployments: a cascade needs somebody behind its mini: add provider/model",
        ),
        (
            model("quality = 0.9", deployments='["mine/big", "mine/other"]'),
            '5: models.x.deployments: a cascade has one mini: write "mini:TASK" first',
        ),
        (
            model("quality = 0.9", deployments='["mine/big", "mini:slots"]'),
            "5: models.x.deployments[1]: a mini is asked first or not at all: write it first",
        ),
        (
            model("quality = 0.9", policy="ordered"),
            '7: models.x.quality: has a meaning with policy = "cascade" only',
        ),
        (
            model("check_share = 0.5", policy="ordered"),
            '7: models.x.check_share: has a meaning with policy = "cascade" only',
        ),
        (
            model("quality = 0.9", deployments='["mini:../x", "mine/big"]'),
            '5: models.x.deployments[0]: "../x" is no task: '
            'letters, digits, ".", "_" and "-", at most 64 of them',
        ),
        (
            model(policy="ordered", deployments='["mini:", "mine/big"]'),
            '5: models.x.deployments[0]: "" is no task: '
            'letters, digits, ".", "_" and "-", at most 64 of them',
        ),
    ],
)
def test_one_mistake_at_a_time(text: str, says: str) -> None:
    assert mistake(text) == says


def test_two_minis_are_two_mistakes() -> None:
    with pytest.raises(ConfigFault) as caught:
        parsed(model("quality = 0.9", deployments='["mini:a", "mini:b", "mine/big"]'))
    assert len(caught.value.message.splitlines()) == 2


def test_quality_one_is_taken_and_warned_about() -> None:
    config = parsed(model("quality = 1.0"))
    assert config.models["x"].quality == 1.0
    assert any("no finite sample proves" in warning for warning in config.warnings)
    assert parsed(model("quality = 0.95")).warnings == ()


def test_every_task_used_implies_one_engine_that_no_operator_can_write() -> None:
    two = model("quality = 0.9") + '\n[models.y]\ndeployments = ["mini:slots"]\n'
    config = parsed(two)
    [engine] = config.engines.values()
    assert (engine.name, engine.model, engine.label, engine.task) == (*["mini:slots"] * 2, "slots", "slots")
    assert engine.deployment_id == "mini/slots" and engine.provider == "mini"
    with pytest.raises(ConfigFault, match="a name is letters"):
        parsed('[engines."mini:slots"]\nmodel = "smollm2-135m-instruct"\n')


def compiled(config: Config, run: str = "") -> Snapshot:
    engines = {name: pinned(engine, run) for name, engine in config.engines.items() if run}
    fresh = msgspec.structs.replace(config, engines=engines)
    return compile_snapshot(fresh, version=1, engine_sockets={"mini:slots": "/run/m.sock"})


def test_a_cascade_has_its_mini_only_when_there_is_one() -> None:
    text = model("quality = 0.9", "price = { input = 1.0, output = 2.0 }")
    config = parsed(text + '\n[models.alone]\ndeployments = ["mini:slots"]\n')
    bare = compiled(config)
    route = bare.resolve("x")
    assert [one.id for one in route.deployments] == ["mine/big"] and route.task == "slots"
    for name in ("alone", "mini/slots"):
        with pytest.raises(OperatorFault) as caught:
            bare.resolve(name)
        assert caught.value.code == "no_mini_yet" and caught.value.status == 503
    assert [each["id"] for each in bare.models()] == ["auto", "x"] and bare.default_model == "x"

    full = compiled(config, "r1")
    mini, large = full.resolve("x").deployments
    assert (mini.id, mini.task, mini.engine, mini.model) == ("mini/slots", "slots", "mini:slots", "slots")
    assert mini.prices == (0, 0, None, None, 0), "a price of the route is not the mini's"
    assert large.prices is not None and large.prices[:2] == (1_000_000, 2_000_000)
    assert [each["id"] for each in full.models()] == ["auto", "mini/slots", "x", "alone"]
    assert full.resolve("mini/slots").task == "" and full.resolve("alone").task == ""
    with pytest.raises(UnknownModelFault):
        full.resolve("slots")


def test_a_mini_never_becomes_the_compact_model() -> None:
    full = compiled(parsed(model("quality = 0.9")), "r1")
    with pytest.raises(UnknownModelFault):
        full.resolve("mini")
