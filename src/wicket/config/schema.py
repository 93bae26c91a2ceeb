"""What wicket.toml may say (`File`), and what it comes to once secrets and defaults are filled in (`Config`).

`Config` is msgpack-encodable: the supervisor sends it to the workers whole, secrets included, so it is
never printed; `load.show` makes the printable form.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from wicket.providers.catalogue import NewerFile
from wicket.routing.deployment import Also
from wicket.wire.quirks import Quirks

MIB = 1 << 20
MINI_PREFIX = "mini:"  # of a deployment that is a task's mini

Port = Annotated[int, Meta(ge=0, le=65_535)]
Workers = Annotated[int, Meta(ge=1, le=64)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Size = Annotated[int, Meta(ge=0, le=1 << 32)]  # 0 where it means "as the checkpoint says"
Bytes = Annotated[int, Meta(ge=1024, le=1 << 32)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Pause = Annotated[float, Meta(ge=0, le=86_400)]  # 0: never
Dollars = Annotated[float, Meta(ge=0, le=1_000_000)]  # USD per million tokens
Ratio = Annotated[float, Meta(ge=0, le=1_000)]
Share = Annotated[float, Meta(ge=0, le=1)]
Feature = Literal["tools", "vision", "json_schema", "reasoning", "audio", "pdf", "prefill"]
DataCollection = Literal["allow", "deny"]
Days = Annotated[float, Meta(gt=0, le=36_500)]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: every field has a default, unknown fields are mistakes."""


class BodyLimits(_Section, frozen=True):
    """The largest request body per kind of route, in bytes; more is answered 413.

    Chat bodies carry images as base64, hence 32 MiB; embeddings, rankings and classifications carry lists
    of texts. Sound to transcribe may be 25 MiB long at OpenAI, and a picture to edit 50 MiB.
    """

    chat: Bytes = 32 * MIB
    completions: Bytes = 4 * MIB
    embeddings: Bytes = 8 * MIB
    classify: Bytes = 8 * MIB
    rerank: Bytes = 8 * MIB
    images: Bytes = 64 * MIB
    speech: Bytes = 1 * MIB
    transcription: Bytes = 32 * MIB
    moderations: Bytes = 32 * MIB
    admin: Bytes = 1 * MIB


class Server(_Section, frozen=True):
    """The listening side and its bounds. `port` 0 takes any free port."""

    host: str = "127.0.0.1"
    port: Port = 4242
    workers: Workers = 1
    trusted_proxies: tuple[str, ...] = ()  # whose X-Forwarded-For and -Proto are believed: CIDR
    cors_origins: tuple[str, ...] = ()  # empty: no CORS headers at all
    body_limits: BodyLimits = BodyLimits()
    max_headers: Count = 100
    max_header_bytes: Bytes = 64 * 1024
    header_timeout_s: Seconds = 10.0  # from the first byte to the end of the head
    body_timeout_s: Seconds = 60.0  # for a body, and one more per 16 KiB that came
    keep_alive_s: Seconds = 75.0  # how long an idle connection is kept
    drain_s: Seconds = 30.0  # what requests under way get at a stop or restart
    max_in_flight: Count = 1_000  # requests per worker; more is answered 503
    max_in_flight_bytes: Bytes = 256 * MIB  # of bodies and gathered answers per worker; then 503 as well
    stream_buffer_bytes: Bytes = 256 * 1024  # held for one slow client before its upstream is paused
    metrics_public: bool = False  # whether /metrics needs no key
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Webhook(_Section, frozen=True):
    """Where events about money go: `secret` signs them. `below_usd`: a credit below that is told of."""

    url: str
    secret: str
    below_usd: Annotated[float, Meta(gt=0, le=10_000_000)] | None = None


SignUp = Literal["invite", "open", "closed"]


class OidcTable(_Section, frozen=True):
    """An OpenID provider whose users may sign in: theirs is the password.

    With `allowed_domains` whoever has a verified address there becomes a member, with `default_role`;
    without, only users that are known get in.
    """

    issuer: str = ""
    client_id: str = ""
    client_secret: str = ""
    title: str = ""
    allowed_domains: tuple[str, ...] = ()
    default_role: Literal["admin", "member", "viewer"] = "member"


