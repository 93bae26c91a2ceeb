"""What `wicket dev replay` and `wicket dev conformance` do; loaded only for them."""

from __future__ import annotations

import argparse
import asyncio
import sys

from wicket.cli.output import show_json
from wicket.cli.terminal import plain
from wicket.errors import OperatorFault
from wicket.recordings.conformance import Conformance, ProviderReport, totals
from wicket.recordings.folder import Folder
from wicket.recordings.index import Index
from wicket.recordings.reader import HEARD
from wicket.recordings.replay import Replay, serve


def replay(args: argparse.Namespace) -> int:
    """Serve recordings until told to stop."""
    index = Index(_folder(args), args.provider, args.ignore)
    try:
        asyncio.run(serve(Replay(index, host=args.host, port=args.port, seed=args.seed)))
    except OSError as error:
        message = (
            f"Port {args.port} on {args.host} can't be used: {error.strerror}. Name another with --port."
        )
        raise OperatorFault("no_port", message) from None
    return 0


def conformance(args: argparse.Namespace) -> int:
    """Print the report."""
    reports = Conformance(_folder(args), seed=args.seed, provider=args.provider).run(_progress)
    if args.json:
        show_json(reports)
    elif args.markdown:
        _print_markdown(reports)
    else:
        _print_table(reports, with_failures=args.failures)
    return 1 if args.check and totals(reports)["failures"] else 0


def _folder(args: argparse.Namespace) -> Folder:
    if not args.folder.exists():
        raise OperatorFault("no_recordings", f"There is no folder {args.folder}.")
    return Folder(args.folder)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() and (done % 25 == 0 or done == total):
        end = "\r" if done < total else "\r\033[K"
        print(f"{done}/{total} files", end=end, file=sys.stderr, flush=True)


def _print_table(reports: dict[str, ProviderReport], *, with_failures: bool) -> None:
    heads = ("PROVIDER", "FILES", "PARSED", "CALLS", "STREAMS", "LOST", "FAILED", "TRANSLATED TO")
    rows = [_row(name, report) for name, report in reports.items()]
    sums = totals(reports)
    names = ("recordings", "parsed", "interactions", "streams", "lost_fields", "failures")
    rows.append(("total", *(str(sums.get(name, 0)) for name in names), ""))
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    for row in (heads, *rows):
        cells = [
            cell.ljust(width) if i in (0, 7) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    for name, report in reports.items():
        for dialect, number in report.no_reader.items():
            print(f"{name}: {number} calls in {dialect}, which has no reader yet")
        for failure in report.failures if with_failures else ():
            print(plain(f"{failure.recording}: {failure.what}"))


def _print_markdown(reports: dict[str, ProviderReport]) -> None:
    """The table of the docs: what works, provider by provider."""
    heads = [
        "provider",
        "recordings",
        "read",
        "streams",
        *HEARD,
        "errors told",
        "own fields left out in translation",
    ]
    print(f"| {' | '.join(heads)} |")
    print(f"|---|{'--:|' * (len(heads) - 2)}---|")
    for name, report in reports.items():
        to = [str(report.translated.get(dialect, 0) or "") for dialect in HEARD]
        lost = ", ".join(f"`{path}`" for path in report.lost_fields)
        told = str(sum(report.errors.values()))
        cells = [name, str(report.recordings), str(report.parsed), str(report.streams), *to, told, lost]
        print(f"| {' | '.join(cells)} |")


def _row(name: str, report: ProviderReport) -> tuple[str, ...]:
    translated = ", ".join(f"{dialect} {number}" for dialect, number in sorted(report.translated.items()))
    numbers = (report.recordings, report.parsed, report.interactions, report.streams)
    return (name, *map(str, numbers), str(len(report.lost_fields)), str(len(report.failures)), translated)
