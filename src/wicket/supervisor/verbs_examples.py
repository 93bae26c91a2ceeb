"""What a worker may ask about examples: pages, counts, erasure, and what callers say of answers."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import msgspec

from wicket.accounts.example import Feedback
from wicket.accounts.request_ids import format_id
from wicket.config.schema import TaskTable
from wicket.errors import CallerFault
from wicket.store.examples_contract import Chosen, ExampleFilter, ExampleStore, Kept, TaskCount
from wicket.supervisor.verb import Arguments, House, Verb, iso, key_number, now_ms

MAX_PAGE_BYTES = 8 * 1024 * 1024  # of one answer over the channel
_PLACEHOLDER = re.compile(rb"\[([A-Z_]+)_(\d+)\]")


async def examples_page(house: House, arguments: Arguments, key_id: int) -> Any:
    """The fields of `ExampleFilter` → `{"rows": [[example, feedback or None, public key id]…], "last"}`.

    `last` is the id to ask on from, 0 when there is no more. Raises `CallerFault` for an unknown task.
    """
    wanted = ExampleFilter(
        task=arguments["task"],
        since_ms=arguments.get("since_ms", 0),
        after_id=arguments.get("after_id", 0),
        limit=arguments.get("limit", 100),
        is_without_minis=arguments.get("is_without_minis", False),
    )
    store = await asyncio.to_thread(house.collector.read)
    found = [] if store is None else await asyncio.to_thread(store.page, wanted)
    if not found and not wanted.after_id:
        await _check_known(house, store, wanted.task)
    shown: list[Kept] = []
    num_bytes = 0
    for kept in found:
        num_bytes += len(kept.example.request) + len(kept.example.answer)
        if shown and num_bytes > MAX_PAGE_BYTES:
            break
        shown.append(kept)
    names = await _key_names(house)
    rows = [[kept.example, kept.feedback, _name_of(kept.example.key_id, names)] for kept in shown]
    is_last = len(shown) == len(found) and len(found) < wanted.limit
    return {"rows": rows, "last": 0 if is_last or not shown else shown[-1].example.id}


async def examples_erase(house: House, arguments: Arguments, key_id: int) -> Any:
    """`key`, `task` or `request` (a number) → how many examples are gone."""
    chosen = Chosen(
        task=arguments.get("task", ""),
        key_id=await _one_key(house, arguments.get("key", "")),
        request_id=arguments.get("request"),
    )
    if chosen == Chosen():
        raise CallerFault("missing_parameter", "Say what to erase: 'key', 'task' or 'request'.")
    num_erased = await asyncio.to_thread(house.collector.do, lambda store: store.erase(chosen))
    return {"erased": num_erased}


async def tasks_list(house: House, arguments: Arguments, key_id: int) -> Any:
    """Every task that is configured, collected for, or has examples."""
    store = await asyncio.to_thread(house.collector.read)
    counts = {count.task: count for count in await asyncio.to_thread(_counts, store)}
    tables = house.collector.tasks
    names = sorted({*counts, *tables})
    return [_task_fields(counts.get(name, TaskCount(name)), tables.get(name)) for name in names]


async def feedback_add(house: House, arguments: Arguments, key_id: int) -> Any:
    """`request`, a number, with `score` (or -1) and `corrected` (or "") → what is known of the answer now.

    Raises `CallerFault`: 404 for somebody else's request, 409 where a correction may not be kept.
    """
    request_id = arguments["request"]
    record = await asyncio.to_thread(house.store.record, request_id)
    if record is None or (key_id != 0 and record.key_id != key_id):
        message = (
            f"There is no request {format_id(request_id)} of this key. "
            "Records appear a moment after the answer's end."
        )
        raise CallerFault("unknown_request", message, status=404, param="request_id")
    corrected = arguments.get("corrected", "")
    said = Feedback(request_id, now_ms(), key_id, arguments.get("score", -1.0), corrected)

    def keep(store: ExampleStore) -> Feedback:
        kept = store.example(request_id)
        if corrected:
            text = _correction(house, kept, corrected)
            store.say(msgspec.structs.replace(said, corrected=text))
        else:
            store.say(said)
        return next(iter(store.feedback(after_id=request_id - 1, limit=1)))

    now = await asyncio.to_thread(house.collector.do, keep)
    return {
        "object": "feedback",
        "request_id": format_id(request_id),
        "score": None if now.score < 0 else now.score,
        "corrected": bool(now.corrected),
    }


def _correction(house: House, kept: Kept | None, text: str) -> str:
    """The correction as it may be kept, its placeholders those of the example. Raises `CallerFault`."""
    if kept is None:
        message = "This request was not collected, so no correction of it is kept; a score can be given."
        raise CallerFault("not_collected", message, status=409, param="corrected")
    scrubbed = house.collector.scrub_text(kept.example.task, text)
    known = _kinds(kept.example.request + kept.example.answer)
    new = _kinds(scrubbed.encode())
    for kind in new if scrubbed != text else ():
        if len(known.get(kind, ())) > 1 and not _kinds(text.encode()).get(kind):
            message = (
                f"The example holds several values of the kind {kind}, and their texts are not kept: write "
                f"[{kind}_1], [{kind}_2] … as `wicket logs export` shows them."
            )
            raise CallerFault("ambiguous_correction", message, status=409, param="corrected")
    return scrubbed


def _kinds(data: bytes) -> dict[str, set[bytes]]:
    found: dict[str, set[bytes]] = {}
    for kind, number in _PLACEHOLDER.findall(data):
        found.setdefault(kind.decode(), set()).add(number)
    return found


async def _check_known(house: House, store: ExampleStore | None, task: str) -> None:
    known = {count.task for count in await asyncio.to_thread(_counts, store)} | set(house.collector.tasks)
    if task not in known:
        shown = "".join(c if c.isprintable() else "�" for c in task[:64])
        message = f"There is no task {shown!r}; `wicket tasks list` shows them."
        raise CallerFault("unknown_task", message, status=404, param="task")


def _counts(store: ExampleStore | None) -> list[TaskCount]:
    return [] if store is None else store.counts()


async def _one_key(house: House, text: str) -> int | None:
    """As `key_number`, but a name that several keys have is no answer: all of them may be meant."""
    keys = await asyncio.to_thread(house.store.list_keys)
    same = [key.public_id for key in keys if key.name == text]
    if len(same) > 1 and text not in {key.public_id for key in keys}:
        message = f"Several keys have this name ({', '.join(same[:10])}): name one by its id."
        raise CallerFault("ambiguous_key", message, status=409)
    return await key_number(house, text)


async def _key_names(house: House) -> dict[int, str]:
    return {key.id: key.public_id for key in await asyncio.to_thread(house.store.list_keys)}


def _name_of(key_id: int, names: dict[int, str]) -> str:
    return "admin" if key_id == 0 else names.get(key_id, f"key {key_id}")


def _task_fields(count: TaskCount, table: TaskTable | None) -> dict[str, Any]:
    settings = table or TaskTable()
    return {
        "task": count.task,
        "examples": count.num_examples,
        "by_minis": count.num_by_minis,
        "scored": count.num_scored,
        "corrected": count.num_corrected,
        "bytes": count.num_bytes,
        "first_at": iso(count.first_ms),
        "last_at": iso(count.last_ms),
        "is_configured": table is not None,
        "sample": settings.sample,
        "retention_days": settings.retention_days,
        "scrub": list(settings.scrub),
        "by_header": settings.by_header,
    }


EXAMPLE_VERBS: dict[str, Verb] = {
    "examples.page": examples_page,
    "examples.erase": examples_erase,
    "tasks.list": tasks_list,
    "feedback.add": feedback_add,
}
