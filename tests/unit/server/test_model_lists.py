"""Models as other families' clients list them."""

from wicket.server.model_lists import anthropic_list, cohere_list, gemini_list

CARDS = [
    {"id": "mine/a", "created": 0, "context_tokens": 4096, "max_output_tokens": 512},
    {"id": "b", "created": 1_700_000_000},
]


def test_anthropics_page() -> None:
    page = anthropic_list(CARDS)
    assert page["data"][1] == {
        "type": "model",
        "id": "b",
        "display_name": "b",
        "created_at": "2023-11-14T22:13:20Z",
    }
    assert (page["first_id"], page["last_id"], page["has_more"]) == ("mine/a", "b", False)
    assert anthropic_list([]) == {"data": [], "has_more": False, "first_id": None, "last_id": None}


def test_geminis_page() -> None:
    first, second = gemini_list(CARDS)["models"]
    assert first["name"] == "models/mine/a" and first["inputTokenLimit"] == 4096
    assert first["outputTokenLimit"] == 512 and "generateContent" in first["supportedGenerationMethods"]
    assert "inputTokenLimit" not in second


def test_coheres_page() -> None:
    """docs.cohere.com/reference/list-models: `models` by name, and what they are for."""
    cards = [CARDS[0] | {"endpoints": ["chat"]}, CARDS[1] | {"endpoints": ["embed"]}]
    first, second = cohere_list(cards)["models"]
    assert first == {"name": "mine/a", "endpoints": ["chat"], "finetuned": False, "context_length": 4096}
    assert second["endpoints"] == ["embed"] and "context_length" not in second
    assert [one["name"] for one in cohere_list(cards, "embed")["models"]] == ["b"]
