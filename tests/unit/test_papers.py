"""The papers say what is there: links lead somewhere, commands and targets exist, nobody's machine shows."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from wicket.cli.main import COMMANDS
from wicket.config.load import parse

ROOT = Path(__file__).parents[2]
NOT_OURS = {".venv", "node_modules", ".git", "dist", "build"}
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]+`|^ {4}[^\n]*$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"(?<![\w/.-])wicket ([a-z]+)(?: ([a-z]+))?(?=[\s`|.,;:)]|$)", re.MULTILINE)
TARGET = re.compile(r"(?<![\w-])make (?:-C \S+ )?([a-z][a-z-]*)")
FOREIGN_PATH = re.compile(r"/(?:work|root|tmp/\w|home/\w+|Users/\w+)(?:/|\b)")
WITH_VERBS = (
    "models",
    "providers",
    "keys",
    "logs",
    "requests",
    "tasks",
    "config",
    "dev",
    "lab",
    "credits",
    "ledger",
)


def papers() -> list[Path]:
    """Every Markdown file of the project."""
    found = [path for path in ROOT.rglob("*.md") if not NOT_OURS & set(path.relative_to(ROOT).parts)]
    return sorted(found)


ALL = pytest.mark.parametrize("paper", papers(), ids=lambda path: str(path.relative_to(ROOT)))


def anchors(text: str) -> set[str]:
    """What GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def code(text: str) -> str:
    """Only what stands as code: prose may say "make sure"."""
    return "\n".join(CODE.findall(text))


@cache
def targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@cache
def verbs(command: str) -> frozenset[str]:
    """The verbs that a command's help lists."""
    words = [sys.executable, "-m", "wicket.cli", command, "--help"]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return frozenset(re.findall(r"^    ([a-z]+)", said, re.MULTILINE))


def test_there_are_papers() -> None:
    names = {str(path.relative_to(ROOT)) for path in papers()}
    assert names >= {
        "README.md",
        "ARCHITECTURE.md",
        "GLOSSARY.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
    }
    assert names >= {"docs/guide.md", "docs/dependencies.md", "docs/compact-model.md"}
    assert "serve" in COMMANDS and {"serve", "test"} <= targets() and "pull" in verbs("models")


@ALL
def test_links_lead_somewhere(paper: Path) -> None:
    for link in LINK.findall(CODE.sub("", paper.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = paper.parent / name if name else paper
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text()), link


@ALL
def test_commands_exist(paper: Path) -> None:
    for command, verb in COMMAND.findall(code(paper.read_text())):
        assert command in COMMANDS, f"wicket {command}"
        if verb and command in WITH_VERBS:
            assert verb in verbs(command), f"wicket {command} {verb}"


@ALL
def test_make_targets_exist(paper: Path) -> None:
    for target in TARGET.findall(code(paper.read_text())):
        assert target in targets(), f"make {target}"


@ALL
def test_code_stays_on_its_line(paper: Path) -> None:
    """A command that is broken over two lines would escape these tests, and a reader's eye."""
    prose = re.sub(r"```.*?```", "", paper.read_text(), flags=re.DOTALL)
    broken = [line.rpartition("`")[2] for line in prose.splitlines() if line.count("`") % 2]
    assert not [start for start in broken if re.match(r"wicket|make", start)]


@ALL
def test_no_paths_of_somebodys_machine(paper: Path) -> None:
    assert not FOREIGN_PATH.findall(paper.read_text())


@pytest.mark.parametrize("name", ["README.md", "docs/guide.md"])
def test_configurations_load(name: str) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
    for block in blocks:
        named = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", *re.findall(r"env:(\w+)", block)]
        environ = dict.fromkeys(named, "a-credential")
        assert parse(block, environ, source="wicket.toml", base=ROOT).warnings == ()
    assert blocks


def test_the_changelog_knows_this_version() -> None:
    import wicket

    sections = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[0] == "Unreleased" and wicket.__version__ in sections[1]


def test_decisions_are_numbered_once() -> None:
    records = [path.name for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    numbers = [name[:4] for name in records]
    assert len(records) >= 6 and len(set(numbers)) == len(numbers)
    for name in records:
        first = (ROOT / "docs" / "decisions" / name).read_text().splitlines()[0]
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name) and first.startswith(f"# {name[:4]}"), name


def test_dependencies_are_explained() -> None:
    """Every package that pyproject.toml or the list of further packages names stands in the page's tables."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for group in project["optional-dependencies"].values():
        wanted += group
    wanted += [
        line for line in (ROOT / "requirements" / "serve.in").read_text().splitlines() if line[0] != "#"
    ]
    rows = re.findall(r"^\| ([\w-]+) \|", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE)
    named = {re.split(r"[<>=~;! ]", want, maxsplit=1)[0] for want in wanted}
    assert named <= set(rows), named - set(rows)
