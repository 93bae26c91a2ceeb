"""Files into shards: every form, every broken line by its number."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from tests.unit.lab.data.made import origins
from wicket.errors import CallerFault, OperatorFault
from wicket.lab.data.document import Document, answer_text, from_bytes, request_text, to_bytes
from wicket.lab.data.sources import read_evaluation, read_sources
from wicket.lab.examples import read

CHAT = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}
LOGGED = {
    "messages": [{"role": "system", "content": "s"}, *CHAT["messages"]],
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "meta": {"id": "req_1", "task": "greet", "corrected": "good day"},
}
BROKEN = [
    (b'{"messages": [', "truncated"),
    (b'{"messages": []}', '"messages" is empty'),
    (b"{}", 'neither "messages" nor "prompt"'),
    (b'{"messages": [{"content": "x"}]}', r"messages\[0\] has no role"),
    (b'{"messages": [{"role": "user", "content": 7}]}', r"messages\[0\].content is neither"),
    (b'{"prompt": "no answer"}', "the last message is not the assistant's"),
    (b'{"prompt": "\xff", "completion": "x"}', "utf-8|UTF-8"),
    (b'{"prompt": NaN}', "malformed"),
    (b"[" * 100_000, "Expected `object`|nested"),
]


def lines(path: Path, *rows: object) -> Path:
    path.write_bytes(
        b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)
    )
    return path


def test_chat_prompts_and_the_exported_log(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl", b"\xef\xbb\xbf", CHAT, b"\n", LOGGED, {"prompt": "2+2", "completion": "4"}
    )
    manifest, shard = read_sources([path], licence="MIT")
    assert origins(shard) == ["a.jsonl:1", "a.jsonl:3", "a.jsonl:4"]
    assert [answer_text(each) for each in shard] == ["hello", "good day", "4"]  # the correction stands
    assert request_text(shard[1]) == "hi" and shard[1].tools and shard[1].meta["task"] == "greet"
    source = manifest.sources[0]
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() and source.licence == "MIT"
    assert (source.num_lines, source.num_documents, source.num_broken) == (3, 3, 0)
    assert manifest.num_documents == 3 and len(manifest.sha256) == 64


def test_what_is_written_is_read_by_the_trainer(tmp_path: Path) -> None:
    _, shard = read_sources([lines(tmp_path / "a.jsonl", CHAT, {"prompt": "2+2", "completion": "4"})])
    out = tmp_path / "out.jsonl"
    out.write_bytes(to_bytes(shard))
    with out.open("rb") as file:
        assert [(s.text, s.answer) for s in read(file).samples] == [("hi", "hello"), ("2+2", "4")]
    assert from_bytes(out.read_bytes()) == shard


@pytest.mark.parametrize(("line", "why"), BROKEN)
def test_a_broken_line_is_told_skipped_or_refused(tmp_path: Path, line: bytes, why: str) -> None:
    path = lines(tmp_path / "a.jsonl", CHAT, line + b"\n", CHAT)
    manifest, shard = read_sources([path])
    assert origins(shard) == ["a.jsonl:1", "a.jsonl:3"]
    assert [broken.line for broken in manifest.sources[0].broken] == [2]
    with pytest.raises(CallerFault, match=rf"a.jsonl:2: .*({why})"):
        read_sources([path], on_broken="refuse")


def test_prompts_lose_their_answers(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", CHAT, {"prompt": "only this"})
    _, shard = read_sources([path], form="prompts")
    assert [each.messages for each in shard] == [
        CHAT["messages"][:1],
        [{"role": "user", "content": "only this"}],
    ]
    text = lines(tmp_path / "p.txt", b"one\n\n  two \n")
    _, shard = read_sources([text], form="prompts")
    assert [(each.origin, each.messages[0]["content"]) for each in shard] == [
        ("p.txt:1", "one"),
        ("p.txt:3", "two"),
    ]


def test_text_by_paragraphs_with_a_broken_line(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.txt", b"one\nmore\n\n\ntwo\r\n\xff\xfe\nthree\n")
    manifest, shard = read_sources([path], form="text")
    assert shard == [
        Document(text="one\nmore", origin="t.txt:1"),
        Document(text="two\nthree", origin="t.txt:5"),
    ]
    assert [(b.line, b.reason) for b in manifest.sources[0].broken] == [
        (6, "not UTF-8 (invalid start byte at byte 0)")
    ]


def test_gzip_whole_and_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(CHAT).encode()))
    assert len(read_sources([path])[1]) == 1
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(OperatorFault, match="can't be read"):
        read_sources([path])
    with pytest.raises(OperatorFault, match="No such file"):
        read_sources([tmp_path / "none.jsonl"])


def test_what_judges_is_never_skipped(tmp_path: Path) -> None:
    with pytest.raises(CallerFault, match=r"a.jsonl:2"):
        read_evaluation([lines(tmp_path / "a.jsonl", CHAT, b"{\n")])
    sources, shard = read_evaluation([lines(tmp_path / "b.jsonl", {"prompt": "q"}, {"text": "t"}, CHAT)])
    assert len(shard) == 3 and sources[0].num_documents == 3
