"""`python -m tests.conformance.websocket.run_cases PORT CONCURRENCY CASE…`: verdicts as JSON.

A process of its own: kosoku puts stand-ins named `autobahn` and `case` where others would find them.
"""

import asyncio
import json
import os
import sys

from kosoku import FailureError, run_fuzzingclient


async def main(port: str, concurrency: str, *cases: str) -> None:
    """Run the cases against an echo; one object by case id is printed."""
    url = f"ws://127.0.0.1:{port}/echo"
    try:
        results = await run_fuzzingclient(url, cases, concurrency=int(concurrency))
    except FailureError as failure:
        results = failure.results
    verdicts = {
        result.case_id: {
            "behavior": result.behavior.value,
            "close": result.behavior_close.value,
            "close_code": result.remote_close_code,
            "description": result.description,
            "result": f"{result.result} {result.result_close}",
        }
        for result in results
    }
    print(json.dumps(verdicts))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    sys.stdout.flush()
    os._exit(0)  # the suite's own library sometimes aborts while the interpreter goes
