"""TLS from the server to its providers: verified against the authority of the file, never without."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.path.house import SECRET, Gateway, Provider
from wicket.upstream.scripted import ScriptedUpstream


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, one more that nobody trusts, and a certificate for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    for name in ("ca", "other"):
        openssl(
            folder,
            "req",
            "-x509",
            *new,
            "-subj",
            f"/CN={name}",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.pem",
        )
    openssl(folder, "req", *new[:-2], "-subj", "/CN=up", "-keyout", "up.key", "-out", "up.csr")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(
        folder, "x509", "-req", "-in", "up.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-days", "2", "-extfile", "san", "-out", "up.pem",
    )  # fmt: skip
    return folder


@pytest.fixture
def secure(authority: Path) -> Any:
    certificate = (str(authority / "up.pem"), str(authority / "up.key"))
    with Provider(ScriptedUpstream(tls=certificate)) as running:
        yield running


@pytest.mark.parametrize(("ca", "status"), [("ca.pem", 200), ("other.pem", 502), ("", 502)])
def test_a_provider_is_verified(
    open_gateway: Callable[..., Gateway], secure: Provider, authority: Path, ca: str, status: int
) -> None:
    line = f'ca_file = "{authority / ca}"\n' if ca else ""
    url = secure.upstream.base_url
    served = open_gateway(
        f'[server]\nport = 0\n[providers.mine]\nbase_url = "{url}"\napi_key = "{SECRET}"\n{line}'
    )
    answer = served.chat()
    assert answer.status == status
    if status == 502:
        assert answer.error["code"] == "tls_failed" and secure.log == []
    assert SECRET not in served.heard()
