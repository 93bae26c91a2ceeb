"""What is known of each model, by its name."""

import pytest

from wicket.dialects.anthropic_messages.models import BY_PREFIX, claude


@pytest.mark.parametrize(
    ("model", "like"),
    [
        ("claude-3-7-sonnet-20250219", "claude-3-7"),
        ("claude-3-opus-20240229", "claude-3"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("us.anthropic.claude-opus-4-6-v1:0", "claude-opus-4-6"),
        ("anthropic/claude-sonnet-5", "claude-sonnet-5"),
        ("claude-sonnet-5-5", "claude-sonnet-5-5"),
    ],
)
def test_the_longest_beginning_counts(model: str, like: str) -> None:
    assert claude(model) is BY_PREFIX[like]


def test_an_unknown_model_takes_most() -> None:
    assert claude("kimi-k3").can_force_tools and claude("kimi-k3").efforts


@pytest.mark.parametrize("prefix", BY_PREFIX)
def test_abilities_do_not_contradict_each_other(prefix: str) -> None:
    found = BY_PREFIX[prefix]
    assert found.is_adaptive or found.takes_budget or not found.thinks
    assert found.thinks or not found.is_adaptive
    assert set(found.efforts) <= {"low", "medium", "high", "xhigh", "max"}
