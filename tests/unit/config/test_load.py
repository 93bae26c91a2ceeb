from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.config.load import find, load, parse, show
from wicket.config.options import override
from wicket.config.schema import Config
from wicket.errors import ConfigFault

BASE = Path("/etc/wicket")


def parsed(text: str, environ: Mapping[str, str] = {}) -> Config:
    return parse(text, environ, source="wicket.toml", base=BASE)


def mistakes(text: str, environ: Mapping[str, str] = {}) -> list[str]:
    with pytest.raises(ConfigFault) as caught:
        parsed(text, environ)
    assert caught.value.code == "invalid_config"
    return caught.value.message.split("\n")


def test_the_contract_s_example_loads() -> None:
    config = parsed(
        """
        [server]
        port = 4242
        workers = 2
        [providers.mine]
        base_url = "http://127.0.0.1:9000/v1"
        api_key = "env:MINE_KEY"
        dialect = "openai_chat"
        [providers.groq]
        [models."gpt-4o-mini"]
        deployments = ["mine/gpt-4o-mini", "groq/llama-3.3-70b-versatile"]
        policy = "ordered"
        commit = "first-token"
        timeouts = { connect_s = 5, first_token_s = 15, gap_s = 15, total_s = 600 }
        [engines.compact]
        model = "smollm2-135m-instruct"
        """,
        {"MINE_KEY": "k1", "GROQ_API_KEY": "k2"},
    )
    assert config.server.workers == 2
    assert config.providers["mine"].credentials == ("k1",)
    assert config.providers["groq"].base_url == "https://api.groq.com/openai/v1"
    assert config.providers["groq"].credentials == ("k2",)
    assert config.models["gpt-4o-mini"].timeouts.connect_s == 5.0
    assert config.engines["compact"].deployment_id == "compact/smollm2-135m-instruct"


GOLDEN = """[server]
port = 70000
wrokers = 2
log_level = "inf"
host = "no host"
cors_origins = ["https://app.example", "app.example/path"]
body_limits = { chat = "many" }

[providers.mine]
base_url = "http://user:pass@127.0.0.1:9000/v1"
api_key = ["env:MINE_KEY", 3, "$OTHER_KEY"]
dialect = "openai_chta"
headers = { "x y" = "a", host = "b", x-title = "c\\r\\nd" }

[providers.grok]
api_key = "literal"

[providers.groq]

[providers.cloudflare]
api_key = "literal"

[providers.compact]
base_url = "ftp://example/v1"

[models."gpt-4o-mini"]
deployments = [
  "mine/gpt-4o-mini",
  "mien/gpt-4o-mini",
  "mine/gpt-4o-mini",
  "fast",
  "compact/other",
]
policy = "orderd"
commit = "frist-token"
timeouts = { connect_s = 0, first_token_s = -1, gap_s = nan, total_s = "600" }

[models.fast]

[models.mini]
deployments = ["mine/gpt-4o-mini"]
markup = -0.5

[engines.compact]
model = "smollm2-135m-instrcut"

[engines."two words"]
model = "all-minilm-l6-v2"

[engine.late]
"""

