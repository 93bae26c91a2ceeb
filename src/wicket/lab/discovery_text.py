"""A discovery as people read it on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wicket.lab.discover import Found, Task

MAX_NAME = 60


def page(tasks: Sequence[Task], notes: Sequence[str]) -> str:
    """All tasks, one after the other."""
    lines = [line for task in tasks for line in _task(task)]
    lines += [f"note: {plain(note)}" for note in notes]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Text of others without what would steer the terminal."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def _task(task: Task) -> Iterator[str]:
    cost = [group.cost_usd for group in task.groups if group.cost_usd is not None]
    total = f", {_usd(sum(cost))}" if cost else ""
    yield f"Task {plain(task.task)}: {task.requests} requests in {task.days:.1f} days{total}"
    for number, group in enumerate(task.groups, 1):
        yield from _group(number, group)
    worth = [group for group in task.groups if group.verdict.code in ("learnable", "uncertain")]
    if not worth:
        yield "  Nothing here is ready to be learned."
    else:
        yield "  In wicket.toml:"
        yield from (f"    {plain(line)}" for line in task.toml.splitlines())
        yield f"  Then: {plain(task.command)}"
    if len(worth) > 1:
        yield f"  There are {len(worth)} kinds of requests to learn: a model name with a task of its own"
        yield "  for each makes better minis than one for all."
    yield ""


def _group(number: int, group: Found) -> Iterator[str]:
    yield f"  {number}. {plain(group.name)[:MAX_NAME]}"
    cost = "cost unknown" if group.cost_usd is None else _usd(group.cost_usd)
    tokens = ""
    if group.input_tokens is not None and group.output_tokens is not None:
        tokens = f", {group.input_tokens}+{group.output_tokens} tokens"
    about = "about " if group.is_estimated else ""
    yield f"     {about}{group.requests} requests ({group.share:.0%}), {group.length}{tokens}, {cost}"
    answers = group.answers
    agree = "" if answers.repeats_agree is None else f", repeats agree {answers.repeats_agree:.0%}"
    yield (
        f"     answers: {answers.kind}, {answers.distinct} different, {answers.entropy_bits:.1f} bits, "
        f"{answers.valid:.0%} valid{agree}"
    )
    yield f"     {plain(group.verdict.text)}"
    if group.saving.usd is not None and group.saving.usd > 0:
        month = group.saving.usd_per_month
        monthly = "" if month is None else f", {_usd(month)} in 30 days"
        yield f"     could save {_usd(group.saving.usd)}{monthly} ({group.saving.basis})"
    elif group.saving.share > 0:
        yield f"     could save {group.saving.share:.0%} of the cost ({group.saving.basis})"


def _usd(amount: float) -> str:
    return f"${amount:.2f}" if amount >= 1 or amount == 0 else f"${amount:.6f}".rstrip("0").rstrip(".")
