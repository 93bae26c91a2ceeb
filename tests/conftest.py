"""No test may see the developer's own keys, proxies or server: they are gone before anything is imported."""

import os
import re

_FOREIGN = re.compile(
    r"WICKET_.*|.*_API_KEY|.*_API_TOKEN|(HF|GITHUB|GH|HUGGING_?FACE).*_TOKEN|HF_HOME|AWS_.*|AZURE_.*|GOOGLE_.*"
    r"|OPENAI_.*|ANTHROPIC_.*|(HTTPS?|ALL|NO)_PROXY",
    re.IGNORECASE,
)

for _name in [name for name in os.environ if _FOREIGN.fullmatch(name)]:
    del os.environ[_name]

from hypothesis import HealthCheck, settings  # noqa: E402 - after the environment is clean

# How fast inputs are invented says something of the machine, nothing of the program.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
