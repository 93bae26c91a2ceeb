"""`[models]`: deployments with facts of their own, limits, policies, and the routes they come to."""

from pathlib import Path

import pytest

from wicket.config.load import parse
from wicket.config.snapshot import Snapshot, compile_snapshot
from wicket.errors import CallerFault, ConfigFault, UnknownModelFault
from wicket.providers import facts
from wicket.routing.deployment import FEATURES, Limits

PROVIDERS = """
[providers.groq]
api_key = ["k1", "k2"]
[providers.cerebras]
api_key = "k"
region = "us"
data_collection = "deny"
models = ["llama-3.3-70b"]
[providers.work]
row = "cerebras"
api_key = "k"
models = ["llama-3.3-70b"]
[providers.openrouter]
api_key = "k"
[engines.compact]
model = "smollm2-135m-instruct"
"""


def compiled(text: str) -> Snapshot:
    config = parse(PROVIDERS + text, {}, source="wicket.toml", base=Path())
    return compile_snapshot(config, version=1, engine_sockets={})


def test_a_deployment_may_be_a_table() -> None:
    route = compiled(
        """
        [models.big]
        policy = "weighted"
        deployments = [
            "cerebras/llama-3.3-70b",
            { id = "groq/x", weight = 3, features = ["tools"], region = "eu", context_tokens = 99 },
        ]
        """
    ).resolve("big")
    first, second, third = route.deployments
    assert (first.id, first.weight, first.region, first.data_collection) == (
        "cerebras/llama-3.3-70b", 1.0, "us", "deny",
    )  # fmt: skip
    assert (second.id, second.credential, third.credential) == ("groq/x", 0, 1)
    assert (third.weight, third.features, third.region, third.context_tokens) == (3.0, ("tools",), "eu", 99)
    assert "vision" in third.lacks and "tools" not in third.lacks
    assert "vision" in route.questions and "tools" not in route.questions
    assert route.limits is None


def test_what_the_catalogue_knows_of_features_is_the_deployments() -> None:
    assert facts.FEATURES == FEATURES
    found = compiled("[providers.openai]\napi_key = 'k'").resolve("openai/gpt-4o").deployments[0]
    assert {"tools", "vision"} <= set(found.features) and "reasoning" in found.lacks
    unheard_of = compiled("").resolve("cerebras/no-such-model").deployments[0]
    assert (unheard_of.features, unheard_of.lacks) == ((), ())


def test_limits_and_policies() -> None:
    route = compiled(
        """
        [models.big]
        deployments = ["groq/x"]
        policy = "least-busy"
        max_price = { input = 0.5, request = 0.001 }
        region = "EU"
        data_collection = "deny"
        require = ["tools"]
        """
    ).resolve("big")
    assert route.policy == "least_busy"
    assert route.limits == Limits(
        max_input_pico=500_000,
        max_request_nanos=1_000_000,
        regions=("eu",),
        no_collection=True,
        require=("tools",),
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("deployments = [3]", "models.x.deployments[0]: expected text in quotes or a table, got a number"),
        ('deployments = "groq/x"', "models.x.deployments: expected a list, got text"),
        (
            'deployments = [{ id = "groq/x", wieght = 2 }]',
            "models.x.deployments[0].wieght: unknown field (did you",
        ),
        (
            'deployments = [{ id = "groq/x", weight = -1 }]',
            "models.x.deployments[0].weight: expected a number",
        ),
        ("deployments = [{ weight = 1 }]", 'models.x.deployments[0]: no provider or engine "" is declared'),
        ('deployments = [{ id = "groq/x", features = ["sight"] }]', "deployments[0].features[0]: "),
        (
            'deployments = [{ id = "groq/x", weight = 2 }]',
            'deployments[0].weight: has a meaning with policy = "weighted"',
        ),
        (
            'deployments = ["groq/x", { id = "groq/x" }]',
            'models.x.deployments[1]: "groq/x" stands there twice',
        ),
        (
            'deployments = ["groq/x"]\npolicy = "cheapest"',
            "models.x.policy: unknown policy; known: ordered, ",
        ),
        ('deployments = ["groq/x"]\nmax_price = { input = -1 }', "models.x.max_price.input: "),
        ('deployments = ["groq/x"]\nmax_price = 3', "models.x.max_price: expected a table"),
        ('deployments = ["groq/x"]\nregion = [""]', "models.x.region[0]: is a region such as"),
        ('deployments = ["groq/x"]\nrequire = ["sight"]', "models.x.require[0]: "),
        (
            'deployments = ["groq/x"]\ndata_collection = "none"',
            'x.data_collection: "none" is not one of allow, deny',
        ),
    ],
)
def test_a_mistake_names_its_line_and_field(lines: str, said: str) -> None:
    with pytest.raises(ConfigFault) as caught:
        compiled(f"[models.x]\n{lines}")
    assert said in caught.value.message
    number = len(PROVIDERS.splitlines()) + 1 + len(lines.splitlines())
    assert f"wicket.toml:{number}: " in caught.value.message


def test_a_bare_name_of_several_providers_is_all_of_them_for_who_chooses() -> None:
    snapshot = compiled("")
    with pytest.raises(UnknownModelFault, match="Several providers"):
        snapshot.resolve("llama-3.3-70b")
    route = snapshot.resolve_all("llama-3.3-70b")
    assert [one.id for one in route.deployments] == ["cerebras/llama-3.3-70b", "work/llama-3.3-70b"]
    assert snapshot.resolve_all("llama-3.3-70b") is route
    assert [one.credential for one in snapshot.resolve_all("groq/x").deployments] == [0, 1]
    with pytest.raises(UnknownModelFault):
        snapshot.resolve_all("nobodys-model")


def test_suffixes_choose_a_policy_of_the_same_route() -> None:
    snapshot = compiled(
        """
        [models.big]
        deployments = ["groq/x", "cerebras/y"]
        commit = "whole"
        """
    )
    floor, nitro = snapshot.resolve("big:floor"), snapshot.resolve("big:nitro")
    assert (floor.policy, nitro.policy, floor.commit) == ("price", "throughput", "whole")
    assert floor.deployments is snapshot.resolve("big").deployments
    assert snapshot.resolve("big:floor") is floor
    assert snapshot.resolve("groq/z:floor").deployments[0].model == "z"
    assert snapshot.resolve("openrouter/m:floor").deployments[0].model == "m:floor", "it is OpenRouter's own"
    assert snapshot.resolve("groq/z:free").deployments[0].model == "z:free"
    assert len(snapshot.resolve("llama-3.3-70b:nitro").deployments) == 2
    for name in ("nobody:floor", ":floor", "big:floor:floor"):
        with pytest.raises(UnknownModelFault):
            snapshot.resolve(name + "x")


def test_no_model_has_a_name_that_ends_so() -> None:
    with pytest.raises(ConfigFault, match='callers choose a policy by the end ":floor"'):
        compiled('[models."big:floor"]\ndeployments = ["groq/x"]')


def test_a_route_that_chooses_itself_takes_no_suffix() -> None:
    snapshot = compiled('[models.auto]\ndeployments = ["compact", "groq/x"]')
    with pytest.raises(CallerFault, match="chooses between models itself"):
        snapshot.resolve("auto:floor")


def test_providers_are_called_by_name_slug_or_title() -> None:
    called = compiled("").providers_called
    assert (called("groq"), called("Groq"), called("compact")) == (("groq",), ("groq",), ("compact",))
    assert called("Cerebras") == ("cerebras",), "a name stands above the slug"
    assert called("WORK") == ("work",)
    assert called("deepinfra") == (), "known, but not here"
    assert called("nobody") is None
