from pathlib import Path

import pytest

from wicket.config.load import parse
from wicket.config.schema import Config, TaskTable
from wicket.config.snapshot import compile_snapshot
from wicket.config.tasks import tasks_of
from wicket.errors import ConfigFault

PROVIDER = '[providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\nauth = "none"\n'


def parsed(text: str) -> Config:
    return parse(PROVIDER + text, {}, source="wicket.toml", base=Path("/nowhere"))


def test_a_task_without_a_table_has_the_defaults() -> None:
    config = parsed(
        '[models.m]\ndeployments = ["mine/a"]\ncollect = "t"\n[tasks.other]\nretention_days = 2\n'
    )
    assert tasks_of(config) == {"t": TaskTable(), "other": TaskTable(retention_days=2)}
    route = compile_snapshot(config, version=1, engine_sockets={}).resolve("m")
    assert (route.collect, route.sample_ppm) == ("t", 1_000_000)


def test_a_route_knows_its_sample() -> None:
    config = parsed('[models.m]\ndeployments = ["mine/a"]\ncollect = "t"\n[tasks.t]\nsample = 0.25\n')
    snapshot = compile_snapshot(config, version=1, engine_sockets={})
    assert snapshot.resolve("m").sample_ppm == 250_000
    assert snapshot.resolve("mine/a").collect == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tasks."a b"]\n', 'tasks."a b": a task\'s name is'),
        ('[tasks."../x"]\n', "a task's name is"),
        ("[tasks.off]\n", '"off" is what a caller sends to refuse'),
        ('[models.m]\ndeployments = ["mine/a"]\ncollect = "x/y"\n', "models.m.collect: a task's name is"),
        ('[tasks.t]\nscrub = ["pi"]\n', 'tasks.t.scrub[0]: unknown guardrail "pi" (did you mean pii?)'),
        ('[tasks.t]\nscrub = ["pii", "contract"]\n', "tasks.t.scrub[1]: unknown guardrail"),
        ("[tasks.t]\nsample = 2.0\n", "tasks.t.sample"),
        ("[tasks.t]\nretention_days = 0\n", "tasks.t.retention_days"),
        ("[tasks.t]\nretention = 5\n", "did you mean retention_days?"),
    ],
)
def test_mistakes_say_where_and_what(text: str, said: str) -> None:
    with pytest.raises(ConfigFault) as caught:
        parsed(text)
    assert said in caught.value.message and caught.value.message.startswith("wicket.toml:")