GOLDEN_MISTAKES = """\
wicket.toml:2: server.port: expected a whole number <= 65535 (it is 70000)
wicket.toml:3: server.wrokers: unknown field (did you mean workers?)
wicket.toml:4: server.log_level: "inf" is not one of debug, info, warning, error (did you mean info?)
wicket.toml:5: server.host: "no host" is not a host name or an IP address
wicket.toml:6: server.cors_origins[1]: an origin reads "https://app.example" (no path), or "*"
wicket.toml:7: server.body_limits.chat: expected a whole number, got text in quotes
wicket.toml:10: providers.mine.base_url: must not hold a user or password: use api_key
wicket.toml:11: providers.mine.api_key[1]: expected text in quotes, got a whole number
wicket.toml:12: providers.mine.dialect: unknown dialect (did you mean openai_chat?); known: openai_chat
wicket.toml:13: providers.mine.headers."x y": is not a header name
wicket.toml:13: providers.mine.headers.host: is set by Wicket itself
wicket.toml:13: providers.mine.headers.x-title: a header's value is printable ASCII on one line
wicket.toml:15: providers.grok: the catalogue has no provider of this name (did you mean groq?): correct it \
or write base_url
wicket.toml:18: providers.groq.api_key: is needed: set GROQ_API_KEY, or write api_key, or write \
optional = true
wicket.toml:20: providers.cloudflare.account: is needed: it fills {account} in \
https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1
wicket.toml:23: providers.compact: an engine has the same name: rename one of them
wicket.toml:24: providers.compact.base_url: must start with http:// or https:// and name a host
wicket.toml:29: models.gpt-4o-mini.deployments[1]: no provider or engine "mien" is declared (did you mean \
mine?)
wicket.toml:30: models.gpt-4o-mini.deployments[2]: "mine/gpt-4o-mini" stands there twice
wicket.toml:31: models.gpt-4o-mini.deployments[3]: is a model of this file, and a model can't refer to a \
model: write provider/model
wicket.toml:32: models.gpt-4o-mini.deployments[4]: engine compact runs smollm2-135m-instrcut: write \
compact/smollm2-135m-instrcut
wicket.toml:34: models.gpt-4o-mini.policy: unknown policy (did you mean ordered?); known: ordered
wicket.toml:35: models.gpt-4o-mini.commit: "frist-token" is not one of first-token, whole (did you mean \
first-token?)
wicket.toml:36: models.gpt-4o-mini.timeouts.connect_s: expected a number > 0.0 (it is 0)
wicket.toml:36: models.gpt-4o-mini.timeouts.first_token_s: expected a number > 0.0 (it is -1)
wicket.toml:36: models.gpt-4o-mini.timeouts.gap_s: expected a number > 0.0 (it is nan)
wicket.toml:36: models.gpt-4o-mini.timeouts.total_s: expected a number, got text in quotes
wicket.toml:38: models.fast.deployments: is needed: a list of "provider/model"
wicket.toml:40: models.mini: mini always names the compact model: only engines may answer to it
wicket.toml:42: models.mini.markup: expected a number >= 0.0 (it is -0.5)
wicket.toml:45: engines.compact.model: unknown model "smollm2-135m-instrcut" (did you mean \
smollm2-135m-instruct?); known: smollm2-135m-instruct, all-minilm-l6-v2, a path, a repository, run:NAME
wicket.toml:47: engines."two words": a name is letters, digits, '.', '_' and '-', at most 64 of them
wicket.toml:50: engine: unknown field (did you mean engines?)"""


def _without_known(lines: list[str]) -> list[str]:
    """Policies and dialects grow with their folders: the end of such a line is not golden."""
    return [line.split("?); known")[0] if "unknown " in line else line for line in lines]


def test_every_mistake_is_told_at_once_in_the_file_s_order() -> None:
    assert _without_known(mistakes(GOLDEN)) == _without_known(GOLDEN_MISTAKES.split("\n"))


