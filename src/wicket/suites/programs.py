"""From an answer with code to a program that tests it: the candidate, its tests, and a word at the very end.

For suites such as HumanEval (Chen et al. 2021), whose prompt is the head of a function and whose tests define
`check(candidate)`, and MBPP (Austin et al. 2021), whose tests are bare asserts.
"""

from __future__ import annotations

import re

from wicket.suites.case import Case

_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)
_MAX_CHARACTERS = 100_000


def program(case: Case, answer: str, word: str) -> str:
    """The program's text. It prints `word` last if, and only if, all tests passed."""
    code = candidate(case, answer)
    call = ""
    if case.entry_point and re.search(r"^def check\(", case.tests, re.MULTILINE):
        call = f"check({case.entry_point})\n"
    return f"{code}\n\n{case.tests}\n\n{call}print({word!r})\n"


def candidate(case: Case, answer: str) -> str:
    """The code in an answer: its fenced blocks, else all of it.

    An answer that goes on where the case's `prefix` ends (and so does not define the function itself) gets
    the prefix put before it.
    """
    answer = answer[:_MAX_CHARACTERS]
    blocks = _FENCE.findall(answer)
    code = "\n\n".join(blocks) if blocks else answer
    is_whole = not case.entry_point or re.search(
        rf"^\s*(?:async\s+)?def\s+{re.escape(case.entry_point)}\b", code, re.MULTILINE
    )
    return f"{case.prefix}{code}" if not is_whole else f"{imports(case.prefix)}{code}"


def imports(prefix: str) -> str:
    """The lines of a prefix that import: a whole function may rely on them too."""
    lines = [line for line in prefix.splitlines() if re.match(r"(?:from\s+\S+\s+)?import\s", line)]
    return "".join(f"{line}\n" for line in lines)
