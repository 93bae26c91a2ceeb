from __future__ import annotations

from pathlib import Path

import pytest

from wicket.accounts.cost import cost_nanos
from wicket.accounts.price import Price
from wicket.accounts.record import OtherUsage, Usage
from wicket.config.load import parse
from wicket.config.snapshot import compile_snapshot
from wicket.errors import ConfigFault

TEXT = """
[providers.p]
base_url = "http://127.0.0.1:9/v1"
api_key = "x"
[models.m]
deployments = ["p/m"]
[models.m.price]
{price}
"""


def price(text: str) -> Price:
    config = parse(TEXT.format(price=text), {}, source="w", base=Path("/"))
    snapshot = compile_snapshot(config, version=0, engine_sockets={})
    found = snapshot.price_of(snapshot.resolve("m").deployments[0])
    assert found is not None
    return found


def test_a_configured_price_can_say_all_that_the_catalogue_can() -> None:
    found = price(
        "input = 1.0\noutput = 2.0\ncached = 0.1\ncache_write_1h = 4.0\nreasoning = 3.0\naudio_input = 5.0\n"
        "search = 0.01\nrequest = 0.5\ntiers = [{ above = 100, input = 10.0 }]\n"
        "services = { flex = { input = 0.5, tiers = [{ above = 100, input = 7.0 }] } }"
    )
    assert cost_nanos(found, Usage(10, 10, 0, 0, 4)) == 10_000 + 6 * 2_000 + 4 * 3_000 + 500_000_000
    assert cost_nanos(found, Usage(101)) == 101 * 10_000 + 500_000_000
    flex = OtherUsage(service="flex", searches=2)
    assert cost_nanos(found, Usage(10, other=flex)) == 5_000 + 20_000_000 + 500_000_000
    assert cost_nanos(found, Usage(101, other=flex)) == 101 * 7_000 + 20_000_000 + 500_000_000
    hour = OtherUsage(cache_write_1h_tokens=4, input_audio_tokens=2)
    assert cost_nanos(found, Usage(10, 0, 3, 5, other=hour)) == 300 + 1_000 + 16_000 + 10_000 + 500_000_000


def test_a_plain_price_needs_no_tariff() -> None:
    assert price("input = 1.0\noutput = 2.0\ncached = 0.1\nrequest = 0.1").tariff is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('input = 1.0\ncurrency = "EUR"', 'models.m.price.currency: "EUR" is not one of USD'),
        ("input = nan", "models.m.price.input: expected a number >= 0.0"),
        ("input = inf", "models.m.price.input: expected a number <= 1000000.0"),
        ("output = -0.5", "models.m.price.output: expected a number >= 0.0"),
        ('reasoning = "3"', "models.m.price.reasoning: expected a number"),
        ("tiers = [{ input = 1.0 }]", "models.m.price.tiers[0]: above is missing"),
        (
            "tiers = [{ above = 0, input = 1.0 }]",
            "models.m.price.tiers[0].above: expected a whole number >= 1",
        ),
        ('tiers = ["x"]', "models.m.price.tiers[0]: expected a table, got text"),
        ("services = { turbo = { input = 1.0 } }", "models.m.price.services.turbo: unknown field"),
        ("per_token = 1.0", "models.m.price.per_token: unknown field"),
    ],
)
def test_a_price_that_can_not_be_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(ConfigFault) as refused:
        price(text)
    assert said in refused.value.message
