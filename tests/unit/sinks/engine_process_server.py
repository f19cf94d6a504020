"""A server with a process of engines, for a test that kills it: prints that one's number."""

import sys
import time
from pathlib import Path

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.sinks.engine import EngineParts
from thingtank.sinks.engine_calls import Setup
from thingtank.sinks.engine_process import EngineProcess

if __name__ == "__main__":
    process = EngineProcess(Setup(AwsSettings(), 1, 1.0, sys.argv[1], None))
    parts = EngineParts(lambda: AwsClients(AwsSettings()), Path(sys.argv[1]))
    engine = process.make_engine({"engine": "folder", "folder": "out"}, parts)
    engine.open()
    print(process.link()._process.pid, flush=True)
    time.sleep(60)
