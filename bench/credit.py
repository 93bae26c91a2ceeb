"""A dollar of credit, eight workers, 256 callers at once: what is charged in the end, and how long it took.

    python bench/credit.py [--usd 1.00] [--workers 8] [--callers 256]

A real server before the scripted provider. Each caller asks again and again until it hears 402; 429 (the rest
is held by requests under way) is asked again. Prints the answers by status, and the balance.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path


def main() -> None:
    """Spend it all."""
    from tests.path.house import SECRET, Gateway, Provider
    from tests.path.metered import LIMITED, Metered

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--usd", default="1.00")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--callers", type=int, default=256)
    parser.add_argument("--max-tokens", type=int, default=30)
    options = parser.parse_args()
    body = json.dumps(
        {
            "model": "mine/plain",
            "max_tokens": options.max_tokens,
            "messages": [{"role": "user", "content": "Say it."}],
        }
    ).encode()
    seen: Counter[int] = Counter()
    with tempfile.TemporaryDirectory() as folder, Provider() as provider:
        config = LIMITED.format(workers=options.workers).format(url=provider.upstream.base_url, secret=SECRET)
        gateway = Gateway(Path(folder), config).wait_ready()
        caller = Metered(gateway)
        credit = {"team": caller.team, "usd": options.usd, "idempotency_key": "bench"}
        gateway.admin("POST", "/admin/v1/credits", credit)
        time.sleep(1)

        def spend() -> None:
            connection = http.client.HTTPConnection(*gateway.address, timeout=60)
            headers = {"authorization": f"Bearer {caller.key}", "content-type": "application/json"}
            while True:
                connection.request("POST", "/v1/chat/completions", body, headers)
                answer = connection.getresponse()
                answer.read()
                seen[answer.status] += 1
                if answer.status == 429:
                    time.sleep(0.05)
                elif answer.status != 200:
                    return

        threads = [threading.Thread(target=spend) for _ in range(options.callers)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s = time.monotonic() - began
        time.sleep(2)
        print(f"{options.usd} USD, {options.workers} workers, {options.callers} callers: {took_s:.1f} s")
        print(f"answers by status: {dict(seen)}")
        print(f"credit: {caller.own()['credit']}")
        print(f"charged: {gateway.admin('GET', '/admin/v1/usage')['charge_usd']} USD")
        gateway.close()


if __name__ == "__main__":
    main()
