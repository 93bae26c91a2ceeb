"""One fact of several claims, by stated rules; whoever is overruled is kept as `disputed`.

Amounts and sizes: what two sources say counts. Where all differ, prices go by LiteLLM (whose entries name the
provider's page, and which is changed daily), then genai-prices, then models.dev; fees that are not per token
by genai-prices first; the window by models.dev (LiteLLM gives the input limit, genai-prices a round number);
output limits, features and ends by LiteLLM first. A tier counts unless most sources that price the model do
not have it. See docs/decisions/0011.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from wicket.providers.facts import FEATURES, Fact, Kind, SourceName
from wicket.providers.sources.claim import Claim, Rates

Order = tuple[SourceName, ...]
BY_PRICE: Order = ("litellm", "genai-prices", "models.dev")
BY_FEE: Order = ("genai-prices", "litellm", "models.dev")
BY_WINDOW: Order = ("models.dev", "litellm", "genai-prices")
BY_NEWS: Order = ("litellm", "models.dev", "genai-prices")
_OPENAI_WINDOWS = (400_000, 1_050_000)  # an input limit and an output limit that make up one window
_RATES = (
    "input_pico",
    "output_pico",
    "cached_pico",
    "cache_write_pico",
    "cache_write_1h_pico",
    "reasoning_pico",
    "audio_input_pico",
    "audio_output_pico",
    "audio_cached_pico",
    "image_input_pico",
    "image_output_pico",
)
_DEAREST_EMBEDDING = 10_000_000  # 10 USD per million tokens; the dearest known costs a fifth of it
_KIND_OF_OUTPUT: dict[tuple[str, ...], Kind] = {("image",): "image", ("audio",): "speech"}
_EXTRAS = (
    "request_nanos",
    "search_nanos",
    "image_nanos",
    "image_input_nanos",
    "audio_second_nanos",
    "character_pico",
)


class Dispute(msgspec.Struct, frozen=True):
    """A field on which sources differ: what was taken, and who says what instead."""

    field: str
    taken: Any
    others: dict[SourceName, Any]

    def __str__(self) -> str:
        said = ", ".join(f"{source} {value}" for source, value in self.others.items())
        return f"{self.field}: {said}"


def choose(field: str, said: Mapping[SourceName, Any], order: Order) -> tuple[Any, Dispute | None]:
    """The value that most sources give, a tie going by `order`; None where none says anything."""
    if not said:
        return None, None
    votes = Counter(said.values())
    most = max(votes.values())
    taken = next(said[source] for source in order if source in said and votes[said[source]] == most)
    others = {source: value for source, value in said.items() if value != taken}
    return taken, Dispute(field, taken, others) if others else None


class Merger:
    """The fields of one fact while they are chosen."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.claims = {claim.source: claim for claim in claims}
        self.disputes: list[Dispute] = []

    def first(self, order: Order, value: Callable[[Claim], Any]) -> Any:
        """The first value that anybody gives, without a vote: for words and sets."""
        return next(
            (value(self.claims[s]) for s in order if s in self.claims and value(self.claims[s])), None
        )

    def rates(
        self, label: str, rates: Mapping[SourceName, Rates], starts: Mapping[int, int] | None = None
    ) -> dict[str, Any]:
        """Amounts and tiers of one class of service as its sources have them.

        `starts`: no other tiers than these, and what each threshold exactly is.
        """
        found = self._amounts(label, {source: each.prices for source, each in rates.items()})
        pricing = {source: each for source, each in rates.items() if "input_pico" in each.prices}
        tiers = []
        for start in sorted({start for each in pricing.values() for start in each.tiers}):
            if starts is not None and start not in starts:
                continue
            having = {source: each.tiers[start] for source, each in pricing.items() if start in each.tiers}
            if 2 * len(having) < len(pricing):
                what = f"{label}tier {start}"
                self.disputes.append(Dispute(what, None, dict.fromkeys(having, "has it")))
                continue
            exact = self.exact(start) if starts is None else starts[start]
            tiers.append({"above_tokens": exact, **self._amounts(f"{label}above {start} ", having)})
        return {**found, "tiers": tiers} if tiers else found

    def exact(self, start: int) -> int:
        """The threshold that is told as `start`, a whole number of thousands: who says it exactly counts."""
        return next((one.exact[start] for one in self.claims.values() if start in one.exact), start)

    def _amounts(self, label: str, said: Mapping[SourceName, Mapping[str, int]]) -> dict[str, int]:
        found = {}
        for field in (*_RATES, *_EXTRAS):
            values = {source: amounts[field] for source, amounts in said.items() if field in amounts}
            value = self._settle(label + field, values, BY_FEE if field in _EXTRAS else BY_PRICE)
            if value is not None:
                found[field] = value
        return found

    def _settle(self, field: str, said: Mapping[SourceName, Any], order: Order) -> Any:
        taken, dispute = choose(field, said, order)
        if dispute is not None:
            self.disputes.append(dispute)
        return taken

    def price_fields(self) -> dict[str, Any]:
        """All amounts of the fact."""
        fields = self.rates("", self.claims)
        fields |= self._amounts("", {source: claim.extras for source, claim in self.claims.items()})
        found = {tier["above_tokens"] for tier in fields.get("tiers", ())}
        starts = {-(-exact // 1000) * 1000: exact for exact in found}
        sizes = self.first(BY_FEE, lambda claim: claim.image_sizes)
        fields |= {"image_sizes": sizes} if sizes else {}
        services = {}
        for service in ("batch", "flex", "priority"):
            having = {
                s: claim.services[service] for s, claim in self.claims.items() if service in claim.services
            }
            rates = self.rates(f"{service} ", having, starts)
            if rates:
                services[service] = rates
        return fields | ({"services": services} if services else {})

    def size_fields(self) -> dict[str, Any]:
        """Window and limits."""
        output = self._settle("max_output_tokens", self._outputs(), BY_NEWS)
        window = self._settle("context_tokens", self._windows(output), BY_WINDOW)
        less = self._input_limits(window or 0, output or 0)
        fields = {
            "context_tokens": window,
            "max_output_tokens": output,
            "max_input_tokens": self._settle("max_input_tokens", less, BY_NEWS),
        }
        return {name: value for name, value in fields.items() if value}

    def _input_limits(self, window: int, output: int) -> dict[SourceName, int]:
        """Those below the window; LiteLLM's only where it is what the output limit leaves of it."""
        limits = {s: claim.max_input_tokens for s, claim in self.claims.items() if claim.max_input_tokens}
        return {
            source: limit
            for source, limit in limits.items()
            if limit < window and (source != "litellm" or limit + output == window)
        }

    def _outputs(self) -> dict[SourceName, int]:
        outputs = {s: claim.max_output_tokens for s, claim in self.claims.items() if claim.max_output_tokens}
        table = self.claims.get("litellm")
        if table is not None and len(outputs) > 1 and table.max_output_tokens == table.max_input_tokens:
            outputs.pop("litellm")  # it repeats the input limit where no other is known
        return outputs

    def _windows(self, output: int | None) -> dict[SourceName, int]:
        windows = {s: claim.context_tokens for s, claim in self.claims.items() if claim.context_tokens}
        table = self.claims.get("litellm")
        limit = table.max_input_tokens if table is not None else None
        if limit is not None:
            whole = limit + (output or 0)
            if whole in _OPENAI_WINDOWS:
                windows["litellm"] = whole
            elif not windows or limit in windows.values() or limit > max(windows.values()):
                windows["litellm"] = limit  # else it is the input limit of a larger window
        return windows

    def features(self) -> dict[str, bool]:
        """What is known of each feature."""
        found: dict[str, bool] = {}
        for feature in FEATURES:
            said = {
                s: claim.features[feature] for s, claim in self.claims.items() if feature in claim.features
            }
            value = self._settle(feature, said, BY_NEWS)
            if value is not None:
                found[feature] = value
        return found

    def other_fields(self) -> dict[str, Any]:
        """Kind, modalities, dates and names."""
        fields = {
            "kind": self.first(BY_NEWS, lambda claim: claim.kind),
            "needs_responses": any(claim.needs_responses for claim in self.claims.values()),
            "modalities_in": self.first(BY_WINDOW, lambda claim: claim.modalities_in),
            "modalities_out": self.first(BY_WINDOW, lambda claim: claim.modalities_out),
            "features": self.features(),
            "knowledge": self.first(BY_WINDOW, lambda claim: claim.knowledge),
            "is_deprecated": any(claim.is_deprecated for claim in self.claims.values()),
            "deprecation_date": self.first(BY_NEWS, lambda claim: claim.deprecation_date),
            "successor": self.first(BY_NEWS, lambda claim: claim.successor),
            "page": self.first(BY_NEWS, lambda claim: claim.page),
        }
        return {name: value for name, value in fields.items() if value}


def merge(row: str, name: str, claims: Sequence[Claim], date: str) -> tuple[Fact, list[Dispute]]:
    """The fact of one model. `date` is that of its prices. Raises `msgspec.ValidationError`."""
    merger = Merger(claims)
    fields: dict[str, Any] = {
        "provider": row,
        "model": name,
        "date": date,
        "sources": [source for source in BY_FEE if source in merger.claims],
        **merger.price_fields(),
        **merger.size_fields(),
        **merger.other_fields(),
    }
    _mend(fields)
    if merger.disputes:
        fields["disputed"] = [str(dispute) for dispute in merger.disputes]
    if all(claim.is_family for claim in claims):
        fields |= {"is_listed": False, "also": claims[0].also}
    return msgspec.convert(fields, Fact), merger.disputes


def _mend(fields: dict[str, Any]) -> None:
    """What follows of itself: no output of an embedding, no limit beyond the window, nothing cached dearer.

    A cache that costs nothing is one that is not priced: its tokens cost what input does.
    """
    for rates in (fields, *fields.get("tiers", ()), *fields.get("services", {}).values()):
        for kind in ("cached_pico", "cache_write_pico", "cache_write_1h_pico", "audio_cached_pico"):
            if rates.get(kind) == 0:
                del rates[kind]
    features = fields.get("features", {})
    if fields.get("kind") == "chat" and features.get("tools") and not fields.get("modalities_in"):
        fields["modalities_in"] = ("text",)  # a model that calls functions converses
        fields.setdefault("modalities_out", ("text",))
    for feature, modality in (("vision", "image"), ("audio", "audio"), ("pdf", "pdf")):
        taken = fields.get("modalities_in", ())
        if taken and fields.get("features", {}).get(feature) and modality not in taken:
            fields["modalities_in"] = (*taken, modality)
    if fields.get("kind") in ("embedding", "rerank") and "input_pico" in fields:
        fields["output_pico"] = 0
        if fields["input_pico"] > _DEAREST_EMBEDDING:  # a slip of the decimal point
            del fields["input_pico"], fields["output_pico"]
    output_kind = _KIND_OF_OUTPUT.get(tuple(fields.get("modalities_out", ())))
    if output_kind is not None and fields.get("kind") == "chat":
        fields["kind"] = output_kind
    if fields.get("context_tokens", 0) and fields.get("max_output_tokens", 0) > fields["context_tokens"]:
        del fields["max_output_tokens"]
    if fields.get("cached_pico", 0) > fields.get("input_pico", 0):
        del fields["cached_pico"]
    if fields.get("request_nanos"):  # the fee of a request is that of its search
        fields.pop("search_nanos", None)
    if fields.get("successor") == fields["model"]:
        del fields["successor"]


def same_prices(one: Fact, other: Fact) -> bool:
    """Whether two facts cost the same, whatever else changed: then the price keeps its date."""
    names = (*_RATES, *_EXTRAS, "image_sizes", "is_search_per_request", "tiers", "services")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def dated(fact: Fact, before: Iterable[Fact]) -> Fact:
    """`fact` with the date that its prices have had since."""
    old = next((each for each in before if each.model == fact.model), None)
    if old is None or not same_prices(fact, old):
        return fact
    return msgspec.structs.replace(fact, date=old.date)
