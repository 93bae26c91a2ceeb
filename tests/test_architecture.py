"""The shape of the house, read from its source: who imports whom, how large things are, what they are called.

The table is ARCHITECTURE.md's; a change here is a decision, and that page says the same.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "wicket"

# Folder (or module of the top level) → what of ours it may import. A dotted name allows that module only.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "wire": {"errors"},
    "dialects": {"wire", "errors", "routing.deployment"},  # the values, none of the decisions
    "providers": {"wire", "errors"},
    "minis": {"wire", "errors"},
    "pages": {"wire", "errors"},
    "console": {"errors"},
    "suites": {"wire", "errors", "minis", "pages"},
    "guardrails": {"wire", "errors"},
    "routing": {"wire", "errors", "providers"},
    "accounts": {"wire", "errors", "providers"},
    "upstream": {"wire", "errors"},
    "store": {"errors", "accounts", "state"},
    "config": {"wire", "errors", "providers", "routing", "accounts", "guardrails", "dialects"},
    "state": {"wire", "errors"},
    "gateway": {
        "wire", "errors", "providers", "minis", "guardrails", "routing", "accounts", "upstream", "store",
        "config", "state", "dialects",
    },
    "recordings": {"wire", "errors", "dialects", "upstream"},
    "telemetry": {"errors", "accounts"},  # the record lives with the accounts
    "engines": {"wire", "errors", "minis"},
    "lab": {
        "engines", "minis", "suites", "pages",
        "guardrails",
        "upstream", "wire", "errors",
        "config.lines", "config.mistakes", "config.convert",  # so that recipes' mistakes are told alike
    },
}  # fmt: skip
BUILDERS = {"server", "supervisor", "cli"}  # they build and inject everything, except:
BUILDERS_NEVER = {"lab"}
DIALECT_DOORS = {
    "dialects.contract",
    "dialects.translation",
    "dialects.openai_chat",
    "dialects.openai_errors",
}

# Modules of other people that a folder never touches: decisions do no I/O.
PURE = {
    "errors",
    "wire",
    "dialects",
    "routing",
    "accounts",
    "providers",
    "minis",
    "guardrails",
    "pages",
    "suites",
    "state",
}
IMPURE_MODULES = {
    "asyncio",
    "socket",
    "ssl",
    "selectors",
    "subprocess",
    "threading",
    "sqlite3",
    "http",
    "urllib",
}
ONE_DOOR = {
    "sqlite3": {"store"},
    "torch": {"lab"},
    "transformers": {"lab"},
    "starlette": {"server", "engines"},  # an engine's process has a small server of its own
    "uvicorn": {"server", "engines"},
    "openvino": {"engines"},
    "tokenizers": {"engines", "lab"},
    "yaml": {"recordings"},
}

MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 6
FORBIDDEN_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "manager",
    "managers",
    "base",
    "core",
    "misc",
}
NAMED_BY_THE_CONTRACT = {"engines.core"}  # "core process" is what an engine's process is called there


class Module(msgspec.Struct, frozen=True):
    """One file of the package. `name` is without "wicket."."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def folder(self) -> str:
        return self.name.split(".")[0]


@cache
def modules() -> dict[str, Module]:
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, path, ast.parse(path.read_bytes()))
    return found


def own(name: str) -> str | None:
    """The module of ours behind a dotted name: "wicket.wire.json.encode" → "wire.json"."""
    if name != "wicket" and not name.startswith("wicket."):
        return None
    short = name.removeprefix("wicket").removeprefix(".")
    while short not in modules():
        short = short.rpartition(".")[0]
    return short


