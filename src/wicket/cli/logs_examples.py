"""`wicket logs export` and `wicket logs erase`: prompts and answers that were collected for a task."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.errors import CallerFault, OperatorFault


def add_verbs(verbs: Any) -> None:
    """Register them."""
    export = verbs.add_parser("export", help="a task's examples as JSON lines of OpenAI chat messages")
    export.add_argument("--task", required=True, help="whose examples")
    export.add_argument("--out", default="", metavar="FILE", help="write there (0600), else standard output")
    export.add_argument("--since", default="", metavar="AGE", help="an age like 15m, 1h, 7d, or an ISO time")
    export.add_argument(
        "--without-minis", action="store_true", help="leave out what minis answered themselves"
    )
    export.set_defaults(run=export_examples)
    erase = verbs.add_parser("erase", help="delete what was collected; what fits all options goes")
    erase.add_argument(
        "--key", default="", metavar="ID", help="of this caller: the key's id or name, or admin"
    )
    erase.add_argument("--task", default="", help="of this task")
    erase.add_argument("--request", default="", metavar="ID", help="of this request")
    erase.set_defaults(run=erase_examples)
    for verb in (export, erase):
        add_server_options(verb)
        add_json_option(verb)


def export_examples(args: argparse.Namespace) -> None:
    """Write them, one document per line; with --json and no file, one document of all."""
    query = {"task": args.task}
    if args.since:
        query["since"] = args.since
    if args.without_minis:
        query["minis"] = "0"
    with administration(args) as house:
        found = house.examples(query)
        if args.out:
            number = _write(Path(args.out), found)
        elif args.json:
            show_json(list(found))
            return
        else:
            from wicket.wire.json import encode

            for example in found:
                sys.stdout.buffer.write(encode(example) + b"\n")
            sys.stdout.buffer.flush()
            return
    if args.json:
        show_json({"task": args.task, "examples": number, "file": args.out})
    else:
        print(f"{number} examples of {args.task} are in {args.out}.")


def erase_examples(args: argparse.Namespace) -> None:
    """Delete them and say how many."""
    query = {name: getattr(args, name) for name in ("key", "task", "request") if getattr(args, name)}
    if not query:
        raise CallerFault("usage", "Say what to erase: --key, --task or --request.")
    with administration(args) as house:
        done = house.erase(query)
    if args.json:
        show_json(done)
    else:
        print(f"{done['erased']} examples are erased.")


def _write(target: Path, examples: Iterable[dict[str, Any]]) -> int:
    """The file is there whole or not at all, and for nobody else to read."""
    from wicket.wire.json import encode

    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    number = 0
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            for example in examples:
                file.write(encode(example) + b"\n")
                number += 1
        draft.replace(target)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise OperatorFault("export_failed", f"{target} can't be written: {reason}.") from None
    finally:
        draft.unlink(missing_ok=True)
    return number
