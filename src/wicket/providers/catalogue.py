"""The catalogue: who hosts models (`rows.toml`) and what their models can and cost (`models.json`).

Read on first use, not at import; of the models only those of the providers asked for. A newer file, fetched
by `wicket models update`, takes the place of the shipped one (`use`). Rows are data for the rest of the
program: adding an OpenAI-compatible provider is adding a row.

What a model costs is a price row (`facts.Fact`, one line of `models.json`), in whole numbers; a kind that is
not there has no known price of its own:

- `KIND_pico`, pico-USD per token: `input`, `output`, `cached` (read), `cache_write` (five minutes),
  `cache_write_1h`, `reasoning`, `audio_input`, `audio_output`, `audio_cached`, `image_input`, `image_output`;
- `KIND_nanos`, nano-USD for one: `request` (a search of documents too), `search` (of the web; with
  `is_search_per_request` of all of an answer), `image` (made; `image_sizes` by quality and size),
  `image_input` (seen), `audio_second` (heard or spoken), `cache_storage` (a million tokens for an hour);
- `character_pico`, pico-USD for a character of a text to speak;
- `tiers`, a list of `{"above_tokens": 200000, "input_pico": 2500000, ...}`, ascending: where the input is
  longer, all tokens of the request cost this, and a kind that the tier leaves out what it does without it;
- `services`, by class (`batch`, `flex`, `priority`): the kinds per token, and `tiers` of its own; a kind that
  the class leaves out costs what it does in the standard one.

`facts.Prices` says which wider kind prices a token whose own kind has no price. `date` is since when the row
costs that, `provider/model@date` its name for ever.
"""

from __future__ import annotations

import datetime
import functools
import mmap
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from wicket.providers.facts import Date, Fact, Facts, Kind, Names, Outline
from wicket.wire import json
from wicket.wire.quirks import Quirks

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_HEADING = re.compile(r"^\[([a-z0-9-]+)\]$", re.MULTILINE)
_TITLE = re.compile(r'^title = "([^"\\]+)"$', re.MULTILINE)
_VARIABLE = re.compile(r'"([A-Z][A-Z0-9_]+)"')
_DATED = re.compile(r"[-@](?:20\d{2}-?\d{2}-?\d{2}|latest)$")
_Url = Annotated[str, msgspec.Meta(pattern=r"^https://")]


class OtherWay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A second dialect at a provider's host: its name and the path under which that is spoken.

    `auth` is how the key goes out there, "" for as with the first one. `apis` are those of its APIs that are
    there, by their names in records; (): all.
    """

    dialect: str
    path: str
    auth: Literal["", "bearer"] = ""
    apis: tuple[str, ...] = ()


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider. `base_url` may hold {account}, {region} or {resource}, which the operator fills in.

    `env` are the variables that hold its key, the first set one wins; with `is_enabled_by_env` such a
    variable enables the provider when there is no config file. `auth_optional`: works without a key.
    `also` is where the host speaks another dialect as well, for the APIs that `dialect` lacks (embeddings).
    `rerank` is the dialect in which it ranks documents, "" for its own or for none; `offers` are the kinds of
    models, beside chats and embeddings, that can be called there by the APIs we have.
    `rename`, `remove` and `quirks` are how its API differs from the dialect's first (`wire.quirks`).
    `versioned_url` and `versioned_path` are used when `api_version` is configured (Azure).
    `known_as` says under which names the sources of `models.json` list its models, `name_prefix` what stands
    before a name that they shorten, `serves` (a regular expression) which of the models they list are called
    at this address, `search_per_request` (another) which bill one fee however often they searched.
    Without `lists_models` the facts do not say what an account can call;
    with `has_responses` models of OpenAI's Responses API alone are asked by that, at the same address;
    `facts_from` names the row whose facts hold where there are none of its own. `probe` is the path that
    `wicket providers check` gets, "" where none is free of charge. `region` is where requests are processed;
    `data_collection` is "deny" where the provider's terms for its API say that requests are not used to train
    (`data_terms` is the page that says so), "" where that is not known. `sources` say what the row was read
    from.
    """

    name: str = ""
    title: str
    base_url: str
    base_url_env: str = ""
    env: tuple[str, ...] = ()
    is_enabled_by_env: bool = True
    auth: Literal["bearer", "api-key", "x-api-key", "x-goog-api-key", "none"] = "bearer"
    auth_optional: bool = False
    dialect: str = "openai_chat"
    also: OtherWay | None = None
    versioned_url: str = ""
    versioned_path: str = ""
    headers: dict[str, str] = {}
    rename: dict[str, str] = {}
    remove: tuple[str, ...] = ()
    usage_in_stream: Literal["ask", "always", "never"] = "ask"
    rerank: Literal["", "jina", "voyage"] = ""
    offers: tuple[Kind, ...] = ()
    quirks: Quirks = Quirks()
    known_as: dict[Literal["genai-prices", "litellm", "models.dev"], tuple[str, ...]] = {}
    name_prefix: str = ""
    serves: str = ""
    search_per_request: str = ""
    is_aggregator: bool = False  # passes on other providers' models
    is_router: bool = False  # routes by suffixes of a model's name itself, so these are left to it
    lists_models: bool = True
    has_responses: bool = False
    facts_from: str = ""
    probe: str = "/models"
    region: str = ""
    data_collection: Literal["", "deny", "allow"] = ""
    data_terms: _Url | Literal[""] = ""
    note: str = ""
    docs: str
    sources: tuple[str, ...]
    checked: Date


