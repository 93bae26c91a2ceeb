"""Kept things when the server is killed or its disk takes no more."""

import os
import resource
import signal
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.path.house import Gateway, Provider, rule
from tests.path.served import eventually
from tests.path.test_files import EDGE, form, on_disk

CONFIG = """
[server]
port = 0
workers = 2
drain_s = 2
[storage]
responses = "local"
files = "local"
[providers.mine]
base_url = "{url}"
api_key = "k"
models = ["plain"]
"""


def client_of(served: Gateway) -> OpenAI:
    return OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0)


def kill(served: Gateway) -> None:
    os.kill(served.process.pid, signal.SIGKILL)
    served.process.wait()
    served.finish_reading()


@pytest.mark.faults
def test_whoever_has_an_answer_can_go_on_from_it(provider: Provider, tmp_path: Path) -> None:
    """Killed in the moment in which the client has the answer's last byte."""
    served = Gateway(tmp_path, CONFIG.format(url=provider.upstream.base_url)).wait_ready()
    try:
        before: str | None = None
        for turn in range(4):
            fields: Any = {"previous_response_id": before} if before else {}
            text = f"turn {turn}"
            with client_of(served) as client:
                if turn % 2:
                    with client.responses.stream(model="mine/plain", input=text, **fields) as stream:
                        before = stream.get_final_response().id
                else:
                    before = client.responses.create(model="mine/plain", input=text, **fields).id
                kill(served)
            served = Gateway(tmp_path).wait_ready()
        sent = [message["content"] for message in provider.last.fields["messages"]]
        assert [text for text in sent if str(text).startswith("turn")] == [f"turn {n}" for n in range(4)]
        with client_of(served) as client:
            assert client.responses.retrieve(str(before)).previous_response_id
    finally:
        served.close()


@pytest.mark.faults
def test_an_upload_that_is_killed_leaves_nothing(provider: Provider, tmp_path: Path) -> None:
    served = Gateway(tmp_path, CONFIG.format(url=provider.upstream.base_url)).wait_ready()
    try:
        with client_of(served) as client:
            whole = client.files.create(file=("a", b"whole"), purpose="batch")
        body = form(("purpose", None, b"batch"), ("file", "x", bytes(3_000_000)))
        head = served.head(
            b"", f"content-length: {len(body)}", f"content-type: multipart/form-data; boundary={EDGE}",
            path="/v1/files",
        )  # fmt: skip
        with served.dial() as connection:
            connection.sendall(head + body[:2_500_000])
            eventually(lambda: len(on_disk(served)) == 2)
            kill(served)
        served = Gateway(tmp_path).wait_ready()
        eventually(lambda: len(on_disk(served)) == 1)
        with client_of(served) as client:
            assert [one.id for one in client.files.list()] == [whole.id]
            assert client.files.content(whole.id).read() == b"whole"
    finally:
        served.close()


def limit_files(pids: list[int], num_bytes: int) -> None:
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (num_bytes, resource.RLIM_INFINITY))


@pytest.mark.faults
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
def test_a_disk_that_takes_no_more(provider: Provider, tmp_path: Path) -> None:
    """A limit on the size of files stands in for it. Nothing is half-written, and all is well afterwards."""
    served = Gateway(tmp_path, CONFIG.format(url=provider.upstream.base_url)).wait_ready()
    try:
        with client_of(served) as client:
            first = client.responses.create(model="mine/plain", input="x")
            limit_files(served.worker_pids(), 1_000_000)
            with pytest.raises(openai.InternalServerError) as full:
                client.files.create(file=("a", bytes(3_000_000)), purpose="batch")
            assert full.value.status_code == 503 and full.value.code == "store_full"
            assert on_disk(served) == []
            limit_files(served.worker_pids(), resource.RLIM_INFINITY)
            assert client.files.create(file=("a", bytes(3_000_000)), purpose="batch").bytes == 3_000_000

            provider.script(rule(text="word " * 40_000))
            limit_files([served.process.pid], 100_000)
            try:
                answer = client.responses.create(model="mine/plain", input="y", previous_response_id=first.id)
            finally:
                limit_files([served.process.pid], resource.RLIM_INFINITY)
            assert answer.output_text.startswith("word") and answer.to_dict()["store"] is False
            with pytest.raises(openai.NotFoundError):
                client.responses.retrieve(answer.id)
            again = client.responses.create(model="mine/plain", input="y", previous_response_id=first.id)
            assert client.responses.retrieve(again.id).output_text == answer.output_text
        assert "not kept" in served.heard()
    finally:
        served.close()
