"""What a route may say of retries, hedges and continuation, and what it comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from wicket.config.load import parse, show
from wicket.config.snapshot import compile_snapshot
from wicket.errors import ConfigFault
from wicket.routing.deployment import Hedge, Route

HEAD = '[providers.a]\nbase_url = "http://127.0.0.1:1/v1"\nauth = "none"\nprefill = true\n'
MODEL = HEAD + '[models.m]\ndeployments = ["a/x"]\n'


def route(lines: str = "") -> Route:
    config = parse(MODEL + lines, {}, source="wicket.toml", base=Path("/"))
    return compile_snapshot(config, version=1, engine_sockets={}).resolve("m")


def test_defaults() -> None:
    found = route()
    assert (found.retries, found.max_attempts, found.hedge, found.continues) == (1, 6, None, False)
    assert found.deployments[0].prefill


@pytest.mark.parametrize(
    ("lines", "hedge"),
    [
        ("hedge = {}", Hedge(0.95, 0, 50_000)),
        ("hedge = { after = 0.9, max_share = 0.01 }", Hedge(0.9, 0, 10_000)),
        ("hedge = { after_s = 1.5 }", Hedge(0.95, 1_500_000, 50_000)),
    ],
)
def test_hedges(lines: str, hedge: Hedge) -> None:
    assert route(lines).hedge == hedge


def test_the_rest() -> None:
    found = route("retries = 0\nmax_attempts = 3\ncontinue = true")
    assert (found.retries, found.max_attempts, found.continues) == (0, 3, True)


def test_it_is_shown_as_it_is_written() -> None:
    config = parse(MODEL + "continue = true\nhedge = {}", {}, source="wicket.toml", base=Path("/"))
    assert show(config)["models"]["m"]["continue"] is True


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("retries = 4", "models.m.retries"),
        ("max_attempts = 0", "models.m.max_attempts"),
        ("hedge = true", "models.m.hedge: expected a table"),
        ("hedge = { after = 1.0 }", "models.m.hedge.after"),
        ("hedge = { max_share = 0 }", "models.m.hedge.max_share"),
        ("hedge = { afters = 1 }", "did you mean after"),
        ('continue = true\ncommit = "whole"', "models.m.continue: has a meaning"),
        ("continues = true", "did you mean continue"),
        ("continue = 1", "models.m.continue: expected true or false"),
    ],
)
def test_mistakes_are_named(lines: str, said: str) -> None:
    with pytest.raises(ConfigFault) as caught:
        route(lines)
    assert said in caught.value.message
