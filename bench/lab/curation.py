"""How much poison curation finds before any training, and how long 100,000 examples take.

One answer in ten of the samples in `tests/data/tasks` is replaced. Run from the checkout's root with
`PYTHONPATH=. python bench/lab/curation.py [--speed]`; packages: wicket[compact].
"""

from __future__ import annotations

import random
import resource
import sys
import time

from tests.unit.lab.logged import Row, examples_of, intents, poisoned, samples_of, slots

from wicket.lab.curate import Curated, curate
from wicket.lab.split import check_split, split
from wicket.lab.suspects import by_words

POISONS = ("hacked", "text", "empty", "other")
NUM = 100_000


def curated(rows: list[Row]) -> Curated:
    return curate(examples_of(samples_of(rows)))


def ids(found: Curated) -> set[str]:
    return {sample.id for sample in found.samples}


def poison() -> None:
    print("task     poison   bad  rules  then suspects  clean lost to rules  to suspects")
    for task, rows in (("slots", slots()), ("intents", intents())):
        clean = ids(curated(rows))
        for kind in ("none", *POISONS):
            mixed, bad = poisoned(rows, kind) if kind != "none" else (rows, set())
            found = curated(mixed)
            left = ids(found)
            flagged = by_words(found.samples, found.learned[0].shape.kind)
            suspects = {found.samples[place].id for place in flagged.places}
            num = max(1, len(bad))
            print(
                f"{task:8} {kind:6} {len(bad):5}  {len(bad - left) / num:5.0%}  "
                f"{len(bad - left | bad & suspects) / num:13.0%}  "
                f"{len(clean - left - bad) / len(clean):19.1%}  {len(suspects - bad) / len(clean):11.1%}"
            )


def speed() -> None:
    draw = random.Random(0)
    vocabulary = [a + b + c for a in "bcdfgklmnprst" for b in "aeiou" for c in ("n", "r", "st", "ll", "ck")]
    starts = [text for text, _ in slots() + intents()]
    rows: list[Row] = []
    for _ in range(NUM):
        if rows and draw.random() < 0.15:
            words = draw.choice(rows)[0].split()
            words[draw.randrange(len(words))] = "x"
        else:
            words = [draw.choice(starts), *draw.choices(vocabulary, k=draw.randint(3, 40))]
        rows.append((" ".join(words), draw.choice(("a", "b", "c", "d")) + " label"))
    examples, judges = examples_of(samples_of(rows)), samples_of(rows[:2000])
    begun = time.process_time()
    found = curate(examples, evaluation=judges)
    curation_s = time.process_time() - begun
    parts = split(found.samples, found.groups)
    split_s = time.process_time() - begun - curation_s
    check_split(parts, found.groups)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"{NUM} examples: curated in {curation_s:.1f} s of CPU time, split in {split_s:.1f} s, {memory} MiB"
    )


if __name__ == "__main__":
    speed() if "--speed" in sys.argv[1:] else poison()
