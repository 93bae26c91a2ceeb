"""`python -m wicket.lab generate PROMPTS --base-url URL --model NAME --out FILE …`: a teacher's answers.

The teacher's key is read from WICKET_TEACHER_KEY, so that no list of processes shows it. Exit code 0: every
prompt has its answers; 1: some have not, and the summary says why.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from wicket.errors import CallerFault
from wicket.lab.data.sources import Form, read_sources
from wicket.lab.generation import paraphrase
from wicket.lab.generation.answer_files import AnswerFiles
from wicket.lab.generation.plan import NANOS, Errand, Settings, errands
from wicket.lab.generation.run import Run, Summary
from wicket.lab.generation.teacher import Teacher
from wicket.lab.progress import Progress
from wicket.suites.schema_reading import require_schema
from wicket.upstream.pool import KeepAlivePool
from wicket.wire import json

KEY = "WICKET_TEACHER_KEY"
NONE = "none"
_MAX_LISTED = 20
IDLE_S = 4.0  # most servers close later: a call on a connection that just closed may count as paid


def main(arguments: Sequence[str]) -> int:
    """Run it; raises `Fault`."""
    args = _parser().parse_args(arguments)
    settings = settings_of(args)
    form: Form = "chat" if args.paraphrase else "prompts"
    manifest, documents = read_sources([Path(args.prompts)], form=form, on_broken=args.broken)
    for line in manifest.sources[0].broken:
        sys.stderr.write(f"{args.prompts}:{line.line} is skipped: {line.reason}\n")
    fit = [each for each in documents[: args.limit] if not args.paraphrase or paraphrase.asking(each)]
    if not fit:
        raise CallerFault("no_prompts", f"{args.prompts} has no prompt that could be asked.")
    asked, num_repeated = errands(fit, settings)
    found = asyncio.run(_ask(args, settings, asked, num_repeated))
    report = document(found, settings, args.out, manifest.sources[0].num_broken)
    sys.stdout.write(json.dumps(report) + "\n" if args.json else text(found, settings, args.out))
    return 1 if found.failures else 0


async def _ask(
    args: argparse.Namespace, settings: Settings, asked: Sequence[Errand], num_repeated: int
) -> Summary:
    pool = KeepAlivePool(idle_s=IDLE_S, max_idle=settings.concurrency)
    files = None
    progress = Progress("generating")
    try:
        teacher = Teacher(
            pool,
            args.base_url,
            key=os.environ.get(KEY, ""),
            socket_path=args.socket,
            timeout_s=settings.timeout_s,
        )
        files = AnswerFiles(Path(args.out))
        found = await Run(teacher, files, asked, settings).go(progress.at, num_repeated)
        progress.done(f"{found.num_answered} answers, {found.num_before} were there before")
        return found
    finally:
        if files is not None:
            await files.close()
        await pool.close()


def settings_of(args: argparse.Namespace) -> Settings:
    """The options as settings. Raises `CallerFault` naming the one that can't be."""
    temperature = None if args.temperature == NONE else _number("--temperature", args.temperature, 2.0)
    if args.samples > 1 and not temperature and args.temperature != NONE:
        message = "--samples needs a --temperature above 0: else every sample of a prompt is the same."
        raise CallerFault("bad_option", message)
    max_usd = None if args.max_usd == NONE else _number("--max-usd", args.max_usd, 1e9)
    prices = _prices(args.prices)
    if max_usd is not None and prices is None:
        message = (
            f"Nobody knows what {args.model} costs: --price IN,OUT (USD per million tokens; 0,0 if nothing), "
            f"or --max-usd {NONE} with --max-all-tokens N."
        )
        raise CallerFault("unknown_price", message)
    schema = _schema(args.schema)
    return Settings(
        model=args.model,
        samples=args.samples,
        max_tokens=args.max_tokens,
        limit_field=args.limit_field,
        temperature=temperature,
        system=args.system,
        schema=schema,
        sends_schema=not args.schema_unsent,
        top_logprobs=args.top_logprobs,
        fields=_fields(args.field),
        paraphrases=args.paraphrase,
        keeps_cut=args.keep_cut,
        prices=prices,
        max_usd=max_usd,
        max_all_tokens=args.max_all_tokens,
        concurrency=args.concurrency,
        attempts=args.attempts,
        wait_s=args.wait,
        timeout_s=args.timeout,
        retries_refused=args.retry_refused,
    )


