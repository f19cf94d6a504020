"""Runs python-eeml 4.1.0 and lxml, as `.venv-eeml` has them, for `test_python_eeml.py`.

client.py put SERVER KEY URL '{"environment": {…}, "location": {…}, "data": [{…}]}'
client.py validate SCHEMA      a document on standard input, against a RELAX NG schema

Prints JSON: what the client raised and sent; or what is wrong, and the texts by path.
"""

import json
import sys
from datetime import datetime

import eeml
import eeml.datastream
import eeml.unit
from lxml import etree


def put(server: str, key: str, url: str, plan: str) -> dict[str, object]:
    eeml.datastream.Cosm.host = server  # where the library has it for that
    said = json.loads(plan)
    environment = eeml.Environment(**said["environment"]) if "environment" in said else None
    location = eeml.Location(**said["location"]) if "location" in said else None
    target = int(url) if url.isdigit() else url
    client = eeml.datastream.Cosm(target, key, env=environment, loc=location, use_https=False)
    client.update([data_of(item) for item in said.get("data", [])])
    try:
        client.put()
    except eeml.datastream.CosmError as error:
        return {"error": str(error)}
    return {"error": None, "sent": client.geteeml().decode()}


def data_of(item: dict[str, object]) -> object:
    if "points" in item:
        pairs = [(value, datetime.fromisoformat(at)) for value, at in item["points"]]
        return eeml.DataPoints(item["id_"], pairs)
    unit = getattr(eeml.unit, item.pop("unit"))() if "unit" in item else None
    at = datetime.fromisoformat(item.pop("at")) if "at" in item else None
    return eeml.Data(unit=unit, at=at, **item)


def validate(schema: str) -> dict[str, object]:
    document = etree.fromstring(sys.stdin.buffer.read())
    grammar = etree.RelaxNG(etree.parse(schema))
    grammar.validate(document)
    texts = {
        document.getroottree().getelementpath(element).replace(f"{{{element.nsmap[None]}}}", ""): (
            element.text
        )
        for element in document.iter()
        if element.text
    }
    return {"problems": [str(problem) for problem in grammar.error_log], "texts": texts}


if __name__ == "__main__":
    call, *words = sys.argv[1:]
    print(json.dumps({"put": put, "validate": validate}[call](*words)))
