"""`python -m wicket.lab curate FILE… --out DIR`: training data without what is bad in it, and a report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_origin

import msgspec

from wicket.errors import CallerFault
from wicket.lab.data.curation import DATA, PAGE, Order, curate, read_plan
from wicket.lab.data.manifest import Manifest, StepReport
from wicket.lab.data.step import DEFAULT_STEPS, Asked, module, names
from wicket.wire import json


def main(arguments: Sequence[str]) -> int:
    """Run it; raises `Fault`."""
    parser = argparse.ArgumentParser(prog="python -m wicket.lab curate", description=__doc__)
    add = parser.add_argument
    add("sources", nargs="*")
    add("--out", default="")
    add("--against", action="append", default=[])
    add("--steps", default="")
    add("--plan", default="")
    add("--set", action="append", default=[], dest="overrides")
    add("--form", choices=("chat", "prompts", "text", "any"), default="chat")
    add("--broken", choices=("skip", "refuse"), default="skip")
    add("--licence", default="unknown")
    add("--list-steps", action="store_true")
    add("--json", action="store_true")
    args = parser.parse_args(arguments)
    if args.list_steps:
        sys.stdout.write(json.dumps(known_steps()) + "\n" if args.json else _known_text())
        return 0
    if not args.sources or not args.out:
        raise CallerFault("usage", "Name the files, and the folder for what comes of them: --out DIR.")
    order = Order(
        sources=tuple(map(Path, args.sources)),
        against=tuple(map(Path, args.against)),
        steps=overridden(_steps(args), args.overrides),
        form=args.form,
        on_broken=args.broken,
        licence=args.licence,
    )
    manifest, _ = curate(order, Path(args.out), _tell)
    sys.stdout.write(
        json.dumps(msgspec.to_builtins(manifest)) + "\n" if args.json else text(manifest, args.out)
    )
    return 0


def overridden(steps: Sequence[Asked], overrides: Sequence[str]) -> tuple[Asked, ...]:
    """Steps with options of the form STEP.OPTION=VALUE. Raises `CallerFault`."""
    found = list(steps)
    for word in overrides:
        path, equals, value = word.partition("=")
        name, dot, option = path.partition(".")
        places = [place for place, asked in enumerate(found) if asked.name == name]
        if not equals or not dot or not option:
            raise CallerFault(
                "bad_option", f"--set {word!r}: STEP.OPTION=VALUE, such as length.min_answer=2."
            )
        if not places:
            raise CallerFault(
                "bad_option", f"--set {word!r}: {name!r} is none of the steps; add it to --steps."
            )
        for place in places:
            found[place] = Asked(name, {**found[place].options, option: _value(name, option, value)})
    return tuple(found)


def text(manifest: Manifest, out: str) -> str:
    """The summary for people."""
    num_read = sum(source.num_documents for source in manifest.sources)
    lines = []
    for source in manifest.sources:
        if source.num_broken:
            first = source.broken[0]
            lines.append(
                f"{source.path}: {source.num_broken} lines can't be read and were skipped, the first is line "
                f"{first.line}: {first.reason}."
            )
    lines.append(f"{manifest.num_documents} of {num_read} documents are in {Path(out) / DATA}.")
    lines.append(f"Report: {Path(out) / PAGE}")
    return "\n".join(lines) + "\n"


def known_steps() -> list[dict[str, Any]]:
    """Every step with its options and their defaults."""
    found = []
    for name in names():
        step = module(name)
        fields = msgspec.structs.fields(step.Options)
        options = {field.encode_name: _default(field) for field in fields}
        says = (step.__doc__ or "").splitlines()[0]
        found.append({"name": name, "is_default": name in DEFAULT_STEPS, "says": says, "options": options})
    return found


def _default(field: msgspec.structs.FieldInfo) -> Any:
    """What an option is unless it is given; None for one that must be."""
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.to_builtins(field.default_factory())
    return None if field.required else msgspec.to_builtins(field.default)


def _known_text() -> str:
    lines = []
    for step in known_steps():
        mark = "*" if step["is_default"] else " "
        options = ", ".join(f"{key}={json.encode(value).decode()}" for key, value in step["options"].items())
        lines += [f"{mark} {step['name']}: {step['says']}", f"    {options}"]
    return "\n".join([*lines, "* runs unless --steps says otherwise"]) + "\n"


def _steps(args: argparse.Namespace) -> tuple[Asked, ...]:
    if args.plan and args.steps:
        raise CallerFault("usage", "--plan and --steps both name the steps: leave one out.")
    if args.plan:
        return read_plan(Path(args.plan))
    chosen = args.steps.split(",") if args.steps else DEFAULT_STEPS
    return tuple(Asked(name.strip()) for name in chosen if name.strip())


def _value(name: str, option: str, word: str) -> Any:
    """JSON, or bare words; several, parted by commas, where the option is a list."""
    try:
        return json.decode(word.encode())
    except json.DecodeError:
        fields = {field.name: field.type for field in msgspec.structs.fields(module(name).Options)}
        return word.split(",") if get_origin(fields.get(option)) is tuple else word


def _tell(report: StepReport, was_done: bool) -> None:
    did = [
        f"{number} {word}"
        for number, word in (
            (report.num_removed, "removed"),
            (report.num_changed, "changed"),
            (report.num_added, "added"),
        )
        if number
    ]
    reasons = ", ".join(f"{name} {number}" for name, number in report.reasons.items())
    told = f"{', '.join(did) or 'nothing to do'}{f' ({reasons})' if reasons else ''}"
    sys.stderr.write(
        f"{report.name}: {told}; {report.num_after} left{' [done before]' if was_done else ''}\n"
    )
