"""What can answer, and in which order it is asked: the values that configuration compiles to."""

from __future__ import annotations

import msgspec

from wicket.wire.aws_keys import AwsKeys
from wicket.wire.origin import Origin


class Also(msgspec.Struct, frozen=True):
    """A second dialect that the same host speaks, under `path`: for the APIs that the first one lacks."""

    dialect: str
    path: str  # takes the place of the base path; no trailing slash


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """Provider + credential + upstream model: one thing that can answer.

    `headers` go out with every request (the credential among them, so never print one).
    `base_path` has no trailing slash. `price` holds the row's pico-USD values (see `accounts.price.Price`).
    """

    id: str  # "provider/model"
    provider: str
    model: str  # the upstream's name for it
    dialect: str = "openai_chat"
    origin: Origin
    base_path: str = "/v1"
    query: str = ""  # e.g. "api-version=2024-10-21"
    path_template: str = ""  # e.g. "/deployments/{model}" (Azure); appended to base_path
    also: Also | None = None
    headers: tuple[tuple[str, str], ...] = ()
    credential: int = 0  # which of the provider's credentials
    aws: AwsKeys | None = None  # what each request is signed with
    rename: dict[str, str] = {}  # request fields this provider spells differently
    remove: tuple[str, ...] = ()  # harmless request fields this provider rejects: dropped and reported
    usage_in_stream: str = "ask"  # "ask": send stream_options.include_usage; "always"; "never"
    price_id: str = ""
    prices: tuple[int, int, int | None, int | None, int] | None = None
    engine: str = ""  # the local engine behind it, "" for a provider
    task: str = ""  # the task whose mini it is, "" for everything else
    context_tokens: int = 0  # 0: unknown
    max_output_tokens: int = 0
    warning: str = ""  # what callers are told of its model's end, in ASCII on one line


class Timeouts(msgspec.Struct, frozen=True):
    """Four separate limits, in milliseconds, and one for a mini that is asked first."""

    connect_ms: int = 5_000
    first_token_ms: int = 10_000
    gap_ms: int = 15_000
    total_ms: int = 600_000
    mini_ms: int = 3_000


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """The rule for one model name. `deployments` are candidates in the configured order.

    `task` is that of a cascade, whether or not its mini is there yet; "" for every other route.
    """

    name: str
    deployments: tuple[Deployment, ...]
    policy: str = "ordered"
    commit: str = "first-token"  # or "whole"
    timeouts: Timeouts = Timeouts()
    floor: float = 0.0  # the chance of a good answer that an engine is asked for; 0: it answers everything
    markup_ppm: int = 0  # charge = cost x (1 + markup), in parts per million
    collect: str = ""  # the task whose examples its requests are, "" for none
    sample_ppm: int = 1_000_000  # which share of them is kept
    task: str = ""
