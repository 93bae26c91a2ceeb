"""A plain nginx in front: with its own defaults (HTTP/1.0 to us), and with kept connections."""

import http.client
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.path.house import HELLO, Gateway, Provider, rule
from tests.path.served import eventually

pytestmark = pytest.mark.services
CONFIG = """
daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream wicket {{ server {address}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://wicket; {lines} }}
  }}
}}
"""
KEPT = 'proxy_http_version 1.1; proxy_set_header Connection "";'


@pytest.fixture(params=["", KEPT], ids=["as it comes", "kept connections"])
def front(request: pytest.FixtureRequest, gateway: Gateway, tmp_path: Path) -> Iterator[int]:
    """The port of an nginx before the server."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("this test needs nginx (Debian: apt-get install nginx-light); .ci/run installs it")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"{gateway.address[0]}:{gateway.address[1]}"
    file = tmp_path / "nginx.conf"
    file.write_text(CONFIG.format(folder=tmp_path, address=address, port=port, lines=request.param))
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen([found, "-p", str(tmp_path), "-c", str(file)], stderr=log)
        try:
            eventually(lambda: listens(port))
            yield port
        finally:
            running.terminate()
            running.wait()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def test_answers_and_streams_pass_unbuffered(gateway: Gateway, provider: Provider, front: int) -> None:
    provider.script(rule("endless", stall_after=2))
    sent = {"authorization": f"Bearer {gateway.key}"}
    connection = http.client.HTTPConnection("127.0.0.1", front, timeout=20)
    for stream in (False, True, False):
        body = json.dumps({"model": "mine/plain", "messages": HELLO, "stream": stream})
        connection.request("POST", "/v1/chat/completions", body, sent)
        response = connection.getresponse()
        got = response.read()
        assert response.status == 200 and (b"[DONE]" in got) is stream and b"Paris" in got
    connection.request(
        "POST",
        "/v1/chat/completions",
        json.dumps({"model": "mine/endless", "messages": HELLO, "stream": True}),
        sent,
    )
    response = connection.getresponse()
    got = b""
    while b" is" not in got:  # it arrives although the stream never ends
        got += response.read1(65_536)
    connection.close()
    response.close()
    provider.until(lambda log: log[-1].client_gone)
