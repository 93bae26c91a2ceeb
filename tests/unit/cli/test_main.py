from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wicket.cli.main import COMMANDS, build_parser, main

HELP = """\
usage: wicket [-h] [--version] COMMAND ...

A small gate to every model, with a compact model of its own inside.

positional arguments:
  COMMAND
    serve          start the server
    chat           talk with a model
    ask            ask one question; reads standard input too
    lab            make a small model of a large one, by a recipe
    mini           make a small model of a task, put it in place
    auto           learn from feedback which requests a local model should
                   answer
    compare        ask several models the same cases: quality, cost, speed
    explain        who would be asked for a request, and why
    models         what can be called; show one; pull one from the hub
    providers      whom Wicket knows, who is enabled and works
    keys           make, change, rotate and revoke keys
    organisations  make and change organisations
    teams          make and change teams, their members
    users          add and change users
    invitations    invite users
    audit          who changed what
    credits        prepaid and promotional credit
    ledger         whether the money adds up
    limits         how much a key, team or organisation may do in a time
    budgets        how much it may spend
    logs           show the requests that were answered
    usage          tokens and money, summed
    estimate       what a request would cost; a month of it
    statement      a month's statement: text, CSV or a page
    savings        what smaller models saved
    requests       what one request used and cost
    tasks          what is collected to learn from
    feedback       say of an answer how good it was
    config         check or show the configuration
    status         what the server is doing
    backup         copy the database while it is in use
    dev            tools for developers
    version        show the version

options:
  -h, --help       show this help message and exit
  --version        show program's version number and exit

`wicket COMMAND --help` says more about each.
"""


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WICKET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WICKET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == HELP


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_something_to_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: wicket {name}")


def test_the_help_loads_nothing_that_is_slow() -> None:
    code = (
        "import sys\nfrom wicket.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "slow = {'msgspec', 'starlette', 'uvicorn', 'http', 'asyncio', 'ssl', 'sqlite3'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nothing"],
        ["keys"],
        ["keys", "create"],
        ["keys", "create", "--name"],
        ["usage", "--colour"],
        ["serve", "--port", "x"],
        ["requests", "show"],
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(words)
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr()
    assert code == 2
    if words:
        assert said.out == ""
        assert said.err.startswith("wicket: ")
        assert said.err.count("\n") == 1
    else:
        assert said.out == HELP


def test_a_command_that_needs_a_server_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "wicket serve" in said.err


def test_a_server_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", "--url", "http://127.0.0.1:1"]) == 1
    assert "http://127.0.0.1:1" in capsys.readouterr().err


def test_keys_are_made_without_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "--name", "alice", "--team", "red", "--expires-in", "1d", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert list(made) == [
        *("id", "name", "team", "models", "networks", "routes", "shown", "made_by"),
        *("created_at", "expires_at", "rotated_at", "previous_ends_at", "suspended_at", "revoked_at", "key"),
    ]
    assert made["key"].startswith("wk-")
    assert main(["keys", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [key["id"] for key in listed] == [made["id"]]
    assert "key" not in listed[0]
    assert main(["keys", "revoke", made["id"]]) == 0
    assert "revoked" in capsys.readouterr().out
    assert main(["keys", "list"]) == 0
    assert "revoked 20" in capsys.readouterr().out
    assert main(["keys", "revoke", "key_none"]) == 1
    assert capsys.readouterr().err.startswith("wicket: There is no key")


def test_usage_without_a_server_has_the_contract_s_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {"requests", "input_tokens", "output_tokens", "cost_usd", "charge_usd", "rows"} <= report.keys()
    assert (report["requests"], report["cost_usd"], report["rows"]) == (0, 0.0, [])


def test_logs_and_backup_without_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["logs"]) == 0
    assert capsys.readouterr().out == "No request matches.\n"
    assert main(["logs", "--follow"]) == 1
    assert main(["logs", "--follow", "--json"]) == 1
    assert main(["logs", "--since", "yesterday"]) == 1
    capsys.readouterr()
    assert main(["backup", "copy.db", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    size = (tmp_path / "copy.db").stat().st_size
    assert made == {"path": str(tmp_path / "copy.db"), "bytes": size, "kept": None, "has_kept": False}
    assert main(["backup", "copy.db"]) == 1
    assert "exists" in capsys.readouterr().err


def test_a_database_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "wicket.db").write_bytes(b"this is no database at all" * 100)
    assert main(["keys", "list"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "not a database" in said


def test_a_home_that_can_t_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WICKET_HOME", str(tmp_path / "file" / "home"))
    assert main(["keys", "list"]) == 1
    assert "WICKET_HOME" in capsys.readouterr().err


def test_a_good_configuration_is_checked_and_shown_without_its_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "good.toml"
    file.write_text('[providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\napi_key = "a-long-secret-key"\n')
    assert main(["config", "check", "--config", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: no mistakes.\n"
    assert main(["config", "check", "--config", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "source": str(file), "warnings": []}
    for words in ([], ["--json"]):
        assert main(["config", "show", "--config", str(file), *words]) == 0
        shown = capsys.readouterr().out
        assert "127.0.0.1:9" in shown
        assert "a-long-secret-key" not in shown


def test_each_mistake_of_a_configuration_is_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("[server]\nport = 70000\ncolour = 1\n")
    assert main(["config", "check", "--config", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"wicket: {file}:") for line in lines)


def test_the_catalogue_has_the_contract_s_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--all", "--json"]) == 0
    models = json.loads(capsys.readouterr().out)
    assert len(models) >= 600
    for model in models:
        assert model["id"].startswith(f"{model['provider']}/")
        assert all(usd >= 0 for usd in model["prices"].values())
        for size in ("context_tokens", "max_output_tokens"):
            assert model[size] is None or model[size] > 0
    assert sum(model["prices"].keys() >= {"input", "output"} for model in models) >= 600


def test_what_a_start_would_serve_is_listed_without_a_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wicket.toml").write_text(
        '[providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\napi_key = "abc"\nmodels = ["big"]\n'
    )
    assert main(["models", "--json"]) == 0
    assert [model["id"] for model in json.loads(capsys.readouterr().out)] == ["mine/big"]
    assert main(["models", "show", "mine/big"]) == 0
    assert "mine/big" in capsys.readouterr().out
    assert main(["models", "show", "mine-big"]) == 1
    assert "mine/big" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--json"]) == 0
    assert {"wicket", "python", "packages"} == json.loads(capsys.readouterr().out).keys()


def test_only_the_chosen_command_is_loaded() -> None:
    assert build_parser("").parse_args([]).command is None
