"""TLS that fails: in the handshake, by its certificate, or because it is none; the fallback answers."""

import datetime
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults.scenarios import TEXT
from tests.faults.wall import ASKED
from tests.path.house import Gateway, Provider
from wicket.upstream.scripted import ScriptedUpstream
from wicket.upstream.scripted_script import Greeting, Script

pytestmark = pytest.mark.faults

NAMES = {"good": "IP:127.0.0.1", "elsewhere": "DNS:elsewhere.example", "expired": "IP:127.0.0.1"}
FAULTS = ("close", "cut", "reset", "silent", "plain")


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one authority's certificates, and one (`stranger`) that vouches for itself."""
    folder = tmp_path_factory.mktemp("tls")
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "stranger"):
        openssl(folder, "req", "-x509", *new, "-subj", f"/CN={name}",
                "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
                "-keyout", f"{name}.key", "-out", f"{name}.pem")  # fmt: skip
    (folder / "index").touch()
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=own\n[own]\ndatabase=index\nnew_certs_dir=.\nserial=serial\npolicy=any\n"
        "default_md=sha256\ncertificate=ca.pem\nprivate_key=ca.key\nunique_subject=no\n"
        "[any]\ncommonName=supplied\n"
    )
    (folder / "serial").write_text("01\n")
    now = datetime.datetime.now(datetime.UTC)
    for name, names in NAMES.items():
        shift = datetime.timedelta(days=-5 if name == "expired" else 0)
        begin, end = now + shift - datetime.timedelta(days=1), now + shift + datetime.timedelta(days=2)
        openssl(folder, "req", *new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (folder / f"{name}.san").write_text(f"subjectAltName={names}\n")
        openssl(folder, "ca", "-batch", "-config", "ca.cnf", "-in", f"{name}.csr", "-out", f"{name}.pem",
                "-notext", "-extfile", f"{name}.san", "-startdate", f"{begin:%y%m%d%H%M%SZ}",
                "-enddate", f"{end:%y%m%d%H%M%SZ}")  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def gateway(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Every faulty provider has a route on which a good one stands behind it."""
    with ExitStack() as stack:
        config = "[server]\nport = 0\nworkers = 1\n"

        def add(name: str, certificate: str, script: Script) -> None:
            nonlocal config
            pair = (str(certificates / f"{certificate}.pem"), str(certificates / f"{certificate}.key"))
            running = stack.enter_context(Provider(ScriptedUpstream(script, tls=pair)))
            url = running.upstream.base_url
            config += f'[providers.{name}]\nbase_url = "{url}"\nca_file = "{certificates / "ca.pem"}"\n'
            config += 'api_key = "some-credential-0123456789"\n'
            if name != "backup":
                config += f'[models.{name}]\ndeployments = ["{name}/m", "backup/m"]\n'
                config += "timeouts = { connect_s = 1 }\n"

        add("backup", "good", Script(text=TEXT))
        for certificate in ("elsewhere", "expired", "stranger"):
            add(certificate, certificate, Script())
        for fault in FAULTS:
            add(fault, "good", Script(greetings=[Greeting(fault=fault)]))  # type: ignore[arg-type]
        running = Gateway(tmp_path_factory.mktemp("gateway"), config)
        stack.callback(running.close)
        yield running.wait_ready()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("elsewhere", "tls_failed"),
        ("expired", "tls_failed"),
        ("stranger", "tls_failed"),
        ("close", "tls_failed"),
        ("cut", "tls_failed"),
        ("reset", "tls_failed"),
        ("plain", "tls_failed"),
        ("silent", "connect_timeout"),
    ],
)
def test_the_fallback_answers(gateway: Gateway, fault: str, reason: str) -> None:
    body: dict[str, Any] = {"model": fault, "messages": ASKED, "stream": True}
    answer = gateway.post("/v1/chat/completions", body)
    record = gateway.record(answer.headers["x-request-id"])
    assert answer.text == TEXT
    assert [one["reason"] for one in record["attempts"]] == [reason, "ok"]


def test_alone_it_is_a_clear_error(gateway: Gateway) -> None:
    answer = gateway.chat("expired/m")
    assert (answer.status, answer.error["code"]) == (502, "tls_failed")
    assert "expired" in answer.error["message"]
