"""Excerpts of the three sources."""

import datetime
import json
from functools import cache
from pathlib import Path
from typing import Any

from wicket.providers.catalogue import Row, parse_rows
from wicket.providers.facts import SourceInfo
from wicket.providers.sources.addresses import ADDRESSES
from wicket.providers.sources.build import Documents

DATA = Path(__file__).parents[3] / "data" / "catalogue"
TODAY = datetime.date(2026, 11, 27)
ROWS = """
[openai]
title = "OpenAI"
base_url = "https://api.openai.com/v1"
known_as = { "genai-prices" = ["openai"], "litellm" = ["openai"], "models.dev" = ["openai"] }
docs = "https://docs.example"
sources = ["docs"]
checked = "2026-11-27"

[anthropic]
title = "Anthropic"
base_url = "https://api.anthropic.com/v1"
known_as = { "genai-prices" = ["anthropic"], "litellm" = ["anthropic"], "models.dev" = ["anthropic"] }
docs = "https://docs.example"
sources = ["docs"]
checked = "2026-11-27"

[gemini]
title = "Gemini"
base_url = "https://generativelanguage.googleapis.com/v1beta/openai"
known_as = { "genai-prices" = ["google"], "litellm" = ["gemini"], "models.dev" = ["google"] }
docs = "https://docs.example"
sources = ["docs"]
checked = "2026-11-27"

[deepseek]
title = "DeepSeek"
base_url = "https://api.deepseek.com"
known_as = { "genai-prices" = ["deepseek"], "litellm" = ["deepseek"], "models.dev" = ["deepseek"] }
docs = "https://docs.example"
sources = ["docs"]
checked = "2026-11-27"

[github]
title = "GitHub"
base_url = "https://models.github.ai/inference"
known_as = { "models.dev" = ["github-models"] }
docs = "https://docs.example"
sources = ["docs"]
checked = "2026-11-27"
"""


@cache
def document(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


def rows() -> dict[str, Row]:
    return parse_rows(ROWS)


def documents() -> Documents:
    infos = {
        name: SourceInfo(version="1", date="2026-11-27", licence="MIT", url=url)
        for name, url in ADDRESSES.items()
    }
    return Documents(
        genai_prices=document("genai-prices"),
        litellm=document("litellm"),
        models_dev=document("models.dev"),
        infos=infos,
    )
