"""Planted drift: how many bad answers get through before a mini's share falls.

    python bench/drift.py DEMO [--kind german|slang] [--requests 3000]

DEMO is a folder that `make demo` left. Its server is started again with its mini in place; the scripted
provider knows the right answers. Requests of another language or another phrasing come one after the other,
as fast as they are answered; bad is an answer of the mini that says something else than the right one. The
first two blocks are of the demo's own test file, to compare with.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from demo import CONFIG  # noqa: E402
from demo_parts import MINI, ROUTE, Asker, Wicket, read_lines, same  # noqa: E402

FIRST = ["Anna", "Jonas", "Greta", "Felix", "Ida", "Karl", "Lena", "Otto", "Paula", "Ruth"]
LAST = ["Bauer", "Fischer", "Hoffmann", "Keller", "Lang", "Richter", "Vogel", "Weber", "Winter", "Ziegler"]
GERMAN = {
    "people": ["zwei Personen", "vier Leute", "fünf Erwachsene und ein Kind", "acht Gäste", "zu dritt"],
    "date": ["morgen", "am Freitag", "am 3. Mai", "heute Abend", "nächsten Sonntag"],
    "time": ["um halb acht", "gegen 19 Uhr", "um 20:15", "kurz nach sechs", "um zwölf"],
}
SLANG = {
    "people": ["me n 3 m8s", "da 4 of us", "2 ppl", "like 6 heads", "solo"],
    "date": ["2moro", "dis fri", "2nite", "nxt wknd", "tmrw eve"],
    "time": ["bout 8ish", "half 7", "@ 9", "round noonish", "l8 like 10"],
}


def requests(kind: str, num: int) -> list[dict]:
    chance = random.Random(1)
    system = read_lines(ROOT / "examples" / "demo" / "restaurant8k" / "requests.jsonl.gz")[0]["messages"][0]
    found: dict[str, dict] = {}
    while len(found) < num:
        text, answer = (german if kind == "german" else slang)(chance)
        shown = f"Asked for: {chance.choice(['nothing', 'people', 'date', 'time'])}\nGuest: {text}"
        found[shown] = answer
    return [
        {
            "messages": [
                system,
                {"role": "user", "content": shown},
                {"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)},
            ]
        }
        for shown, answer in found.items()
    ]


def german(chance: random.Random) -> tuple[str, dict]:
    slots = {name: chance.choice(values) for name, values in GERMAN.items()}
    person = {"first_name": chance.choice(FIRST), "last_name": chance.choice(LAST)}
    forms = [
        ("Hätten Sie {date} {time} noch einen Tisch, wir kommen {people}?", ("date", "time", "people")),
        ("Tag, {first_name} {last_name} mein Name, geht es {time}?", ("first_name", "last_name", "time")),
        ("Wir wären {people}, am liebsten {date}, Name {last_name}.", ("people", "date", "last_name")),
        ("Ich würde gern {date} bei Ihnen essen, {people}, {first_name} ist mein Name.",
         ("date", "people", "first_name")),
    ]  # fmt: skip
    return filled(chance, forms, slots | person)


def slang(chance: random.Random) -> tuple[str, dict]:
    slots = {name: chance.choice(values) for name, values in SLANG.items()}
    person = {"first_name": chance.choice(FIRST).lower(), "last_name": chance.choice(LAST).lower()}
    forms = [
        ("yo can u squeeze {people} in {date} {time}??", ("people", "date", "time")),
        ("its {first_name} {last_name} lol need a spot {time} pls", ("first_name", "last_name", "time")),
        ("{people} {date} {time} u got space or wat", ("people", "date", "time")),
        ("sup, book under {last_name} 4 {date} kthx", ("last_name", "date")),
    ]
    return filled(chance, forms, slots | person)


def filled(chance: random.Random, forms, values: dict) -> tuple[str, dict]:
    form, names = chance.choice(forms)
    return form.format(**values) + " " + chance.choice(["", "!", "…", "Danke", "thx"]), {
        n: values[n] for n in names
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("demo", type=Path)
    parser.add_argument("--kind", choices=["german", "slang"], default="german")
    parser.add_argument("--requests", type=int, default=800)
    args = parser.parse_args()
    lines = [json.loads(line) for line in (args.demo / "test.jsonl").read_text().splitlines()[:200]]
    lines += requests(args.kind, args.requests)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(args.demo / "home" / "minis", folder / "home" / "minis")
        for state in (folder / "home" / "minis").glob("*/watch*"):
            state.unlink()
        script = folder / "upstream.json"
        answers = {line["messages"][-2]["content"]: line["messages"][-1]["content"] for line in lines}
        script.write_text(json.dumps({"answers": answers, "models": ["gpt-4o"]}))
        with Wicket(folder, script) as wicket:
            wicket.start(CONFIG.format(upstream=wicket.upstream_url, task="restaurant8k"))
            wicket.wait_for(MINI + "restaurant8k")
            asker = Asker(wicket.url, wicket.key)
            told = play(asker, lines)
            told["cascades"] = wicket.json("status")["cascades"]
    print(json.dumps(told, indent=2))


def play(asker: Asker, lines: list[dict]) -> dict:
    """Ask 16 at once; per block of 100, how many the mini took and how many of these were bad."""
    blocks, bad = [], 0
    for start in range(0, len(lines), 100):
        block = lines[start : start + 100]
        answers = asker.ask(ROUTE, block)
        taken = [p for p in zip(answers, block, strict=True) if p[0].deployment.startswith(MINI)]
        wrong = sum(not same(answer.text, line["messages"][-1]["content"]) for answer, line in taken)
        bad += wrong
        blocks.append({"taken": len(taken), "bad": wrong})
    return {"requests": len(lines), "bad_in_all": bad, "blocks": blocks}


if __name__ == "__main__":
    main()
