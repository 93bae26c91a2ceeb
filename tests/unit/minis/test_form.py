"""Which requests a mini may be asked, and what it is shown of them."""

import pytest

from wicket.minis.form import Asked, asked, shown, unfit

USER = {"role": "user", "content": "a table for two"}


def test_one_user_message_with_or_without_a_system_prompt() -> None:
    assert asked([USER]) == Asked("", "a table for two")
    assert asked([{"role": "system", "content": "Be brief."}, USER]) == Asked("Be brief.", "a table for two")
    assert asked([{"role": "developer", "content": "Be brief."}, USER]) == Asked(
        "Be brief.", "a table for two"
    )


def test_text_parts_are_text() -> None:
    parts = [{"type": "text", "text": "a table "}, {"type": "text", "text": "for two"}]
    assert asked([{"role": "user", "content": parts}]) == Asked("", "a table for two")


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "system", "content": "Be brief."}],
        [USER, {"role": "assistant", "content": "When?"}, USER],
        [USER, {"role": "system", "content": "late"}],
        [{"role": "user", "content": ""}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}],
        [{"role": "user", "content": [{"type": "text"}]}],
        [{"role": "user", "content": ["text"]}],
        [{"role": "tool", "content": "7"}],
    ],
)
def test_every_other_form_is_refused(messages: list[dict[str, object]]) -> None:
    assert asked(messages) is None


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, ""),
        ({"n": 1, "temperature": 0.7, "tools": []}, ""),
        ({"n": 2}, "n"),
        ({"tools": [{}]}, "tools"),
        ({"logprobs": True}, "logprobs"),
    ],
)
def test_what_a_mini_can_not_do(fields: dict[str, object], name: str) -> None:
    assert unfit(fields) == name


def test_a_constant_system_prompt_is_left_out_and_several_are_numbered() -> None:
    assert shown(("Be brief.",), Asked("Be brief.", "hi")) == "hi"
    assert shown(("a", "b"), Asked("b", "hi")) == "#1\nhi"
    assert shown(("a", "b"), Asked("c", "hi")) is None
    assert shown((), Asked("", "hi")) is None
