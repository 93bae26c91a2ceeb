"""Reading one file of recordings, in the forms that recorders write.

- vcrpy and its kin (YAML or JSON): `{"interactions": [{"request": …, "response": …}]}`; a body is text,
  bytes, `{"string": …}`, `{"base64_string": …}`, or stands parsed in `parsed_body`.
- go-vcr (YAML): `url` and `code` in place of `uri` and `status.code`.
- Wicket's own (JSON, or JSONL with one interaction a line): a body is any JSON value; text that isn't JSON
  stands in `body_text`, bytes in `body_base64`.

Bodies come out without their content coding, whatever the headers still say.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import msgspec

from wicket.recordings.hosts import provider_of
from wicket.recordings.recording import Headers, Message, Recording
from wicket.wire import json

SUFFIXES = (".yaml", ".yml", ".json", ".jsonl")
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_BODY_BYTES = 256 * 1024 * 1024
_GZIP = b"\x1f\x8b"


class Unreadable(Exception):
    """A file, or an interaction in it, that can't be read; the text says why."""


def read(file: str, data: bytes) -> Iterator[Recording]:
    """The interactions of a file called `file`, in order. Raises `Unreadable`."""
    if len(data) > MAX_FILE_BYTES:
        raise Unreadable(f"it is larger than {MAX_FILE_BYTES >> 20} MiB")
    for number, interaction in enumerate(_interactions(file, data)):
        yield _recording(file, number, interaction)


def _interactions(file: str, data: bytes) -> list[Any]:
    suffix = PurePath(file).suffix.lower()
    if suffix == ".jsonl":
        lines = [line for line in data.splitlines() if line.strip()]
        return [_decode_json(line) for line in lines]
    document = _decode_json(data) if suffix == ".json" else _decode_yaml(data)
    if isinstance(document, dict) and "request" in document:
        return [document]
    found = document.get("interactions") if isinstance(document, dict) else document
    if not isinstance(found, list) or not found:
        kept = ", ".join(map(str, document)) if isinstance(document, dict) else "nothing"
        raise Unreadable(f"it has no interactions (but {kept})")
    return found


def _decode_json(data: bytes) -> Any:
    try:
        return json.decode(data)
    except msgspec.DecodeError as error:
        raise Unreadable(f"it is not JSON: {error}") from None


def _decode_yaml(data: bytes) -> Any:
    try:
        import yaml  # needed by nobody but whoever reads recordings
    except ModuleNotFoundError:
        raise Unreadable("reading YAML needs PyYAML: pip install 'wicket[recordings]'") from None
    loader = getattr(
        yaml, "CSafeLoader", yaml.SafeLoader
    )  # libyaml, where the wheel has it, is ten times faster
    try:
        return yaml.load(data, loader)  # noqa: S506  # both loaders build plain values only
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(f"it is not YAML: {str(error).splitlines()[0]}") from None


def _recording(file: str, number: int, interaction: Any) -> Recording:
    try:
        request, response = interaction["request"], interaction["response"]
        url = str(request.get("uri") or request["url"])
        return Recording(
            file=file,
            number=number,
            provider=str(interaction.get("provider") or provider_of(url)),
            method=str(request.get("method") or "GET").upper(),
            url=url,
            request=_message(request),
            status=_status(response),
            response=_message(response),
        )
    except Unreadable:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Unreadable(f"interaction {number} has another form than known: {error!r}") from None


def _status(response: Mapping[str, Any]) -> int:
    status = response.get("code") or response.get("status_code") or response.get("status")
    if isinstance(status, Mapping):
        status = status["code"]
    number = int(str(status).split()[0])
    if not 100 <= number <= 599:
        raise ValueError(f"status {number}")
    return number


def _message(message: Mapping[str, Any]) -> Message:
    headers = _headers(message.get("headers") or {})
    body, is_raw = _body(message)
    return Message(headers, _uncoded(headers, body) if is_raw else body, is_raw)


def _headers(headers: Any) -> Headers:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    several = ((name, value if isinstance(value, list) else [value]) for name, value in pairs)
    return tuple((_text(name).lower(), _text(one)) for name, values in several for one in values)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _body(message: Mapping[str, Any]) -> tuple[bytes, bool]:
    if "parsed_body" in message:
        return json.encode(message["parsed_body"]), False
    if "body_text" in message:
        return str(message["body_text"]).encode(), True
    if "body_base64" in message:
        return base64.b64decode(message["body_base64"]), True
    body = message.get("body")
    if isinstance(body, Mapping) and set(body) <= {"string", "base64_string", "encoding"} and body:
        if "base64_string" in body:
            return base64.b64decode(body["base64_string"]), True
        body = body.get("string")
    if body is None:
        return b"", True
    if isinstance(body, bytes):
        return body, True
    if isinstance(body, str):
        return body.encode("utf-8", "surrogateescape"), True
    return json.encode(body), False


def _uncoded(headers: Headers, body: bytes) -> bytes:
    """The body without gzip or deflate, told by its first bytes too: recorders decode and keep the header."""
    codings = [value.lower() for name, value in headers if name == "content-encoding"]
    coding = codings[0] if codings else ""
    try:
        if body.startswith(_GZIP):
            return _inflate(zlib.decompressobj(wbits=31), body)
        if coding == "deflate" and body[:1] == b"\x78":
            return _inflate(zlib.decompressobj(), body)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise Unreadable(f"its {coding or 'gzip'} body can't be decompressed: {error}") from None
    if coding in ("br", "zstd") and not _looks_decoded(body):
        raise Unreadable(f"its body is still compressed with {coding}")
    return body


def _inflate(inflate: Any, body: bytes) -> bytes:
    data: bytes = inflate.decompress(body, MAX_BODY_BYTES)
    if inflate.unconsumed_tail:
        raise Unreadable(f"its body is larger than {MAX_BODY_BYTES >> 20} MiB when decompressed")
    return data


def _looks_decoded(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
