"""How many examples a mini needs: trained on parts of the demo's logs, judged on requests it never saw.

    python bench/lab/learning_curve.py [--task restaurant8k] [--sizes 150,300,600,1200] [--judge 500]

Prints one JSON document; `src/wicket/lab/learning_curves.json` is made of it.
"""

import argparse
import gzip
import json
import sys
import tempfile
from pathlib import Path

from wicket.lab.mini import Asked, make

DEMO = Path(__file__).parents[2] / "examples" / "demo"


def lines(task: str, name: str) -> list[str]:
    with gzip.open(DEMO / task / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", default="restaurant8k")
    parser.add_argument("--sizes", default="150,300,600,1200", help="training requests after curation, about")
    parser.add_argument("--judge", type=int, default=500)
    args = parser.parse_args()
    points = []
    for size in map(int, args.sizes.split(",")):
        with tempfile.TemporaryDirectory() as name:
            points.append(point(args.task, size, args.judge, Path(name)))
            print(points[-1], file=sys.stderr)
    print(json.dumps({"task": args.task, "judged_on": args.judge, "points": points}, indent=2))


def point(task: str, size: int, num_judges: int, folder: Path) -> dict[str, object]:
    log, judge = folder / "log.jsonl", folder / "judge.jsonl"
    log.write_text("\n".join(lines(task, "requests")[: round(size / 0.65)]) + "\n")
    judge.write_text("\n".join(lines(task, "test")[:num_judges]) + "\n")
    asked = Asked(task=task, examples=str(log), evaluate=str(judge), minutes=10.0, least_train=50)
    make(asked, folder / "run", folder)
    report = json.loads((folder / "run" / "report.json").read_bytes())
    scores = report["scores"]["evaluation"]
    return {
        "examples": report["data"]["split"]["train"]["examples"],
        "exact": round(scores["exact"], 3),
        "share": round(scores["share"], 3),
        "precision": round(scores["precision"], 3) if scores["taken"] else None,
        "seconds": round(report["training"]["trained"]["seconds"]),
    }


if __name__ == "__main__":
    main()
