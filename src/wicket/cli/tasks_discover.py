"""`wicket tasks discover`: what of the logged traffic a mini could learn, and what it would save.

The analysis is a process of its own at low priority; examples go to it through a pipe and touch no disk.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from wicket.cli.administration import Administration, administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option
from wicket.errors import CallerFault, OperatorFault
from wicket.supervisor.home import default_home
from wicket.wire.json import encode

NICENESS = 10
MAX_EXAMPLES = 50_000  # of a task are looked at unless the caller says otherwise
RECORDS_AT_ONCE = 10_000
MAX_RECORDS = 200_000  # are asked for costs; examples without a record are taken to cost what others do
BILLED = ("cost_usd", "input_tokens", "output_tokens")

Bill = dict[str, Any]


def add_verb(verbs: Any) -> None:
    """Register it below `wicket tasks`."""
    parser = verbs.add_parser("discover", help="what a mini could learn and save", description=__doc__)
    parser.add_argument("--task", default="", help="only this task (else every one that is collected)")
    parser.add_argument("--from", dest="source", default="", metavar="FILE", help="a JSONL file instead")
    parser.add_argument("--since", default="", metavar="AGE", help="an age like 15m, 1h, 7d, or an ISO time")
    parser.add_argument(
        "--limit", type=_number, default=MAX_EXAMPLES, metavar="N", help="at most so many (50000)"
    )
    parser.add_argument("--no-topics", action="store_true", help="don't sort free texts by their meaning")
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=discover)


def discover(args: argparse.Namespace) -> int:
    """Hand the examples to the analysis, which prints; its exit code is ours."""
    if importlib.util.find_spec("numpy") is None:
        message = "This needs numpy, which comes with the compact model: `make install`."
        raise OperatorFault("missing_package", message)
    words = [sys.executable, "-m", "wicket.lab", "discover", "--home", str(default_home(os.environ))]
    words += ["--no-topics"] if args.no_topics else []
    words += ["--json"] if args.json else []
    if args.source:
        if args.task or args.since:
            raise CallerFault("usage", "--from reads a whole file: leave --task and --since out.")
        return _nicely([*words, "--from", args.source], None)
    with administration(args) as house:
        return _nicely([*words, "--from", "-"], _lines(house, args))


def _nicely(words: list[str], lines: Iterator[bytes] | None) -> int:
    """The process's exit code. It gives way to others, and ends when we are interrupted."""
    stdin = subprocess.DEVNULL if lines is None else subprocess.PIPE
    with subprocess.Popen(words, stdin=stdin, preexec_fn=_give_way) as process:  # noqa: PLW1509, S603
        try:
            if process.stdin is not None and lines is not None:
                _feed(process.stdin, lines)
            return process.wait()
        except BaseException:
            process.kill()
            raise


def _give_way() -> None:
    os.nice(NICENESS)


def _feed(pipe: Any, lines: Iterator[bytes]) -> None:
    """Write all lines; a reader that left has said why on standard error."""
    try:
        for line in lines:
            pipe.write(line)
        pipe.close()
    except BrokenPipeError:
        pass


def _lines(house: Administration, args: argparse.Namespace) -> Iterator[bytes]:
    """The examples of the tasks asked for, each with what its request cost."""
    known = {task["task"]: task for task in house.tasks()}
    if args.task and args.task not in known:
        names = ", ".join(known) or "none"
        raise CallerFault(
            "unknown_task", f"Nothing is collected for {args.task!r}; tasks: {names}.", status=404
        )
    for name in [args.task] if args.task else known:
        query = {"task": name, **({"since": args.since} if args.since else {})}
        bills: dict[str, Bill] = {}
        if known[name].get("first_at"):
            bills = _bills(house, args.since or known[name]["first_at"], known[name]["last_at"])
        for number, example in enumerate(house.examples(query)):
            if number == args.limit:
                print(f"{name}: only the first {args.limit} examples are looked at.", file=sys.stderr)
                break
            meta = example["meta"]
            yield encode({**example, "meta": {**meta, **bills.get(meta["id"], {})}}) + b"\n"


def _bills(house: Administration, since: str, last_at: str) -> dict[str, Bill]:
    """What requests cost, by their ids: from the newest record on backwards."""
    found: dict[str, Bill] = {}
    until = _after(last_at)
    while len(found) < MAX_RECORDS:
        page = house.logs({"since": since, "until": until, "limit": str(RECORDS_AT_ONCE)})
        new = {record["id"]: {name: record[name] for name in BILLED} for record in page}
        is_more = bool(new.keys() - found.keys())
        found |= new
        if len(page) < RECORDS_AT_ONCE or not is_more:
            break
        until = _after(page[-1]["started_at"])
    return found


def _after(moment: str) -> str:
    """The next millisecond: `until` leaves its own moment out."""
    return (datetime.fromisoformat(moment) + timedelta(milliseconds=1)).isoformat(timespec="milliseconds")


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number from 1 on")
    return int(text)
