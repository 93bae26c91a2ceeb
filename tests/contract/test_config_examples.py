"""What the papers say of the configuration is what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from wicket.config import schema
from wicket.config.load import load, parse
from wicket.config.mistakes import field_name
from wicket.config.snapshot import compile_snapshot
from wicket.errors import ConfigFault
from wicket.providers import catalogue

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "configuration.md").read_text()
PROVIDERS = (ROOT / "docs" / "providers.md").read_text()
OTHERS = [ROOT / "README.md", *((ROOT / "docs" / f"{name}.md") for name in ("plans", "failover", "routing"))]
PAPERS = GUIDE + PROVIDERS + "".join(paper.read_text() for paper in OTHERS)
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAPERS, re.DOTALL | re.MULTILINE)


def _environ(text: str) -> dict[str, str]:
    rows = [variable for row in catalogue.rows().values() for variable in row.env]
    return dict.fromkeys([*rows, *re.findall(r"env:(\w+)", text)], "a-credential")


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_loads_and_compiles(text: str) -> None:
    config = parse(text, _environ(text), source="wicket.toml", base=ROOT)
    assert config.warnings == ()
    snapshot = compile_snapshot(config, version=1, engine_sockets={})
    for model in snapshot.models():
        assert snapshot.resolve(model["id"]).deployments


def test_the_example_file_loads_with_and_without_keys() -> None:
    path = ROOT / "examples" / "wicket.toml"
    text = path.read_text()
    full = load(path, _environ(text))
    assert list(full.providers) == ["openai", "groq", "mine"] and full.warnings == ()
    bare = load(path, {})
    assert list(bare.providers) == ["mine"]
    assert bare.models["assistant"].deployments == ("mine/my-model", "compact")
    snapshot = compile_snapshot(bare, version=1, engine_sockets={})
    assert snapshot.models()[0]["id"] == "mini"


SECTIONS = [
    schema.Server,
    schema.BodyLimits,
    schema.Records,
    schema.ProviderTable,
    schema.Model,
    schema.MaxPriceTable,
    schema.DeploymentTable,
    schema.TimeoutTable,
    schema.PriceTable,
    schema.EngineTable,
    schema.Accounts,
    schema.OidcTable,
]


@pytest.mark.parametrize("section", SECTIONS)
def test_the_guide_names_every_field(section: type[msgspec.Struct]) -> None:
    assert [name for name in section.__struct_encode_fields__ if f"`{name}`" not in GUIDE] == []


def test_the_guide_s_mistakes_are_what_the_program_says() -> None:
    shown = re.search(r"^```text\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    assert shown
    text = "\n".join(
        [
            "[engines.compact]\nmodel = 'smollm2-135m-instruct'",
            "[server]\nwrokers = 2\n\n\n\n[providers.mine]",
            "base_url = 'http://127.0.0.1:9000/v1'\napi_key = 'env:MINE_KEY'\n",
            "[models.assistant]\ndeployments = ['mine/a', 'mien/b']",
        ]
    )
    with pytest.raises(ConfigFault) as caught:
        parse(text, {}, source="wicket.toml", base=ROOT)
    said = [re.sub(r":\d+:", ":", line) for line in caught.value.message.split("\n")]
    assert said == [re.sub(r":\d+:", ":", line) for line in shown.group(1).strip().split("\n")]


def test_the_guide_s_defaults_are_the_program_s() -> None:
    table = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", GUIDE, re.MULTILINE)
    defaults = [
        (name, msgspec.json.encode(getattr(section(), field)).decode().removesuffix(".0"))
        for section in (
            schema.Server,
            schema.Accounts,
            schema.OidcTable,
            schema.Records,
            schema.DeploymentTable,
            schema.Model,
            schema.TaskTable,
            schema.EngineTable,
            schema.StorageTable,
        )
        for field, name in zip(section.__struct_fields__, section.__struct_encode_fields__, strict=True)
    ]
    assert len(table) >= 15
    for name, written in table:
        assert (name, written.removesuffix(".0")) in defaults or name == "queue", name


def _table() -> str:
    lines = ["| name | provider | variable | without a file | base URL |", "|---|---|---|---|---|"]
    for row in catalogue.rows().values():
        variables = ", ".join(f"`{variable}`" for variable in row.env) or "none"
        enabled = "enabled by it" if row.is_enabled_by_env else "no"
        title = f"[{row.title}]({row.docs})"
        lines.append(f"| `{row.name}` | {title} | {variables} | {enabled} | `{row.base_url}` |")
    return "\n".join(lines)


def test_the_page_of_providers_holds_the_whole_catalogue() -> None:
    assert _table() in PROVIDERS


def test_the_page_of_providers_says_what_is_peculiar() -> None:
    assert [row.name for row in catalogue.rows().values() if row.note and row.note not in PROVIDERS] == []


def test_paths_are_written_as_in_toml() -> None:
    assert field_name(("models", "a b", "deployments", 1)) == 'models."a b".deployments[1]'
