"""`wicket lab curate`, `generate` and `mix`: training data from files and teachers, before any training.

The work is a process of its own (`wicket.lab`); none of it needs torch.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from wicket.cli.administration import running_server
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option
from wicket.errors import CallerFault, OperatorFault

KEY = "WICKET_TEACHER_KEY"
FORMS = ("chat", "prompts", "text", "any")
_WORDS = (  # options of `generate` that go to the process as they are
    *("--samples", "--concurrency", "--max-tokens", "--limit-field", "--temperature", "--system", "--schema"),
    *("--top-logprobs", "--max-usd", "--max-all-tokens", "--attempts", "--timeout", "--broken", "--limit"),
)
_SWITCHES = ("--schema-unsent", "--paraphrase", "--keep-cut", "--retry-refused")


def add_verbs(verbs: Any) -> None:
    """Register them below `wicket lab`."""
    _add_curate(verbs)
    _add_generate(verbs)
    _add_mix(verbs)


def _add_curate(verbs: Any) -> None:
    text = "training data without duplicates, refusals, personal data and what judges; a report of it"
    parser = verbs.add_parser("curate", help="clean training data", description=text)
    add = parser.add_argument
    add("sources", nargs="*", metavar="FILE", help="JSONL of chat messages or prompts, or text; also .gz")
    add("--out", default="", metavar="DIR", help="where data.jsonl, manifest.json and report.html go")
    add("--against", action="append", default=[], metavar="FILE", help="evaluation data to be kept out")
    add("--steps", default="", metavar="A,B", help="these steps, in this order, instead of the usual ones")
    add(
        "--plan",
        default="",
        metavar="FILE.toml",
        help="steps with options: [[steps]] name = … (docs/lab-data.md)",
    )
    add("--set", action="append", default=[], metavar="STEP.OPTION=VALUE", help="another value")
    add("--form", choices=FORMS, default="chat", help="what a line must be (chat: messages with an answer)")
    add("--broken", choices=("skip", "refuse"), default="skip", help="lines that can't be read (skip)")
    add("--licence", default="unknown", metavar="NAME", help="of the data, for the manifest")
    add("--list-steps", action="store_true", help="every step with its options")
    add_json_option(parser)
    parser.set_defaults(run=curate)


def _add_generate(verbs: Any) -> None:
    parser = verbs.add_parser(
        "generate",
        help="answers of a teacher to prompts",
        description="Ask a teacher every prompt, within a budget; the same command goes on where it ended.",
        epilog=f"The key for a URL is --api-key or {KEY}. Exit code 1: some prompts have no answer.",
    )
    add = parser.add_argument
    add("prompts", metavar="PROMPTS", help="JSONL of prompts or messages, or a text file with one a line")
    add("--teacher", required=True, metavar="MODEL|URL", help="a model of the server, or https://host/v1")
    add("--model", default="", metavar="NAME", help="the model's name there, with a URL")
    add("--out", required=True, metavar="FILE", help="JSONL of training examples; grows answer by answer")
    add("--samples", metavar="N", help="answers per prompt (1)")
    add("--temperature", metavar="T", help='0 to 2, or "none" to send none (none)')
    add("--system", metavar="TEXT", help="a system prompt in place of the prompts' own")
    add("--max-tokens", metavar="N", help="the longest answer (1024)")
    add("--limit-field", choices=("max_tokens", "max_completion_tokens"), help="how the teacher calls that")
    add("--schema", metavar="FILE", help="JSON schema of every answer; what breaks it is asked again")
    add("--schema-unsent", action="store_true", help="check it only, where a teacher has no response_format")
    add("--top-logprobs", metavar="K", help="keep the log-probabilities of the K likeliest tokens")
    add("--field", action="append", default=[], metavar="NAME=JSON", help="of each request")
    add("--paraphrase", action="store_true", help="the requests of chat data in other words, answers kept")
    add("--keep-cut", action="store_true", help="keep answers that were cut at --max-tokens")
    add("--max-usd", metavar="USD", help='never spend more on the file; "none" (1)')
    add("--max-all-tokens", metavar="N", help="never use more tokens on the file, in and out together")
    add("--price", default="", metavar="IN,OUT", help="USD per million tokens, where nobody knows it")
    add("--concurrency", metavar="N", help="calls at a time (8)")
    add("--attempts", metavar="N", help="calls per answer before it counts as failed (20)")
    add("--timeout", metavar="S", help="seconds for one call (300)")
    add("--retry-refused", action="store_true", help="ask again what the teacher refused before")
    add("--broken", choices=("skip", "refuse"), help="lines of PROMPTS that can't be read (refuse)")
    add("--limit", metavar="N", help="the first N prompts only")
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=generate)


def _add_mix(verbs: Any) -> None:
    text = (
        "Several tasks in one file, drawn in proportion to size^(1/T); the same input gives the same order."
    )
    parser = verbs.add_parser("mix", help="several tasks in one file", description=text)
    add = parser.add_argument
    add("tasks", nargs="+", metavar="NAME=FILE", help="a task's training data")
    add("--out", required=True, metavar="FILE", help="JSONL; each line's meta.task names its task")
    add("--temperature", metavar="T", help="1: as large as they are; large: all equal (2)")
    add("--total", metavar="N", help="how many examples (all there are)")
    add("--at-most", metavar="N", help="a task counts as no larger than this")
    add("--seed", metavar="N", help="of the order within each task (0)")
    add("--form", choices=FORMS, help="what a line must be (chat)")
    add("--broken", choices=("skip", "refuse"), help="lines that can't be read (refuse)")
    add_json_option(parser)
    parser.set_defaults(run=mix)


def curate(args: argparse.Namespace) -> int:
    """Become the process that does it."""
    if importlib.util.find_spec("numpy") is None:
        message = "This needs numpy, which comes with the compact model: `make install`."
        raise OperatorFault("missing_package", message)
    words = _given(args, ("--out", "--form", "--broken", "--licence", "--steps", "--plan"))
    words += [f"--against={path}" for path in args.against]
    words += [f"--set={each}" for each in args.set]
    words += ["--list-steps"] if args.list_steps else []
    return _become("curate", words, args.sources, as_json=args.json)


def mix(args: argparse.Namespace) -> int:
    """Become the process that does it."""
    names = ("--out", "--temperature", "--total", "--at-most", "--seed", "--form", "--broken")
    return _become("mix", _given(args, names), args.tasks, as_json=args.json)


def generate(args: argparse.Namespace) -> int:
    """Find the teacher, then become the process that asks."""
    if not Path(args.prompts).is_file():
        raise CallerFault("no_file", f"There is no file {args.prompts}: check the path.")
    words = _given(args, ("--out", *_WORDS))
    words += [option for option in _SWITCHES if getattr(args, _attribute(option))]
    words += [f"--field={each}" for each in args.field]
    place, key = _teacher(args)
    if key:
        os.environ[KEY] = key  # no list of processes shows it there
    return _become("generate", [*words, *place], [args.prompts], as_json=args.json)


def _teacher(args: argparse.Namespace) -> tuple[list[str], str]:
    """Words that say where the teacher is and what it costs; its key."""
    from wicket.wire.json import encode

    price = _price(args.price)
    if "://" in args.teacher:
        if not args.model:
            raise CallerFault("no_model", "--teacher is a URL: --model says which model to ask there.")
        words = [f"--base-url={args.teacher}", f"--model={args.model}"]
        words += [f"--prices={encode([price]).decode()}"] if price else []
        return words, args.api_key or os.environ.get(KEY, "")
    from wicket.cli.compare_ask import served

    client = running_server(args, "lab generate")
    found = served(client, args.teacher)
    prices = [price] if price else list(found.prices) or ([{}] if found.engine else None)
    words = [f"--base-url={client.base_url}", f"--model={args.teacher}"]
    words += [f"--prices={encode(prices).decode()}"] if prices is not None else []
    return words, client.key


def _price(word: str) -> dict[str, float] | None:
    if not word:
        return None
    try:
        cost_in, cost_out = (float(each) for each in word.split(","))
    except ValueError:
        cost_in = cost_out = -1.0
    if not (0 <= cost_in < 1e6 and 0 <= cost_out < 1e6):
        message = f"--price {word!r}: two numbers, USD per million tokens in and out, such as 0.15,0.6."
        raise CallerFault("bad_price", message)
    return {"input": cost_in, "output": cost_out}


def _given(args: argparse.Namespace, options: tuple[str, ...]) -> list[str]:
    """Those that were given, with their values."""
    values = {option: getattr(args, _attribute(option)) for option in options}
    return [f"{option}={value}" for option, value in values.items() if value is not None]


def _attribute(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def _become(verb: str, words: list[str], rest: list[str], *, as_json: bool) -> int:
    """One process instead of two: a signal, a kill and the exit code mean what they say."""
    sys.stdout.flush()
    words = [*words, *(["--json"] if as_json else []), "--", *rest]
    os.execv(sys.executable, [sys.executable, "-m", "wicket.lab", verb, *words])  # noqa: S606 - our own module
