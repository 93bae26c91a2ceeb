"""The supervisor with real processes, sockets and a real database; the workers are stand-ins."""

import json
import os
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.path.served import Served, eventually
from tests.path.stand_in import REFUSE

Start = Callable[..., Served]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "wicket.toml"
    path.write_text("[server]\nport = 0\nworkers = 1\n")
    return path


@pytest.fixture
def start(home: Path, config: Path) -> Iterator[Start]:
    running: list[Served] = []

    def begin(**options: object) -> Served:
        running.append(Served(home, config, **options))  # type: ignore[arg-type]
        return running[-1]

    yield begin
    for served in running:
        served.close()


def recorded(home: Path) -> set[int]:
    with closing(sqlite3.connect(home / "wicket.db")) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM records")}


def refuses(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_the_first_start_says_everything_and_a_later_one_where_the_key_is(start: Start, home: Path) -> None:
    served = start().wait_ready()
    key = (home / "admin.key").read_text().strip()
    said = "\n".join(served.said)
    assert key in said and f"curl {served.url}/v1/chat/completions" in said and str(home) in said
    facts = json.loads((home / "server.json").read_text())
    assert facts == {
        "pid": served.process.pid,
        "url": served.url,
        "admin_key_file": str(home / "admin.key"),
    }
    assert (home / "server.json").stat().st_mode & 0o777 == 0o600
    served.signal(signal.SIGTERM)
    assert served.wait() == 0
    assert not (home / "server.json").exists()

    again = start().wait_ready()
    said = "\n".join(again.said)
    assert key not in said and str(home / "admin.key") in said


def test_sigterm_finishes_what_is_under_way(start: Start) -> None:
    served = start().wait_ready()
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as under_way:
        under_way.sendall(b"GET /draining HTTP/1.1\r\n\r\n")
        served.get("/pid")  # connections are taken in order, so the one before has been taken as well
        served.signal(signal.SIGTERM)
        with under_way.makefile("rb") as answer:
            assert answer.read().endswith(b'"drained"')
    assert served.wait() == 0
    assert refuses(served.url)


def test_a_killed_worker_is_replaced_and_the_socket_never_refuses(start: Start) -> None:
    served = start().wait_ready()
    first = served.get("/pid")
    os.kill(first, signal.SIGKILL)
    second = served.get("/pid")  # waits in the backlog for the new worker
    assert second != first
    served.wait_line(rf"process {first}\) was ended by SIGKILL; a new one starts now")
    assert served.ask("status")["worker_restarts"] == 1


def test_a_killed_supervisor_leaves_no_worker_and_loses_no_record(start: Start, home: Path) -> None:
    served = start().wait_ready()
    ids = set(served.get("/record/500"))
    served.process.kill()
    assert served.process.wait() == -signal.SIGKILL
    eventually(lambda: refuses(served.url))

    again = start().wait_ready()
    ids |= set(again.get("/record/3"))
    eventually(lambda: recorded(home) == ids)
    assert again.ask("usage")["requests"] == 503  # counted once each


def test_records_that_a_stopped_supervisor_never_read_are_in_the_spool(start: Start, home: Path) -> None:
    served = start().wait_ready()
    served.signal(signal.SIGSTOP)
    ids = set(served.get("/record/700"))
    served.process.kill()
    served.process.wait()
    eventually(lambda: refuses(served.url))

    again = start().wait_ready()
    assert recorded(home) >= ids
    assert {record[0] for record in again.ask("logs", limit=1000)["records"]} == ids


def test_a_busy_port_is_one_line(start: Start, config: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        config.write_text(f"[server]\nport = {port}\n")
        served = start()
        assert served.wait() == 1
    assert len(served.said) == 1
    assert f"Port {port}" in served.said[0] and "--port" in served.said[0]


def test_a_home_that_cannot_be_written_is_one_line(tmp_path: Path, config: Path) -> None:
    blocker = tmp_path / "file"
    blocker.touch()
    served = Served(blocker / "home", config)
    assert served.wait() == 1
    assert len(served.said) == 1 and "WICKET_HOME" in served.said[0]


def test_a_wrong_configuration_names_every_mistake(start: Start, config: Path, home: Path) -> None:
    config.write_text("[server]\nport = 99999\nwrokers = 2\n")
    served = start()
    assert served.wait() == 1
    assert len(served.said) == 2
    assert f"{config}:2" in served.said[0] and f"{config}:3" in served.said[1]
    assert not (home / "admin.key").exists()


def test_a_database_of_a_newer_version_is_refused(start: Start, home: Path) -> None:
    first = start().wait_ready()
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    with closing(sqlite3.connect(home / "wicket.db")) as connection:
        connection.execute("PRAGMA user_version = 999")
    served = start()
    assert served.wait() == 1
    assert "newer Wicket" in served.said[-1]


def test_two_supervisors_do_not_share_a_home(start: Start) -> None:
    first = start().wait_ready()
    second = start()
    assert second.wait() == 1
    assert len(second.said) == 1
    assert f"process {first.process.pid}" in second.said[0] and first.url in second.said[0]
    assert first.get("/pid")


def test_a_good_new_file_is_in_force_everywhere(start: Start, config: Path) -> None:
    served = start().wait_ready()
    pid = served.get("/pid")
    config.write_text(
        "[server]\nport = 0\nworkers = 2\n"
        '[providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\nauth = "none"\n'
        '[models.quick]\ndeployments = ["mine/x"]\n'
    )
    served.signal(signal.SIGHUP)
    served.wait_line("configuration 2 is in force")
    assert served.get("/config")["models"] == ["quick"]
    eventually(lambda: len(served.ask("status")["workers"]) == 2)
    assert pid in {worker["pid"] for worker in served.ask("status")["workers"]}


def test_a_change_of_the_file_is_noticed_and_a_bad_one_changes_nothing(start: Start, config: Path) -> None:
    served = start().wait_ready()
    config.write_text("[server]\nport = 0\nwrokers = 1\n")
    served.wait_line("the configuration stays as it was")
    served.wait_line("wrokers")
    status = served.ask("status")
    assert status["config"]["version"] == 1 and "wrokers" in status["config"]["fault"]
    assert served.ask("config.reload")["status"] == 503
    config.write_text("[server]\nport = 4999\nworkers = 1\n")
    served.wait_line("configuration 2 is in force")
    served.wait_line("server.port: takes effect at the next start")
    assert served.ask("status")["config"] == {
        "version": 2,
        "path": str(config),
        "fault": "",
        "needs_restart": ["server.port"],
    }


def test_a_key_is_known_and_revoked_everywhere_within_a_second(start: Start, config: Path) -> None:
    config.write_text("[server]\nport = 0\nworkers = 2\n")
    served = start().wait_ready()
    made = served.ask("keys.create", name="ada", team="t")
    assert made["key"].startswith("wk-") and made["id"] and made["name"] == "ada"
    names = lambda: [served.get("/callers") for _ in range(20)]  # noqa: E731  both workers get a turn
    eventually(lambda: all(known == ["ada", "admin"] for known in names()), limit_s=1)
    assert served.ask("keys.revoke", id=made["id"])["revoked_at"]
    eventually(lambda: all(known == ["admin"] for known in names()), limit_s=1)
    [listed] = served.ask("keys.list")
    assert listed["id"] == made["id"] and "key" not in listed
    assert served.ask("keys.revoke", id="key_nobody")["status"] == 404


def test_a_rolling_restart_replaces_every_worker_and_drops_nothing(start: Start, config: Path) -> None:
    config.write_text("[server]\nport = 0\nworkers = 2\n")
    served = start().wait_ready()
    eventually(lambda: all(w["state"] == "ready" for w in served.ask("status")["workers"]))
    before = {worker["pid"] for worker in served.ask("status")["workers"]}
    made = served.ask("keys.create", name="kept")
    served.signal(signal.SIGUSR2)
    answers: list[object] = []
    while not (before.isdisjoint(w["pid"] for w in served.ask("status")["workers"])):
        answers.append(served.get("/callers"))
    assert all(known == ["admin", "kept"] for known in answers) and made["id"]
    assert len(served.ask("status")["workers"]) == 2
    served.wait_line("all workers are new")


def test_a_rolling_restart_that_fails_leaves_the_old_workers(start: Start, home: Path) -> None:
    served = start().wait_ready()
    pid = served.get("/pid")
    (home / REFUSE).touch()
    served.signal(signal.SIGUSR2)
    served.wait_line("did not get ready; the old ones stay")
    assert served.get("/pid") == pid


def test_workers_that_keep_dying_are_started_ever_more_slowly(start: Start, home: Path) -> None:
    served = start().wait_ready()
    (home / REFUSE).touch()
    os.kill(served.get("/pid"), signal.SIGKILL)
    for delay in ("now", "in 0.25 s", "in 0.5 s"):
        served.wait_line(f"a new one starts {delay}$")
    (home / REFUSE).unlink()
    assert served.get("/pid")


def test_a_start_whose_workers_all_die_ends_with_one_line(start: Start, home: Path) -> None:
    home.mkdir()
    (home / REFUSE).touch()
    served = start()
    assert served.wait() == 1
    assert served.said[-1].startswith("wicket: No worker gets ready")


def test_a_second_signal_stops_at_once(start: Start) -> None:
    served = start().wait_ready()
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as silent:
        silent.sendall(b"GET /never")  # never whole, so it is never answered
        served.get("/pid")
        served.signal(signal.SIGTERM)
        eventually(lambda: refuses(served.url))
        served.signal(signal.SIGTERM)
        assert served.wait() == 0  # long before the 30 s that a drain may take


def test_records_can_be_followed_and_fetched(start: Start) -> None:
    served = start().wait_ready()
    mark = served.ask("logs", after=None)["last"]
    [one, two] = served.get("/record/2")
    eventually(lambda: served.ask("logs", after=mark)["last"] == mark + 2)
    found = served.ask("logs", after=mark)
    assert [record[0] for record in found["records"]] == [two, one]
    assert served.ask("logs", after=mark, outcome="failed")["records"] == []
    assert served.ask("requests.get", id=one)[0] == one
    assert served.ask("requests.get", id=5) is None
    text = served.ask("metrics")
    assert 'deployment="d/m"' in text and "wicket_workers 1" in text


def test_a_backup_is_a_database_with_everything_in_it(start: Start, tmp_path: Path) -> None:
    served = start().wait_ready()
    ids = set(served.get("/record/4"))
    eventually(lambda: recorded(served.home) == ids)
    target = tmp_path / "copy.db"
    assert served.ask("backup", path=str(target))["bytes"] == target.stat().st_size
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (4,)
    assert served.ask("backup", path=str(target))["fault"] == "backup_exists"
    assert served.ask("backup", path="relative.db")["fault"] == "relative_path"
