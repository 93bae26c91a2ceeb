"""What a provider says of a batch, as it is kept and shown here; whatever else it says changes nothing."""

import json
from typing import Any

import pytest

from wicket.errors import UpstreamBroken
from wicket.state.batches import batch_json
from wicket.state.batches_there import (
    as_seen,
    file_there,
    form,
    good_body,
    has_mark,
    line_there,
    named,
    page_there,
    shown_there,
)
from wicket.state.kept import KeptBatch

BATCH = KeptBatch(
    tenant="t", id="batch_ours", created_ms=5_000, caller=1, endpoint="/v1/embeddings", input_file="file-a",
    total=4,
)  # fmt: skip


def seen(**shown: Any) -> KeptBatch:
    return as_seen(BATCH, {"id": "batch_1", "status": "in_progress", **shown}, lambda id: f"ours:{id}")


def test_ids_counts_and_moments_are_taken_over() -> None:
    found = seen(
        status="completed", output_file_id="file-o", error_file_id=None, completed_at=7, in_progress_at=True,
        request_counts={"total": 4, "completed": 3, "failed": 1}, model="gpt", metadata={"wicket_batch": "x"},
    )  # fmt: skip
    shown = batch_json(found)
    assert (shown["id"], shown["output_file_id"], shown["error_file_id"]) == (
        "batch_ours",
        "ours:file-o",
        None,
    )
    assert shown["request_counts"] == {"total": 4, "completed": 3, "failed": 1}
    assert shown["completed_at"] == 7 and shown["in_progress_at"] is None and shown["metadata"] is None
    assert found.remote == "batch_1" and "batch_1" not in json.dumps(shown)


@pytest.mark.parametrize(
    "counts", [None, [], {"total": -1, "completed": "3", "failed": 1 << 70}, {"total": 1.5}]
)
def test_counts_that_are_none_count_nothing(counts: Any) -> None:
    found = seen(request_counts=counts, errors={"data": "x"}, output_file_id=7)
    assert (found.total, found.completed, found.failed) == (4, 0, 0)
    assert found.output_file == "" and found.errors == b"[]"


def test_errors_are_told_and_bounded() -> None:
    row = {"code": "c", "line": 2, "message": "m", "param": None, "else": 1}
    found = json.loads(seen(status="failed", errors={"data": [row, 5] * 200}).errors)
    assert len(found) == 100 and found[0] == {"code": "c", "line": 2, "message": "m", "param": None}


@pytest.mark.parametrize("status", [None, "done", 1, ["completed"]])
def test_a_status_that_is_none_is_the_providers_fault(status: Any) -> None:
    with pytest.raises(UpstreamBroken):
        seen(status=status)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"id": 1}', b'{"id": ""}', b"<html>"])
def test_what_is_no_object_with_an_id(data: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        shown_there(data)
    if data != b"[]":
        with pytest.raises(UpstreamBroken):
            page_there(data)


def test_a_mark_is_found_as_it_was_given() -> None:
    assert has_mark({"metadata": {"wicket_batch": "req_1"}}, "req_1")
    for metadata in (None, {}, [], {"wicket_batch": "req_2"}, "req_1"):
        assert not has_mark({"metadata": metadata}, "req_1")


def test_results_are_read_and_named() -> None:
    line = b'{"id":"b","response":{"status_code":200,"body":{"model":"up","n":1.50}},"error":null}'
    assert good_body(line) == b'{"model":"up","n":1.50}'
    assert named(line, "ours") == line.replace(b'"up"', b'"ours"')
    for other in (
        b"",
        b"{",
        b'{"response":null}',
        b'{"response":{"status_code":400,"body":{"error":1}}}',
        b"[]",
    ):
        assert good_body(other) == b"" and named(other, "ours") == other


def test_what_goes_out() -> None:
    line = line_there("a\n", "/v1/embeddings", b'{"model":"m"}')
    assert json.loads(line)["body"] == {"model": "m"} and line.count(b"\n") == 1
    whole = form("edge", "batch.jsonl", [line, line])
    assert whole.startswith(b"--edge\r\n") and whole.endswith(b"\r\n--edge--\r\n") and line + line in whole
    shown = file_there({"id": "file-x", "filename": "batch_1_output.jsonl", "bytes": 3}, "file-ours")
    assert shown["id"] == "file-ours" and "batch_1" not in json.dumps(shown)
