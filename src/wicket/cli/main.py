"""`wicket`: finds the subcommand, loads only that one's module, turns faults into one line and an exit code.

Exit codes: 0 done · 1 it failed · 2 wrong usage · 130 Ctrl-C · 141 the reader of our output left.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import wicket
from wicket.cli.terminal import plain
from wicket.errors import Fault

COMMANDS = {
    "serve": "start the server",
    "chat": "talk with a model",
    "ask": "ask one question; reads standard input too",
    "lab": "make a small model of a large one, by a recipe",
    "mini": "make a small model of a task, put it in place",
    "auto": "learn from feedback which requests a local model should answer",
    "compare": "ask several models the same cases: quality, cost, speed",
    "explain": "who would be asked for a request, and why",
    "models": "what can be called; show one; pull one from the hub",
    "providers": "whom Wicket knows, who is enabled and works",
    "keys": "make, change, rotate and revoke keys",
    "organisations": "make and change organisations",
    "teams": "make and change teams, their members",
    "users": "add and change users",
    "invitations": "invite users",
    "audit": "who changed what",
    "credits": "prepaid and promotional credit",
    "ledger": "whether the money adds up",
    "limits": "how much a key, team or organisation may do in a time",
    "budgets": "how much it may spend",
    "logs": "show the requests that were answered",
    "usage": "tokens and money, summed",
    "estimate": "what a request would cost; a month of it",
    "statement": "a month's statement: text, CSV or a page",
    "savings": "what smaller models saved",
    "requests": "what one request used and cost",
    "tasks": "what is collected to learn from",
    "feedback": "say of an answer how good it was",
    "config": "check or show the configuration",
    "status": "what the server is doing",
    "backup": "copy the database while it is in use",
    "dev": "tools for developers",
    "version": "show the version",
}
TRACE = "WICKET_TRACE"
INTERRUPTED = 130
BROKEN_PIPE = 141


class WiderHelp(argparse.HelpFormatter):
    """Room for the longest command beside its help; argparse reckons without the indentation of commands."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = 2 + 2 + max(map(len, COMMANDS))


class Parser(argparse.ArgumentParser):
    """Wrong usage is one line on standard error and exit 2."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is."""
        self.exit(2, f"wicket: {message} (see: {self.prog} --help)\n")


def build_parser(chosen: str = "", *, is_alone: bool = False) -> argparse.ArgumentParser:
    """The parser, with the options of the `chosen` subcommand only; the others are just named.

    With `is_alone` they are left out: each takes a third of a millisecond, for a help that nobody asked for.
    """
    parser = Parser(
        prog="wicket",
        description="A small gate to every model, with a compact model of its own inside.",
        epilog="`wicket COMMAND --help` says more about each.",
        formatter_class=WiderHelp,
    )
    parser.add_argument("--version", action="version", version=f"wicket {wicket.__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", dest="command", parser_class=Parser)
    for name, text in COMMANDS.items():
        if is_alone and name != chosen:
            continue
        if name == chosen:
            import_module(f"wicket.cli.{name}").add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=text)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in words if not word.startswith("-")), "")
    parser = build_parser(chosen, is_alone=words[:1] == [chosen] and chosen in COMMANDS)
    try:
        args = parser.parse_args(words)
        if not args.command:
            parser.print_help()
            return 2
        return _run(args)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return BROKEN_PIPE


def _run(args: argparse.Namespace) -> int:
    try:
        code = int(args.run(args) or 0)
        sys.stdout.flush()
    except Fault as fault:
        for line in fault.message.splitlines():  # one, but a configuration may have many mistakes
            print(f"wicket: {plain(line)}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except Exception as error:
        if os.environ.get(TRACE):
            raise
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        print(f"wicket: a defect of ours: {plain(what)} ({TRACE}=1 shows where)", file=sys.stderr)
        return 1
    return code


def _forget_output() -> None:
    """Keep the interpreter from complaining at its exit that nobody reads (Python's docs, `signal`)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
