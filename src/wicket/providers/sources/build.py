"""From the three documents to `models.json`'s content, and what the sources disagree on."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from wicket.providers.catalogue import Row
from wicket.providers.facts import Fact, Facts, SourceInfo, SourceName
from wicket.providers.sources import corrections, litellm_table, models_dev
from wicket.providers.sources.claim import Claim
from wicket.providers.sources.genai_prices import Families
from wicket.providers.sources.merge import Dispute, dated, merge


class Documents(msgspec.Struct, frozen=True, kw_only=True):
    """The sources as decoded JSON, and what is known of each."""

    genai_prices: Any
    litellm: Any
    models_dev: Any
    infos: dict[SourceName, SourceInfo]


class Built(msgspec.Struct, frozen=True):
    """The new facts, by model what the sources differ on, and the corrections that are past."""

    facts: Facts
    disputes: dict[str, list[Dispute]]
    past: list[str] = []


def build(documents: Documents, rows: Mapping[str, Row], before: Facts | None, today: datetime.date) -> Built:
    """The facts of all rows. Prices that have not changed since `before` keep their date.

    Raises `msgspec.ValidationError` for a document of another form.
    """
    _check_forms(documents)
    models: dict[str, tuple[Fact, ...]] = {}
    disputes: dict[str, list[Dispute]] = {}
    past: list[str] = []
    for row in rows.values():
        old = before.models.get(row.name, ()) if before is not None else ()
        found = []
        for name, claims in sorted(_claims(row, documents, today).items()):
            fact, differing = merge(row.name, name, claims, today.isoformat())
            if fact.modalities_out == ("video",):
                continue  # no route of ours makes videos
            if differing:
                disputes[f"{row.name}/{name}"] = differing
            fact, gone = corrections.correct(_by_fee(fact, row), corrections.shipped())
            past += gone
            found.append(dated(fact, old))
        if found:
            models[row.name] = _fitting_together(found)
    facts = Facts(generated=today.isoformat(), sources=documents.infos, models=models)
    return Built(facts, disputes, past)


def _by_fee(fact: Fact, row: Row) -> Fact:
    """With what the row says of how searches are billed."""
    if not (fact.search_nanos and row.search_per_request and re.search(row.search_per_request, fact.model)):
        return fact
    return msgspec.structs.replace(fact, is_search_per_request=True)


def _check_forms(documents: Documents) -> None:
    forms = (
        (documents.genai_prices, list, "genai-prices"),
        (documents.litellm, dict, "litellm"),
        (documents.models_dev, dict, "models.dev"),
    )
    for document, form, name in forms:
        if not isinstance(document, form) or not document:
            raise msgspec.ValidationError(f"{name} is not the {form.__name__} that it was")


def _claims(row: Row, documents: Documents, today: datetime.date) -> dict[str, list[Claim]]:
    """What is said of each model of a row, by name."""
    listed = models_dev.read(documents.models_dev, row.known_as.get("models.dev", ()))
    table = litellm_table.read(documents.litellm, row.known_as.get("litellm", ()))
    listed, table = _full_names(row, listed), _full_names(row, table)
    families = Families(documents.genai_prices, row.known_as.get("genai-prices", ()), today)
    names = {**listed, **table}
    found: dict[str, list[Claim]] = {}
    for name in names:
        family = families.find(name)
        claims = [family, table.get(name), listed.get(name)]
        found[name] = [claim for claim in claims if claim is not None]
    if not row.is_aggregator:
        unmatched = _full_names(row, families.unmatched(names))
        found |= {name: [claim] for name, claim in unmatched.items() if name not in found}
    serves = re.compile(row.serves)
    return {name: claims for name, claims in found.items() if serves.search(name)}


def _full_names(row: Row, claims: Mapping[str, Claim]) -> dict[str, Claim]:
    """Claims by the names that the API takes, where sources shorten them; a full name stands above."""
    short = {name for name in claims if row.name_prefix and "/" not in name}
    full = {f"{row.name_prefix}{name}": claims[name] for name in short}
    return full | {name: claim for name, claim in claims.items() if name not in short}


def _fitting_together(facts: list[Fact]) -> tuple[Fact, ...]:
    """A successor is named only where it can be called, and no other name is claimed twice."""
    names = {fact.model for fact in facts}
    found = []
    for fact in facts:
        also = tuple(name for name in fact.also if name not in names)
        names |= set(also)
        successor = fact.successor if fact.successor in names else None
        found.append(msgspec.structs.replace(fact, also=also, successor=successor))
    return tuple(found)


def encode(facts: Facts) -> bytes:
    """The file: one model per line, so that changes can be read."""
    head = msgspec.json.encode({"generated": facts.generated, "sources": facts.sources})
    parts = []
    for row, models in facts.models.items():
        lines = b",\n".join(msgspec.json.encode(fact) for fact in models)
        parts.append(msgspec.json.encode(row) + b":[\n" + lines + b"\n]")
    return head[:-1] + b',"models":{\n' + b",\n".join(parts) + b"\n}}\n"
