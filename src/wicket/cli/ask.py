"""`wicket ask "…"`: one question, one answer on standard output and nothing else there.

Standard input, if it is not a terminal, is put behind the question: `git diff | wicket ask "explain"`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.errors import CallerFault, Fault

TOO_LONG = "Give less, or name a model with a longer context by --model."


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "ask", help="ask one question; reads standard input too", description=__doc__
    )
    parser.add_argument("question", nargs="*", help="the question; standard input is put behind it")
    parser.add_argument("--model", default="", help="who is asked (else the server's first model)")
    parser.add_argument("--system", default="", metavar="TEXT", help="instructions that come first")
    parser.add_argument(
        "--schema", type=Path, metavar="FILE", help="a JSON schema that the answer must satisfy"
    )
    parser.add_argument("--max-tokens", type=int, metavar="N", help="the longest answer")
    parser.add_argument("--temperature", type=float, metavar="T", help="0 is the likeliest answer")
    parser.add_argument("--seed", type=int, metavar="N", help="makes the answer repeatable")
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=ask)


def ask(args: argparse.Namespace) -> None:
    """Ask and print."""
    from wicket.cli.conversation import Question, explained
    from wicket.cli.own_engine import model_server

    given = "" if sys.stdin is None or sys.stdin.isatty() else read_input()
    body = request_body(args, given)
    with model_server(args) as (client, model):
        question = Question(client, {**body, "model": model})
        try:
            show(question.pieces(), is_silent=args.json)
        except Fault as fault:
            raise explained(fault, TOO_LONG) from None
    reply = question.reply
    if args.json:
        show_json(answer_json(reply))
    if reply.finish_reason == "length":
        print("wicket: the answer was cut at its length limit; --max-tokens sets another.", file=sys.stderr)


def request_body(args: argparse.Namespace, given: str) -> dict[str, Any]:
    """The request without its model. Raises `CallerFault` when nothing is asked."""
    question = "\n\n".join(part for part in (" ".join(args.question).strip(), given.strip()) if part)
    if not question:
        raise CallerFault("no_question", 'Nothing is asked: `wicket ask "your question"`, or pipe a text in.')
    messages = [{"role": "system", "content": args.system}] if args.system else []
    body: dict[str, Any] = {"messages": [*messages, {"role": "user", "content": question}]}
    for field in ("max_tokens", "temperature", "seed"):
        if getattr(args, field) is not None:
            body[field] = getattr(args, field)
    if args.schema is not None:
        form = {"name": "answer", "strict": True, "schema": read_schema(args.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return body


def read_schema(path: Path) -> dict[str, Any]:
    """The JSON schema in a file. Raises `CallerFault`."""
    from wicket.wire.json import DecodeError, decode

    try:
        schema = decode(path.read_bytes())
    except OSError as error:
        raise CallerFault("no_schema", f"{path} can't be read: {error.strerror}.") from None
    except DecodeError as error:
        raise CallerFault("invalid_schema", f"{path} is not JSON: {error}.") from None
    if not isinstance(schema, dict):
        raise CallerFault("invalid_schema", f"{path} holds no JSON schema: it must be an object.")
    return schema


def read_input() -> str:
    """Standard input as text; what is not UTF-8 in it is replaced."""
    return sys.stdin.buffer.read().decode("utf-8", "replace")


def show(pieces: Any, *, is_silent: bool) -> None:
    """Print the text as it comes, with exactly one line end behind it; the screen is not steered by it."""
    from wicket.cli.terminal import plain, progress

    is_screen = sys.stdout.isatty()
    last = "\n"
    with progress("Waiting for the answer"):
        first = next(pieces, "")
    try:
        while first:
            if not is_silent:
                sys.stdout.write(plain(first) if is_screen else first)
                sys.stdout.flush()
            last = first
            first = next(pieces, "")
    finally:
        if not is_silent and not last.endswith("\n"):
            sys.stdout.write("\n")
            sys.stdout.flush()


def answer_json(reply: Any) -> dict[str, Any]:
    """The document of `--json`."""
    return {
        "answer": reply.text,
        "model": reply.model,
        "deployment": reply.deployment or None,
        "request_id": reply.request_id or None,
        "finish_reason": reply.finish_reason,
        "input_tokens": reply.input_tokens,
        "output_tokens": reply.output_tokens,
        "cost_usd": reply.cost_usd,
        "first_token_ms": reply.first_token_ms,
        "total_ms": reply.total_ms,
    }