def nodes(tree: ast.AST, *, typing_only: bool) -> Iterator[ast.AST]:
    """All nodes; without `typing_only`, not what stands under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(tree):
        is_typing = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        if is_typing and not typing_only:
            continue
        yield child
        yield from nodes(child, typing_only=typing_only)


def imported(module: Module, *, typing_only: bool = True) -> set[str]:
    """Full dotted names, also from inside functions."""
    names: set[str] = set()
    for node in nodes(module.tree, typing_only=typing_only):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def owned(module: Module, *, typing_only: bool = True) -> set[str]:
    found = {own(name) for name in imported(module, typing_only=typing_only)}
    return {name for name in found if name} - {module.name}


ALL = pytest.mark.parametrize("module", modules().values(), ids=lambda module: module.name or "wicket")


def test_there_is_something_to_read() -> None:
    assert len(modules()) > 100 and owned(modules()["gateway.drive"]) >= {"gateway.walk", "errors"}
    assert own("wicket.wire.json.encode") == "wire.json" and own("json.loads") is None


@ALL
def test_imports_follow_the_table(module: Module) -> None:
    if not module.name:
        assert owned(module) == set()
        return
    for name in owned(module):
        folder = name.split(".")[0]
        if folder == module.folder:
            continue
        if module.folder in BUILDERS:
            assert folder not in BUILDERS_NEVER, f"{module.name} imports {name}"
            assert folder != "dialects" or name in DIALECT_DOORS, f"{module.name} reaches into {name}"
            continue
        allowed = MAY_IMPORT[module.folder]
        assert folder in allowed or name in allowed, f"{module.name} may not import {name}"


@ALL
def test_foreign_packages_have_one_door(module: Module) -> None:
    for name in imported(module):
        top = name.split(".")[0]
        assert module.folder in ONE_DOOR.get(top, {module.folder}), f"{module.name} imports {top}"
        if module.folder in PURE:
            assert top not in IMPURE_MODULES, f"{module.name} decides, so it may not import {top}"
        if module.folder == "dialects":
            assert top not in ("time", "os", "random"), f"{module.name} reads the world: {top}"


def test_there_is_no_import_cycle() -> None:
    graph = {name: owned(module, typing_only=False) for name, module in modules().items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " → ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())
    assert done == set(graph)


@ALL
def test_size_names_and_words(module: Module) -> None:
    num_lines = len(module.path.read_text().splitlines())
    assert num_lines <= MAX_MODULE_LINES, f"{module.path}: {num_lines} lines"
    assert ast.get_docstring(module.tree), f"{module.path} does not say what it is"
    if module.name not in NAMED_BY_THE_CONTRACT:
        assert not FORBIDDEN_NAMES & set(module.name.split(".")), f"{module.name}: use the field's noun"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            where = f"{module.path}:{node.lineno} {node.name}"
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{where}: {length} lines"
            assert num_parameters(node) <= MAX_PARAMETERS, f"{where}: {num_parameters(node)} parameters"


def num_parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Without `self` and `cls`; a keyword-only `__init__` is a record of named values and counts none."""
    positional = [*node.args.posonlyargs, *node.args.args]
    if positional and positional[0].arg in ("self", "cls"):
        positional = positional[1:]
    named = 0 if node.name == "__init__" and not positional else len(node.args.kwonlyargs)
    return len(positional) + named


def test_importing_the_package_is_cheap_and_silent() -> None:
    heavy = "torch openvino tokenizers transformers starlette uvicorn sqlite3 socket ssl asyncio jinja2 numpy"
    code = f"import sys, wicket; print(sorted(set({heavy.split()!r}) & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n" and ran.stderr == ""


def test_no_process_but_the_engines_loads_heavy_packages() -> None:
    heavy = ["torch", "openvino", "tokenizers", "transformers", "huggingface_hub", "jinja2", "numpy"]
    code = (
        "import sys, wicket.server.process, wicket.server.worker, wicket.supervisor.serve, wicket.cli.main;"
        f"print(sorted(set({heavy!r}) & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n" and ran.stderr == ""


def test_what_the_first_answers_can_do_without_is_not_read_before_them() -> None:
    later = [
        "starlette",
        "wicket.server.app",
        "wicket.server.openapi",
        "wicket.console",
        "wicket.dialects.gemini",
    ]
    later += ["wicket.supervisor.verbs", "wicket.config.snapshot"]
    for module, needed in (
        ("wicket.server.worker", ["wicket.config.snapshot"]),
        ("wicket.supervisor.serve", []),
    ):
        code = f"import sys, {module}; print(sorted(set({later!r}) & set(sys.modules)))"
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert ran.stdout == f"{needed}\n" and ran.stderr == ""


def folders() -> set[str]:
    return {path.parent.name for path in SOURCE.glob("*/__init__.py")}


def test_every_folder_is_on_the_map() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    missing = [name for name in sorted(folders()) if f"{name}/" not in page]
    assert not missing, f"ARCHITECTURE.md does not name {missing}"


def test_every_folder_has_its_row_in_the_table() -> None:
    assert folders() <= set(MAY_IMPORT) | BUILDERS


def test_every_dialect_and_policy_is_found_by_its_contracts_test() -> None:
    for name in ("test_dialects.py", "test_policies.py"):
        assert "glob(" in (ROOT / "tests" / "contract" / name).read_text()
