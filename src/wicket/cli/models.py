"""`wicket models`: what can be called now; `--all` the whole catalogue; `show ID`; `pull REPO`."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from wicket.cli.discovery import add_server_options, find_server
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import plain, progress, table

if TYPE_CHECKING:
    from wicket.config.snapshot import Snapshot

_PICO_PER_MILLION = 1_000_000  # pico-USD per token to USD per million tokens


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "models", help="what can be called; show one; pull one", description=__doc__
    )
    parser.add_argument(
        "--all", action="store_true", help="every model that the catalogue knows, with its prices"
    )
    verbs = parser.add_subparsers(metavar="VERB")
    show = verbs.add_parser("show", help="one model")
    show.add_argument("id", help="its id")
    show.set_defaults(run=show_model)
    pull = verbs.add_parser("pull", help="get a model from the public hub")
    pull.add_argument("repository", metavar="REPO", help="owner/name")
    pull.add_argument("--file", default="", help="one GGUF file of several")
    pull.add_argument("--revision", default="main", help="a branch, tag or commit")
    pull.set_defaults(run=pull_model)
    parser.set_defaults(run=list_models)
    for each in (parser, show):
        add_server_options(each)
    for each in (parser, show, pull):
        add_json_option(each)


def list_models(args: argparse.Namespace) -> None:
    """Print what can be called now, or the catalogue."""
    if args.all:
        models = catalogue()
        if args.json:
            show_json(models)
        else:
            print(table(["ID", "INPUT", "OUTPUT", "CONTEXT"], [_catalogue_row(model) for model in models]))
        return
    models = callable_now(args)
    if args.json:
        show_json(models)
        return
    rows = [
        [model["id"], model["owned_by"], model.get("context_tokens") or "-", _price(model)]
        for model in models
    ]
    print(table(["ID", "OWNER", "CONTEXT", "USD PER MILLION TOKENS"], rows))


def callable_now(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The running server's models, else those that a start would serve."""
    client = find_server(args)
    if client is not None:
        return list(client.call("GET", "/v1/models")["data"])
    from wicket.server.app_models import model_card

    snapshot = _snapshot()
    return [model_card(m, snapshot.resolve(m["id"]), snapshot.default_model, {}) for m in snapshot.models()]


def show_model(args: argparse.Namespace) -> None:
    """Print one model's card."""
    client = find_server(args)
    if client is not None:
        card = client.call("GET", f"/v1/models/{quote(args.id)}")
    else:
        from wicket.server.app_models import named_card

        card = named_card(_snapshot(), args.id, {})
    if args.json:
        show_json(card)
        return
    from wicket.cli.status import outline

    print("\n".join(outline(card, "")))


def pull_model(args: argparse.Namespace) -> None:
    """Fetch a model into the data folder."""
    from wicket.engines.checkpoints.hub import PullOptions, pull
    from wicket.supervisor.home import default_home, prepare

    home = default_home(os.environ)
    prepare(home)
    options = PullOptions(revision=args.revision, file=args.file)
    with progress(f"Getting {plain(args.repository)}") as say:
        folder = pull(args.repository, home, options, lambda *part: say(transferred(*part)))
    if args.json:
        show_json({"repository": args.repository, "path": str(folder)})
    else:
        print(f"{folder}\nServe it: wicket serve --model {folder}")


def transferred(name: str, done: int, total: int) -> str:
    """How far a file is, e.g. "model.gguf 45% of 138 MB"."""
    if not total:
        return f"Getting {plain(name)}: {done / 1e6:.0f} MB"
    return f"Getting {plain(name)}: {100 * done // total}% of {total / 1e6:.0f} MB"


def catalogue() -> list[dict[str, Any]]:
    """Every known model: id, provider, prices in USD per million tokens, sizes in tokens (0: unknown)."""
    from wicket.providers.catalogue import facts

    return [_entry(fact) for fact in sorted(facts().models, key=lambda fact: (fact.provider, fact.model))]


def _entry(fact: Any) -> dict[str, Any]:
    kinds = ("input", "output", "cached", "cache_write")
    pico = {kind: getattr(fact, f"{kind}_pico") for kind in kinds}
    return {
        "id": f"{fact.provider}/{fact.model}",
        "provider": fact.provider,
        "prices": {kind: value / _PICO_PER_MILLION for kind, value in pico.items() if value is not None},
        "context_tokens": fact.context_tokens,
        "max_output_tokens": fact.max_output_tokens,
        "kind": fact.kind,
        "is_deprecated": fact.is_deprecated,
        "date": fact.date,
        "source": fact.source,
    }


def _catalogue_row(model: dict[str, Any]) -> list[Any]:
    prices = model["prices"]
    return [model["id"], f"${prices['input']:g}", f"${prices['output']:g}", model["context_tokens"] or "-"]


def _price(model: dict[str, Any]) -> str:
    prices = model.get("prices")
    if prices is None:
        return "-"
    return "free" if not any(prices.values()) else f"${prices['input']:g} in, ${prices['output']:g} out"


def _snapshot() -> Snapshot:
    from wicket.cli.config import load_config
    from wicket.config.snapshot import compile_snapshot

    return compile_snapshot(load_config(), version=0, engine_sockets={})