def document(found: Summary, settings: Settings, out: str, num_broken: int) -> dict[str, Any]:
    """The one JSON document."""
    return {
        "object": "generation",
        "file": out,
        "model": settings.model,
        "errands": found.num_errands,
        "repeated": found.num_repeated,
        "broken_lines": num_broken,
        "answered": found.num_answered,
        "answered_before": found.num_before,
        "calls": found.num_calls,
        "failed_calls": found.num_failed_calls,
        "with_logprobs": found.num_logprobs,
        "spent_usd": None if settings.prices is None else found.spent.nanos / NANOS,
        "spent_tokens": found.spent.tokens,
        "stopped": found.stopped,
        "failures": [msgspec.to_builtins(failure) for failure in found.failures],
    }


def text(found: Summary, settings: Settings, out: str) -> str:
    """The summary for people."""
    spent = f"{found.spent.tokens} tokens"
    if settings.prices is not None:
        spent = f"{found.spent.nanos / NANOS:.4f} USD, {spent}"
    there = found.num_before + found.num_answered
    lines = [f"{out}: {there} of {found.num_errands} answers, {found.num_answered} of them new ({spent})."]
    if found.num_repeated:
        lines.append(f"{found.num_repeated} prompts stood there twice and were asked once.")
    if settings.top_logprobs and found.num_logprobs < found.num_answered:
        num = found.num_answered - found.num_logprobs
        lines.append(f"{num} answers came without log-probabilities: the teacher gave none.")
    if found.failures:
        lines.append(f"{len(found.failures)} have no answer:")
        shown = found.failures[:_MAX_LISTED]
        lines += [f"  {each.origin} sample {each.sample}: {each.message} ({each.code})" for each in shown]
        if len(found.failures) > len(shown):
            lines.append(f"  … and {len(found.failures) - len(shown)} more (--json lists all)")
    if found.stopped:
        lines.append(f"It ended early. {found.stopped}")
    if found.failures:
        lines.append("The same command goes on; what is answered is not asked again.")
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m wicket.lab generate", description=__doc__)
    add = parser.add_argument
    add("prompts")
    add("--base-url", required=True)
    add("--socket", default="")
    add("--model", required=True)
    add("--out", required=True)
    add("--samples", type=int, default=1)
    add("--concurrency", type=int, default=8)
    add("--max-tokens", type=int, default=1024)
    add("--limit-field", choices=("max_tokens", "max_completion_tokens"), default="max_tokens")
    add("--temperature", default=NONE)
    add("--system", default="")
    add("--schema", default="")
    add("--schema-unsent", action="store_true")
    add("--top-logprobs", type=int, default=0)
    add("--field", action="append", default=[])
    add("--paraphrase", action="store_true")
    add("--keep-cut", action="store_true")
    add("--prices", default="")
    add("--max-usd", default="1")
    add("--max-all-tokens", type=int)
    add("--attempts", type=int, default=20)
    add("--wait", type=float, default=0.5)
    add("--timeout", type=float, default=300.0)
    add("--retry-refused", action="store_true")
    add("--broken", choices=("skip", "refuse"), default="refuse")
    add("--limit", type=int)
    add("--json", action="store_true")
    return parser


def _number(option: str, word: str, most: float) -> float:
    try:
        value = float(word)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise CallerFault("bad_option", f"{option} must be from 0 to {most:g}, or {NONE!r}.")
    return value


def _prices(word: str) -> tuple[dict[str, float], ...] | None:
    """JSON: a list of prices as the catalogue has them; "" where nobody knows."""
    if not word:
        return None
    try:
        return tuple(json.decode(word.encode(), type=list[dict[str, float]]))
    except json.DecodeError:
        raise CallerFault("bad_option", "--prices must be a JSON list of objects.") from None


def _schema(name: str) -> Any:
    if not name:
        return None
    try:
        schema = json.decode(Path(name).read_bytes())
    except OSError as error:
        raise CallerFault("bad_option", f"--schema: {name} can't be read: {error.strerror}.") from None
    except (json.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise CallerFault("bad_option", f"--schema: {name} is not JSON: {error}.") from None
    require_schema(schema)
    return schema


def _fields(words: Sequence[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for word in words:
        name, _, value = word.partition("=")
        if not name or name in ("model", "messages", "stream", "n"):
            raise CallerFault("bad_option", f"--field {word!r}: NAME=JSON, and not one of Wicket's own.")
        try:
            fields[name] = json.decode(value.encode())
        except json.DecodeError:
            fields[name] = value  # a bare word
    return fields
