"""What types can't say: references, names and values that must fit each other."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from urllib.parse import urlsplit

import wicket.dialects
from wicket.config.accounts import check_accounts, check_proxies
from wicket.config.automatic import AUTO_NAME
from wicket.config.check_model import DEFAULT_NAME, check_model
from wicket.config.lines import Path
from wicket.config.local_models import KNOWN, is_bare_name
from wicket.config.mistakes import Mistakes, did_you_mean, printable
from wicket.config.schema import File, ProviderTable, Server
from wicket.config.tasks import check_tasks

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 §5.6.2
_FRAMING = frozenset({"host", "connection", "content-length", "content-type", "transfer-encoding", "te"})
_ORIGIN = re.compile(r"\*|https?://[^\s/?#@]+")
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")


def known_dialects() -> list[str]:
    """The files of `dialects` that are dialects: those with `APIS`."""
    return _modules(wicket.dialects, "APIS")


def _modules(package: ModuleType, mark: str) -> list[str]:
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return [name for name in names if hasattr(import_module(f"{package.__name__}.{name}"), mark)]


def check_file(file: File, rows: Iterable[str], mistakes: Mistakes) -> None:
    """Note everything that is wrong between and within the sections of `file`."""
    _check_server(file.server, mistakes)
    check_proxies(file.server, mistakes)
    check_accounts(file.accounts, mistakes)
    for name in file.accounts.oidc:
        _check_name(("accounts", "oidc", name), name, mistakes)
    row_names = set(rows)
    for name, provider in file.providers.items():
        _check_name(("providers", name), name, mistakes)
        if name in file.engines:
            mistakes.add(("providers", name), "an engine has the same name: rename one of them")
        _check_provider(("providers", name), name, provider, row_names, mistakes)
    for name in file.engines:
        _check_name(("engines", name), name, mistakes)
        _check_engine(("engines", name), file, name, mistakes)
    for name, model in file.models.items():
        check_model(("models", name), name, model, file, mistakes)
    check_tasks(file, mistakes)
    if file.storage.batches != "off" and file.storage.files != "local":
        mistakes.add(("storage", "batches"), 'a batch begins and ends in files: write files = "local" too')


def _check_name(path: Path, name: str, mistakes: Mistakes) -> None:
    if not _NAME.fullmatch(name):
        mistakes.add(path, "a name is letters, digits, '.', '_' and '-', at most 64 of them")
    elif name == DEFAULT_NAME:
        mistakes.add(path, f"{DEFAULT_NAME} always names the compact model: choose another name")
    elif name == AUTO_NAME:
        mistakes.add(path, f"{AUTO_NAME} always names the choice between models: choose another name")


def is_host(text: str) -> bool:
    """Whether it may be a host name or an IP address."""
    return bool(_HOST.fullmatch(text))


def _check_server(server: Server, mistakes: Mistakes) -> None:
    if not is_host(server.host):
        mistakes.add(("server", "host"), f'"{printable(server.host)}" is not a host name or an IP address')
    for index, origin in enumerate(server.cors_origins):
        if not _ORIGIN.fullmatch(origin):
            mistakes.add(
                ("server", "cors_origins", index), 'an origin reads "https://app.example" (no path), or "*"'
            )


def url_fault(url: str) -> str:
    """What is wrong with a base URL, or ""."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "holds characters that a URL has not"
    if parts.scheme not in ("http", "https") or not host:
        return "must start with http:// or https:// and name a host"
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        return "must not hold a user or password: use api_key"
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        return "must not hold a query or fragment: it ends with the path, e.g. /v1"
    return "has no port 0" if port == 0 else ""


def _check_provider(path: Path, name: str, table: ProviderTable, rows: set[str], mistakes: Mistakes) -> None:
    if table.row and table.row not in rows:
        mistakes.add(
            (*path, "row"), f"the catalogue has no {printable(table.row)}{did_you_mean(table.row, rows)}"
        )
    elif not table.base_url and not table.row and name not in rows:
        near = did_you_mean(name, rows)
        mistakes.add(path, f"the catalogue has no provider of this name{near}: correct it or write base_url")
    fault = url_fault(table.base_url) if table.base_url else ""
    if fault:
        mistakes.add((*path, "base_url"), fault)
    if table.dialect and table.dialect not in (dialects := known_dialects()):
        near = did_you_mean(table.dialect, dialects)
        mistakes.add((*path, "dialect"), f"unknown dialect{near}; known: {', '.join(dialects)}")
    if table.own_key_fee and not table.own_key:
        mistakes.add((*path, "own_key_fee"), "is for a provider with own_key = true")
    for header, value in table.headers.items():
        _check_header((*path, "headers", header), header, value, mistakes)
    for field in ("organization", "project"):
        _check_header_value((*path, field), getattr(table, field), mistakes)
    fault = url_fault_of_proxy(table.proxy) if table.proxy else ""
    if fault:
        mistakes.add((*path, "proxy"), fault)


def url_fault_of_proxy(url: str) -> str:
    """What is wrong with a proxy's URL, or ""; it may hold a user and a password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is not a URL"
    good = parts.scheme == "http" and parts.hostname and url.isprintable() and parts.path in ("", "/")
    return "" if good else "must read http://[user:password@]host:port"


def _check_header(path: Path, name: str, value: str, mistakes: Mistakes) -> None:
    if not _TOKEN.fullmatch(name):
        mistakes.add(path, "is not a header name")
    elif name.lower() in _FRAMING:
        mistakes.add(path, "is set by Wicket itself")
    _check_header_value(path, value, mistakes)


def _check_header_value(path: Path, value: str, mistakes: Mistakes) -> None:
    if not (value.isascii() and (value.isprintable() or not value)):
        mistakes.add(path, "a header's value is printable ASCII on one line")


def _check_engine(path: Path, file: File, name: str, mistakes: Mistakes) -> None:
    model = file.engines[name].model
    fault = model_fault(model)
    if fault:
        mistakes.add((*path, "model"), fault)


def model_fault(model: str) -> str:
    """What is wrong with an engine's model, or ""; whether it is there is found out when it is loaded."""
    known = f"{', '.join(KNOWN)}, a path, a repository, run:NAME"
    if not model:
        return f"is needed; known: {known}"
    if is_bare_name(model) and model not in KNOWN:
        return f'unknown model "{printable(model)}"{did_you_mean(model, KNOWN)}; known: {known}'
    return "" if model.isprintable() else "holds unprintable characters"