def parse_rows(text: str) -> dict[str, Row]:
    """Rows by name. Raises `msgspec.ValidationError` or `tomllib.TOMLDecodeError` on a bad table."""
    tables: dict[str, Any] = tomllib.loads(text)
    return {name: msgspec.convert({**table, "name": name}, Row) for name, table in tables.items()}


def _place(name: str) -> Traversable:
    import importlib.resources  # 8 ms that a process without the catalogue need not pay

    return importlib.resources.files("wicket.providers").joinpath(name)


def _read(name: str) -> bytes:
    return _place(name).read_bytes()


def shipped() -> bytes:
    """The models as they came with this version."""
    return _read("models.json")


@functools.cache
def _tables() -> dict[str, str]:
    """The text of each row by its name: parsing all of them takes 25 ms, which a worker has no need of."""
    text = _read("rows.toml").decode()
    starts = list(_HEADING.finditer(text))
    ends = [match.start() for match in starts[1:]] + [len(text)]
    return {match[1]: text[match.start() : end] for match, end in zip(starts, ends, strict=True)}


@functools.cache
def row_of(name: str) -> Row | None:
    """One provider of the catalogue; None for a name that it does not have."""
    text = _tables().get(name)
    return parse_rows(text)[name] if text is not None else None


def has_row(name: str) -> bool:
    """Whether the catalogue has a provider of this name."""
    return name in _tables()


class Rows(Mapping[str, Row]):
    """The rows by name, in the order of the file; each is parsed when it is first asked for."""

    def __getitem__(self, name: str) -> Row:
        row = row_of(name)
        if row is None:
            raise KeyError(name)
        return row

    def __contains__(self, name: object) -> bool:
        return name in _tables()

    def __iter__(self) -> Iterator[str]:
        return iter(_tables())

    def __len__(self) -> int:
        return len(_tables())


def rows() -> Mapping[str, Row]:
    """Every provider of the catalogue, by name, in the order of the file."""
    return Rows()


def rows_naming(variables: Collection[str]) -> dict[str, Row]:
    """The rows that name one of these variables; no other row is parsed."""
    texts = _tables().items()
    named = [name for name, text in texts if any(found in variables for found in _VARIABLE.findall(text))]
    return {name: Rows()[name] for name in named}


def titles() -> dict[str, str]:
    """What each provider is called, by the row's name; no row is parsed."""
    found = {name: _TITLE.search(text) for name, text in _tables().items()}
    return {name: match[1] for name, match in found.items() if match is not None}


class NewerFile(msgspec.Struct, frozen=True):
    """A file that takes the place of the shipped one; `changed_ns` tells one state of it from another."""

    path: str
    changed_ns: int


