"""How deployments, credentials and lanes are doing, as gauges: from the lists that `wicket status` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wicket.telemetry.exposition import Labels, Sample, family
from wicket.telemetry.label_names import OTHER, LabelNames

Shown = Sequence[Mapping[str, Any]]


def deployment_families(deployments: Shown, names: LabelNames) -> list[str]:
    """Only deployments that have a label of their own: callers can name any model."""
    known = [
        (_labels(name, shown), shown)
        for shown in deployments
        if (name := names.claimed(shown["deployment"])) not in (OTHER, "")
    ]
    states: list[Sample] = [("", (*labels, ("state", shown["state"])), "1") for labels, shown in known]

    def of(field: str, scale: float = 1.0) -> list[Sample]:
        values = [(labels, shown[field]) for labels, shown in known]
        return [("", labels, f"{value * scale:g}") for labels, value in values if value is not None]

    return [
        family("wicket_deployment_state", "gauge", "1 for the state of a deployment's breaker.", states),
        family(
            "wicket_deployment_cooldown_seconds",
            "gauge",
            "How long others are still asked first.",
            of("cooldown_s"),
        ),
        family("wicket_deployment_running", "gauge", "Attempts under way.", of("running")),
        family(
            "wicket_deployment_first_token_seconds",
            "gauge",
            "Peak-EWMA of the time to the first token.",
            of("first_token_ms", 1e-3),
        ),
        family(
            "wicket_deployment_tokens_per_second",
            "gauge",
            "How fast it writes, a moving mean.",
            of("tokens_per_s"),
        ),
        family(
            "wicket_deployment_headroom",
            "gauge",
            "The share left of its tightest rate limit, by its own headers.",
            of("headroom"),
        ),
    ]


def credential_families(credentials: Shown, lanes: Shown) -> list[str]:
    """Credentials in trouble, by provider and number, and lanes by provider."""
    barred: list[Sample] = [
        (
            "",
            (("provider", shown["provider"]), ("credential", str(shown["credential"]))),
            f"{shown['cooldown_s']:g}",
        )
        for shown in credentials
    ]

    def of(field: str) -> list[Sample]:
        return [("", (("provider", shown["provider"]),), str(shown[field])) for shown in lanes]

    return [
        family(
            "wicket_credential_cooldown_seconds",
            "gauge",
            "Credentials that a provider refused: how long others are still asked first.",
            barred,
        ),
        family("wicket_lane_limit", "gauge", "A provider's max_concurrent.", of("max_concurrent")),
        family("wicket_lane_running", "gauge", "Requests that hold one of its places.", of("running")),
        family("wicket_lane_waiting", "gauge", "Requests that wait for a place.", of("waiting")),
    ]


def _labels(name: str, shown: Mapping[str, Any]) -> Labels:
    return (("deployment", name), ("credential", str(shown["credential"])))