def test_no_secret_and_no_value_of_a_secret_field_is_in_a_message() -> None:
    text = """
    [providers.mine]
    base_url = "http://127.0.0.1/v1"
    api_key = "sk-secret secret"
    headers = { a = 123456, b = "secret\\u0000" }
    proxy = "https://me:secret@proxy"
    """
    found = mistakes(text)
    assert len(found) == 3
    assert not [line for line in found if "secret" in line or "123456" in line]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[server\nport = 1", "wicket.toml:1: is not TOML: Expected ']' at the end of a table declaration"),
        ("a = 1\na = 2", "wicket.toml:2: is not TOML: Cannot overwrite a value"),
        ("a = 1\nb = 'x", 'wicket.toml:2: is not TOML: Expected "\'"'),
        ("server = 3", "wicket.toml:1: server: expected a table, got a number"),
        ("[[server]]\n", "wicket.toml:1: server: expected a table, got a list"),
        ("providers = [1]", "wicket.toml:1: providers: expected a table, got a list"),
        ("[providers]\nx = 1", "wicket.toml:2: providers.x: expected a table, got a number"),
        ("[server]\nport = true", "wicket.toml:2: server.port: expected a whole number, got true or false"),
        ("[server]\nport = 2020-01-01", "wicket.toml:2: server.port: expected a whole number, got a date"),
        (
            "[server]\nport = 1.5",
            "wicket.toml:2: server.port: expected a whole number, got a number (it is 1.5)",
        ),
        (
            "[server]\nmax_headers = 0",
            "wicket.toml:2: server.max_headers: expected a whole number >= 1 (it is 0)",
        ),
        (
            "[server]\ndrain_s = inf",
            "wicket.toml:2: server.drain_s: expected a number <= 86400.0 (it is inf)",
        ),
        (
            '[providers.x]\nbase_url = "https://h/v1?k=1"',
            "wicket.toml:2: providers.x.base_url: must not hold a query or fragment: "
            "it ends with the path, e.g. /v1",
        ),
        (
            '[providers.x]\nbase_url = "https://h:99999/v1"',
            "wicket.toml:2: providers.x.base_url: is not a URL",
        ),
        (
            '[providers.x]\nrow = "opnai"\nbase_url = "https://h/v1"',
            "wicket.toml:2: providers.x.row: the catalogue has no opnai (did you mean openai?)",
        ),
        (
            '[providers.mini]\nbase_url = "https://h/v1"',
            "wicket.toml:1: providers.mini: mini always names the compact model: choose another name",
        ),
        (
            '[providers.x]\nbase_url = "https://h/v1"\n[providers.x.prices."m"]\ninput = -1',
            "wicket.toml:4: providers.x.prices.m.input: expected a number >= 0.0 (it is -1)",
        ),
        (
            "[engines.e]\n",
            "wicket.toml:1: engines.e.model: is needed; known: smollm2-135m-instruct, "
            "all-minilm-l6-v2, a path, a repository, run:NAME",
        ),
    ],
)
def test_one_mistake_at_a_time(text: str, line: str) -> None:
    assert mistakes(text) == [line]


def test_a_missing_credential_is_a_mistake_unless_the_provider_is_optional() -> None:
    text = '[providers.mine]\nbase_url = "http://h/v1"\napi_key = "env:MINE_KEY"\n'
    assert mistakes(text) == [
        "wicket.toml:3: providers.mine.api_key: the environment variable MINE_KEY is not set; "
        "or write optional = true"
    ]
    config = parsed(text + "optional = true\n")
    assert config.providers == {}
    assert config.warnings == ("provider mine is left out: the environment variable MINE_KEY is not set",)


@pytest.mark.parametrize(
    ("url", "is_clear"),
    [
        ("http://llm.example/v1", True),
        ("http://10.0.0.7:8000/v1", True),
        ("https://llm.example/v1", False),
        ("http://localhost:8000/v1", False),
        ("http://127.0.0.2/v1", False),
        ("http://[::1]:9/v1", False),
        ("http://127.0.0.1.example/v1", True),
    ],
)
def test_a_key_that_would_cross_a_network_in_clear_is_warned_about(url: str, is_clear: bool) -> None:
    config = parsed(f'[providers.mine]\nbase_url = "{url}"\napi_key = "k"\n')
    assert config.warnings == (("provider mine sends its key unencrypted",) if is_clear else ())
    assert parsed(f'[providers.mine]\nbase_url = "{url}"\n').warnings == ()


@pytest.mark.parametrize(("places", "is_few"), [(0, False), (1, True), (2, False)])
def test_fewer_places_than_workers_are_warned_about(places: int, is_few: bool) -> None:
    table = f'[providers.mine]\nbase_url = "https://llm.example/v1"\nmax_concurrent = {places}\nqueue = 3\n'
    config = parsed(f"[server]\nworkers = 2\n{table}probe_s = 2")
    mine = config.providers["mine"]
    assert (mine.max_concurrent, mine.queue, mine.probe_s) == (places, 3, 2.0)
    assert [("fewer places" in warning) for warning in config.warnings] == ([True] if is_few else [])


