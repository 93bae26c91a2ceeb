"""`wicket models`: what can be called now; `--all` the whole catalogue; `show ID`; `pull REPO`; `update`."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from wicket.cli.catalogue_view import (
    add_filters,
    card_lines,
    catalogue,
    chosen,
    entry,
    prefer_newer,
    with_known,
)
from wicket.cli.discovery import add_server_options, find_server
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import plain, progress, table
from wicket.errors import Fault

if TYPE_CHECKING:
    from wicket.config.snapshot import Snapshot


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "models", help="what can be called; show one; pull one", description=__doc__
    )
    parser.add_argument(
        "--all", action="store_true", help="every model that the catalogue knows, with its prices"
    )
    add_filters(parser)
    verbs = parser.add_subparsers(metavar="VERB")
    show = verbs.add_parser("show", help="one model: everything that is known of it")
    show.add_argument("id", help="its id")
    show.set_defaults(run=show_model)
    pull = verbs.add_parser("pull", help="get a model from the public hub")
    pull.add_argument("repository", metavar="REPO", help="owner/name")
    pull.add_argument("--file", default="", help="one GGUF file of several")
    pull.add_argument("--revision", default="main", help="a branch, tag or commit")
    pull.set_defaults(run=pull_model)
    update = verbs.add_parser("update", help="fetch the catalogue's prices and facts anew")
    update.add_argument(
        "--from", dest="origin", default="", metavar="FILE|URL", help="a catalogue made elsewhere"
    )
    update.add_argument("--dry-run", action="store_true", help="say what would change, write nothing")
    update.add_argument(
        "--force", action="store_true", help="take it though prices or models change absurdly"
    )
    update.set_defaults(run=update_models)
    parser.set_defaults(run=list_models)
    for each in (parser, show, update):
        add_server_options(each)
    for each in (parser, show, pull, update):
        add_json_option(each)


def list_models(args: argparse.Namespace) -> None:
    """Print what can be called now, or the catalogue."""
    if args.all:
        prefer_newer()
        models = chosen(catalogue(), args)
        rows = [_catalogue_row(model) for model in models]
        headers = ["ID", "INPUT", "OUTPUT", "CONTEXT", "ENDS"]
    else:
        models = chosen((with_known(card) for card in callable_now(args)), args)
        rows = [[m["id"], m["owned_by"], m.get("context_tokens") or "-", _price(m)] for m in models]
        headers = ["ID", "OWNER", "CONTEXT", "USD PER MILLION TOKENS"]
    if args.json:
        show_json(models)
    elif rows:
        print(table(headers, rows))
    else:
        print("No model fits: take an option away, or look at all of the catalogue with --all.")


def callable_now(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The running server's models, else those that a start would serve."""
    client = find_server(args)
    if client is not None:
        prefer_newer()
        return list(client.call("GET", "/v1/models")["data"])
    from wicket.server.app_models import model_card

    snapshot = _snapshot()
    return [model_card(m, snapshot.resolve(m["id"]), snapshot.default_model, {}) for m in snapshot.models()]


def show_model(args: argparse.Namespace) -> None:
    """Print one model's card: whether it can be called, and everything that is known."""
    try:
        card = {**with_known(_card(args)), "is_callable": True}
    except Fault as fault:
        known = _known(args.id)
        if known is None:
            raise
        card = {**known, "is_callable": False, "why_not": fault.message}
    if args.json:
        show_json(card)
        return
    from wicket.cli.status import outline

    print("\n".join(plain(line) for line in card_lines(card)))
    for name in ("engine", "card"):
        if name in card:
            print("\n".join(outline({name: card[name]})))


def _card(args: argparse.Namespace) -> dict[str, Any]:
    client = find_server(args)
    if client is not None:
        prefer_newer()
        card: dict[str, Any] = client.call("GET", f"/v1/models/{quote(args.id)}")
        return card
    from wicket.server.app_models import named_card

    return named_card(_snapshot(), args.id, {})


def _known(id: str) -> dict[str, Any] | None:
    """What the catalogue knows of `provider/model`, or of a bare name at the first that has it."""
    from wicket.providers.catalogue import fact_of, has_row, providers_of

    provider, _, model = id.partition("/")
    if not has_row(provider):
        rows = providers_of(id)
        provider, model = (rows[0], id) if rows else ("", "")
    fact = fact_of(provider, model) if provider and model else None
    return None if fact is None else entry(fact)


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


def update_models(args: argparse.Namespace) -> None:
    """Fetch, check and put in place."""
    from wicket.cli.models_update import update

    update(args)


def _catalogue_row(model: dict[str, Any]) -> list[Any]:
    prices = model["prices"]
    shown = [f"${prices[kind]:g}" if kind in prices else "-" for kind in ("input", "output")]
    return [model["id"], *shown, model["context_tokens"] or "-", model["deprecation_date"] or "-"]


def _price(model: dict[str, Any]) -> str:
    prices = model.get("prices")
    if not prices or "input" not in prices:
        return "-"
    return (
        "free" if not any(prices.values()) else f"${prices['input']:g} in, ${prices.get('output', 0):g} out"
    )


def _snapshot() -> Snapshot:
    from wicket.cli.config import load_config
    from wicket.config.snapshot import compile_snapshot

    return compile_snapshot(load_config(), version=0, engine_sockets={})
