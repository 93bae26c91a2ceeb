"""A worker's house in one process: the real store, verbs, configuration and key table, no supervisor."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from wicket.accounts.callers import Caller, CallerTable, digest
from wicket.accounts.passwords import Hardness
from wicket.accounts.record import Attempt, Record, Usage
from wicket.cli.on_disk import Desk
from wicket.config.load import parse
from wicket.config.snapshot import Snapshot, compile_snapshot
from wicket.gateway.admit import check_live
from wicket.routing.deployment import Deployment
from wicket.server.bearer import read_bearer, unknown_key
from wicket.server.control import carried
from wicket.server.late_app import LateApp
from wicket.store.contents import FOLDER, Contents
from wicket.store.sqlite import SqliteStore
from wicket.supervisor.messages import (
    NOBODY,
    AddCaller,
    Answer,
    Ask,
    Asker,
    EngineState,
    RemoveCaller,
    ToWorker,
)
from wicket.supervisor.reception import Reception
from wicket.supervisor.verbs import answer

QUICK = Hardness(4, 8, 1)  # a password costs nothing here
ADMIN_KEY = "an admin key, for tests only"
CONFIG = """
[providers.mine]
base_url = "http://127.0.0.1:9/v1"
api_key = "a-secret-that-is-never-shown"
models = ["big", "small"]
prices.big = { input = 0.5, output = 1.5 }
[models.best]
deployments = ["mine/big"]
[engines.compact]
model = "smollm2-135m-instruct"
"""


class StoreHouse(Desk):
    """`server.app_house.House` and `supervisor.verbs.House` at once."""

    def __init__(self, folder: Path, config: str = CONFIG) -> None:
        super().__init__(SqliteStore(folder / "wicket.db"), folder)
        parsed = parse(config, {}, source="wicket.toml", base=folder)
        self.snapshot: Snapshot = compile_snapshot(parsed, version=1, engine_sockets={})
        self._reception = Reception(parsed.accounts, QUICK)
        self.callers = CallerTable([Caller(0, "admin", digest(ADMIN_KEY.encode()), is_admin=True)])
        self.engines = {name: EngineState(name, "ready") for name in parsed.engines}
        self.is_ready = True
        self.is_metrics_public = False
        self.cors_origins: tuple[str, ...] = ()
        self.trusted_proxies: tuple[str, ...] = ()
        self.allows_plain_http = False
        self.failure: Exception | None = None
        self.storage = parsed.storage
        self.seal = None
        self.contents = Contents(folder / FOLDER)

    def tell(self, message: ToWorker) -> None:
        if isinstance(message, AddCaller):
            self.callers.add(message.caller)
        elif isinstance(message, RemoveCaller):
            self.callers.remove(message.key_id)

    def status(self) -> dict[str, Any]:
        return {"workers": [{"state": "ready"}], "version": 1}

    def metrics(self) -> str:
        return "wicket_requests_total 0\n"

    def shown_config(self) -> dict[str, Any]:
        return {"source": "wicket.toml"}

    async def reload(self) -> dict[str, Any]:
        return {"changed": False, "version": 1}

    def restart_workers(self) -> dict[str, Any]:
        return {"restarting": 1}

    def authenticate(self, authorization: bytes | None, now_ms: int) -> Caller:
        key = read_bearer(authorization)
        caller = self.callers.find(key)
        if caller is None:
            raise unknown_key(key)
        return check_live(caller, now_ms)

    def engine_states(self) -> Mapping[str, EngineState]:
        return self.engines

    async def engine_card(self, deployment: Deployment) -> dict[str, Any] | None:
        return {"engine": deployment.engine, "scheme": "none"}

    async def ask(self, verb: str, arguments: dict[str, Any], key_id: int, asker: Asker = NOBODY) -> Any:
        """As over the control channel: everything goes through msgpack both ways."""
        if self.failure is not None:
            raise self.failure
        packed = msgspec.msgpack.encode(Ask(1, verb, arguments, key_id, asker))
        reply = await answer(self, msgspec.msgpack.decode(packed, type=Ask))
        got = msgspec.msgpack.decode(msgspec.msgpack.encode(reply), type=Answer)
        if got.fault is not None:
            raise carried(got)
        return got.value

    def keep(self, record: Record) -> None:
        """A request was answered."""
        self.store.insert_records([record])
        self.recent.add([record])


def record(number: int = 1, **changes: Any) -> Record:
    """A record whose request began a moment ago."""
    now_ms = int(time.time() * 1000) - 1000
    made = Record(
        id=(now_ms << 21) + number,
        started_ms=now_ms,
        key_id=0,
        api="chat.completions",
        model="best",
        deployment="mine/big",
        served_model="big-1",
        status=200,
        outcome="ok",
        is_stream=False,
        usage=Usage(input_tokens=10, output_tokens=5),
        cost_nanos=12_500,
        charge_nanos=12_500,
        first_token_us=2_000,
        total_us=30_000,
        attempts=[Attempt("mine/big", 200, "", 10, 2_000, 30_000, 12_500, Usage(10, 5))],
        price_row="mine/big@test",
    )
    return msgspec.structs.replace(made, **changes)


@contextmanager
def serving(house: StoreHouse) -> Iterator[tuple[str, int]]:
    """The app behind a real server on a free port, in a thread."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # who connects before the server has started waits
    config = uvicorn.Config(
        LateApp(house, tuple),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        house.close()


class Browser:
    """Asks one server; keeps nothing open."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address

    def ask(
        self, method: str, path: str, body: Any = None, key: str = ADMIN_KEY, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers with lower-cased names, and the decoded body (text if it isn't JSON)."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            sent["authorization"] = f"Bearer {key}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection(*self.address, timeout=10)
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            text = response.read().decode()
            got = {name.lower(): value for name, value in response.getheaders()}
        finally:
            connection.close()
        is_json = got.get("content-type", "").startswith("application/json") and text
        return response.status, got, json.loads(text) if is_json else text


class Tab:
    """A browser's tab on our own page: keeps cookies, repeats the token, says where it is."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._browser = Browser(address)
        self.host = f"127.0.0.1:{address[1]}"
        self.cookies: dict[str, str] = {}
        self.csrf = ""

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and body; a header given as "" is left out."""
        sent = {"origin": f"http://{self.host}", "sec-fetch-site": "same-origin"}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            sent["content-type"] = "application/json"
        if self.csrf:
            sent["x-wicket-csrf"] = self.csrf
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in sent.items() if value}
        status, got, answer = self._browser.ask(method, path, body, "", **kept)
        self.last = got
        name, _, rest = got.get("set-cookie", "").partition("=")
        if name:
            value = rest.partition(";")[0].strip('"')
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        return status, answer

    def enter(self, path: str, **body: Any) -> tuple[int, Any]:
        """Sign up or in, and remember the token."""
        status, answer = self.ask("POST", f"/auth/v1/{path}", body)
        self.csrf = answer.get("csrf", "")
        return status, answer

    @property
    def session(self) -> str:
        """The cookie's text."""
        [text] = self.cookies.values()
        return text