class Accounts(_Section, frozen=True):
    """Who may become a user, and how long a browser stays signed in.

    The first user is the owner in every mode. `allow_plain_http`: passwords may cross a network unencrypted.
    """

    sign_up: SignUp = "invite"
    session_idle_h: Annotated[float, Meta(gt=0, le=8_784)] = 72.0
    session_max_h: Annotated[float, Meta(gt=0, le=8_784)] = 24.0 * 30
    allow_plain_http: bool = False
    oidc: dict[str, OidcTable] = {}
    webhook: Webhook | None = None


class Records(_Section, frozen=True):
    """How records reach the database, and how long they stay. A crash loses at most `flush_ms` of them."""

    flush_ms: Annotated[int, Meta(ge=1, le=10_000)] = 50
    queue: Count = 50_000  # records kept in memory while the disk takes none
    keep_days: Annotated[float, Meta(ge=0, le=36_500)] = 0.0  # then they are deleted; 0: never


class KindTable(_Section, frozen=True, kw_only=True):
    """USD per million tokens, by kind of token; what is left out costs what the wider kind does."""

    input: Dollars | None = None
    output: Dollars | None = None
    cached: Dollars | None = None
    cache_write: Dollars | None = None
    cache_write_1h: Dollars | None = None
    reasoning: Dollars | None = None
    audio_input: Dollars | None = None
    audio_output: Dollars | None = None
    audio_cached: Dollars | None = None
    image_input: Dollars | None = None
    image_output: Dollars | None = None


class TierTable(KindTable, frozen=True, kw_only=True):
    """Prices of all tokens of a request with more than `above` tokens of input."""

    above: Annotated[int, Meta(gt=0, le=10**9)]


class ServiceTable(KindTable, frozen=True, kw_only=True):
    """Prices of a class of service; what is left out costs what it does in the standard one."""

    tiers: tuple[TierTable, ...] = ()


class ServicesTable(_Section, frozen=True):
    """The classes of service that have prices of their own."""

    batch: ServiceTable | None = None
    flex: ServiceTable | None = None
    priority: ServiceTable | None = None


class PriceTable(KindTable, frozen=True, kw_only=True):
    """A price of one's own.

    `request`, `search`, `image` (made), `image_given` and `audio_second` are USD for one of them, `character`
    is USD per million of them.
    """

    currency: Literal["USD"] = "USD"
    request: Dollars = 0.0
    search: Dollars | None = None
    image: Dollars | None = None
    image_given: Dollars | None = None
    audio_second: Dollars | None = None
    character: Dollars | None = None
    tiers: tuple[TierTable, ...] = ()
    services: ServicesTable = ServicesTable()


class TimeoutTable(_Section, frozen=True):
    """Four separate limits, in seconds, and one for the whole answer of a mini that has others behind it."""

    connect_s: Seconds = 5.0
    first_token_s: Seconds = 10.0
    gap_s: Seconds = 15.0
    total_s: Seconds = 600.0
    mini_s: Seconds = 3.0  # its answers are short: one that takes longer costs more than it saves


class MaxPriceTable(_Section, frozen=True):
    """The most that a deployment may cost, in USD per million tokens; `request` is USD per request."""

    input: Dollars | None = None
    output: Dollars | None = None
    request: Dollars | None = None


class DeploymentTable(_Section, frozen=True):
    """A deployment with facts of its own, which stand above the catalogue's. None, 0 and "" leave them."""

    id: str = ""
    weight: Ratio = 1.0  # its share under policy = "weighted"
    features: tuple[Feature, ...] | None = None
    region: str = ""
    data_collection: DataCollection | None = None
    context_tokens: Size = 0
    max_output_tokens: Size = 0


class HedgeTable(_Section, frozen=True):
    """When another deployment is raced: `after` is a learned share of first tokens, `after_s` a fixed time.

    At most `max_share` of the route's requests cause an extra call.
    """

    after: Annotated[float, Meta(ge=0.5, le=0.999)] = 0.95
    after_s: Seconds | None = None
    max_share: Annotated[float, Meta(gt=0, le=1)] = 0.05


