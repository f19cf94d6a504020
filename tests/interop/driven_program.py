"""A client's program while it runs: commands as JSON lines in, answers as JSON lines out.

A command is `{"id": 1, "do": "publish", …}`; its answer has the same id and either `result` or
`error`. Octets are `{"$bytes": "00ff"}`.
"""

import itertools
import json
import subprocess
from typing import Any

STOP_S_MAX = 10.0


class DrivenProgram:
    """One program; the test asks it for one thing at a time."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._numbers = itertools.count(1)

    def ask(self, **command: Any) -> Any:
        """Have one command carried out; raises what `failure` makes of an error."""
        number = next(self._numbers)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps(
            {"id": number, **command}, default=lambda octets: {"$bytes": octets.hex()}
        )
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        for answered in self._process.stdout:
            if not answered.startswith("{"):  # what the library prints itself
                continue
            answer = json.loads(answered, object_hook=_octets)
            if answer["id"] == number:
                if "error" in answer:
                    raise self.failure(answer["error"])
                return answer["result"]
        raise AssertionError(f"the client ended with {self._process.wait(STOP_S_MAX)}")

    def failure(self, error: dict[str, Any]) -> Exception:
        """What an error of the program's is to a test."""
        return AssertionError(error)

    def close(self) -> None:
        """End the program."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.stdout is not None
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def _octets(value: dict[str, Any]) -> Any:
    return bytes.fromhex(value["$bytes"]) if "$bytes" in value else value
