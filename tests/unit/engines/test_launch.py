from pathlib import Path

import pytest

from wicket.engines import launch
from wicket.engines.host import main as host
from wicket.engines.host.model import Settings
from wicket.errors import EngineFault


def test_the_command_says_what_the_host_understands() -> None:
    options = launch.EngineOptions(label="m", max_batch=3, queue=0, threads=2, scheme="int8")
    command = launch.command("compact", "spec", Path("/s.sock"), Path("/home"), options)
    assert command[1:4] == ["-P", "-m", "wicket.engines.host"]
    settings, socket = host.settings(command[4:])
    expected = Settings("compact", "spec", Path("/home"), "m", 3, 0, 16384, 0, 2, "int8")
    assert (settings, socket) == (expected, Path("/s.sock"))
    defaults, _ = host.settings(launch.command("c", "s", Path("/s"), Path("/h"))[4:])
    assert (defaults.max_batch, defaults.queue, defaults.kv_tokens, defaults.scheme) == (
        16,
        64,
        16384,
        "auto",
    )


@pytest.mark.parametrize("argument", [("--max-batch", "0"), ("--queue", "-1"), ("--kv-tokens", "x")])
def test_a_bad_option_is_a_usage_error(argument: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    command = launch.command("c", "s", Path("/s"), Path("/h"))[4:]
    with pytest.raises(SystemExit) as caught:
        host.settings([*command, *argument])
    assert caught.value.code == 2 and argument[0] in capsys.readouterr().err


def test_sockets_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(EngineFault, match="longer than 100 bytes"):
        host.listen(tmp_path / ("x" * 120))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(EngineFault, match="no socket"):
        host.listen(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(EngineFault, match="No such file"):
        host.listen(tmp_path / "none" / "s")
    with host.listen(tmp_path / "s"), pytest.raises(EngineFault, match="another engine"):
        host.listen(tmp_path / "s")
    host.listen(tmp_path / "s").close()  # nobody is there any more
