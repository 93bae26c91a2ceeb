"""No test may see the developer's own keys, proxies or server: they are gone before anything is imported.

Whole files go to the processes of `make test`, in the order of `pytest_collection_modifyitems`.
"""

import os
import re
from pathlib import Path

_FOREIGN = re.compile(
    r"WICKET_.*|.*_API_KEY|.*_API_TOKEN|(HF|GITHUB|GH|HUGGING_?FACE).*_TOKEN|HF_HOME|AWS_.*|AZURE_.*|GOOGLE_.*"
    r"|OPENAI_.*|ANTHROPIC_.*|(HTTPS?|ALL|NO)_PROXY",
    re.IGNORECASE,
)

for _name in [name for name in os.environ if _FOREIGN.fullmatch(name)]:
    del os.environ[_name]

import pytest  # noqa: E402 - after the environment is clean
from hypothesis import HealthCheck, settings  # noqa: E402

# How fast inputs are invented says something of the machine, nothing of the program.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# The files that take longest, by what `make test ARGS=--durations=400` says: who begins one when the others
# have ended keeps everybody waiting.
LONGEST = [
    "test_auto",
    "test_golden",
    "test_compare",
    "test_cascade_promotion",
    "test_health",
    "test_collect",
    "test_supervisor",
    "test_cli_tenants",
    "test_translation",
    "test_load",
    "test_cascade",
    "test_choosing_by_health",
    "test_cli",
    "test_cascade_host",
    "test_cascade_checks",
    "test_engine_model",
    "test_limits",
    "test_google_tokens",
    "test_feedback",
    "test_upheaval",
    "test_providers",
    "test_compare_checks",
    "test_dialects",
    "test_crash",
    "test_engine_host",
    "test_clients_model",
    "test_engines",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, then those with servers, then the rest."""
    items.sort(key=lambda item: _turn(item.path))


def _turn(file: Path) -> int:
    if file.parent.name == "lab" or file.stem not in LONGEST:
        return len(LONGEST) + (file.parent.name != "path")
    return LONGEST.index(file.stem)


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where engines keep compiled graphs, one folder for all processes: making one takes seconds."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "graphs"
    folder.mkdir(exist_ok=True)
    return folder
