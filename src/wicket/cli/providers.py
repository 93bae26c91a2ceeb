"""`wicket providers`: whom Wicket knows and who is enabled, and why; `check` calls each enabled one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import milliseconds, paint, progress, table

if TYPE_CHECKING:
    from wicket.config.schema import Config, Provider
    from wicket.providers.catalogue import Row


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "providers", help="whom Wicket knows, who is enabled and works", description=__doc__
    )
    verbs = parser.add_subparsers(metavar="VERB")
    check = verbs.add_parser("check", help="call each enabled provider and say what is wrong")
    check.add_argument("names", nargs="*", metavar="NAME", help="only these")
    check.add_argument(
        "--timeout", type=_seconds, default=10.0, metavar="SECONDS", help="for each answer (10 by default)"
    )
    check.set_defaults(run=check_providers)
    parser.set_defaults(run=list_providers)
    for each in (parser, check):
        each.add_argument("--config", type=Path, default=None, metavar="FILE", help="wicket.toml")
        add_json_option(each)


def list_providers(args: argparse.Namespace) -> None:
    """Print the rows of the catalogue and what the configuration declares besides; enabled ones first."""
    from wicket.cli.config import load_config
    from wicket.providers import catalogue

    config = load_config(args.config)
    rows = catalogue.rows()
    listed = [_enabled(provider, rows.get(provider.row)) for provider in config.providers.values()]
    listed += [_not_enabled(row, config) for row in rows.values() if row.name not in config.providers]
    if args.json:
        show_json(listed)
        return
    shown = [
        [each["name"], "enabled" if each["is_enabled"] else "-", each["num_models"] or "-", each["why"]]
        for each in listed
    ]
    print(table(["PROVIDER", "STATE", "MODELS", "WHY"], shown))


def _enabled(provider: Provider, row: Row | None) -> dict[str, Any]:
    return {
        "name": provider.name,
        "title": provider.title,
        "is_enabled": True,
        "why": provider.reason,
        "base_url": provider.base_url,
        "dialect": provider.dialect,
        "auth": provider.auth,
        "num_credentials": len(provider.credentials),
        "credentials_from": list(provider.origins),
        **_of_row(row),
    }


def _not_enabled(row: Row, config: Config) -> dict[str, Any]:
    from wicket.config.names import what_to_do

    return {
        "name": row.name,
        "title": row.title,
        "is_enabled": False,
        "why": what_to_do(row.name, config),
        "base_url": row.base_url,
        "dialect": row.dialect,
        "auth": row.auth,
        "num_credentials": 0,
        "credentials_from": [],
        **_of_row(row),
    }


def _of_row(row: Row | None) -> dict[str, Any]:
    """What the catalogue adds; null for what is not known."""
    from wicket.providers.catalogue import models_of

    if row is None:
        return {"row": None, "num_models": None, "num_priced": None}
    facts = models_of(row.name)
    return {
        "row": row.name,
        "env": list(row.env),
        "is_enabled_by_env": row.is_enabled_by_env,
        "num_models": len(facts),
        "num_priced": sum(fact.is_priced for fact in facts),
        "region": row.region or None,
        "data_collection": row.data_collection or None,
        "data_terms": row.data_terms or None,
        "note": row.note or None,
        "docs": row.docs,
        "sources": list(row.sources),
        "checked": row.checked,
    }


def check_providers(args: argparse.Namespace) -> int:
    """Call each; exit 1 if one fails."""
    from wicket.cli.config import load_config
    from wicket.cli.provider_check import check_all
    from wicket.errors import CallerFault

    config = load_config(args.config)
    unknown = [name for name in args.names if name not in config.providers]
    if unknown:
        known = ", ".join(config.providers) or "none"
        raise CallerFault("unknown_provider", f"{unknown[0]!r} is not enabled; enabled: {known}")
    providers = [p for p in config.providers.values() if not args.names or p.name in args.names]
    with progress("Asking the providers"):
        results = check_all(providers, round(args.timeout * 1000), _named(config))
    results += [_unusable(name, why) for name, why in config.unusable.items() if not args.names]
    if args.json:
        show_json({"ok": all(each["ok"] for each in results), "providers": results})
    elif not results:
        print("No provider is enabled: `wicket providers` says how to enable one.")
    for each in () if args.json else results:
        sign = paint("ok", "green") if each["ok"] else paint("FAILED", "red")
        name = each["provider"] + (
            f" (credential {each['credential'] + 1})" if each["num_credentials"] > 1 else ""
        )
        print(f"{sign:<6} {name}: {each['message']} ({milliseconds(each['ms'])})")
    return 0 if all(each["ok"] for each in results) else 1


def _named(config: Config) -> dict[str, list[str]]:
    """The models that the configuration names, by provider."""
    found = {name: list(each.models or ()) for name, each in config.providers.items()}
    for model in config.models.values():
        for id in model.ids:
            provider, _, name = id.partition("/")
            if provider in found and name and name not in found[provider]:
                found[provider].append(name)
    return found


def _unusable(name: str, why: str) -> dict[str, Any]:
    return {
        "provider": name,
        "credential": 0,
        "num_credentials": 0,
        "ok": False,
        "code": "not_usable",
        "status": None,
        "message": why,
        "not_listed": [],
        "ms": None,
    }


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 600:
        raise argparse.ArgumentTypeError("a number of seconds up to 600")
    return value
