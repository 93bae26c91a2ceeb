"""The command line's HTTP client: the standard library's, over TCP, TLS or a Unix socket."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

from wicket.errors import CallerFault, Fault, OperatorFault, UpstreamBroken
from wicket.wire.json import DecodeError, decode, encode
from wicket.wire.sse import FrameSplitter, payload

CONNECT_S = 5.0
COMMAND_AGENT = "wicket-cli"  # what the audit log knows a command by
_READ_BYTES = 65_536
_MAX_SHOWN = 200


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket at `path`."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """One server. A connection per request: simple, and fast enough for a person.

    `url` is where the server is, with or without `/v1`; with `socket_path` it only names the server.
    """

    def __init__(self, url: str, key: str = "", *, socket_path: str = "", timeout_s: float = 600.0) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            message = f"{url!r} is not an address; it looks like http://127.0.0.1:4242"
            raise CallerFault("invalid_url", message)
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._host, self._port, self._is_tls = (
            parts.hostname,
            _port(parts.netloc, url),
            parts.scheme == "https",
        )
        self._prefix = parts.path.rstrip("/").removesuffix("/v1")
        self.key = key
        self._socket_path = socket_path
        self.is_local = bool(socket_path)
        self._timeout_s = timeout_s
        self.request_id = ""  # that of the newest answer, a fault's too; one thread at a time

    @property
    def base_url(self) -> str:
        """What an SDK is given as its base URL."""
        return f"{self.url}{self._prefix}/v1"

    def twin(self) -> Client:
        """The same server and key, for another thread."""
        return Client(
            self.url + self._prefix, self.key, socket_path=self._socket_path, timeout_s=self._timeout_s
        )

    def call(
        self, method: str, path: str, *, body: Any = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """The decoded JSON answer. Raises the server's fault, or `OperatorFault` if none can be reached."""
        with self._open(method, path, body, query) as response:
            data = response.read()
        try:
            return decode(data)
        except DecodeError:
            raise UpstreamBroken("malformed", f"{self.url} did not answer with JSON; is it Wicket?") from None

    def events(
        self, method: str, path: str, *, body: Any = None, query: Mapping[str, str] | None = None
    ) -> Generator[tuple[bytes, Mapping[str, str]], None, None]:
        """Each server-sent event's data, with the answer's headers. Raises as `call` does, also midway."""
        with self._open(method, path, body, query) as response:
            headers = {name.lower(): value for name, value in response.getheaders()}
            splitter = FrameSplitter()
            while data := response.read1(_READ_BYTES):
                for frame in splitter.feed(data):
                    content = payload(frame)
                    if content:
                        yield content, headers
            if splitter.finish():
                raise UpstreamBroken("cut", "The stream was cut in the middle of an event.")

    def lines(self, method: str, path: str, *, query: Mapping[str, str] | None = None) -> Iterator[Any]:
        """Each document of an answer of JSON lines. Raises as `call` does, also midway."""
        with self._open(method, path, None, query) as response:
            for line in response:
                document = decode(line)
                fault = fault_in(document)
                if fault is not None:
                    raise fault
                yield document

    @contextmanager
    def _open(
        self, method: str, path: str, body: Any, query: Mapping[str, str] | None
    ) -> Iterator[http.client.HTTPResponse]:
        target = self._prefix + path + (f"?{urlencode(query)}" if query else "")
        connection = self._connection()
        self.request_id = ""
        try:
            connection.connect()
            if connection.sock is not None:
                connection.sock.settimeout(self._timeout_s)
            connection.request(method, target, *self._content(body))
            response = connection.getresponse()
            self.request_id = response.getheader("x-request-id") or ""
            if response.status >= 400:
                raise fault_of(response.status, response.read())
            with response:
                yield response
        except http.client.IncompleteRead:
            raise UpstreamBroken("cut", "The server's answer was cut.") from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            message = (
                f"No answer from {self.url} ({reason}). `wicket serve` starts a server; --url names another."
            )
            raise OperatorFault("server_unreachable", message) from None
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._socket_path:
            return UnixConnection(self._socket_path, CONNECT_S)
        if self._is_tls:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=CONNECT_S, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_S)

    def _content(self, body: Any) -> tuple[bytes | None, dict[str, str]]:
        headers = {"accept": "application/json", "connection": "close", "user-agent": COMMAND_AGENT}
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        if body is None:
            return None, headers
        return encode(body), {**headers, "content-type": "application/json"}


def fault_in(document: Any) -> Fault | None:
    """The fault that an answer or an event of a stream holds; None if it holds none."""
    error = document.get("error") if isinstance(document, dict) else None
    if not error:
        return None
    if not isinstance(error, dict):
        return Fault("error", str(error)[:_MAX_SHOWN])
    return Fault(str(error.get("code") or "error"), str(error.get("message") or "no message"))


def fault_of(status: int, data: bytes) -> Fault:
    """The fault that an unsuccessful answer holds."""
    try:
        fault = fault_in(decode(data))
    except DecodeError:
        fault = None
    if fault is None:
        text = data.decode("utf-8", "replace").strip()[:_MAX_SHOWN]
        fault = Fault("no_fault", f"The server answered with status {status}: {text or 'nothing'}")
    fault.status = status
    return fault


def _port(netloc: str, url: str) -> int | None:
    try:
        return urlsplit(f"//{netloc}").port
    except ValueError:
        raise CallerFault("invalid_url", f"{url!r} has no valid port.") from None