class Models:
    """The models of one file; of each provider they are read when first asked for."""

    def __init__(self, file: NewerFile | None) -> None:
        self.file = file
        self._by_row: dict[str, dict[str, Fact]] = {}
        self._index = b""

    def data(self) -> mmap.mmap | bytes:
        """The file. Raises `OSError`.

        The shipped one is mapped, so that what is not looked at takes no memory; another may be changed under
        a map by whoever it belongs to.
        """
        if self.file is not None:
            return Path(self.file.path).read_bytes()
        place = _place("models.json")
        if not isinstance(place, Path):  # inside a zip file
            return shipped()
        with place.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def outline(self) -> Outline:
        """The file with nothing of its models decoded; it holds on to all of the bytes."""
        return json.decode(self.data(), type=Outline)

    def of(self, row: str) -> tuple[Fact, ...]:
        """The models of one row, in the order of the file."""
        return tuple({fact.model: fact for fact in self.named(row).values()}.values())

    def named(self, row: str) -> dict[str, Fact]:
        """The models of one row by each of their names."""
        found = self._by_row.get(row)
        if found is None:
            facts = self._decode(row)
            found = {fact.model: fact for fact in facts}
            for fact in facts:
                for alias in fact.also:
                    found.setdefault(alias, fact)
            self._by_row[row] = found
        return found

    def _decode(self, row: str) -> tuple[Fact, ...]:
        """The models of one row; of the shipped file where the other one has become unreadable."""
        try:
            raw = self.outline().models.get(row)
            return json.decode(raw, type=tuple[Fact, ...]) if raw is not None else ()
        except (OSError, json.DecodeError):
            if self.file is None:
                raise
            return Models(None)._decode(row)

    def rows_with(self, model: str) -> tuple[str, ...]:
        """The rows that have a model of this name.

        All names are kept as one text of lines, `name TAB row row`: a search of it takes microseconds, and it
        is a tenth of what the decoded models would be.
        """
        if not self._index:
            self._index = self._make_index()
        if not model.isprintable():
            return ()
        start = self._index.find(b"\n%b\t" % model.encode())
        if start < 0:
            return ()
        line = self._index[start + 1 : self._index.index(b"\n", start + 1)]
        return tuple(line.partition(b"\t")[2].decode().split(" "))

    def _make_index(self) -> bytes:
        serving: dict[str, list[str]] = {}
        try:
            for row, raw in self.outline().models.items():
                for names in json.decode(raw, type=tuple[Names, ...]):
                    for name in {names.model, *names.also}:
                        serving.setdefault(name, []).append(row)
        except (OSError, json.DecodeError):
            if self.file is None:
                raise
            return Models(None)._make_index()
        return "".join(f"\n{name}\t{' '.join(rows)}" for name, rows in serving.items()).encode() + b"\n"


_in_use = Models(None)


def use(file: NewerFile | None) -> None:
    """Read models from `file` from now on, None for the shipped one, and forget any other."""
    global _in_use  # noqa: PLW0603
    if file != _in_use.file:
        _in_use = Models(file)


def facts() -> Facts:
    """The whole file that is in use, decoded: for tools, not for a server."""
    return json.decode(_in_use.data(), type=Facts)


def models_of(row: str) -> tuple[Fact, ...]:
    """All that is known of one provider's models."""
    return _in_use.of(row)


def today() -> datetime.date:
    """The day by which a model's end is judged; a reload judges anew."""
    return datetime.datetime.now(datetime.UTC).date()


def known_models(row: str) -> tuple[str, ...]:
    """The catalogue's models of one provider that are worth offering, in the order of the file."""
    known = row_of(row)
    if known is None or not known.lists_models:
        return ()
    return tuple(
        fact.model
        for fact in _in_use.of(row)
        if fact.is_offered(today(), with_responses=known.has_responses, more_kinds=known.offers)
    )


def providers_of(model: str) -> tuple[str, ...]:
    """The rows that are known to serve a model of this name."""
    return _in_use.rows_with(model)


def fact_of(row: str, model: str) -> Fact | None:
    """What is known of `model` at `row`: by its name, another name of it, or its undated name."""
    undated = _DATED.sub("", model)
    for place in _places(row):
        names = _in_use.named(place)
        found = names.get(model) or names.get(undated)
        if found is not None:
            return found
    return None


def _places(row: str) -> tuple[str, ...]:
    known = row_of(row)
    return (row, known.facts_from) if known is not None and known.facts_from else (row,)
