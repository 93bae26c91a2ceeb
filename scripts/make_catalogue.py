"""Make src/wicket/providers/models.json of genai-prices, LiteLLM's table and models.dev (all MIT).

    python3 -m venv /tmp/prices && /tmp/prices/bin/pip install genai-prices
    pip download --no-deps litellm && unzip litellm-*.whl 'litellm/model_prices*'  # nothing is installed
    git clone https://github.com/anomalyco/models.dev /tmp/models.dev
    /tmp/prices/bin/python scripts/make_catalogue.py convert /tmp/models.dev /tmp/documents
    cp litellm/model_prices_and_context_window_backup.json /tmp/documents/litellm.json
    .venv/bin/python scripts/make_catalogue.py build /tmp/documents \
        --genai-prices VERSION DATE --litellm VERSION DATE --models.dev COMMIT DATE

`convert` writes what the first and last of them publish as JSON (`genai-prices.json`, `models.dev.json`)
and `versions.json`; it needs no Wicket. `build` applies the rules of `wicket.providers.sources` to that
folder as `wicket models update` does to what it fetches, writes the file and tells what they
disagree on.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import subprocess
import tomllib
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "src/wicket/providers/models.json"


def plain(value: Any) -> Any:
    """genai-prices' objects in the form of its published data.json."""
    name = type(value).__name__
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if name.startswith("Clause"):
        ((field, inner),) = vars(value).items()
        return {field.rstrip("_"): plain(inner)}
    if name == "ModelPrice" or dataclasses.is_dataclass(value):
        fields = {key: plain(each) for key, each in vars(value).items() if not key.startswith("_")}
        return {key: each for key, each in fields.items() if each is not None}
    return value


def genai_prices() -> tuple[list[Any], dict[str, str]]:
    """The installed package's providers and version."""
    import importlib.metadata

    from genai_prices import data_snapshot

    listed = [
        {"id": provider.id, "models": plain(provider.models)}
        for provider in data_snapshot.get_snapshot().providers
    ]
    return listed, {"version": importlib.metadata.version("genai-prices")}


def models_dev(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """models.dev's TOML files in the form of its api.json: a model that names a `base_model` stands on it."""
    providers: dict[str, Any] = {}
    for path in sorted((folder / "providers").glob("*/models")):
        entries = {}
        for file in sorted(each for each in path.rglob("*.toml") if each.is_file()):  # some are dead links
            entry = tomllib.loads(file.read_text())
            base = entry.pop("base_model", None)
            if base is not None:
                entry = on_base(tomllib.loads((folder / "models" / f"{base}.toml").read_text()), entry)
            entries[str(file.relative_to(path).with_suffix(""))] = entry
        providers[path.parent.name] = {"models": entries}
    shown = subprocess.run(
        ["git", "-C", str(folder), "log", "-1", "--format=%h %cs"], capture_output=True, text=True, check=True
    )
    commit, date = shown.stdout.split()
    return providers, {"version": commit, "date": date}


def on_base(base: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """`entry` above `base`, table by table; `base_model_omit` lists dotted fields that do not carry over."""
    merged = dict(base)
    for field in entry.pop("base_model_omit", []):
        table, _, inner = field.partition(".")
        if inner and isinstance(merged.get(table), dict):
            merged[table] = {key: value for key, value in merged[table].items() if key != inner}
        else:
            merged.pop(table, None)
    for key, value in entry.items():
        old = merged.get(key)
        merged[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def convert(folder: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    listed, first = genai_prices()
    dev, last = models_dev(folder)
    (target / "genai-prices.json").write_text(json.dumps(listed))
    (target / "models.dev.json").write_text(json.dumps(dev, default=str))
    (target / "versions.json").write_text(json.dumps({"genai-prices": first, "models.dev": last}))


def build(folder: Path, versions: dict[str, tuple[str, str]]) -> None:
    from wicket.providers import catalogue
    from wicket.providers.changes import check, compare
    from wicket.providers.facts import Facts, SourceInfo
    from wicket.providers.sources import build as rules
    from wicket.providers.sources.addresses import ADDRESSES
    from wicket.wire.json import decode

    infos: dict[Any, Any] = {
        name: SourceInfo(version=version, date=date, licence="MIT", url=ADDRESSES[name])
        for name, (version, date) in versions.items()
    }
    read = {name: json.loads((folder / f"{name}.json").read_text()) for name in ADDRESSES}
    documents = rules.Documents(
        genai_prices=read["genai-prices"], litellm=read["litellm"], models_dev=read["models.dev"], infos=infos
    )
    before = decode(TARGET.read_bytes(), type=Facts) if TARGET.exists() else None
    today = datetime.datetime.now(datetime.UTC).date()
    built = rules.build(documents, catalogue.rows(), before, today)
    faults = check(built.facts, catalogue.rows())
    if faults:
        raise SystemExit("\n".join(faults))
    if before is not None:
        print("\n".join(compare(before, built.facts).lines()))
    TARGET.write_bytes(rules.encode(built.facts))
    report(built)


def report(built: Any) -> None:
    """What was made, and what the sources disagree on, by field."""
    models = [fact for facts in built.facts.models.values() for fact in facts]
    fields = Counter(d.field.split(" ")[-1] for disputes in built.disputes.values() for d in disputes)
    print(f"{len(built.facts.models)} rows, {len(models)} models, {sum(m.is_priced for m in models)} priced")
    print("\n".join(["corrections that are past:", *built.past] if built.past else []))
    print(f"{len(built.disputes)} models with a disagreement: {dict(fields.most_common())}")
    for name, disputes in built.disputes.items():
        for dispute in disputes:
            print(f"  {name}: {dispute.field} = {dispute.taken}; {dispute.others}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("convert")
    one.add_argument("models_dev", type=Path)
    one.add_argument("target", type=Path)
    two = verbs.add_parser("build")
    two.add_argument("documents", type=Path)
    for name in ("genai-prices", "litellm", "models.dev"):
        two.add_argument(f"--{name}", nargs=2, metavar=("VERSION", "DATE"), required=True, dest=name)
    options = parser.parse_args()
    if options.verb == "convert":
        convert(options.models_dev, options.target)
    else:
        build(options.documents, {n: getattr(options, n) for n in ("genai-prices", "litellm", "models.dev")})
