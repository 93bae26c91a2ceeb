"""Where the sources publish their documents; fetched on demand only (`wicket models update`)."""

from __future__ import annotations

from wicket.providers.facts import SourceName

ADDRESSES: dict[SourceName, str] = {
    "genai-prices": "https://raw.githubusercontent.com/pydantic/genai-prices/refs/heads/main/prices/new_data/v2/data.json",
    "litellm": "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json",
    "models.dev": "https://models.dev/api.json",
}
MAX_BYTES = 64 << 20  # of one document
