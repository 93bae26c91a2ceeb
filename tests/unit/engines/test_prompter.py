import asyncio
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.engines.checkpoints.locate import Checkpoint
from wicket.engines.host.messages import Turn
from wicket.engines.host.prompter import MAX_TEXT_CHARS, Disguise, Prompter, prepare
from wicket.engines.host.tools import Shape
from wicket.errors import CallerFault

CONTROL = re.compile(re.escape("<bos>") + "|" + re.escape("<eos>"))


@given(st.lists(st.sampled_from(["<bos>", "<eos>", "<b", "os>", "a", "(", ":0)"]), max_size=12))
def test_a_disguise_comes_off_as_it_went_on(words: list[str]) -> None:
    disguise = Disguise(CONTROL)
    text = "".join(words)
    hidden = disguise.put_on(text)
    assert CONTROL.search(hidden) is None
    parts = disguise.take_off(f"<bos>{hidden}<eos>")
    assert "".join(part for part, _ in parts) == f"<bos>{text}<eos>"
    assert all(CONTROL.fullmatch(part) for part, is_hidden in parts if is_hidden)
    assert [part for part, is_hidden in parts if is_hidden] == CONTROL.findall(text)


def test_without_control_tokens_nothing_is_hidden() -> None:
    assert Disguise(None).put_on("<bos>") == "<bos>"


def test_a_prompt_and_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "a.script.json"
    path.write_text('{"chat_template": "{{ bos_token }}|{{ messages[0].content }}|{{ eos_token }}"}')

    async def run() -> None:
        prompter: Prompter = await prepare(Checkpoint("a", path, "scripted", "scripted"))
        try:
            ids = await prompter.chat(Shape([Turn("user", "hi <eos>")], [], None, "text"))
            assert prompter.decode(ids) == "<bos>|hi <eos>|<eos>"
            assert prompter.spell(104) == b"h" and prompter.spell(10**6) == b""
            assert prompter.has_template and not prompter.has_template_tools
            with pytest.raises(CallerFault) as caught:
                await prompter.complete("a" * (MAX_TEXT_CHARS + 1))
            assert caught.value.code == "context_length_exceeded"
            assert len(await prompter.complete("a" * 50_000)) == 50_000
        finally:
            await prompter.close()

    asyncio.run(run())
