"""Lines are on the disk before they count; what a crash left is taken up."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from wicket.errors import OperatorFault
from wicket.lab.generation.answer_files import AnswerFiles, Ask, End, Past
from wicket.lab.generation.plan import Spending


def answer(key: str, call: str, nanos: int, tokens: int) -> dict[str, Any]:
    meta = {"id": key, "call": call, "cost_nanos": nanos, "used_tokens": tokens}
    return {"messages": [{"role": "user", "content": "x"}], "meta": meta}


def past(path: Path) -> Past:
    async def look() -> Past:
        files = AnswerFiles(path)
        await files.close()
        return files.past

    return asyncio.run(look())


async def fill(path: Path) -> None:
    files = AnswerFiles(path)
    await files.journal.add(Ask("a-1", 100, 10))
    await files.journal.add(End("a-1", "a", "cut", "It was cut.", 100, 10))
    await files.journal.add(Ask("a-2", 100, 10))
    await files.answers.add(answer("a", "a-2", 40, 4))
    await files.journal.add(Ask("b-1", 100, 10))
    await files.journal.add(End("b-1", "b", "status_400", "No.", is_last=True))
    await files.journal.add(Ask("c-1", 1000, 100))  # then came the crash
    await files.close()


def test_what_was_spent_is_known_after_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.jsonl"
    asyncio.run(fill(path))
    found = past(path)
    assert found.answered == {"a"} and list(found.failed) == ["b"] and found.failed["b"].is_last
    assert found.spent == Spending(100 + 40 + 0 + 1000, 10 + 4 + 0 + 100)
    assert oct(path.stat().st_mode)[-3:] == "600"


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.journal"])
def test_every_cut_of_the_last_line_is_mended(tmp_path: Path, name: str) -> None:
    path = tmp_path / "out.jsonl"
    asyncio.run(fill(path))
    file = tmp_path / name
    whole = file.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(last + 1, len(whole), 7):
        file.write_bytes(whole[:end])
        past(path)
        assert file.read_bytes() == whole[:last]


def test_many_at_once_are_whole_lines(tmp_path: Path) -> None:
    async def add_all() -> None:
        files = AnswerFiles(tmp_path / "out.jsonl")
        await asyncio.gather(*(files.answers.add(answer(str(n), f"{n}-1", n, 1)) for n in range(300)))
        await files.close()

    asyncio.run(add_all())
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert {json.loads(line)["meta"]["id"] for line in lines} == {str(n) for n in range(300)}


def test_two_runs_can_not_write_the_same_file(tmp_path: Path) -> None:
    async def both() -> None:
        first = AnswerFiles(tmp_path / "out.jsonl")
        with pytest.raises(OperatorFault, match="being written by another run"):
            AnswerFiles(tmp_path / "out.jsonl")
        await first.close()

    asyncio.run(both())


def test_what_is_no_answer_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text('{"messages": []}\n')
    with pytest.raises(OperatorFault, match=r"out.jsonl:1 was not written by"):
        past(path)
    with pytest.raises(OperatorFault, match="can't be written"):
        past(Path("/proc/none/out.jsonl"))
