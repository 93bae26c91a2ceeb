"""The configuration compiled for the request path: names to routes, decided once, swapped whole on reload."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from wicket.accounts.price import Price
from wicket.config import deployments as build
from wicket.config.automatic import AUTO_NAME, auto_route
from wicket.config.check_cascade import POLICY, is_mini, task_of
from wicket.config.check_model import DEFAULT_NAME, policy_name
from wicket.config.names import MAX_NAME, no_mini_yet, unknown_model
from wicket.config.schema import Config, HedgeTable, Model, TaskTable, TimeoutTable
from wicket.errors import CallerFault
from wicket.providers import catalogue
from wicket.routing.deployment import Deployment, Hedge, Route, Timeouts
from wicket.routing.filters import with_questions
from wicket.routing.plan import SUFFIXES

MAX_DYNAMIC_ROUTES = 4_096
ProxyFor = Callable[[str, str, int], str]
_PLAIN_TASK = TaskTable()


class Snapshot:
    """What the workers answer from. Everything but the cache of `provider/model` routes is fixed.

    `default_model` is what a request without a model gets: "mini" if a compact engine is configured, else
    the first configured model, else "". `deployments` are those of configured routes and engines, by id,
    one per credential.
    """

    def __init__(self, config: Config, version: int, sockets: Mapping[str, str], proxy_for: ProxyFor) -> None:
        self.config = config
        self.version = version
        self.created = int(time.time())
        catalogue.use(config.catalogue)
        self._providers = {
            name: build.provider_template(p, proxy_for) for name, p in config.providers.items()
        }
        self._engines = {
            name: build.engine_deployment(engine, sockets.get(name, ""))
            for name, engine in config.engines.items()
        }
        self._waiting: dict[str, str] = {}  # names that nobody answers to until a task has a mini → the task
        self._routes = self._fixed_routes()
        self._bare = self._bare_names()
        self._dynamic: dict[str, Route] = {}
        self._of_all: dict[str, Route] = {}
        self._called = _provider_names(config)
        self._by_header = {name.encode(): name for name, task in config.tasks.items() if task.by_header}
        self.deployments = self._all_deployments()
        named = (name for name in config.models if name in self._routes)
        self.default_model = DEFAULT_NAME if DEFAULT_NAME in self._routes else next(named, "")

    def resolve(self, name: str) -> Route:
        """The route for a model name. Raises `UnknownModelFault`; `OperatorFault` while it has no mini."""
        route = self._routes.get(name) or self._dynamic.get(name)
        return route if route is not None else self._resolve_dynamic(name)

    def resolve_all(self, name: str) -> Route:
        """As `resolve`, but a bare name that several providers offer means all of them."""
        found = self._of_all.get(name)
        if found is None:
            offered = self._offers(name) if name not in self._routes else []
            found = self._of_several(name, offered) if len(offered) > 1 else self.resolve(name)
            _remember(self._of_all, name, found)
        return found

    def providers_called(self, name: str) -> Sequence[str] | None:
        """The providers and engines that a caller means: by name, else by slug or title of the catalogue.

        Empty for one that the catalogue knows and nobody configured; None for no such name.
        """
        return self._called.get(name.lower())

    def header_task(self, value: bytes) -> str:
        """The task that a caller asks for with `x-wicket-collect`. Raises `CallerFault` naming the header."""
        task = self._by_header.get(value)
        if task is None:
            message = "'x-wicket-collect' must be \"off\" or a task that the operator lets callers ask for."
            raise CallerFault("unknown_task", message, param="x-wicket-collect")
        return task

    def models(self) -> list[dict[str, Any]]:
        """OpenAI model objects: the local model first, then configured models, then known ones."""
        owners = {name: name_owner(route) for name, route in self._routes.items()}
        owners[DEFAULT_NAME] = owners[AUTO_NAME] = "wicket"
        local = [name for name in (DEFAULT_NAME, AUTO_NAME) if name in self._routes]
        engines = [deployment.id for deployment in self._engines.values()]
        configured = [name for name in self.config.models if name in self._routes]
        names = dict.fromkeys([*local, *engines, *configured])
        listed = [(name, owners[name]) for name in names]
        for provider, config in self.config.providers.items():
            listed += [(f"{provider}/{model}", provider) for model in build.known_models(config)]
        unique = dict(listed)
        return [
            {"id": name, "object": "model", "created": self.created, "owned_by": owner}
            for name, owner in unique.items()
        ]

    def callable_names(self) -> list[str]:
        """Every name that is known to resolve: those of `models()` in their order, then bare names."""
        bare = [name for name in self._bare if self._full_name(name) == self._bare[name][0]]
        return list(dict.fromkeys([*(model["id"] for model in self.models()), *self._routes, *bare]))

    @property
    def num_dynamic_routes(self) -> int:
        """How many `provider/model` routes were made on demand and are kept."""
        return len(self._dynamic)

    def price_of(self, deployment: Deployment) -> Price | None:
        """What the provider bills for it; None if unknown."""
        return build.price_of(deployment)

    def _resolve_dynamic(self, name: str) -> Route:
        if name in self._waiting:
            raise no_mini_yet(name, self._waiting[name])
        route = self._with_suffix(name) or self._single(name)
        _remember(self._dynamic, name, route)
        return route

    def _single(self, name: str) -> Route:
        full = self._full_name(name) if len(name) <= MAX_NAME and name.isprintable() else ""
        provider, _, model = full.partition("/")
        template = self._providers.get(provider)
        if template is None or not model.strip():
            raise unknown_model(name, self.config, self.callable_names())
        return Route(name=name, deployments=template(model))

    def _with_suffix(self, name: str) -> Route | None:
        """The route of `name` without its ":floor" or ":nitro", by that policy; None unless it has one."""
        stem, colon, suffix = name.rpartition(":")
        chosen = SUFFIXES.get(colon + suffix)
        if chosen is None or not stem or stem.endswith(tuple(SUFFIXES)) or self._is_routers_own(stem):
            return None
        route = self.resolve_all(stem)
        if route.task or route.floor:
            message = f"'{stem}' chooses between models itself: leave ':{suffix}' out."
            raise CallerFault("unsupported", message, param="model")
        return msgspec.structs.replace(route, name=name, policy=chosen)

    def _is_routers_own(self, stem: str) -> bool:
        """Whether a name belongs to a provider that routes by suffixes itself."""
        provider = self.config.providers.get(stem.partition("/")[0])
        row = catalogue.rows().get(provider.row) if provider is not None else None
        return row is not None and row.is_router

    def _offers(self, name: str) -> list[str]:
        """Each `provider/model` of the enabled providers that are known to have the bare name."""
        if len(name) > MAX_NAME or ("/" in name and name.partition("/")[0] in self._providers):
            return []
        listed = self._bare.get(name, [])
        of = {full.partition("/")[0] for full in listed}
        known = [n for n, p in self.config.providers.items() if p.row and catalogue.fact_of(p.row, name)]
        having = {*of, *known}
        return [f"{provider}/{name}" for provider in self.config.providers if provider in having]

    def _of_several(self, name: str, offered: Sequence[str]) -> Route:
        found = [one for full in offered for one in self._providers[full.partition("/")[0]](name)]
        return with_questions(Route(name=name, deployments=tuple(found)))

    def _full_name(self, name: str) -> str:
        """`provider/model` for a name: itself, or a model that one enabled provider only has; else ""."""
        prefix, slash, _ = name.partition("/")
        if slash and (prefix in self._providers or catalogue.has_row(prefix)):
            return name
        found = self._bare.get(name)
        if found is not None:
            return found[0] if len(found) == 1 else ""
        having = [n for n, p in self.config.providers.items() if p.row and catalogue.fact_of(p.row, name)]
        return f"{having[0]}/{name}" if len(having) == 1 else ""

    def _fixed_routes(self) -> dict[str, Route]:
        routes: dict[str, Route] = {}
        for deployment in self._engines.values():
            route = Route(name=deployment.id, deployments=(deployment,))
            routes[deployment.id] = route
            if not deployment.task:  # a task is no model's name
                routes.setdefault(deployment.model, msgspec.structs.replace(route, name=deployment.model))
        compact = build.compact_engine(self.config)
        if compact:
            routes[DEFAULT_NAME] = Route(name=DEFAULT_NAME, deployments=(self._engines[compact],))
        for name, model in self.config.models.items():
            route = self._configured(name, model)
            if route.deployments or name == AUTO_NAME:
                routes[name] = route
        automatic = auto_route(self.config, self._engines.get(compact), routes)
        routes.pop(AUTO_NAME, None)
        return routes if automatic is None else routes | {AUTO_NAME: with_questions(automatic)}

    def _configured(self, name: str, model: Model) -> Route:
        found: list[Deployment] = []
        task = ""
        for written in model.deployments:
            id = written if isinstance(written, str) else written.id
            before = len(found)
            provider, _, upstream = id.partition("/")
            engine = self._engines.get(provider)
            task = task or task_of(id)
            if engine is not None:
                found.append(engine)
            elif is_mini(id):
                self._waiting[f"mini/{task}"] = task
            else:
                found += self._providers[provider](upstream)
            if not isinstance(written, str):
                found[before:] = [build.with_facts(one, written) for one in found[before:]]
        if not found and task:
            self._waiting[name] = task
        if model.price is not None:
            found = [
                one if one.task else build.with_price(one, model.price, f"config:{name}") for one in found
            ]
        kept = self.config.tasks.get(model.collect, _PLAIN_TASK)
        route = Route(
            name=name,
            deployments=tuple(found),
            policy=policy_name(model.policy),
            commit=model.commit,
            timeouts=_timeouts(model.timeouts),
            markup_ppm=round(model.markup * 1_000_000),
            collect=model.collect,
            sample_ppm=round(kept.sample * 1_000_000),
            retries=model.retries,
            max_attempts=model.max_attempts,
            hedge=_hedge(model.hedge),
            continues=model.continues,
            task=task if model.policy == POLICY else "",
            limits=build.limits_of(model),
        )
        return with_questions(route)

    def _bare_names(self) -> dict[str, list[str]]:
        """Bare names of enabled providers' known models → each `provider/model`."""
        owners: dict[str, list[str]] = {}
        for provider, config in self.config.providers.items():
            for model in build.known_models(config):
                owners.setdefault(model, []).append(f"{provider}/{model}")
        return owners

    def _all_deployments(self) -> dict[str, tuple[Deployment, ...]]:
        found: dict[str, list[Deployment]] = {}
        for route in self._routes.values():
            for deployment in route.deployments:
                same = found.setdefault(deployment.id, [])
                if all(deployment.credential != other.credential for other in same):
                    same.append(deployment)
        return {id: tuple(same) for id, same in found.items()}


