"""The whole loop, unattended: a large model answers, a mini learns its answers and takes over what it can.

    python scripts/demo.py [--data examples/demo/restaurant8k] [--out demo] [--minutes 5.5] [--test 0]

The large model is a stand-in: a scripted provider that answers with the data set's own gold answers, at the
price of gpt-4o in the catalogue. Everything else is real: the server, the ledger, the log, the compact model,
the training, the engine. DATA holds `requests.jsonl.gz` (logged and learned from) and `test.jsonl.gz` (only
asked). OUT gets `report.json`, `report.html` and the data folder of the server.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from demo_parts import (
    BEFORE,
    LARGE,
    MINI,
    ROUTE,
    Asker,
    Stage,
    Wicket,
    gold_script,
    read_lines,
)
from demo_report import write_report

NUM_BEFORE = 200
CONFIG = """\
[server]
port = 0

[providers.large]            # a stand-in that answers with gold labels, at gpt-4o's price
row = "openai"
base_url = "{upstream}"
api_key = "stand-in"

[engines.compact]
model = "smollm2-135m-instruct"

[models.assistant]
deployments = ["mini:{task}", "large/gpt-4o"]
policy = "cascade"
quality = 0.95
collect = "{task}"
check_share = 0.02

[tasks.{task}]
retention_days = 1
scrub = []                   # public data; a real log is scrubbed by default
"""


def main() -> int:
    args = parse()
    started_s = time.monotonic()
    task = args.data.name
    shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True)
    requests, test = read_lines(args.data / "requests.jsonl.gz"), read_lines(args.data / "test.jsonl.gz")
    test = test[: args.test] if args.test else test
    (args.out / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in test))
    script = args.out / "upstream.json"
    script.write_text(json.dumps(gold_script([*requests, *test])))
    stages: list[Stage] = []
    with Wicket(args.out, script) as wicket:
        wicket.start(CONFIG.format(upstream=wicket.upstream_url, task=task))
        asker = Asker(wicket.url, wicket.key)
        before = stages_run(
            stages, "before: the compact model alone", lambda: asker.ask(BEFORE, test[:NUM_BEFORE])
        )
        logged = stages_run(stages, "log: the large model answers", lambda: asker.ask(ROUTE, requests))
        wicket.run("tasks", "list")
        train = [
            "mini",
            "train",
            task,
            "--keep-out",
            str(args.out / "test.jsonl"),
            "--minutes",
            str(args.minutes),
        ]
        stages_run(stages, "train: curate, learn, prove, put in place", lambda: wicket.run(*train))
        stages_run(
            stages, "swap: the mini is served, nothing restarted", lambda: wicket.wait_for(MINI + task)
        )
        cascade = stages_run(stages, "cascade: the test file", lambda: asker.ask(ROUTE, test))
        went_up = [index for index, answer in enumerate(cascade) if answer.deployment == LARGE]
        alone = stages_run(
            stages,
            "the mini alone on what went up",
            lambda: asker.ask(MINI + task, [test[index] for index in went_up]),
        )
        wicket.settle()
        savings = wicket.json("savings")
        usage = wicket.json("usage", "--by", "model,deployment,api")
        status = wicket.json("status")
        run = wicket.json("mini", "show", task)
    facts = {
        "task": task,
        "seconds": time.monotonic() - started_s,
        "stages": [(stage.name, stage.seconds) for stage in stages],
        "savings": savings,
        "usage": usage,
        "status": status,
        "mini": run,
    }
    report = write_report(args.out, facts, (before, test), (logged, requests), (cascade, alone, test))
    print(f"\n{report['says']}\nReport: {args.out / 'report.html'}")
    return 0 if report["passed"] else 1


def stages_run(stages, name, work):
    print(f"== {name}", flush=True)
    started_s = time.monotonic()
    result = work()
    stages.append(Stage(name, time.monotonic() - started_s))
    print(f"   {stages[-1].seconds:.0f} s", flush=True)
    return result


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root = Path(__file__).parents[1]
    parser.add_argument("--data", type=Path, default=root / "examples" / "demo" / "restaurant8k")
    parser.add_argument("--out", type=Path, default=root / "demo")
    parser.add_argument("--minutes", type=float, default=5.5, help="how long the mini may learn")
    parser.add_argument("--test", type=int, default=0, help="so many test requests only (0: all)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
