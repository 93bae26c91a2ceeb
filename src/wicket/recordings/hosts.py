"""Whose traffic a recording is: from the host that was asked."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# Hosts of model APIs, as they stand in recordings. The names are those of the catalogue where it has them.
_HOSTS: tuple[tuple[str, str], ...] = (
    (r"api\.openai\.com", "openai"),
    (r"api\.anthropic\.com", "anthropic"),
    (r"generativelanguage\.googleapis\.com", "gemini"),
    (r"([a-z0-9-]+-)?aiplatform\.googleapis\.com", "vertex_gemini"),
    (r"bedrock-(runtime|mantle)\..*", "bedrock"),
    (r".*\.(openai|cognitiveservices|services\.ai)\.azure\.com", "azure_openai"),
    (r"api\.cohere\.(com|ai)", "cohere"),
    (r"api\.mistral\.ai", "mistral"),
    (r"api\.groq\.com", "groq"),
    (r"api\.deepseek\.com", "deepseek"),
    (r"openrouter\.ai", "openrouter"),
    (r"router\.huggingface\.co", "huggingface"),
    (r"api\.cerebras\.ai", "cerebras"),
    (r"api\.z\.ai", "zai"),
    (r"ollama\.com|localhost|127\.0\.0\.1", "ollama"),
    (r"api\.inference\.crusoecloud\.com", "crusoe"),
    (r".*\.inference\.heroku\.com", "heroku"),
    (r".*\.snowflakecomputing\.com", "snowflake"),
    (r"api\.voyageai\.com", "voyageai"),
    (r"api\.x\.ai", "xai"),
    (r"api\.together\.(xyz|ai)", "together"),
    (r"api\.fireworks\.ai", "fireworks"),
    (r"api\.perplexity\.ai", "perplexity"),
)
_PATTERNS = tuple((re.compile(pattern), name) for pattern, name in _HOSTS)
PROVIDERS = frozenset(name for _, name in _HOSTS)


def provider_of(url: str) -> str:
    """The provider asked at `url`; the host itself where none is known there."""
    host = (urlsplit(url).hostname or "").lower()
    return next((name for pattern, name in _PATTERNS if pattern.fullmatch(host)), host)
