"""What opens doors: keys, tokens, passwords, addresses with a password in them. Found by their form.

Forms are the ones that issuers publish (prefix, alphabet, length), RFC 7468 (PEM), RFC 7519 (JWT), RFC 6750
(bearer) and RFC 3986 §3.2.1 (user information in a URL).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]

# The group that is the secret is the last one that matched; without groups it is the whole match.
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----[\w+/=\s\\:,.-]*?"
    r"(?:-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----|\Z)"
)
_URL = re.compile(
    r"(?<![\w.+-])[A-Za-z][A-Za-z0-9.+-]{0,20}://[^\s/?#@:\"'<>]{0,256}:[^\s/?#@\"'<>]{1,256}@[^\s\"'<>]+"
)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*){0,3}", re.ASCII)
_SCHEME = re.compile(r"\b(?:bearer|basic|digest|token)\s+([A-Za-z0-9._~+/-]{16,}={0,2})", re.I | re.ASCII)
_ISSUED = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    r"sk-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, OpenRouter, DeepSeek
    r"|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}"  # Stripe
    r"|whsec_[A-Za-z0-9+/=]{16,}"
    r"|gh[opsur]_[A-Za-z0-9]{30,}|github_pat_\w{22,}|glpat-[\w-]{20,}"  # GitHub, GitLab
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}"  # Slack
    r"|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"  # AWS
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,}"  # Google
    r"|hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{30,}|pplx-[A-Za-z0-9]{20,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|key-[0-9a-f]{32}"  # SendGrid, Mailgun
    r"|npm_[A-Za-z0-9]{36}|pypi-[\w-]{30,}|do[opr]_v1_[0-9a-f]{64}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"
    r"|(?:AC|SK)[0-9a-f]{32}|\d{8,10}:AA[\w-]{32,}"  # Twilio, Telegram
    r"|wk-[0-9a-hjkmnp-tv-z]{32}|wk-admin-[\w-]{20,}"  # Wicket
    r")(?![A-Za-z0-9])",
    re.ASCII,
)
_HOOK = re.compile(
    r"https://hooks\.slack\.com/[\w/]+|https://discord(?:app)?\.com/api/webhooks/[\w/-]+", re.ASCII
)
_ASSIGNED = re.compile(
    r"(?<![A-Za-z])(?:pass(?:word|wd|phrase)?|pwd|passcode)[\"']?\s*[=:]\s*[\"']?([^\s\"'<>,;\[]{4,256})"
    r"|(?:secret|(?:api|access|account|auth|private)[_ -]?key|client[_ -]?secret"
    r"|[a-z]{0,12}[_-]?token|sig|signature)[\"']?\s*[=:]\s*[\"']?([A-Za-z0-9._~+/%-]{8,512}={0,2})",
    re.I | re.ASCII,
)
_HAS_DIGIT = re.compile(r"\d", re.ASCII)


def private_keys(text: str) -> Iterator[Span]:
    """PEM private keys, also cut ones."""
    if "PRIVATE KEY" in text:
        yield from (match.span() for match in _PRIVATE_KEY.finditer(text))


def urls(text: str) -> Iterator[Span]:
    """URLs with a user and a password."""
    if "://" in text:
        yield from (match.span() for match in _URL.finditer(text))


def tokens(text: str) -> Iterator[Span]:
    """Keys and tokens of known issuers, JWTs, what follows "Bearer", what is assigned to a telling name."""
    for pattern in (_JWT, _ISSUED, _HOOK):
        yield from (match.span() for match in pattern.finditer(text))
    for match in _SCHEME.finditer(text):
        if _HAS_DIGIT.search(match[1]):
            yield match.span(1)
    for match in _ASSIGNED.finditer(text):
        place = match.lastindex or 0
        if place == 1 or _HAS_DIGIT.search(match[place]):
            yield match.span(place)
