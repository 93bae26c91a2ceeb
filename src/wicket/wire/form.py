"""multipart/form-data read without touching its files, and written again with some fields changed.

The form is read from the whole body, which the server has gathered within its limit; parts are places in it,
so that a file is copied once, into the request that goes on. What two readers could understand differently is
refused or written anew in the plainest form, because a field that the provider sees and we do not would be
a model that a key may not use.

Source: RFC 7578 (form-data), RFC 2046 §5.1.1 (boundaries), WHATWG HTML "multipart/form-data" (escapes).
"""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from wicket.errors import CallerFault
from wicket.wire.fields import Edits

MAX_PARTS = 256
MAX_HEAD_BYTES = 4 * 1024  # of one part
MAX_TEXT_BYTES = 1024 * 1024  # of one field that is no file; all that is not a prompt is far shorter

_TYPE = re.compile(rb"\s*multipart/form-data\s*(?:;(.*))?", re.IGNORECASE | re.DOTALL)
_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_PARAMETER = re.compile(rf'\s*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))\s*(?:;|$)', re.DOTALL)
_HEADER = re.compile(rf"({_WORD}):(.*)")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NAME = re.compile(r'[^"\\\x00-\x1f\x7f]{1,200}')
_PLAIN_CODINGS = frozenset({"binary", "8bit", "7bit"})

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Part(msgspec.Struct, frozen=True):
    """One field. `head` are its header lines as they go out; `start` and `end` are places in the body."""

    name: str
    head: bytes
    start: int
    end: int
    is_file: bool = False


class Form(dict[str, msgspec.Raw]):
    """A form as top-level fields: each text as a JSON string, a file as `{}`; of a repeated one the last.

    A text whose name is in `typed` and that is JSON stands as that, such as `stream`.
    """

    def __init__(self, body: bytes, boundary: bytes, parts: list[Part], typed: Collection[str]) -> None:
        super().__init__()
        self.body = body
        self.boundary = boundary
        self.parts = parts
        for part in parts:
            self[part.name] = msgspec.Raw(b"{}" if part.is_file else _value(body, part, typed))

    @property
    def content_type(self) -> bytes:
        """The header's value for this form, or for one that `edited` made of it."""
        boundary = self.boundary
        if re.fullmatch(_WORD, boundary.decode()):
            return b"multipart/form-data; boundary=%b" % boundary
        return b'multipart/form-data; boundary="%b"' % boundary

    def edited(self, edits: Edits) -> bytes:
        """The form after `edits`, as `wire.fields.splice` has it; contents that are not put stay."""
        put = dict(edits.put)
        pieces: list[bytes | memoryview] = []
        body = memoryview(self.body)
        line = b"--%b\r\n" % self.boundary
        for part in self.parts:
            name, head = part.name, part.head
            if name in edits.remove:
                continue
            renamed = edits.rename.get(name)
            if renamed is not None:
                if renamed in self:
                    continue
                name, head = renamed, _renamed(part, renamed)
            raw = put.pop(name, None)
            content = body[part.start : part.end] if raw is None else _text(raw)
            pieces += [line, head, b"\r\n", content, b"\r\n"]
        for name, raw in put.items():
            pieces += [line, _disposition(name, None), b"\r\n", _text(raw), b"\r\n"]
        pieces.append(b"--%b--\r\n" % self.boundary)
        return b"".join(pieces)


def boundary_of(content_type: bytes) -> bytes | None:
    """The boundary of a form's content type; None if it is no form.

    Raises `CallerFault` for a form without a boundary, or with one that RFC 2046 does not allow.
    """
    found = _TYPE.fullmatch(content_type)
    if found is None:
        return None
    try:
        parameters = (found[1] or b"").decode("ascii") if len(content_type) <= MAX_HEAD_BYTES else ""
        boundary = _parameters(parameters).get("boundary", "")
    except (UnicodeDecodeError, ValueError):
        boundary = ""
    if not _BOUNDARY.fullmatch(boundary):
        raise CallerFault("invalid_form", "The Content-Type of a form needs a boundary (RFC 2046).")
    return boundary.encode()


def read_form(body: bytes, boundary: bytes, *, typed: Collection[str], once: Collection[str]) -> Form:
    """The form in `body`. Raises `CallerFault` for anything else; names in `once` may stand there once."""
    delimiter = b"--" + boundary
    at = 0 if body.startswith(delimiter) else body.find(b"\r\n" + delimiter) + 2
    if at < 2 and not body.startswith(delimiter):
        raise _bad("its boundary is not in it")
    parts: list[Part] = []
    while True:
        at += len(delimiter)
        mark = body[at : at + 2]
        if mark == b"--":
            break
        if mark != b"\r\n":
            raise _bad("a boundary is followed by something else than a line's end")
        end = body.find(b"\r\n" + delimiter, at)
        if end < 0:
            raise _bad("it is cut: its last boundary is missing")
        if len(parts) == MAX_PARTS:
            raise _bad(f"it has more than {MAX_PARTS} parts")
        parts.append(_part(body, at + 2, end))
        at = end + 2
    _check_repeats(parts, once)
    return Form(body, boundary, parts, typed)


