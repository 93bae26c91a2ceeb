"""`wicket models update`: the catalogue anew, of its sources or of a file; nothing doubtful is taken."""

from __future__ import annotations

import argparse
import asyncio
import datetime
import os
from pathlib import Path
from typing import Any

from wicket.cli.catalogue_view import prefer_newer
from wicket.cli.discovery import find_server
from wicket.cli.output import show_json
from wicket.cli.terminal import plain, progress
from wicket.cli.web import download, with_pool
from wicket.config.newer import FILE_NAME
from wicket.errors import Fault, OperatorFault, UpstreamBroken
from wicket.providers import catalogue
from wicket.providers.changes import Changes, check, compare
from wicket.providers.facts import Facts, SourceInfo, SourceName
from wicket.providers.sources.addresses import ADDRESSES, MAX_BYTES
from wicket.providers.sources.build import Documents, build, encode
from wicket.supervisor.home import default_home, prepare, write_private
from wicket.upstream.contract import Pool
from wicket.wire.json import DecodeError, decode

FETCH_MS = 120_000
_SHOWN = 20


def update(args: argparse.Namespace) -> None:
    """Fetch, check, compare, write into the data folder, and let a running server know."""
    prefer_newer()
    before = catalogue.facts()
    with progress("Getting the catalogue"):
        after = _facts(args.origin, before)
    _refuse_faulty(after)
    changes = compare(before, after)
    if changes.absurd and not args.force:
        raise OperatorFault("absurd_catalogue", _refusal(changes))
    path = default_home(os.environ) / FILE_NAME
    if not args.dry_run:
        prepare(path.parent)
        write_private(path, encode(after).decode())
    told = "" if args.dry_run else _tell_server(args)
    if args.json:
        show_json(
            _document(after, changes, path, is_written=not args.dry_run) | ({"server": told} if told else {})
        )
        return
    for line in changes.lines():
        print(plain(line))
    num = sum(map(len, after.models.values()))
    what = "Nothing was written (--dry-run)" if args.dry_run else f"Written to {path}"
    print(f"{num} models as of {after.generated}: {_summary(changes)}. {what}{told and f'; {told}'}.")


def _facts(origin: str, before: Facts) -> Facts:
    if not origin:
        return _made_of_sources(before)
    if "://" in origin:
        data = with_pool(lambda pool: download(pool, origin, total_ms=FETCH_MS, max_bytes=MAX_BYTES))
    else:
        try:
            data = Path(origin).read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a path"
            raise OperatorFault("no_catalogue", f"{origin} can't be read: {reason}.") from None
    try:
        return decode(data, type=Facts)
    except DecodeError as error:
        message = f"{origin} is not a catalogue: {error}. Nothing was changed."
        raise UpstreamBroken("bad_catalogue", message) from None


def _made_of_sources(before: Facts) -> Facts:
    documents = with_pool(_fetch_all)
    today = datetime.datetime.now(datetime.UTC).date()
    infos: dict[SourceName, SourceInfo] = {
        name: SourceInfo(version="fetched", date=today.isoformat(), licence="MIT", url=url)
        for name, url in addresses().items()
    }
    try:
        built = build(
            Documents(
                genai_prices=documents["genai-prices"],
                litellm=documents["litellm"],
                models_dev=documents["models.dev"],
                infos=infos,
            ),
            catalogue.rows(),
            before,
            today,
        )
    except (DecodeError, AttributeError, TypeError, ValueError) as error:  # a source took another form
        message = f"A source has another form than before: {error}. Nothing was changed."
        raise UpstreamBroken("bad_catalogue", message) from None
    return built.facts


def addresses() -> dict[SourceName, str]:
    """Where each source is fetched from; `WICKET_CATALOGUE_SOURCES` names a mirror that has all three."""
    mirror = os.environ.get("WICKET_CATALOGUE_SOURCES", "").rstrip("/")
    return {name: f"{mirror}/{name}.json" if mirror else url for name, url in ADDRESSES.items()}


async def _fetch_all(pool: Pool) -> dict[SourceName, Any]:
    wanted = addresses()
    fetched = await asyncio.gather(*(_fetch(pool, name, url) for name, url in wanted.items()))
    return dict(zip(wanted, fetched, strict=True))


async def _fetch(pool: Pool, name: str, url: str) -> Any:
    try:
        return decode(await download(pool, url, total_ms=FETCH_MS, max_bytes=MAX_BYTES))
    except DecodeError:
        raise UpstreamBroken(
            "bad_catalogue", f"{url} did not answer with JSON. Nothing was changed."
        ) from None
    except Fault as fault:
        message = f"{name} can't be fetched from {url}: {fault.message} Nothing was changed."
        raise OperatorFault("not_fetched", message) from None


def _refuse_faulty(facts: Facts) -> None:
    faults = check(facts, catalogue.rows())
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise OperatorFault(
            "bad_catalogue", f"The catalogue is refused: {faults[0]}{more}. Nothing was changed."
        )


def _refusal(changes: Changes) -> str:
    shown = [*changes.absurd[:_SHOWN], *(["…"] if len(changes.absurd) > _SHOWN else [])]
    return "\n".join(
        ["The catalogue is refused, and nothing was changed; --force takes it all the same:", *shown]
    )


def _summary(changes: Changes) -> str:
    return f"{len(changes.added)} new, {len(changes.removed)} gone, {len(changes.repriced)} with other prices"


def _document(facts: Facts, changes: Changes, path: Path, *, is_written: bool) -> dict[str, Any]:
    return {
        "generated": facts.generated,
        "models": sum(map(len, facts.models.values())),
        "added": list(changes.added),
        "removed": list(changes.removed),
        "repriced": list(changes.repriced),
        "absurd": list(changes.absurd),
        "is_written": is_written,
        "path": str(path) if is_written else None,
    }


def _tell_server(args: argparse.Namespace) -> str:
    """Have a running server read it; "" where none runs."""
    try:
        client = find_server(args)
        if client is None:
            return ""
        client.call("POST", "/admin/v1/config/reload", body={})
    except Fault as fault:
        return f"the running server has not read it yet ({fault.message.rstrip('.')})"
    return "the running server has read it"