class Model(_Section, frozen=True):
    """The rule for one model name. The caller pays cost * (1 + `markup`).

    `max_price`, `region`, `data_collection` and `require` keep deployments out (see `routing.filters`).
    `retries` are second tries of one deployment, `max_attempts` bounds all of a request. `continue`: another
    deployment may go on with an answer that broke after its commit point.

    `collect` names the task that requests and answers are kept for. With the policy "cascade" the first
    deployment is a mini: `quality` is the precision its answers must have, or `budget_usd_per_day` what the
    others may cost; `check_share` of its answers are checked, for at most `check_usd_per_day`.
    """

    deployments: tuple[str | DeploymentTable, ...] = ()
    policy: str = "ordered"
    commit: Literal["first-token", "whole"] = "first-token"
    timeouts: TimeoutTable = TimeoutTable()
    price: PriceTable | None = None  # instead of the catalogue's
    markup: Ratio = 0.0
    retries: Annotated[int, Meta(ge=0, le=3)] = 1
    max_attempts: Annotated[int, Meta(ge=1, le=20)] = 6
    hedge: HedgeTable | None = None
    continues: bool = msgspec.field(name="continue", default=False)
    collect: str = ""
    quality: Share | None = None
    budget_usd_per_day: Dollars | None = None
    check_share: Share = 0.02
    check_usd_per_day: Dollars = 1.0
    max_price: MaxPriceTable | None = None
    region: str | tuple[str, ...] = ()
    data_collection: DataCollection = "allow"
    require: tuple[Feature, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """What its deployments are called, in order."""
        return tuple([one if isinstance(one, str) else one.id for one in self.deployments])


class TaskTable(_Section, frozen=True):
    """How a task's examples are kept: which share of the requests, how long, and what is taken out first.

    `by_header`: callers may ask for it with `x-wicket-collect`, also where the route does not collect.
    """

    sample: Share = 1.0
    retention_days: Days = 30.0
    scrub: tuple[str, ...] = ("pii",)  # guardrails that rewrite texts before they touch the disk
    by_header: bool = False


class StorageTable(_Section, frozen=True):
    """What is kept beyond a request. Everything is off until the operator says otherwise.

    `responses`: "local" keeps answers of the Responses API here, "provider" leaves them to the providers that
    keep such. `files` and `batches`: "local" keeps files here, and runs batches here; "provider" has batches
    run by the provider of their model. `team_bytes` bounds the files of one team (of one key that has none);
    `batch_lines` the lines of a batch.
    """

    responses: Literal["off", "local", "provider"] = "off"
    files: Literal["off", "local"] = "off"
    batches: Literal["off", "local", "provider"] = "off"
    keep_days: Days = 30.0
    max_file_bytes: Bytes = 200 * MIB
    team_bytes: Annotated[int, Meta(ge=1024, le=1 << 50)] = 10 << 30
    batch_lines: Count = 50_000
    batch_concurrency: Annotated[int, Meta(ge=1, le=256)] = 8


class EngineTable(_Section, frozen=True):
    """A local model in a process of its own. 0 and "" leave the choice to the engine."""

    model: str = ""
    kind: Literal["", "generation", "embedding"] = ""  # "": by the model
    context_tokens: Size = 0
    max_batch: Size = 0
    queue: Size = 64  # requests that may wait; more is answered 429
    kv_tokens: Size = 0
    threads: Annotated[int, Meta(ge=0, le=1_024)] = 0
    scheme: str = ""


Auth = Literal["bearer", "api-key", "x-api-key", "x-goog-api-key", "sigv4", "google", "none"]
UsageInStream = Literal["ask", "always", "never"]
Rerank = Literal["jina", "voyage", "none"]


class ProviderTable(_Section, frozen=True):
    """A provider as written. None and "" take the catalogue row's value, if the name has one."""

    row: str = ""  # the catalogue row it takes after, where the name differs
    base_url: str = ""
    api_key: str | tuple[str, ...] = ()
    auth: Auth | None = None
    access_key_id: str = ""  # these three for auth = "sigv4"
    secret_access_key: str = ""
    session_token: str = ""  # of temporary keys
    dialect: str = ""
    headers: dict[str, str] = {}
    organization: str = ""  # OpenAI-Organization
    project: str = ""  # OpenAI-Project
    api_version: str = ""  # Azure: dated API versions
    account: str = ""  # fills {account} in base_url (Cloudflare)
    region: str = ""  # fills {region}, and is where it runs
    data_collection: DataCollection | None = None  # "deny": it keeps nothing to train on
    resource: str = ""  # fills {resource} (Azure)
    ca_file: str = ""
    proxy: str | None = None  # "" for none whatever the environment says
    rename: dict[str, str] | None = None
    remove: tuple[str, ...] | None = None
    usage_in_stream: UsageInStream | None = None
    rerank: Rerank | None = None  # how it ranks documents; None: as the catalogue says, else Jina's way
    prefill: bool = False  # its models go on from a trailing assistant message
    models: tuple[str, ...] | None = None  # listed in /v1/models instead of the catalogue's
    prices: dict[str, PriceTable] = {}
    own_key: bool = False  # its bill goes to the caller: requests are charged `own_key_fee` x cost only
    own_key_fee: Ratio = 0.0
    max_concurrent: Size = 0  # requests that run there at once, over all workers; 0: no limit
    queue: Size = 64  # requests that may wait for that, per worker
    probe_s: Pause = 0.0  # how often its models are asked for while it is spared; 0: never
    optional: bool = False  # a missing credential disables the provider instead of refusing the file


class File(_Section, frozen=True):
    """wicket.toml."""

    server: Server = Server()
    accounts: Accounts = Accounts()
    records: Records = Records()
    providers: dict[str, ProviderTable] = {}
    models: dict[str, Model] = {}
    tasks: dict[str, TaskTable] = {}
    engines: dict[str, EngineTable] = {}
    storage: StorageTable = StorageTable()


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A provider ready for use: `credentials` are secrets in clear text.

    With `auth` "google" a credential is what `config.google` made of a file, or names the metadata server.
    With `auth` "sigv4" the one credential is the secret access key, and `region` is what requests are signed
    for.
    """

    name: str
    row: str = ""  # the catalogue row behind it, "" for none
    title: str = ""
    base_url: str
    credentials: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()  # where each credential came from: "env:NAME", "file:PATH", "literal"
    auth: Auth = "bearer"
    access_key_id: str = ""
    session_token: str = ""
    dialect: str = "openai_chat"
    also: Also | None = None
    headers: dict[str, str] = {}
    query: str = ""
    path_template: str = ""
    ca_file: str = ""
    proxy: str | None = None
    rename: dict[str, str] = {}
    remove: tuple[str, ...] = ()
    usage_in_stream: UsageInStream = "ask"
    rerank: str = ""  # a dialect
    quirks: Quirks = Quirks()
    prefill: bool = False
    models: tuple[str, ...] | None = None
    prices: dict[str, PriceTable] = {}
    own_key_fee: float | None = None  # None: we pay its bill
    max_concurrent: int = 0
    queue: int = 64
    probe_s: float = 0.0
    region: str = ""
    data_collection: str = ""  # "" if nobody said
    reason: str = ""  # why it is enabled, for the start message

    def __repr__(self) -> str:
        return f"Provider({self.name!r}, {self.base_url!r}, {len(self.credentials)} credentials)"


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """A local model ready for use: `model` is what to load, `label` what callers name it by.

    A mini's engine follows from a deployment "mini:TASK" and is named so, which no operator can write. Its
    label is the task, its model "mini:TASK@RUN" once a run is in force, "mini:TASK" before.
    """

    name: str
    model: str
    label: str
    kind: Literal["generation", "embedding"]
    context_tokens: int = 0
    max_batch: int = 0
    queue: int = 64
    kv_tokens: int = 0
    threads: int = 0
    scheme: str = ""

    @property
    def task(self) -> str:
        """The task whose mini it runs, "" for any other model."""
        return self.label if self.name.startswith(MINI_PREFIX) else ""

    @property
    def provider(self) -> str:
        """The first half of its model id."""
        return "mini" if self.task else self.name

    @property
    def deployment_id(self) -> str:
        """Its model id, e.g. "compact/smollm2-135m-instruct", or "mini/TASK" of a mini."""
        return f"{self.provider}/{self.label}"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything decided before the first request. `source` is the file's path, "" without one."""

    source: str = ""
    server: Server = Server()
    accounts: Accounts = Accounts()
    records: Records = Records()
    providers: dict[str, Provider] = {}
    models: dict[str, Model] = {}
    tasks: dict[str, TaskTable] = {}
    engines: dict[str, Engine] = {}
    storage: StorageTable = StorageTable()
    warnings: tuple[str, ...] = ()
    catalogue: NewerFile | None = None  # models fetched since, in place of the shipped ones
    unusable: dict[str, str] = {}  # provider name → why its variable was not taken

    def __repr__(self) -> str:
        return f"Config({self.source!r}, providers={list(self.providers)}, engines={list(self.engines)})"