def compile_snapshot(
    config: Config,
    *,
    version: int,
    engine_sockets: Mapping[str, str],
    proxy_for: ProxyFor | None = None,
) -> Snapshot:
    """Compile `config`; `engine_sockets` are the Unix sockets of engines by name.

    `proxy_for(scheme, host, port)` gives the proxy's URL for an origin or "" (the environment's proxies).
    """
    return Snapshot(config, version, engine_sockets, proxy_for or (lambda scheme, host, port: ""))


def _remember(routes: dict[str, Route], name: str, route: Route) -> None:
    if len(routes) >= MAX_DYNAMIC_ROUTES:
        routes.clear()
    routes[name] = route


def _provider_names(config: Config) -> dict[str, tuple[str, ...]]:
    """What callers may call a provider by, in lower case → its names here."""
    names: dict[str, tuple[str, ...]] = {}
    for row, title in catalogue.titles().items():
        accounts = tuple(name for name, provider in config.providers.items() if provider.row == row)
        names[row.lower()] = names[title.lower()] = accounts
    for engine in config.engines.values():
        names[engine.provider.lower()] = (engine.provider,)
    return names | {name.lower(): (name,) for name in config.providers}


def name_owner(route: Route) -> str:
    """Who a model is listed as owned by: its provider if there is one only, else Wicket."""
    providers = {deployment.provider for deployment in route.deployments}
    is_local = any(deployment.engine for deployment in route.deployments)
    return "wicket" if is_local or len(providers) != 1 else providers.pop()


def _hedge(table: HedgeTable | None) -> Hedge | None:
    if table is None:
        return None
    after_us = round(table.after_s * 1_000_000) if table.after_s is not None else 0
    return Hedge(table.after, after_us, round(table.max_share * 1_000_000))


def _timeouts(table: TimeoutTable) -> Timeouts:
    def ms(seconds: float) -> int:
        return max(1, round(seconds * 1_000))

    return Timeouts(
        connect_ms=ms(table.connect_s),
        first_token_ms=ms(table.first_token_s),
        gap_ms=ms(table.gap_s),
        total_ms=ms(table.total_s),
        mini_ms=ms(table.mini_s),
    )
