"""From providers and engines to the deployments that answer: origins, headers, prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from wicket.accounts.price import FREE, Price
from wicket.config.aws import SIGNED, aws_keys
from wicket.config.google import GOOGLE, google_keys
from wicket.config.schema import (
    Config,
    DeploymentTable,
    Engine,
    MaxPriceTable,
    Model,
    PriceTable,
    Provider,
)
from wicket.providers import catalogue
from wicket.providers.facts import Fact
from wicket.routing.deployment import ABILITIES, FEATURES, Also, Deployment, Limits
from wicket.wire.origin import Origin

PICO_PER_USD_MTOK = 1_000_000  # 1 USD per million tokens is 1e12 / 1e6 pico-USD per token
NANOS_PER_USD = 1_000_000_000
CHAT, RESPONSES = "openai_chat", "openai_responses"

_ABILITY_OF_KIND = {
    "embedding": "embeddings",
    "rerank": "rerank",
    "image": "images",
    "speech": "speech",
    "transcription": "transcription",
    "moderation": "moderation",
}

Prices = tuple[int, int, int | None, int | None, int]
Template = Callable[[str], tuple[Deployment, ...]]


def compact_engine(config: Config) -> str:
    """The engine that `mini` names: `compact`, else the first that generates; "" for none."""
    engines = config.engines.items()
    generating = [name for name, engine in engines if engine.kind == "generation" and not engine.task]
    return "compact" if "compact" in generating else next(iter(generating), "")


def engine_deployment(engine: Engine, socket: str) -> Deployment:
    """An engine as a deployment like any other, on its Unix socket, at no price."""
    return Deployment(
        id=engine.deployment_id,
        provider=engine.provider,
        model=engine.label,
        origin=Origin("unix", socket, 0),
        base_path="/v1",
        engine=engine.name,
        lacks=tuple([name for name in ABILITIES if name != "embeddings"]),
        task=engine.task,
        price_id=FREE.id,
        prices=price_values(FREE),
        context_tokens=engine.context_tokens,
    )


def provider_template(provider: Provider, proxy_for: Callable[[str, str, int], str]) -> Template:
    """A function from an upstream model's name to its deployments, one per credential."""
    parts = urlsplit(provider.base_url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    proxy = proxy_for(parts.scheme, host, port) if provider.proxy is None else provider.proxy
    bare = Deployment(
        id="",
        provider=provider.name,
        model="",
        dialect=provider.dialect,
        origin=Origin(parts.scheme, host, port, proxy=proxy, ca_file=provider.ca_file),
        base_path=parts.path.rstrip("/"),
        also=provider.also,
        query=provider.query,
        path_template=provider.path_template,
        rename=provider.rename,
        remove=provider.remove,
        usage_in_stream=provider.usage_in_stream,
        rerank=provider.rerank,
        quirks=provider.quirks,
        region=provider.region,
        data_collection=provider.data_collection,
        prefill=provider.prefill,
    )
    credentials = provider.credentials or ("",)
    per_credential = [
        msgspec.structs.replace(
            bare,
            credential=index,
            headers=auth_headers(provider, secret),
            aws=aws_keys(provider, secret),
            google=google_keys(provider, secret, proxy_for),
            also=_with_key(provider, secret),
        )
        for index, secret in enumerate(credentials)
    ]

    def deployments(model: str) -> tuple[Deployment, ...]:
        facts = _facts(provider, model)
        if provider.dialect == CHAT and provider.quirks.has_new_limit(model):
            facts["rename"] = {"max_tokens": "max_completion_tokens", **provider.rename}
        if provider.path_template:  # the caller's text goes into a request line, so it is encoded here
            facts["path_template"] = provider.path_template.replace("{model}", quote(model, safe=""))
        return tuple(
            msgspec.structs.replace(each, id=f"{provider.name}/{model}", model=model, **facts)
            for each in per_credential
        )

    return deployments


def _with_key(provider: Provider, secret: str) -> Also | None:
    """The provider's other dialect, with the key as it goes out there."""
    also = provider.also
    if also is None or not also.auth:
        return also
    other = msgspec.structs.replace(provider, auth=also.auth)
    return msgspec.structs.replace(also, headers=auth_headers(other, secret))


def auth_headers(provider: Provider, secret: str) -> tuple[tuple[str, str], ...]:
    """The provider's own headers and its credential; a header the operator wrote wins."""
    headers = dict(provider.headers)
    if secret and provider.auth == "bearer":
        headers.setdefault("authorization", f"Bearer {secret}")
    elif secret and provider.auth not in ("none", SIGNED, GOOGLE):
        headers.setdefault(provider.auth, secret)
    return tuple(headers.items())


def with_price(deployment: Deployment, table: PriceTable, price_id: str) -> Deployment:
    """The same deployment at a configured price."""
    return msgspec.structs.replace(deployment, price_id=price_id, prices=configured_prices(table))


def with_facts(deployment: Deployment, table: DeploymentTable) -> Deployment:
    """The same deployment with what the operator says of it."""
    told = {
        "weight": table.weight,
        "region": table.region,
        "data_collection": table.data_collection,
        "context_tokens": table.context_tokens,
        "max_output_tokens": table.max_output_tokens,
    }
    said = {name: value for name, value in told.items() if value not in (None, "", 0) or name == "weight"}
    if table.features is not None:
        abilities = tuple([name for name in deployment.lacks if name in ABILITIES])
        said |= _features({name: name in table.features for name in FEATURES}, abilities)
    return msgspec.structs.replace(deployment, **said)


def limits_of(model: Model) -> Limits | None:
    """What a model's deployments must keep to; None for nothing."""
    price = model.max_price or MaxPriceTable()
    regions = (model.region,) if isinstance(model.region, str) else model.region
    limits = Limits(
        max_input_pico=None if price.input is None else _pico(price.input),
        max_output_pico=None if price.output is None else _pico(price.output),
        max_request_nanos=None if price.request is None else round(price.request * NANOS_PER_USD),
        regions=tuple(region.lower() for region in regions),
        no_collection=model.data_collection == "deny",
        require=model.require,
    )
    return None if limits == Limits() else limits


def configured_prices(table: PriceTable) -> Prices:
    """USD per million tokens to pico-USD per token, USD per request to nano-USD."""
    return (
        _pico(table.input),
        _pico(table.output),
        None if table.cached is None else _pico(table.cached),
        None if table.cache_write is None else _pico(table.cache_write),
        round(table.request * NANOS_PER_USD),
    )


def price_values(price: Price) -> Prices:
    """A price row as a deployment carries it."""
    return (
        price.input_pico,
        price.output_pico,
        price.cached_pico,
        price.cache_write_pico,
        price.request_nanos,
    )


def known_models(provider: Provider) -> tuple[str, ...]:
    """What `/v1/models` lists for a provider."""
    return provider.models if provider.models is not None else catalogue.known_models(provider.row)


def _pico(usd: float) -> int:
    return round(usd * PICO_PER_USD_MTOK)


def _features(known: Mapping[Any, bool], abilities: tuple[str, ...] = ()) -> dict[str, object]:
    """What is known of features as a deployment carries it."""
    return {
        "features": tuple([name for name in FEATURES if known.get(name) is True]),
        "lacks": tuple([name for name in FEATURES if known.get(name) is False]) + abilities,
    }


def _lacking_abilities(fact: Fact) -> tuple[str, ...]:
    """What a model of a known kind can't be asked for.

    "chat" is also the kind of what no source told, so of those nothing is known unless their output is.
    """
    if fact.kind == "chat" and not fact.modalities_out:
        return ()
    mine = {_ABILITY_OF_KIND.get(fact.kind, "")}
    if "image" in fact.modalities_out:
        mine.add("images")
    if "audio" in fact.modalities_out:
        mine.add("speech")
    if "audio" in fact.modalities_in:
        mine.add("transcription")
    return tuple([name for name in ABILITIES if name not in mine])


def _has_responses(row: str) -> bool:
    known = catalogue.row_of(row)
    return known is not None and known.has_responses


def _facts(provider: Provider, model: str) -> dict[str, object]:
    fact = catalogue.fact_of(provider.row, model) if provider.row else None
    facts: dict[str, object] = {}
    if fact is not None:
        facts = {
            "context_tokens": fact.context_tokens,
            "max_output_tokens": fact.max_output_tokens,
            **_features(fact.features, _lacking_abilities(fact)),
            "warning": fact.warning(catalogue.today()),
        }
        if fact.needs_responses and provider.dialect == CHAT and _has_responses(provider.row):
            facts["dialect"] = RESPONSES
    own = provider.prices.get(model)
    if own is not None:
        facts |= {"price_id": f"config:{provider.name}/{model}", "prices": configured_prices(own)}
    elif fact is not None and fact.input_pico is not None:
        facts |= {
            "price_id": fact.id,
            "prices": (
                fact.input_pico,
                fact.output_pico or 0,
                fact.cached_pico,
                fact.cache_write_pico,
                fact.request_nanos,
            ),
        }
    return facts