def test_a_deployment_of_a_provider_that_is_left_out_is_left_out_with_it() -> None:
    text = """
    [providers.groq]
    optional = true
    [engines.compact]
    model = "smollm2-135m-instruct"
    [models.a]
    deployments = ["groq/x", "compact"]
    [models.b]
    deployments = ["groq/x"]
    """
    config = parsed(text)
    assert config.models["a"].deployments == ("compact",)
    assert "b" not in config.models
    assert config.warnings == (
        "provider groq is left out: GROQ_API_KEY is not set",
        "model a does without groq/x, whose provider is left out",
        "model b is left out: none of its deployments is there",
    )


def test_without_a_file_the_engines_run_and_set_variables_enable_their_providers() -> None:
    config = load(None, {"OPENAI_API_KEY": "sk-1", "CO_API_KEY": "co-1", "HOME": "/x"})
    assert list(config.engines) == ["compact", "embed"]
    assert [e.kind for e in config.engines.values()] == ["generation", "embedding"]
    assert {name: p.reason for name, p in config.providers.items()} == {
        "openai": "OPENAI_API_KEY is set",
        "cohere": "CO_API_KEY is set",
    }
    assert config.source == "" and config.warnings == ()


@pytest.mark.parametrize(
    "name",
    ["GITHUB_TOKEN", "HF_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_BEARER_TOKEN_BEDROCK", "CLOUDFLARE_API_TOKEN"],
)
def test_variables_that_exist_for_other_reasons_enable_nothing(name: str) -> None:
    config = load(None, {name: "value"})
    assert config.providers == {} and config.warnings == ()


@pytest.mark.parametrize(
    "value", ["$OPENAI_API_KEY", "${OPENAI_API_KEY}", "sk-$KEY", "", "  ", "a b", "ключ"]
)
def test_a_variable_that_is_no_key_warns_and_enables_nothing(value: str) -> None:
    config = load(None, {"OPENAI_API_KEY": value})
    assert config.providers == {}
    assert len(config.warnings) == 1
    assert config.warnings[0].startswith("provider openai is not enabled: ")
    assert "OPENAI_API_KEY" in config.warnings[0]


def test_azure_needs_its_endpoint_as_well() -> None:
    alone = load(None, {"AZURE_OPENAI_API_KEY": "k"})
    assert alone.providers == {}
    assert alone.warnings == (
        "provider azure is not enabled: AZURE_OPENAI_API_KEY is set, but AZURE_OPENAI_ENDPOINT is not",
    )
    both = load(None, {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com/"})
    assert both.providers["azure"].base_url == "https://me.openai.azure.com/openai/v1"
    bad = load(None, {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "me.openai.azure.com"})
    assert bad.providers == {}
    assert "AZURE_OPENAI_ENDPOINT must start with http:// or https://" in bad.warnings[0]


def test_with_a_file_nothing_is_enabled_by_the_environment() -> None:
    config = parsed("", {"OPENAI_API_KEY": "sk-1"})
    assert config.providers == {} and config.engines == {}


def test_host_and_port_of_the_environment_override_the_file() -> None:
    config = parsed("[server]\nport = 1\n", {"WICKET_HOST": "0.0.0.0", "WICKET_PORT": "5000"})
    assert (config.server.host, config.server.port) == ("0.0.0.0", 5000)
    assert mistakes("", {"WICKET_PORT": "http"}) == ["WICKET_PORT: is not a port number (0 to 65535)"]
    assert mistakes("", {"WICKET_HOST": "a b"}) == ["WICKET_HOST: is not a host name or an IP address"]
    with pytest.raises(ConfigFault, match="WICKET_PORT"):
        load(None, {"WICKET_PORT": "99999999999999999999"})


def test_options_override_everything() -> None:
    config = override(load(None, {}), host="::1", port=0, workers=3, model="some-org/some-model")
    assert (config.server.host, config.server.port, config.server.workers) == ("::1", 0, 3)
    assert config.engines["compact"].deployment_id == "compact/some-model"
    assert list(config.engines) == ["compact", "embed"]


def test_a_model_given_as_a_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoint").mkdir()
    config = override(Config(), model="checkpoint")
    assert config.engines["compact"].model == str(tmp_path / "checkpoint")
    assert override(Config(), model="tiny.gguf").engines["compact"].model == str(tmp_path / "tiny.gguf")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"port": 70000}, "--port"),
        ({"workers": 0}, "--workers"),
        ({"host": "a b"}, "--host"),
        ({"model": "smollm"}, "--model"),
    ],
)
def test_an_impossible_option_is_a_fault(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigFault, match=says):
        override(Config(), **options)


