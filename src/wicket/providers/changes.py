"""Whether a catalogue may be used at all, and how one differs from the one in use."""

from __future__ import annotations

from collections.abc import Container, Iterator

import msgspec

from wicket.providers.facts import Fact, Facts, Prices

MIN_PRICED = 200
MAX_LOST_SHARE = 0.2  # of the priced models; more of them gone is a broken source, not news
MAX_FACTOR = 10  # a price that rises or falls by more is a slip of the decimal point
_FEW = 5  # a provider of so few models may lose them all
_SHOWN = ("input_pico", "output_pico", "cached_pico", "cache_write_pico")


def check(facts: Facts, rows: Container[str]) -> list[str]:
    """What makes a catalogue unusable, beyond what its types say; one line each, empty for nothing."""
    faults = []
    for row, models in facts.models.items():
        if row not in rows:
            continue  # of a newer Wicket
        names: set[str] = set()
        for fact in models:
            if fact.provider != row:
                faults.append(f"{row}/{fact.model} says that it is {fact.provider}'s")
            if fact.model in names:
                faults.append(f"{row}/{fact.model} stands there twice")
            names.add(fact.model)
            faults += [f"{fact.id}: {fault}" for fault in _faults(fact)]
    num_priced = _num_priced(facts)
    if num_priced < MIN_PRICED:
        faults.append(f"only {num_priced} models have a price: at least {MIN_PRICED} are expected")
    return faults


def _faults(fact: Fact) -> Iterator[str]:
    if not fact.sources:
        yield "no source is named"
    if fact.max_output_tokens and fact.context_tokens and fact.max_output_tokens > fact.context_tokens:
        yield "its output limit is beyond its context"
    starts = [tier.above_tokens for tier in fact.tiers]
    if starts != sorted(set(starts)):
        yield "its tiers are not in order"
    if _is_cached_dearer(fact):
        yield "cached input costs more than input"


def _is_cached_dearer(prices: Prices) -> bool:
    return (
        prices.cached_pico is not None
        and prices.input_pico is not None
        and prices.cached_pico > prices.input_pico
    )


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """How `after` differs from `before`: ids, and lines on prices; `absurd` is why it is refused."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    repriced: tuple[str, ...] = ()
    absurd: tuple[str, ...] = ()

    def lines(self, most: int = 40) -> list[str]:
        """For people: what changed, at most `most` lines of a kind."""
        shown = []
        for sign, what in (("+", self.added), ("-", self.removed), ("~", self.repriced)):
            shown += [f"{sign} {line}" for line in what[:most]]
            if len(what) > most:
                shown.append(f"{sign} … and {len(what) - most} more")
        return shown


def compare(before: Facts, after: Facts) -> Changes:
    """What would change."""
    old, new = _by_name(before), _by_name(after)
    repriced, absurd = [], []
    for name, fact in new.items():
        if name in old:
            line, is_absurd = _price_change(old[name], fact)
            if line:
                repriced.append(f"{name}: {line}")
            if is_absurd:
                absurd.append(f"{name}: {line}")
    return Changes(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        repriced=tuple(repriced),
        absurd=(*_losses(before, after), *absurd),
    )


def _price_change(old: Fact, new: Fact) -> tuple[str, bool]:
    changed, is_absurd = [], False
    for field in _SHOWN:
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            changed.append(f"{field.removesuffix('_pico')} {_usd(before)} → {_usd(after)}")
            is_gone = after is None and field in ("input_pico", "output_pico")
            is_absurd |= is_gone or (before is not None and after is not None and _is_jump(before, after))
    return ", ".join(changed), is_absurd


def _is_jump(before: int, after: int) -> bool:
    low, high = sorted((before, after))
    return high > MAX_FACTOR * low if low else high > 0 and before > 0


def _losses(before: Facts, after: Facts) -> Iterator[str]:
    had, has = _num_priced(before), _num_priced(after)
    if has < (1 - MAX_LOST_SHARE) * had:
        yield f"{had - has} of {had} priced models would be gone"
    for row, models in before.models.items():
        num_had, num_has = _priced(models), _priced(after.models.get(row, ()))
        if num_had > _FEW and 2 * num_has < num_had:
            yield f"{num_had - num_has} of {num_had} priced models of {row} would be gone"


def _num_priced(facts: Facts) -> int:
    return sum(_priced(models) for models in facts.models.values())


def _priced(models: tuple[Fact, ...]) -> int:
    return sum(fact.is_priced for fact in models)


def _by_name(facts: Facts) -> dict[str, Fact]:
    return {f"{fact.provider}/{fact.model}": fact for models in facts.models.values() for fact in models}


def _usd(pico: int | None) -> str:
    return "unknown" if pico is None else f"${pico / 1_000_000:g}"
