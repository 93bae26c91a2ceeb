"""What can answer, and in which order it is asked: the values that configuration compiles to."""

from __future__ import annotations

import msgspec

from wicket.wire.aws_keys import AwsKeys
from wicket.wire.google_keys import GoogleKeys
from wicket.wire.origin import Origin
from wicket.wire.quirks import Quirks

# What a request may need of a model; a provider's facts use the same names.
OURS = ("models", "provider", "route", "wicket")  # request fields that no provider sees (contract §2)
FEATURES = ("tools", "vision", "json_schema", "reasoning", "audio", "pdf", "prefill")
# What a model is for, beside conversations: an API asks for one of them (`dialects.contract.Api.ability`).
ABILITIES = ("embeddings", "rerank", "images", "speech", "transcription", "moderation")


class Also(msgspec.Struct, frozen=True):
    """A second dialect that the same host speaks, under `path`: for the APIs that the first one lacks."""

    dialect: str
    path: str  # takes the place of the base path; no trailing slash
    auth: str = ""  # how the key goes out there, "" for as with the first one
    headers: tuple[tuple[str, str], ...] = ()  # those of a deployment, where `auth` is another
    apis: tuple[str, ...] = ()  # which of its APIs are there, by their names; (): all that are asked for


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
    google: GoogleKeys | None = None  # what its access tokens are asked for with
    rename: dict[str, str] = {}  # request fields this provider spells differently
    remove: tuple[str, ...] = ()  # harmless request fields this provider rejects: dropped and reported
    usage_in_stream: str = "ask"  # "ask": send stream_options.include_usage; "always"; "never"
    quirks: Quirks = Quirks()  # where its kind of OpenAI's API differs from OpenAI's
    price_id: str = ""
    prices: tuple[int, int, int | None, int | None, int] | None = None
    engine: str = ""  # the local engine behind it, "" for a provider
    task: str = ""  # the task whose mini it is, "" for everything else
    context_tokens: int = 0  # 0: unknown
    max_output_tokens: int = 0
    features: tuple[str, ...] = ()  # of FEATURES, what it is known to be able to do
    lacks: tuple[
        str, ...
    ] = ()  # what it is known to be unable to do, ABILITIES among it; the rest is unknown
    rerank: str = ""  # the dialect in which it ranks documents, "" for its own or none
    region: str = ""  # where it runs, such as "eu" or "us-east-1"; "": unknown
    data_collection: str = ""  # "deny": it keeps nothing to train on; "allow": it may; "": unknown
    warning: str = ""  # what callers are told of its model's end, in ASCII on one line
    weight: float = 1.0  # its share under the policy "weighted"
    prefill: bool = False  # whether the configuration says that it goes on from a message of its own


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment must keep to, by the operator's or a caller's word. `param` names whose word it is.

    Prices are pico-USD per token and nano-USD per request. A fact that is not known breaks a limit on price,
    region or data collection, but not one in `require` (see `routing.filters`).
    """

    param: str = ""  # "provider" for a caller's own, "" for the route's
    max_input_pico: int | None = None
    max_output_pico: int | None = None
    max_request_nanos: int | None = None
    regions: tuple[str, ...] = ()  # "eu" takes "eu-west-1" in; empty: anywhere
    no_collection: bool = False
    require: tuple[str, ...] = ()  # of FEATURES


class Timeouts(msgspec.Struct, frozen=True):
    """Four separate limits, in milliseconds, and one for a mini that is asked first."""

    connect_ms: int = 5_000
    first_token_ms: int = 10_000
    gap_ms: int = 15_000
    total_ms: int = 600_000
    mini_ms: int = 3_000


class Hedge(msgspec.Struct, frozen=True):
    """When a second deployment is raced against a late first one, and how often at most.

    `after`: the share of its first tokens that came sooner, as learned; `after_us`: a fixed time instead.
    `max_share_ppm`: extra calls per million of the route's requests.
    """

    after: float = 0.95
    after_us: int = 0
    max_share_ppm: int = 50_000


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """The rule for one model name. `deployments` are candidates in the configured order.

    `task` is that of a cascade, whether or not its mini is there yet; "" for every other route.
    `retries`: second tries of one deployment; `max_attempts`: of all together. `continues`: whether another
    deployment may go on with an answer that broke after its commit point.
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
    retries: int = 1
    max_attempts: int = 6
    hedge: Hedge | None = None
    continues: bool = False
    limits: Limits | None = None
    questions: tuple[str, ...] = ()  # FEATURES that some deployment is known to lack: what tells them apart
    least_context_tokens: int = 0  # the smallest that is known of a deployment, 0 if none is
    least_output_tokens: int = 0  # likewise of the longest outputs
    parts: tuple[Route, ...] = ()  # the routes of a request's `models`, asked one after the other

    def markup_of(self, deployment: Deployment) -> int:
        """What is added to the cost of `deployment`, in parts per million: that of the part it belongs to."""
        for part in self.parts:
            if any(one is deployment for one in part.deployments):
                return part.markup_ppm
        return self.markup_ppm