def test_a_model_given_beside_a_provider_called_compact_is_a_fault() -> None:
    config = parsed('[providers.compact]\nbase_url = "https://h/v1"\n')
    with pytest.raises(ConfigFault, match="--model: a provider of the file is called compact"):
        override(config, model="smollm2-135m-instruct")


@pytest.mark.parametrize(
    ("model", "path", "label", "kind"),
    [
        ("smollm2-135m-instruct", "smollm2-135m-instruct", "smollm2-135m-instruct", "generation"),
        ("./models/My Model.Q4.gguf", "/etc/wicket/models/My Model.Q4.gguf", "My-Model.Q4", "generation"),
        ("tiny.gguf", "/etc/wicket/tiny.gguf", "tiny", "generation"),
        ("/srv/checkpoints/bge-small-en/", "/srv/checkpoints/bge-small-en/", "bge-small-en", "embedding"),
        ("org/name", "org/name", "name", "generation"),
        ("run:banking-7", "run:banking-7", "banking-7", "generation"),
        ("BAAI/bge-m3-gguf", "BAAI/bge-m3-gguf", "bge-m3-gguf", "embedding"),
    ],
)
def test_what_an_engine_may_name(model: str, path: str, label: str, kind: str) -> None:
    engine = parsed(f'[engines.e]\nmodel = "{model}"\n').engines["e"]
    assert (engine.model, engine.label, engine.kind) == (path, label, kind)


def test_a_file_s_paths_start_at_the_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    file = tmp_path / "wicket.toml"
    file.write_bytes(
        b'\xef\xbb\xbf[providers.mine]\r\nbase_url = "http://h/v1"\r\n'
        b'api_key = "file:key"\r\nca_file = "ca.pem"\r\n'
    )
    provider = load(file, {}).providers["mine"]
    assert provider.credentials == ("from-file",)
    assert provider.ca_file == str(tmp_path / "ca.pem")


def test_files_that_can_t_be_read(tmp_path: Path) -> None:
    for path, code in [(tmp_path / "absent.toml", "no_config"), (tmp_path, "no_config")]:
        with pytest.raises(ConfigFault, match=str(path)) as caught:
            load(path, {})
        assert caught.value.code == code
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# ok\nname = '\xe9'\n")
    with pytest.raises(ConfigFault, match=r"latin\.toml:2: is not UTF-8 text"):
        load(latin, {})
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * ((4 << 20) + 1))
    with pytest.raises(ConfigFault, match="larger than 4 MiB"):
        load(large, {})


def test_find_takes_the_named_file_then_the_folder_s_then_home_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    assert find(None, home) is None
    (home / "wicket.toml").touch()
    assert find(None, home) == home / "wicket.toml"
    (here / "wicket.toml").touch()
    found = find(None, home)
    assert found is not None and found.resolve() == (here / "wicket.toml").resolve()
    assert find(home / "wicket.toml", home) == home / "wicket.toml"
    for absent in (tmp_path / "absent", tmp_path, Path("a\x00b")):
        with pytest.raises(ConfigFault, match="no such file: check --config"):
            find(absent, home)


