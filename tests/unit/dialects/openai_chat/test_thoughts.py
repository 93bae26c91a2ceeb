"""Whose seal a thought carries."""

import pytest

from wicket.dialects.hub import Thinking
from wicket.dialects.openai_chat.thoughts import detail_of, thinking_of
from wicket.dialects.translation import spoken


@pytest.mark.parametrize("origin", ["anthropic_messages", "gemini"])
def test_a_seal_keeps_the_name_of_the_dialect_that_gave_it(origin: str) -> None:
    assert spoken(origin) is not None
    for part in (
        Thinking(origin=origin, text="hm", signature="s"),
        Thinking(origin=origin, is_redacted=True),
    ):
        again = thinking_of(detail_of(part, 0))
        assert again == part
