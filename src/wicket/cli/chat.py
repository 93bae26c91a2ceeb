"""`wicket chat`: a conversation at the terminal, streamed, with speed and cost after each answer."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wicket.cli.discovery import add_server_options
from wicket.cli.terminal import dollars, milliseconds, paint, plain, progress
from wicket.errors import CallerFault, Fault

if TYPE_CHECKING:
    from wicket.cli.client import Client
    from wicket.cli.conversation import Message, Question, Reply

TOO_LONG = "/clear begins anew, and keeps the model."
BLOCK = '"""'
HELP = """  /help            this
  /model [NAME]    show the models, or go on with another
  /system [TEXT]   show or set the instructions that come first
  /clear           forget the conversation
  /save FILE       write it to a file (Markdown; JSON if the name ends in .json)
  /exit            leave (or Ctrl-D)
  A line that ends in \\ goes on in the next one; \"\"\" begins and ends a block of lines.
  Ctrl-C stops an answer."""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("chat", help="talk with a model", description=__doc__)
    parser.add_argument("--model", default="", help="who is asked (else the server's first model)")
    parser.add_argument("--system", default="", metavar="TEXT", help="instructions that come first")
    add_server_options(parser)
    parser.set_defaults(run=chat)


def chat(args: argparse.Namespace) -> None:
    """Talk until the person leaves."""
    from wicket.cli.own_engine import model_server

    with model_server(args) as (client, model):
        talk = Talk(client, model, args.system)
        if sys.stdin.isatty():
            import readline  # noqa: F401  gives `input` its line editing

            print(paint(f"{model} at {client.url}; /help shows what can be typed.", "dim"))
        while (text := read_message()) is not None:
            if not talk.hear(text):
                return


class Talk:
    """The state of a conversation: who answers, what was said."""

    def __init__(self, client: Client, model: str, system: str) -> None:
        self.client = client
        self.model = model
        self.system = system
        self.messages: list[Message] = []

    def hear(self, text: str) -> bool:
        """Act on what was typed; False ends the conversation."""
        if not text.strip():
            return True
        if text.startswith("/"):
            return self._command(text)
        self._ask(text)
        return True

    def _command(self, text: str) -> bool:
        word, _, rest = text.strip().partition(" ")
        rest = rest.strip()
        try:
            match word:
                case "/exit" | "/quit":
                    return False
                case "/help":
                    print(HELP)
                case "/clear":
                    self.messages.clear()
                    print(paint("Forgotten.", "dim"))
                case "/model":
                    self._choose(rest)
                case "/system":
                    self.system = rest or self.system
                    print(paint(plain(self.system) or "There are no instructions.", "dim"))
                case "/save":
                    print(paint(f"Written to {save(self, rest)}.", "dim"))
                case _:
                    raise CallerFault("unknown_command", f"There is no {word}; /help shows what there is.")
        except Fault as fault:
            complain(fault)
        return True

    def _choose(self, name: str) -> None:
        if name:
            from urllib.parse import quote

            self.client.call("GET", f"/v1/models/{quote(name)}")
            self.model = name
            print(paint(f"{name} answers from here on.", "dim"))
            return
        for model in self.client.call("GET", "/v1/models").get("data") or ():
            print(f"{'*' if model['id'] == self.model else ' '} {plain(model['id'])}")

    def _ask(self, text: str) -> None:
        from wicket.cli.conversation import Question, explained

        self.messages.append({"role": "user", "content": text})
        system = [{"role": "system", "content": self.system}] if self.system else []
        question = Question(self.client, {"model": self.model, "messages": [*system, *self.messages]})
        try:
            stream(question)
        except KeyboardInterrupt:
            print(paint(" (stopped)", "dim"))
        except Fault as fault:
            print()
            complain(explained(fault, TOO_LONG))
        if question.reply.text:
            self.messages.append({"role": "assistant", "content": question.reply.text})
            print(paint(summary(question.reply), "dim"))
        else:
            self.messages.pop()


def stream(question: Question) -> None:
    """Print an answer as it comes."""
    pieces = question.pieces()
    try:
        with progress("…"):
            piece = next(pieces, "")
        while piece:
            sys.stdout.write(plain(piece))
            sys.stdout.flush()
            piece = next(pieces, "")
        print()
    finally:
        pieces.close()


def summary(reply: Reply) -> str:
    """Tokens, speed, first token and cost on one line, as far as they are known."""
    parts = []
    if reply.output_tokens is not None:
        parts.append(f"{reply.input_tokens} + {reply.output_tokens} tokens")
    if reply.tokens_per_s is not None:
        parts.append(f"{reply.tokens_per_s:.1f} tokens/s")
    if reply.first_token_ms is not None:
        parts.append(f"first after {milliseconds(reply.first_token_ms)}")
    parts.append(
        "free" if reply.cost_usd == 0 else dollars(reply.cost_usd) if reply.cost_usd else "cost unknown"
    )
    if reply.finish_reason == "length":
        parts.append("cut at the length limit")
    return f"[{', '.join([plain(reply.model), *parts])}]"


def read_message() -> str | None:
    """What the person typed, several lines if they were joined; None at the end of the input."""
    is_screen = sys.stdin.isatty()
    try:
        line = input(paint("> ", "bold") if is_screen else "")
        if line.strip() == BLOCK:
            return "\n".join(iter(lambda: input("… " if is_screen else ""), BLOCK))
        while line.endswith("\\"):
            line = line[:-1] + "\n" + input("… " if is_screen else "")
    except EOFError:
        if is_screen:
            print()
        return None
    return line


def save(talk: Talk, name: str) -> Path:
    """Write the conversation; raises `CallerFault` if that is impossible."""
    if not name:
        raise CallerFault("no_file", "Where to? /save FILE")
    path = Path(name).expanduser()
    if path.suffix == ".json":
        from wicket.wire.json import dumps

        text = dumps({"model": talk.model, "system": talk.system, "messages": talk.messages}) + "\n"
    else:
        system = [{"role": "system", "content": talk.system}] if talk.system else []
        text = "".join(f"## {said['role']}\n\n{said['content']}\n\n" for said in [*system, *talk.messages])
    try:
        path.write_text(text)
    except OSError as error:
        raise CallerFault(
            "save_failed", f"{path} can't be written: {os.strerror(error.errno or 0)}."
        ) from None
    return path


def complain(fault: Fault) -> None:
    """A fault inside a conversation: said, and the conversation goes on."""
    print(paint(plain(fault.message), "red", sys.stderr), file=sys.stderr)
