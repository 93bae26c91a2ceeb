import io
import json
import random
from pathlib import Path

import pytest

from tests.unit.lab.logged import intents, line_of, samples_of
from wicket.errors import CallerFault, OperatorFault
from wicket.lab import examples
from wicket.lab.examples import digest, read, read_file


def of(*lines: str | bytes, **options: object) -> examples.Examples:
    data = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    return read(io.BytesIO(data), **options)  # type: ignore[arg-type]


def conversation(**meta: object) -> str:
    messages = [
        {"role": "system", "content": "Find slots."},
        {"role": "user", "content": "For two"},
        {"role": "assistant", "content": "2"},
    ]
    return json.dumps({"messages": messages, "meta": meta} if meta else {"messages": messages})


def test_a_line_becomes_a_sample() -> None:
    found = of(
        conversation(
            id="req_1",
            at="2026-03-01T12:00:00Z",
            deployment="openai/gpt-4o",
            key="7",
            score=0.5,
            source="log",
        )
    )
    (sample,) = found.samples
    assert (sample.system, sample.text, sample.answer) == ("Find slots.", "For two", "2")
    assert (sample.id, sample.at_ms, sample.score) == ("req_1", 1_772_366_400_000, 0.5)
    assert (sample.deployment, sample.key, sample.source) == ("openai/gpt-4o", "7", "log")
    assert not sample.corrected and sample.weight == 1 and sample.group == -1


def test_meta_may_be_missing_and_times_may_have_any_zone() -> None:
    bare, east, none = of(
        conversation(), conversation(at="2026-03-01T14:00:00+02:00"), conversation(at="2026-03-01T12:00:00")
    ).samples
    assert bare.id == "line 1" and bare.at_ms == 0 and bare.score == -1
    assert east.at_ms == none.at_ms == 1_772_366_400_000


def test_a_correction_is_the_answer() -> None:
    flagged, spelled = of(conversation(corrected=True), conversation(corrected="two")).samples
    assert flagged.corrected and flagged.answer == "2"
    assert spelled.corrected and spelled.answer == "two"


BROKEN = {
    "not json": b"{",
    "not an object": b"[]",
    "no messages": b"{}",
    "messages of another type": b'{"messages": "hello"}',
    "a message that is none": b'{"messages": [1]}',
    "no answer": b'{"messages": [{"role": "user", "content": "a"}]}',
    "nothing said": b'{"messages": []}',
    "not UTF-8": b'{"messages": [{"role": "user", "content": "\xff"}, {"role": "assistant"}]}',
    "nested": b'{"messages": ' + b"[" * 100_000 + b"}",
    "a bad time": b'{"messages": [{"role": "assistant", "content": "a"}], "meta": {"at": "yesterday"}}',
    "a bad score": b'{"messages": [], "meta": {"score": "good"}}',
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_told_by_its_number_and_skipped_or_refused(line: bytes) -> None:
    if b"yesterday" in line:
        line = line.replace(
            b'[{"role": "assistant"', b'[{"role": "user", "content": "b"}, {"role": "assistant"'
        )
    found = of(conversation(), line, conversation())
    assert len(found.samples) == 2 and found.num_broken == 1 and found.num_lines == 3
    assert [broken.line for broken in found.broken] == [2] and found.broken[0].reason
    with pytest.raises(CallerFault, match=r"log\.jsonl, line 2: ") as caught:
        of(conversation(), line, name="log.jsonl", on_broken="refuse")
    assert caught.value.code == "broken_line"


def test_a_line_without_end_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "MAX_LINE_BYTES", 1 << 20)
    found = of(conversation(), b'{"messages": "' + b"x" * (3 << 20) + b'"}', conversation(id="last"))
    assert [sample.id for sample in found.samples] == ["line 1", "last"]
    assert found.broken[0].line == 2 and "longer than 1 MiB" in found.broken[0].reason


def test_only_so_many_broken_lines_are_kept_but_all_are_counted() -> None:
    found = of(*["nonsense"] * 500)
    assert found.num_broken == 500 and len(found.broken) == examples.MAX_SHOWN_LINES


def test_conversations_and_images_and_tool_calls_are_of_another_form() -> None:
    user, answer = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
    calling = {"role": "assistant", "content": "b", "tool_calls": [{"id": "1"}]}
    silent = {"role": "assistant", "content": None}
    lines = [[user, answer, user, answer], [picture, answer], [user, calling], [user, silent]]
    tools = json.dumps({"messages": [user, answer], "tools": [{"type": "function"}]})
    found = of(*(json.dumps({"messages": messages}) for messages in lines), tools, conversation())
    assert found.num_other_form == 5 and found.num_broken == 0 and len(found.samples) == 1


def test_evaluation_lines_need_no_answer() -> None:
    line = '{"messages": [{"role": "user", "content": "a"}]}'
    assert of(line, is_evaluation=True).samples[0].text == "a"
    assert of(line).num_broken == 1


def test_blank_lines_and_a_byte_order_mark_are_no_mistakes() -> None:
    found = of(b"\xef\xbb\xbf" + conversation().encode(), b"", b"  \r", conversation())
    assert found.num_lines == 2 and len(found.samples) == 2 and not found.broken


def test_the_digest_is_of_the_content_and_not_of_its_order() -> None:
    samples = samples_of(intents()[:200])
    shuffled = random.Random(3).sample(samples, len(samples))
    assert digest(samples) == digest(shuffled) != digest(samples[1:])
    assert digest(samples_of([("a", "bc")])) != digest(samples_of([("ab", "c")]))
    assert of(*map(line_of, samples)).sha256 == digest(samples)


def test_a_file_that_can_not_be_read_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(OperatorFault, match="can't be read"):
        read_file(tmp_path / "none.jsonl")
    (tmp_path / "log.jsonl").write_text(conversation())
    assert len(read_file(tmp_path / "log.jsonl").samples) == 1
