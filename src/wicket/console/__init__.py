"""The page at `/`: files for a browser, read once when somebody first asks for one of them."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec

INDEX = "index.html"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset(msgspec.Struct, frozen=True):
    """One file: its bytes, the same gzipped, its media type, and a tag that changes with its content."""

    body: bytes
    packed: bytes
    media_type: str
    etag: str


@cache
def assets() -> dict[str, Asset]:
    """Every file by its path below `static/`, with forward slashes: what is not here does not exist."""
    return {path: _asset(path, entry.read_bytes()) for path, entry in _files(resources.files(__name__), "")}


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    place = folder.joinpath("static") if not prefix else folder
    for entry in place.iterdir():
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _files(entry, f"{path}/")
        elif "." + path.rpartition(".")[2] in _KINDS:
            yield path, entry


def _asset(path: str, body: bytes) -> Asset:
    kind = _KINDS["." + path.rpartition(".")[2]]
    return Asset(body, gzip.compress(body, 9, mtime=0), kind, f'"{hashlib.sha256(body).hexdigest()[:20]}"')
