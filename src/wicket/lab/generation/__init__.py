"""A teacher behind any OpenAI-compatible address answers prompts: budgeted, resumable, retried."""
