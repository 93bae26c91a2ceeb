import hashlib
import http.server
import shutil
import threading
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from wicket.engines.checkpoints import hub
from wicket.engines.checkpoints.hub import HubFile, PullOptions
from wicket.engines.checkpoints.locate import find
from wicket.errors import EngineFault, OperatorFault
from wicket.wire import json

COMMIT = "a" * 40


class Hub(http.server.ThreadingHTTPServer):
    """Enough of the hub's HTTP API: a model's files, and the files themselves with byte ranges."""

    daemon_threads = True
    files: dict[str, bytes] = {}
    status = 200
    cut_at = 0
    ranges: list[str] = []
    wrong_sum = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub_server = self.server
        if hub_server.status != 200:
            code = {401: "RepoNotFound", 404: "RepoNotFound", 403: "GatedRepo"}.get(hub_server.status, "")
            self._send(hub_server.status, b"{}", **({"X_Error_Code": code} if code else {}))
        elif self.path.startswith("/api/models/own/er"):
            self._send(200, self._listing(), Content_Type="application/json")
        else:
            self._file(self.path.split(f"/resolve/{COMMIT}/", 1)[-1])

    def _listing(self) -> bytes:
        siblings = []
        for name, data in self.server.files.items():
            digest = hashlib.sha256(b"other" if self.server.wrong_sum else data).hexdigest()
            lfs = {"sha256": digest, "size": len(data), "pointerSize": 1}
            siblings.append({"rfilename": name, "size": len(data), "blobId": "b", "lfs": lfs})
        found: bytes = json.encode({"id": "own/er", "modelId": "own/er", "sha": COMMIT, "siblings": siblings})
        return found

    def _file(self, name: str) -> None:
        data = self.server.files.get(name)
        if data is None:
            self._send(404, b"", X_Error_Code="EntryNotFound")
            return
        tags = {
            "ETag": f'"{hashlib.sha256(data).hexdigest()}"',
            "X_Repo_Commit": COMMIT,
            "Accept_Ranges": "bytes",
        }
        asked = self.headers.get("Range")
        if self.command == "GET" and asked:
            self.server.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            tags["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self._send(206, data[start:], **tags)
        elif self.command == "GET" and self.server.cut_at:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: self.server.cut_at])
            self.server.cut_at, self.close_connection = 0, True
        else:
            self._send(200, data, **tags)


@pytest.fixture
def stand_in() -> Iterator[Hub]:
    server = Hub(("127.0.0.1", 0), Handler)
    server.ranges = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def pull(server: Hub, home: Path, **options: str) -> Path:
    return hub.pull("own/er", home, PullOptions(endpoint=server.url, **options))


def test_a_folder_of_safetensors_without_what_could_run_code(stand_in: Hub, tmp_path: Path) -> None:
    stand_in.files = {
        "config.json": b'{"model_type":"llama"}',
        "tokenizer.json": b"{}",
        "model.safetensors": b"weights" * 1000,
        "pytorch_model.bin": b"pickle",
        "modeling_evil.py": b"import os",
        "../escape.json": b"x",
    }
    seen: list[tuple[str, int, int]] = []
    options = PullOptions(endpoint=stand_in.url)
    folder = hub.pull("own/er", tmp_path, options, lambda *news: seen.append(news))
    assert folder == tmp_path / "models" / "own" / "er"
    names = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert names == ["config.json", "model.safetensors", "tokenizer.json"]
    assert ("model.safetensors", 7000, 7000) in seen
    assert find("own/er", tmp_path).id == "own/er"
    assert not (tmp_path / "models" / ".partial" / "own--er").exists()


def test_one_gguf_by_preference_or_by_name(stand_in: Hub, tmp_path: Path) -> None:
    stand_in.files = {f"m-{form}.gguf": form.encode() for form in ("Q2_K", "Q4_K_M", "Q8_0", "F16")}
    assert [path.name for path in pull(stand_in, tmp_path).iterdir()] == ["m-Q8_0.gguf"]
    # A second pull replaces the folder in one step.
    assert [path.name for path in pull(stand_in, tmp_path, file="m-F16.gguf").iterdir()] == ["m-F16.gguf"]
    with pytest.raises(OperatorFault, match=r"There is no x.gguf in it; it has m-Q2_K.gguf"):
        pull(stand_in, tmp_path, file="x.gguf")
    assert find("own/er", tmp_path).path.name == "m-F16.gguf"


def test_a_cut_download_goes_on_where_it_stopped(stand_in: Hub, tmp_path: Path) -> None:
    # The hub's client keeps what came in blocks of 10 MiB.
    stand_in.files = {"m.gguf": bytes(range(256)) * 48 * 1024}
    stand_in.cut_at = 11 * 1024 * 1024
    folder = pull(stand_in, tmp_path)
    assert (folder / "m.gguf").read_bytes() == stand_in.files["m.gguf"]
    assert stand_in.ranges == ["bytes=10485760-"]


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "has no such public model"), (401, "HF_TOKEN"), (403, "accept terms"), (500, "answered 500")],
)
def test_refusals_of_the_hub_are_one_line(stand_in: Hub, tmp_path: Path, status: int, words: str) -> None:
    stand_in.status = status
    with pytest.raises(OperatorFault) as caught:
        pull(stand_in, tmp_path)
    assert words in caught.value.message and "\n" not in caught.value.message
    assert not (tmp_path / "models" / "own").exists()


def test_a_file_that_is_not_what_was_promised_is_thrown_away(stand_in: Hub, tmp_path: Path) -> None:
    stand_in.files, stand_in.wrong_sum = {"m.gguf": b"data"}, True
    with pytest.raises(OperatorFault, match="SHA-256 differs"):
        pull(stand_in, tmp_path)
    assert not list(tmp_path.rglob("m.gguf"))


def test_a_full_disk_is_said_before_it_is_filled(
    stand_in: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.files = {"m.gguf": b"data" * 1000}
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 100))
    with pytest.raises(OperatorFault, match="MB free"):
        pull(stand_in, tmp_path)


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(OperatorFault, match="can't be reached"):
        hub.pull("own/er", tmp_path, PullOptions(endpoint="http://127.0.0.1:9"))


@pytest.mark.parametrize("name", ["er", "../er", "own/../x", "own/er/x", "own er", ""])
def test_strange_names_never_reach_the_network(name: str, tmp_path: Path) -> None:
    with pytest.raises(OperatorFault, match="write owner/name"):
        hub.pull(name, tmp_path)


def test_what_can_be_chosen() -> None:
    with pytest.raises(OperatorFault, match="no weights"):
        hub.choose([HubFile("pytorch_model.bin"), HubFile("model.pt"), HubFile("config.json")])
    with pytest.raises(OperatorFault, match="several parts"):
        hub.choose([HubFile("m-Q8_0-00001-of-00002.gguf")])


def test_where_models_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"x")
    assert find(str(tmp_path / "a.gguf"), tmp_path).module == "openvino_llama"
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}')
    assert find(str(tmp_path / "bert"), tmp_path).module == "minilm"
    for spec, words in (
        ("nothing", "wicket models pull nothing"),
        ("/no/where.gguf", "check the path"),
        ("run:../..", "leads out of"),
        (str(tmp_path), "a.gguf"),
    ):
        if spec == str(tmp_path):
            assert find(spec, tmp_path).path.name == words
            continue
        with pytest.raises(EngineFault) as caught:
            find(spec, tmp_path)
        assert words in caught.value.message
