"""Makes examples/demo/tldr of the English tldr pages: what somebody wants of a tool, and the command.

    python scripts/make_tldr_data.py PAGES

PAGES is a gzipped file of one page a line: `lang`, `platform`, `page`, and `examples` of `nl` and `cmd`, as
the pages of https://github.com/tldr-pages/tldr (CC-BY-4.0) have them. The same input makes the same files,
byte by byte.

Kept are the platforms `common` and `linux`, and of them the tools that at least `LEAST_PAIRS` examples begin
with: a request is about a tool that was seen, and asks for what was not. Marks of placeholders go, of two
spellings of an option the long one stays, hints at an option's letter go, and what asks for help or a version
is left out, as too easy. Examples that say or want the same but for names and numbers are one group, and a
group is wholly in one file, by its hash: nothing that judges was learned under another platform, with
another path, or behind "sudo".
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

PLATFORMS = ("common", "linux")
LEAST_PAIRS = 16
MOST_CHARACTERS = 100
TEST_SHARE = 0.1
OPTION = re.compile(r"\{\{\[([^|\]]*)\|([^\]]*)\]\}\}")
PLACEHOLDER = re.compile(r"\{\{.*?\}\}+")
HINT = re.compile(r"\[([A-Za-z])\]")  # "E[x]tract" points at -x, which nobody who asks would
EASY = re.compile(r"--(help|version)\b")


class Pair(NamedTuple):
    """One example. `mould` is its command with every placeholder and number the same."""

    tool: str
    request: str
    command: str
    mould: str


def pairs_of(page: dict[str, object]) -> list[Pair]:
    """A page's examples that can be used."""
    found = []
    examples = page["examples"]
    assert isinstance(examples, list)
    for example in examples:
        marked = OPTION.sub(lambda match: match[2], example["cmd"].strip())
        command = marked.replace("{{", "").replace("}}", "")
        words = command.removeprefix("sudo ").split()
        is_usable = (
            words
            and words[0].isascii()
            and words[0][0].isalpha()
            and str(page["page"]).lower().startswith(words[0].lower())
            and "\n" not in command
            and "\\{" not in command
            and len(command) <= MOST_CHARACTERS
            and not EASY.search(command)
        )
        if is_usable:
            mould = re.sub(r"\d+", "0", PLACEHOLDER.sub("X", marked.removeprefix("sudo ")))
            wish = HINT.sub(r"\1", " ".join(example["nl"].split()))
            request = f"{words[0]}: {wish}"
            found.append(Pair(words[0], request, command, " ".join(mould.split())))
    return found


def groups_of(pairs: list[Pair]) -> list[str]:
    """Of each pair its group's name: connected are those with one mould, and those with one request."""
    parent = dict[str, str]()

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    for pair in pairs:
        said = re.sub(r"\W+|\d+", " ", pair.request.casefold()).strip()
        first, second = root(f"m {pair.mould}"), root(f"r {said}")
        parent[max(first, second)] = min(first, second)
    return [root(f"m {pair.mould}") for pair in pairs]


def is_test(group: str) -> bool:
    """By its hash alone."""
    return int(hashlib.sha256(group.encode()).hexdigest()[:8], 16) < TEST_SHARE * (1 << 32)


def write(path: Path, pairs: list[Pair]) -> None:
    """Chat messages, one pair a line, in the order of their hashes."""
    lines = []
    for pair in sorted(pairs, key=lambda pair: hashlib.sha256(repr(pair).encode()).digest()):
        turns = [("user", pair.request), ("assistant", pair.command)]
        messages = [{"role": role, "content": content} for role, content in turns]
        lines.append(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
    path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


def main(source: Path, folder: Path) -> None:
    """Read the pages and write both files."""
    with gzip.open(source, "rt", encoding="utf-8") as file:
        pages = [json.loads(line) for line in file]
    mine = [page for page in pages if page["lang"] == "en" and page["platform"] in PLATFORMS]
    found = list(dict.fromkeys(pair for page in mine for pair in pairs_of(page)))
    num = Counter(pair.tool for pair in found)
    kept = [pair for pair in found if num[pair.tool] >= LEAST_PAIRS]
    groups = groups_of(kept)
    train = [pair for pair, group in zip(kept, groups, strict=True) if not is_test(group)]
    known = {pair.tool for pair in train}
    test = [p for p, group in zip(kept, groups, strict=True) if is_test(group) and p.tool in known]
    write(folder / "train.jsonl.gz", train)
    write(folder / "test.jsonl.gz", test)
    sys.stdout.write(f"{len(train)} to learn from, {len(test)} to judge by, of {len(known)} tools\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parents[1] / "examples" / "demo" / "tldr")
