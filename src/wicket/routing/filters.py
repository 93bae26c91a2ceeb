"""Who may not be asked, and why: pure, and every removal has its reason.

What is not known keeps nobody out who might well answer: features, context and output length count only where
they are known. A limit that somebody set on price, region or data collection is kept to the letter: what is
not known breaks it. A local engine runs here: it has a price and collects nothing, wherever here is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from wicket.routing.deployment import ABILITIES, FEATURES, Deployment, Limits, Route
from wicket.routing.preferences import Preferences

_WITHOUT = {
    "tools": "calls no tools",
    "vision": "sees no images",
    "json_schema": "keeps to no JSON schema",
    "reasoning": "does not reason",
    "audio": "hears no audio",
    "pdf": "reads no PDF files",
    "prefill": "continues no answer",
    "embeddings": "makes no embeddings",
    "rerank": "ranks no documents",
    "images": "makes no images",
    "speech": "does not speak",
    "transcription": "transcribes nothing",
    "moderation": "judges no content",
}


class Needs(msgspec.Struct, frozen=True):
    """What a request needs of whoever answers. Tokens: `least_input` surely, `output` at most, 0 if not said.

    `parameters` are its top-level fields, where all of them must be supported.
    """

    features: tuple[str, ...] = ()
    least_input_tokens: int = 0
    output_tokens: int = 0
    parameters: tuple[str, ...] = ()


NO_NEEDS = Needs()


class Removed(msgspec.Struct, frozen=True):
    """A deployment that is not asked. `param` is the field of the request that keeps it out, "" for none."""

    deployment: Deployment
    reason: str
    param: str = ""


def questions(deployments: Iterable[Deployment]) -> tuple[str, ...]:
    """The features that some of them are known to lack: nothing else can tell them apart.

    Abilities only where others may have them: chat models all lack the same, and are not looked at for that.
    """
    all_lacks = [one.lacks for one in deployments]
    lacking = {name for lacks in all_lacks for name in lacks}
    features = tuple(name for name in FEATURES if name in lacking)
    return features + tuple(
        name for name in ABILITIES if name in lacking and not all(name in lacks for lacks in all_lacks)
    )


def with_questions(route: Route) -> Route:
    """The route with what may tell its deployments apart; one that has a single one asks nothing."""
    found = route.deployments
    if len(found) < 2:
        return route
    return msgspec.structs.replace(
        route,
        questions=questions(found),
        least_context_tokens=min([one.context_tokens for one in found if one.context_tokens], default=0),
        least_output_tokens=min([one.max_output_tokens for one in found if one.max_output_tokens], default=0),
    )


def sieve(
    candidates: Sequence[Deployment],
    needs: Needs,
    limits: Sequence[Limits],
    preferences: Preferences | None = None,
) -> tuple[Sequence[Deployment], list[Removed]]:
    """Who is left, in the same order, and who is not; `candidates` itself if all are."""
    kept: list[Deployment] = []
    removed: list[Removed] = []
    for one in candidates:
        why = _why_not(one, needs, limits, preferences)
        if why is None:
            kept.append(one)
        else:
            removed.append(why)
    return (kept if removed else candidates), removed


def _why_not(
    one: Deployment, needs: Needs, limits: Sequence[Limits], preferences: Preferences | None
) -> Removed | None:
    if preferences is not None:
        if one.provider in preferences.ignore:
            return Removed(one, "its provider is in provider.ignore", "provider.ignore")
        if preferences.only is not None and one.provider not in preferences.only:
            return Removed(one, "its provider is not in provider.only", "provider.only")
    for limit in limits:
        what, field = _broken(one, limit)
        if what:
            return Removed(one, what, f"{limit.param}.{field}" if limit.param else "")
    what = _lacking(one, needs)
    if what:
        return Removed(one, what)
    for name in needs.parameters:
        if name in one.remove:
            return Removed(one, f"takes no '{name}'", "provider.require_parameters")
    return None


def _broken(one: Deployment, limit: Limits) -> tuple[str, str]:
    """Which limit it breaks and how; empty for none."""
    what = _too_dear(one, limit)
    if what:
        return what, "max_price"
    if limit.regions and not one.engine and not _is_in(one.region, limit.regions):
        wanted = " or ".join(limit.regions)
        return (
            f"runs in {one.region}, not {wanted}" if one.region else f"region unknown, not {wanted}"
        ), "region"
    if limit.no_collection and not one.engine and one.data_collection != "deny":
        known = "may collect data" if one.data_collection else "data collection unknown"
        return known, "data_collection"
    for name in limit.require:
        if name in one.lacks:
            return _WITHOUT[name], "require"
    return "", ""


def _too_dear(one: Deployment, limit: Limits) -> str:
    bounds = (limit.max_input_pico, limit.max_output_pico, limit.max_request_nanos)
    if bounds == (None, None, None):
        return ""
    if one.prices is None:
        return "price unknown"
    pairs = zip(
        ("input", "output", "request"), (one.prices[0], one.prices[1], one.prices[4]), bounds, strict=True
    )
    for kind, price, bound in pairs:
        if bound is not None and price > bound:
            scale = 1e9 if kind == "request" else 1e6
            return f"{kind} costs {price / scale:g} USD, above {bound / scale:g}"
    return ""


def _is_in(region: str, wanted: Sequence[str]) -> bool:
    here = region.lower()
    return any(here == one or here.startswith(f"{one}-") for one in wanted)


def _lacking(one: Deployment, needs: Needs) -> str:
    """What it is known to be unable to do that the request needs; "" for nothing."""
    if one.lacks:
        for name in needs.features:
            if name in one.lacks:
                return _WITHOUT[name]
    if one.context_tokens and needs.least_input_tokens > one.context_tokens:
        return f"has a context of {one.context_tokens:,} tokens, which the request surely exceeds"
    if one.max_output_tokens and needs.output_tokens > one.max_output_tokens:
        return f"writes at most {one.max_output_tokens:,} tokens, not {needs.output_tokens:,}"
    return ""
