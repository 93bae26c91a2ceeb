"""`wicket providers check` against providers that answer, refuse, hang and are not there; `models update`
against a server of files; both in processes of their own."""

import asyncio
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.path.conftest import Open
from tests.path.house import Provider, eventually
from wicket.config.newer import FILE_NAME
from wicket.providers import catalogue
from wicket.providers.facts import Fact, Facts
from wicket.providers.sources.build import encode
from wicket.upstream.scripted import ScriptedUpstream
from wicket.upstream.scripted_script import Rule, Script, When
from wicket.wire.json import decode

LIMIT_S = 60.0
SAMPLES = Path(__file__).parents[1] / "data" / "catalogue"
SECRET = "sk-never-shown"


class Ran(msgspec.Struct):
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def wicket(home: Path, *words: str, **environ: str) -> Ran:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WICKET_") and not name.endswith(("_API_KEY", "_proxy", "_PROXY"))
    }
    ran = subprocess.run(
        [sys.executable, "-m", "wicket.cli", *words],
        env=kept | {"WICKET_HOME": str(home)} | environ,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert SECRET not in ran.stdout + ran.stderr
    return Ran(ran.returncode, ran.stdout, ran.stderr)


@contextmanager
def scripted(script: Script) -> Iterator[int]:
    """A scripted provider in a thread; its port."""
    ready, ports, loops = threading.Event(), [], []

    async def run() -> None:
        ended = asyncio.Event()
        async with ScriptedUpstream(script) as up:
            ports.append(up.port)
            loops.append((asyncio.get_running_loop(), ended))
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(LIMIT_S)
    try:
        yield ports[0]
    finally:
        loop, ended = loops[0]
        loop.call_soon_threadsafe(ended.set)
        thread.join()


def test_each_provider_and_credential_is_asked_and_judged(tmp_path: Path) -> None:
    rules = [
        Rule(when=When(key="refused"), status=401, body={"error": {"message": "no"}}),
        Rule(when=When(key="slow"), silent=True),
        Rule(when=When(key="page"), body="<html>hello</html>"),
        Rule(when=When(key="ill"), status=503, body="ill"),
    ]
    with scripted(Script(rules=rules, models=("a", "b"))) as port, files(tmp_path) as plain:
        url = f"http://127.0.0.1:{port}/v1"
        sections = [f'[providers.two]\nbase_url = "{url}"\napi_key = ["{SECRET}", "refused"]\n']
        sections += [
            f'[providers.{name}]\nbase_url = "{url}"\napi_key = "{name}"\n'
            for name in ("slow", "page", "ill")
        ]
        sections += [
            '[providers.nobody]\nbase_url = "http://127.0.0.1:1/v1"\n',
            '[providers.nowhere]\nbase_url = "http://no-such-host.invalid/v1"\n',
            f'[providers.plain]\nbase_url = "{plain.replace("http:", "https:")}/v1"\napi_key = "k"\n',
        ]
        (tmp_path / "wicket.toml").write_text("".join(sections))
        ran = wicket(tmp_path, "providers", "check", "--timeout", "3", "--json")
        one = wicket(tmp_path, "providers", "check", "two")
    assert ran.code == 1 and ran.document["ok"] is False
    found = {(each["provider"], each["credential"]): each for each in ran.document["providers"]}
    codes = {place: each["code"] for place, each in found.items()}
    assert codes.pop(("nowhere", 0)) in ("dns_failed", "connect_timeout", "total_timeout")
    assert codes == {
        ("two", 0): "ok",
        ("two", 1): "bad_credential",
        ("slow", 0): "total_timeout",
        ("page", 0): "no_json",
        ("ill", 0): "provider_down",
        ("nobody", 0): "connect_failed",
        ("plain", 0): "tls_failed",
    }
    assert found["two", 0]["message"] == "works, 2 models listed" and found["two", 0]["status"] == 200
    assert all(each["message"] for each in found.values())
    assert one.code == 1 and "two (credential 1): works" in one.out and "FAILED two (credential 2)" in one.out


def test_a_configured_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with scripted(Script(models=("a", "b"))) as port:
        (tmp_path / "wicket.toml").write_text(
            f'[providers.mine]\nbase_url = "http://127.0.0.1:{port}/v1"\n'
            '[models.m]\ndeployments = ["mine/a", "mine/gone"]\n'
        )
        ran = wicket(tmp_path, "providers", "check", "--json")
    (found,) = ran.document["providers"]
    assert ran.code == 0 and found["not_listed"] == ["gone"]
    assert found["message"] == "works, 2 models listed; not among them: gone"


def test_native_providers_list_their_models_in_their_own_form(tmp_path: Path) -> None:
    invalid = {"error": {"code": 400, "details": [{"reason": "API_KEY_INVALID"}]}}
    rules = [Rule(when=When(key="bad"), status=400, body=invalid)]
    with scripted(Script(rules=rules, models=("a", "b"))) as port:
        url = f"http://127.0.0.1:{port}"
        (tmp_path / "wicket.toml").write_text(
            f'[providers.anthropic]\nbase_url = "{url}/v1"\napi_key = "k"\n'
            f'[providers.gemini]\nbase_url = "{url}/v1beta"\napi_key = ["k", "bad"]\n'
        )
        ran = wicket(tmp_path, "providers", "check", "--json")
    found = [(each["provider"], each["code"]) for each in ran.document["providers"]]
    assert found == [("anthropic", "ok"), ("gemini", "ok"), ("gemini", "bad_credential")]
    assert {each["message"] for each in ran.document["providers"] if each["ok"]} == {"works, 2 models listed"}


def test_all_well_is_exit_0_and_an_unknown_name_is_told(tmp_path: Path) -> None:
    with scripted(Script()) as port:
        (tmp_path / "wicket.toml").write_text(f'[providers.mine]\nbase_url = "http://127.0.0.1:{port}/v1"\n')
        good = wicket(tmp_path, "providers", "check", "--json")
        unknown = wicket(tmp_path, "providers", "check", "nobody")
    assert good.code == 0 and good.document["ok"] is True
    assert unknown.code == 1 and "enabled: mine" in unknown.err


def test_nobody_enabled_is_said(tmp_path: Path) -> None:
    ran = wicket(tmp_path, "providers", "check")
    assert ran.code == 0 and "No provider is enabled" in ran.out


@contextmanager
def files(folder: Path) -> Iterator[str]:
    """A server of files; its address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def do_GET(self) -> None:
            if self.path == "/elsewhere.json":
                self.send_response(302)
                self.send_header("location", "/catalogue.json")
                self.send_header("content-length", "0")
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def changed(change: dict[str, Any] | None = None, *, generated: str = "2099-01-01") -> Facts:
    """The shipped catalogue with one more model, and `change` made to gpt-4o."""
    facts = catalogue.facts()
    openai = [
        msgspec.structs.replace(fact, **(change or {})) if fact.model == "gpt-4o" else fact
        for fact in facts.models["openai"]
    ]
    openai.append(Fact(provider="openai", model="gpt-99", date=generated, sources=("litellm",), input_pico=5))
    return msgspec.structs.replace(
        facts, generated=generated, models={**facts.models, "openai": tuple(openai)}
    )


def test_an_update_is_fetched_checked_and_used(tmp_path: Path) -> None:
    (tmp_path / "catalogue.json").write_bytes(encode(changed({"input_pico": 3_000_000})))
    with files(tmp_path) as url:
        tried = wicket(tmp_path, "models", "update", "--from", f"{url}/elsewhere.json", "--dry-run")
        assert tried.code == 0, tried.err
        assert "+ openai/gpt-99" in tried.out and "~ openai/gpt-4o: input $2.5 → $3" in tried.out
        assert not (tmp_path / FILE_NAME).exists()
        done = wicket(tmp_path, "models", "update", "--from", f"{url}/catalogue.json", "--json")
    assert done.code == 0, done.err
    assert done.document["added"] == ["openai/gpt-99"] and done.document["is_written"] is True
    assert Path(done.document["path"]) == tmp_path / FILE_NAME
    shown = wicket(tmp_path, "models", "show", "openai/gpt-99", "--json", OPENAI_API_KEY="k").document
    assert shown["prices"]["input"] == 5e-06 and shown["is_callable"] is True
    again = wicket(tmp_path, "models", "update", "--from", str(tmp_path / FILE_NAME), "--json")
    assert again.document["added"] == again.document["repriced"] == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a catalogue"),
        (b"<html>moved</html>", "not a catalogue"),
        (b'{"models": {}}', "not a catalogue"),
        (encode(msgspec.structs.replace(changed(), models={})), "only 0 models"),
        (encode(changed({"input_pico": 2_500_000_000})), "absurd|--force"),
        (encode(changed({"input_pico": 0, "cached_pico": None})), "--force"),
    ],
)
def test_what_is_doubtful_changes_nothing(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "new.json").write_bytes(content)
    ran = wicket(tmp_path, "models", "update", "--from", str(tmp_path / "new.json"))
    assert ran.code == 1 and any(part in ran.err for part in says.split("|")), ran.err
    assert ran.out == "" and not (tmp_path / FILE_NAME).exists()


def test_what_is_absurd_can_be_forced_and_what_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "new.json").write_bytes(encode(changed({"input_pico": 0, "cached_pico": None})))
    assert wicket(tmp_path, "models", "update", "--from", str(tmp_path / "new.json"), "--force").code == 0
    with files(tmp_path) as url:
        missing = wicket(tmp_path, "models", "update", "--from", f"{url}/nothing.json")
    assert missing.code == 1 and "404" in missing.err
    gone = wicket(tmp_path, "models", "update", "--from", f"{url}/new.json")
    assert gone.code == 1 and len(gone.err.splitlines()) == 1


def test_sources_are_fetched_and_merged_and_a_loss_of_most_models_is_refused(tmp_path: Path) -> None:
    with files(SAMPLES) as url:
        ran = wicket(tmp_path, "models", "update", WICKET_CATALOGUE_SOURCES=url)
    assert ran.code == 1 and "only" in ran.err and "models have a price" in ran.err
    (tmp_path / "genai-prices.json").write_text("not JSON")
    with files(tmp_path) as url:
        broken = wicket(tmp_path, "models", "update", WICKET_CATALOGUE_SOURCES=url)
    assert broken.code == 1 and len(broken.err.splitlines()) == 1 and "Nothing was changed" in broken.err


def test_a_broken_file_in_the_data_folder_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b'{"generated": "2099-01-01"')
    shown = wicket(tmp_path, "config", "check", "--json")
    assert shown.code == 0 and any("is not used" in warning for warning in shown.document["warnings"])
    card = wicket(tmp_path, "models", "show", "openai/gpt-4o", "--json")
    assert card.code == 0 and card.document["prices"]["input"] == 2.5
    assert decode(catalogue.shipped(), type=Facts).models["openai"]


def test_a_model_at_its_end_is_answered_with_a_warning(open_gateway: Open, provider: Provider) -> None:
    gateway = open_gateway('[server]\nport = 0\n[providers.openai]\nbase_url = "{url}"\napi_key = "k"\n')
    for streamed in (False, True):
        answer = gateway.chat("openai/gpt-4o", stream=streamed)
        assert answer.status == 200 and answer.headers["x-wicket-deployment"] == "openai/gpt-4o"
        warning = answer.headers["x-wicket-warning"]
        assert warning.startswith("openai/gpt-4o is deprecated and end") and "; use openai/" in warning
    assert "x-wicket-warning" not in gateway.chat("openai/unheard-of").headers


def test_a_running_server_reads_an_update_at_once(
    open_gateway: Open, provider: Provider, tmp_path: Path
) -> None:
    gateway = open_gateway('[server]\nport = 0\n[providers.openai]\nbase_url = "{url}"\napi_key = "k"\n')
    before = gateway.request("GET", "/v1/models/openai/gpt-99").json
    assert "prices" not in before
    new = tmp_path / "new.json"
    new.write_bytes(encode(changed()))
    done = wicket(gateway.home, "models", "update", "--from", str(new))
    assert done.code == 0 and "the running server has read it" in done.out
    eventually(lambda: "prices" in gateway.request("GET", "/v1/models/openai/gpt-99").json)
    shown = wicket(gateway.home, "models", "show", "openai/gpt-99", "--json").document
    assert shown["is_callable"] is True and shown["price_id"] == "openai/gpt-99@2099-01-01"
