"""Media by address, as several dialects take them: a URL, or the data themselves in a data URL (RFC 2397)."""

from __future__ import annotations

import base64
import binascii
import re

from wicket.dialects.hub import Media
from wicket.wire.node import wrong_value

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.ASCII)


def from_url(url: str, media: Media, path: str) -> Media:
    """`media` with what a URL or a base64 data URL says. Raises `CallerFault`."""
    if not url.startswith("data:"):
        if not url.startswith(("http://", "https://", "gs://")):
            raise wrong_value(path, "must be an http(s) URL or a data URL")
        media.url = url
        return media
    match = _DATA_URL.match(url)
    if match is None or not match[3]:
        raise wrong_value(path, "is not a base64 data URL (data:image/png;base64,…)")
    media.media_type = (match[1] or "").lower()
    media.data = checked(url[match.end() :], path)
    return media


def checked(data: str, path: str) -> str:
    """Base64 that is some. Raises `CallerFault`."""
    try:
        if base64.b64decode(data, validate=True):
            return data
    except (binascii.Error, ValueError):
        pass
    raise wrong_value(path, "is not base64")
