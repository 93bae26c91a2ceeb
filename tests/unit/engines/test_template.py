import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from wicket.engines.host.renderer import Renderer
from wicket.engines.host.template import CHATML, MAX_TEMPLATE_CHARS
from wicket.errors import CallerFault, EngineFault

MESSAGES = [{"role": "user", "content": "hi"}]
SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, "
    "trained by Hugging Face<|im_end|>\n' }}"
    "{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
T = TypeVar("T")


def using(source: str, work: Callable[[Renderer], Awaitable[T]], render_s: float = 20.0) -> T:
    async def run() -> T:
        renderer = Renderer(source, render_s=render_s)
        try:
            return await work(renderer)
        finally:
            await renderer.close()

    return asyncio.run(run())


def rendered(source: str, render_s: float = 20.0, **variables: Any) -> str:
    given = {"messages": MESSAGES, "add_generation_prompt": True, **variables}
    return using(source, lambda renderer: renderer.render(given), render_s)


def test_chatml_and_the_models_own_default_system_prompt() -> None:
    assert rendered(CHATML) == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    text = rendered(SMOLLM2)
    assert text.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
    assert text.endswith("<|im_end|>\n<|im_start|>assistant\n")


def test_what_checkpoints_expect_of_the_environment() -> None:
    source = (
        "{%- for m in messages %}\n    {%- if loop.index > 1 %}{% break %}{% endif %}\n"
        "{{- m | tojson }}\n{%- endfor %}\n{%- generation %}!{% endgeneration %}{{ bos_token }}"
    )
    messages = [{"content": "é<"}, {"content": "never"}]
    assert rendered(source, messages=messages, bos_token="<s>") == '{"content": "é<"}!<s>'
    assert rendered("{{ strftime_now('%Y') | length }}") == "4"


def test_a_templates_own_refusal_is_the_callers_fault() -> None:
    with pytest.raises(CallerFault, match="Roles must alternate") as caught:
        rendered("{{ raise_exception('Roles must alternate') }}")
    assert caught.value.param == "messages"


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(10**9) %}x{% endfor %}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ messages.append(1) }}",
        "{{ 'a' * 10**12 }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for i in range(99999) %}{{ 'x' * 99999 }}{% endfor %}",
        "{{ undefined_thing.field }}",
        "{% broken",
        "{% include '/etc/passwd' %}",
        "x" * (MAX_TEMPLATE_CHARS + 1),
    ],
)
def test_hostile_templates_fail_with_one_line(source: str) -> None:
    with pytest.raises(EngineFault) as caught:
        rendered(source)
    assert caught.value.code == "template_failed"
    assert "\n" not in caught.value.message


def test_an_endless_template_is_ended_and_the_next_rendering_works() -> None:
    source = (
        "{% if endless %}{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}"
        "{% endfor %}{% endfor %}{% endfor %}{% endif %}fine"
    )

    async def work(renderer: Renderer) -> tuple[str, str]:
        await renderer.start()
        with pytest.raises(EngineFault) as caught:
            await renderer.render({"endless": True})
        renderer.render_s = 20.0
        return caught.value.message, await renderer.render({"endless": False})

    message, text = using(source, work, render_s=0.3)
    assert "takes longer than 0.3 s" in message
    assert text == "fine"


def test_a_cancelled_rendering_does_not_answer_the_next_one() -> None:
    async def work(renderer: Renderer) -> str:
        await renderer.start()
        first = asyncio.create_task(renderer.render({"messages": [{"role": "user", "content": "one"}]}))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        return await renderer.render({"messages": [{"role": "user", "content": "two"}]})

    assert "two" in using(CHATML, work)


def test_whether_a_template_knows_tools() -> None:
    async def knows(renderer: Renderer) -> bool:
        await renderer.start()
        return renderer.has_tools

    assert using("{% if tools %}{{ tools }}{% endif %}", knows)
    assert not using(SMOLLM2, knows)


def test_secrets_in_the_environment_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    async def environment(renderer: Renderer) -> bytes:
        await renderer.start()
        return await asyncio.to_thread(Path(f"/proc/{renderer.pid}/environ").read_bytes)

    try:
        assert b"sk-secret" not in using(CHATML, environment)
    except FileNotFoundError:
        pytest.skip("no /proc here")
