from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from wicket.cli.discovery import find_server
from wicket.errors import OperatorFault
from wicket.supervisor.home import HomeLock, prepare, write_private

URL = "http://127.0.0.1:4242"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    prepare(home)
    write_private(home / "admin.key", "the-local-admin-key-of-this-home\n")
    return home


def options(url: str = "", api_key: str = "") -> argparse.Namespace:
    return argparse.Namespace(url=url, api_key=api_key)


def test_without_a_server_there_is_none(home: Path) -> None:
    assert find_server(options(), {"WICKET_HOME": str(home)}) is None


def test_a_running_server_is_found_with_its_key(home: Path) -> None:
    lock = HomeLock(home)
    lock.write_server_file({"pid": 1, "url": URL, "admin_key_file": str(home / "admin.key")})
    try:
        client = find_server(options(), {"WICKET_HOME": str(home), "WICKET_ADMIN_KEY": "of another server"})
        assert client is not None
        assert (client.url, client.key) == (URL, "the-local-admin-key-of-this-home")
    finally:
        lock.release()


def test_a_server_that_is_starting_is_said_to_be(home: Path) -> None:
    lock = HomeLock(home)
    try:
        with pytest.raises(OperatorFault) as caught:
            find_server(options(), {"WICKET_HOME": str(home)})
        assert caught.value.code == "server_starting"
    finally:
        lock.release()


def test_options_go_before_variables(home: Path) -> None:
    environ = {"WICKET_HOME": str(home), "WICKET_URL": "http://a:1", "WICKET_API_KEY": "from the variable"}
    client = find_server(options(), environ)
    assert client is not None
    assert (client.url, client.key) == ("http://a:1", "from the variable")
    client = find_server(options("http://b:2", "from the option"), environ)
    assert client is not None
    assert (client.url, client.key) == ("http://b:2", "from the option")


def test_the_local_key_goes_to_the_local_server_only(home: Path) -> None:
    lock = HomeLock(home)
    lock.write_server_file({"pid": 1, "url": URL})
    try:
        near = find_server(options(URL), {"WICKET_HOME": str(home)})
        far = find_server(options("http://elsewhere.example"), {"WICKET_HOME": str(home)})
        assert near is not None and far is not None
        assert near.key == "the-local-admin-key-of-this-home"
        assert far.key == ""
    finally:
        lock.release()