def _part(body: bytes, start: int, end: int) -> Part:
    """The part between two delimiters."""
    split = body.find(b"\r\n\r\n", start, min(end + 2, start + MAX_HEAD_BYTES))
    if split < 0:
        raise _bad(f"a part has no headers, or more than {MAX_HEAD_BYTES} bytes of them")
    name, head, is_file = _read_head(body[start:split])
    content = split + 4
    if content > end:  # the blank line is the delimiter's own: an empty content
        raise _bad(f"the part {name!r} has no blank line before its content")
    if not is_file and end - content > MAX_TEXT_BYTES:
        message = f"'{name}' is longer than the {MAX_TEXT_BYTES:,} bytes that a field of a form may have."
        raise CallerFault("invalid_value", message, param=name)
    return Part(name, head, content, end, is_file)


def _read_head(raw: bytes) -> tuple[str, bytes, bool]:
    """A part's name, its header lines as they go out, and whether it is a file."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise _bad("a part's headers are not UTF-8") from None
    disposition, kept, seen = "", b"", set()
    for line in text.split("\r\n"):
        match = _HEADER.fullmatch(line)
        if match is None or _CONTROL.search(line):
            raise _bad("a part's headers are malformed")
        header = match[1].lower()
        if header in seen:
            raise _bad(f"a part has the header {header} twice")
        seen.add(header)
        value = match[2].strip(" \t")
        if header == "content-disposition":
            disposition = value
        elif header == "content-type":
            kept += b"content-type: %b\r\n" % value.encode()
        elif header == "content-transfer-encoding" and value.lower() not in _PLAIN_CODINGS:
            raise _bad("a part is encoded for mail (Content-Transfer-Encoding)")
    kind, _, rest = disposition.partition(";")
    try:
        parameters = _parameters(rest)
    except ValueError:
        parameters = {}
    name = parameters.get("name", "")
    if kind.strip().lower() != "form-data" or not _NAME.fullmatch(name):
        raise _bad("a part has no name, or one with quotes, backslashes or control characters in it")
    filename = parameters.get("filename")
    if filename is None and "filename*" in parameters:
        filename = "file"  # RFC 7578 §4.2: that form is not for forms
    return name, _disposition(name, filename) + kept, filename is not None


def _parameters(text: str) -> dict[str, str]:
    """Parameters of a header's value. Raises `ValueError` for anything else and for repeated ones."""
    found: dict[str, str] = {}
    at = 0
    while text[at:].strip():
        match = _PARAMETER.match(text, at)
        if match is None or match[1].lower() in found:
            raise ValueError(text)
        quoted = match[2]
        value = match[3] if quoted is None else re.sub(r'\\(["\\])', r"\1", quoted)
        found[match[1].lower()] = value
        at = match.end()
    return found


def _disposition(name: str, filename: str | None) -> bytes:
    """The header that names a part, without anything that readers differ about."""
    line = f'content-disposition: form-data; name="{name}"'
    if filename is not None:
        escaped = filename.replace("\\", "%5C").replace('"', "%22")
        line += f'; filename="{escaped}"'
    return line.encode() + b"\r\n"


def _renamed(part: Part, name: str) -> bytes:
    return part.head.replace(f'name="{part.name}"'.encode(), f'name="{name}"'.encode(), 1)


def _check_repeats(parts: list[Part], once: Collection[str]) -> None:
    seen: set[str] = set()
    for part in parts:
        if part.name in once:
            if part.name in seen:
                raise CallerFault("invalid_value", f"'{part.name}' is there twice.", param=part.name)
            if part.is_file:
                raise CallerFault("invalid_type", f"'{part.name}' must be text, not a file.", param=part.name)
            seen.add(part.name)


def _value(body: bytes, part: Part, typed: Collection[str]) -> bytes:
    raw = body[part.start : part.end]
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise CallerFault("invalid_value", f"'{part.name}' is not valid UTF-8.", param=part.name) from None
    if part.name in typed:
        plain = text.strip()
        plain = plain.lower() if plain.lower() in ("true", "false") else plain
        try:
            _decode(plain)
            return plain.encode()
        except (msgspec.DecodeError, RecursionError):
            pass
    return _encode(text)


def _text(raw: bytes) -> bytes:
    """A JSON value as a form has it: a string without its quotation marks, anything else as JSON."""
    value = _decode(raw)
    return value.encode() if isinstance(value, str) else bytes(raw)


def _bad(why: str) -> CallerFault:
    return CallerFault("invalid_form", f"The body is not a well-formed multipart/form-data: {why}.")
