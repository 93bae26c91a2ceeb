"""From a file and an environment to a `Config`: all mistakes at once, or everything resolved."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from wicket.config import local_models
from wicket.config.accounts import resolve_accounts
from wicket.config.automatic import auto_warnings
from wicket.config.check import check_file
from wicket.config.check_cascade import cascade_warnings, mini_engines
from wicket.config.convert import convert
from wicket.config.lines import Lines
from wicket.config.mistakes import Mistakes
from wicket.config.options import with_environment
from wicket.config.resolve import LeftOut, Place, from_environment, resolve_provider, sends_in_clear
from wicket.config.schema import Config, File, Model, Provider, Server
from wicket.config.secrets import mask
from wicket.config.webhook import resolve_webhook
from wicket.errors import ConfigFault
from wicket.providers import catalogue

FILE_NAME = "wicket.toml"
MAX_FILE_BYTES = 4 << 20
_TOML_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


def find(path: Path | None, home: Path) -> Path | None:
    """The file to read: the one named, else `./wicket.toml`, else the one in `home`; None for none.

    Raises `ConfigFault` when the named file is not there.
    """
    if path is not None:
        if not _is_file(path):
            raise ConfigFault("no_config", f"{path}: there is no such file: check --config")
        return path
    return next((folder / FILE_NAME for folder in (Path(), home) if _is_file(folder / FILE_NAME)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def load(path: Path | None, environ: Mapping[str, str], put_in: frozenset[str] = frozenset()) -> Config:
    """The configuration in `path`, or without one what the environment enables.

    `put_in` are providers whose key the administration was given: without a file they are enabled by that.
    `WICKET_HOST` and `WICKET_PORT` override the file. Raises `ConfigFault` holding every mistake, one per
    line: `file:line: field: what`.
    """
    if path is None:
        return _without_file(environ, put_in)
    text = _read(path)
    return parse(text, environ, source=str(path), base=path.absolute().parent)


def parse(text: str, environ: Mapping[str, str], *, source: str, base: Path) -> Config:
    """`load` for text already read; relative paths in it start at `base`."""
    document = _decode(text, source)
    mistakes = Mistakes(source, Lines(text))
    file = convert(File, document, (), mistakes)
    rows = catalogue.rows()
    check_file(file, rows, mistakes)
    providers: dict[str, Provider] = {}
    warnings: list[str] = []
    for name, table in file.providers.items():
        place = Place(("providers", name), mistakes, environ, base)
        row = rows.get(table.row or name)
        if row is None and not table.base_url:
            continue  # noted already
        try:
            providers[name] = resolve_provider(name, table, row, place)
        except LeftOut as reason:
            warnings.append(f"provider {name} is left out: {reason}")
    warnings += [
        f"provider {p.name} sends its key unencrypted" for p in providers.values() if sends_in_clear(p)
    ]
    server = with_environment(file.server, environ, mistakes)
    accounts = resolve_accounts(file.accounts, environ, base, mistakes)
    accounts = resolve_webhook(accounts, environ, base, mistakes)
    if mistakes:
        raise mistakes.fault()
    warnings += [
        f"provider {name} has fewer places (max_concurrent) than there are workers: they take turns"
        for name, p in providers.items()
        if 0 < p.max_concurrent < file.server.workers
    ]
    models = _without_absent(file, providers, warnings)
    warnings += [*cascade_warnings(models), *auto_warnings(models)]
    engines = {n: local_models.resolve_engine(n, table, base) for n, table in file.engines.items()}
    return Config(
        source=source,
        server=server,
        accounts=accounts,
        records=file.records,
        providers=providers,
        models=models,
        tasks=file.tasks,
        engines=engines | mini_engines(models),
        storage=file.storage,
        warnings=tuple(warnings),
    )


def _without_absent(file: File, providers: Mapping[str, Provider], warnings: list[str]) -> dict[str, Model]:
    """The models without the deployments of optional providers that were left out."""
    absent = file.providers.keys() - providers.keys()
    models = {}
    for name, model in file.models.items():
        gone = [deployment for deployment in model.ids if deployment.split("/")[0] in absent]
        left = tuple(one for one, id in zip(model.deployments, model.ids, strict=True) if id not in gone)
        if left or not model.deployments:
            models[name] = msgspec.structs.replace(model, deployments=left)
            warnings += [f"model {name} does without {each}, whose provider is left out" for each in gone]
        else:
            warnings.append(f"model {name} is left out: none of its deployments is there")
    return models


def _without_file(environ: Mapping[str, str], put_in: frozenset[str]) -> Config:
    mistakes = Mistakes("environment", Lines())
    server = with_environment(Server(), environ, mistakes)
    if mistakes:
        raise mistakes.fault()
    providers, unusable = from_environment(catalogue.rows_naming(environ.keys()), environ, put_in)
    return Config(
        server=server,
        providers=providers,
        engines=local_models.defaults(),
        warnings=tuple(f"provider {name} is not enabled: {why}" for name, why in unusable.items()),
        unusable=unusable,
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise ConfigFault("no_config", f"{path}: can't be read: {reason}") from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigFault("invalid_config", f"{path}: is larger than {MAX_FILE_BYTES >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigFault("invalid_config", f"{path}:{line}: is not UTF-8 text") from None


def _decode(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what = str(error)
        match = _TOML_PLACE.search(what)
        line = (match and match.group(1)) or text.count("\n") + 1
        what = _TOML_PLACE.sub("", what)
        raise ConfigFault("invalid_config", f"{source}:{line}: is not TOML: {what}") from None
    except (RecursionError, ValueError, OverflowError):
        raise ConfigFault("invalid_config", f"{source}: is not TOML that can be read") from None


def show(config: Config) -> dict[str, Any]:
    """The configuration for people and `--json`: defaults filled in, secrets masked."""
    shown: dict[str, Any] = msgspec.to_builtins(config)
    for name, provider in shown["providers"].items():
        real = config.providers[name]
        provider["credentials"] = [
            f"{mask(secret)} ({origin})"
            for secret, origin in zip(real.credentials, real.origins, strict=True)
        ]
        provider["headers"] = {key: mask(value) for key, value in real.headers.items()}
        provider["proxy"] = _without_password(real.proxy)
        for field in ("access_key_id", "session_token"):
            provider[field] = mask(provider[field]) if provider[field] else ""
    for table in shown["accounts"]["oidc"].values():
        table["client_secret"] = mask(table["client_secret"]) if table["client_secret"] else ""
    webhook = shown["accounts"]["webhook"]
    if webhook is not None:
        webhook["secret"] = mask(webhook["secret"])
    return shown


def _without_password(proxy: str | None) -> str | None:
    return re.sub(r"//[^@/]*@", "//…@", proxy) if proxy else proxy
