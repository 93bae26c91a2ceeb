import socket
from contextlib import closing

import pytest

from wicket.errors import OperatorFault
from wicket.supervisor.listener import base_url, listen


def test_a_free_port_is_taken_and_named() -> None:
    with closing(listen("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert base_url(listener) == f"http://127.0.0.1:{port}"
        assert not listener.get_inheritable()
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            assert client.getpeername()[1] == port


def test_ipv6_is_written_with_brackets() -> None:
    try:
        listener = listen("::1", 0)
    except OperatorFault:
        pytest.skip("this machine has no IPv6")
    with closing(listener):
        assert base_url(listener).startswith("http://[::1]:")


def test_a_busy_port_names_a_way_out() -> None:
    with closing(listen("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(OperatorFault, match=f"{port}.*taken.*--port {port + 1}"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host.invalid"])
def test_a_foreign_address_names_a_way_out(host: str) -> None:
    with pytest.raises(OperatorFault, match=r"--host 127\.0\.0\.1"):
        listen(host, 0)