def test_what_is_shown_holds_no_secret_and_survives_json() -> None:
    secret = "sk-live-abcdefghijklmnop-1234"
    config = parsed(
        """
        [providers.mine]
        base_url = "http://h/v1"
        api_key = ["env:A", "shorty"]
        headers = { x-secret = "another-secret-in-a-header" }
        proxy = "http://me:hunter22@proxy:3128"
        """,
        {"A": secret},
    )
    text = msgspec.json.encode(show(config)).decode()
    for hidden in (secret, "shorty", "another-secret", "hunter22"):
        assert hidden not in text
    assert show(config)["providers"]["mine"]["credentials"] == ["sk-…1234 (env:A)", "… (literal)"]
    assert show(config)["providers"]["mine"]["proxy"] == "http://…@proxy:3128"
    assert secret not in repr(config) and secret not in repr(config.providers["mine"])


def test_the_configuration_travels_as_msgpack() -> None:
    config = parsed(
        """
        [providers.openai]
        prices.m = { input = 1, cached = 0.5 }
        [models.m]
        deployments = ["openai/m"]
        [engines.compact]
        model = "smollm2-135m-instruct"
        """,
        {"OPENAI_API_KEY": "sk-1"},
    )
    packed = msgspec.msgpack.encode(config)
    assert msgspec.msgpack.decode(packed, type=Config) == config


def _fault_of(act: Callable[[], object]) -> ConfigFault | None:
    try:
        act()
    except ConfigFault as fault:
        return fault
    return None


@given(st.binary(max_size=200))
def test_bytes_load_or_are_a_config_fault(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "wicket.toml")
        path.write_bytes(data)
        fault = _fault_of(lambda: load(path, {}))
        assert fault is None or str(path) in fault.message


_WORDS = st.sampled_from(
    [
        "server",
        "providers",
        "models",
        "engines",
        "records",
        "port",
        "host",
        "api_key",
        "base_url",
        "openai",
        "x",
        "deployments",
        "timeouts",
        "policy",
        "model",
        "headers",
        "row",
        "rename",
        "remove",
        "prices",
        "mini",
        "input",
        "body_limits",
        "chat",
        "markup",
        "price",
        "auth",
        "proxy",
        "optional",
        "resource",
        "azure",
        "api_version",
        "é",
    ]
)
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(
        [
            "env:A",
            "env:B",
            "file:a",
            "file:/dev/null",
            "http://h/v1",
            "https://[::1]:9/v1",
            "http://[",
            "openai/x",
            "x/x",
            "x",
            "mini",
            "smollm2-135m-instruct",
            "./m.gguf",
            "~nobody/x",
            "$A",
            "https://{account}.h/v1",
            "http://h\x7f/v1",
            "//h",
            "run:",
        ]
    )
)
_TREES: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=12,
)
_SECTIONS = st.sampled_from(["server", "providers", "models", "engines", "records"])
_TABLES = st.dictionaries(_WORDS, st.dictionaries(_WORDS, _TREES, max_size=4), max_size=3)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(str(k))} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(c):08x}" for c in value if not "\ud800" <= c <= "\udfff") + '"'
    return str(value).lower() if isinstance(value, (bool, int, float)) else '""'


@given(st.dictionaries(_SECTIONS | _WORDS, _TABLES | _TREES, max_size=4))
def test_any_document_loads_or_is_a_config_fault_of_whole_lines(document: dict[str, Any]) -> None:
    text = "".join(f"{_toml(key)} = {_toml(value)}\n" for key, value in document.items())
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        pytest.fail(f"the generator wrote bad TOML: {text}")
    loaded: list[Config] = []
    fault = _fault_of(lambda: loaded.append(parsed(text, {"A": "key", "OPENAI_API_KEY": "sk-1"})))
    if fault is not None:
        lines = fault.message.split("\n")
        assert [line for line in lines if not (line.startswith("wicket.toml") and line.isprintable())] == []
    else:
        config = loaded[0]
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(config), type=Config) == config
        assert msgspec.json.encode(show(config))
