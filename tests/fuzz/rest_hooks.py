"""What schemathesis is told of this API beside its OpenAPI document; loaded by its own process."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def json_lines(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """Lines of JSON stand as one string in the document; anything else is a line by itself."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "surrogatepass")
