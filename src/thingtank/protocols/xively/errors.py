"""How a request can be wrong before the tank is asked, with the answer Xively gave for it.

```
XivelyError            status, title and text of the answer
├── MalformedBody      400: not JSON, not gzip, not the shape of a document
│   ├── MalformedXml    400: not well-formed, not allowed, or not EEML
│   └── MalformedCsv    400: not rows of the fields asked for
├── MalformedQuery     400: query terms that cannot be read
├── NotRouted          404: no such path, or not with that method
├── NotAcceptable      406: a format that is not spoken here
├── BodyTooLarge       413
└── Unprocessable      422: well-formed, and still no valid document
```

Source: Xively API v2, HTTP status codes.
"""

from collections.abc import Sequence

import msgspec


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every refusal. `errors` is a list only when there are several problems."""

    title: str
    errors: str | list[str]


class XivelyError(Exception):
    """A refusal in Xively's words."""

    status = 400
    title = "Bad Request"

    @property
    def body(self) -> ErrorBody:
        """What the client is told."""
        return ErrorBody(self.title, str(self))


class MalformedBody(XivelyError):
    """The body cannot be read as a document at all."""

    title = "JSON Parser Error"


class MalformedXml(MalformedBody):
    """The body is not XML, uses what is refused (a DTD, entities), or is not of the shape."""

    title = "XML Parser Error"


class MalformedCsv(MalformedBody):
    """The body is not CSV, or its rows have fields that mean nothing."""

    title = "CSV Parser Error"


class MalformedQuery(XivelyError):
    """A query parameter cannot be read."""


class NotRouted(XivelyError):
    """Nothing answers to this method and path."""

    status = 404
    title = "Not found"

    def __init__(self, method: str, path: str) -> None:
        # The `/api` in front is how the service's own router saw its paths, and clients saw it too.
        super().__init__(f'No route matches [{method}] "/api{path}"')


class NotAcceptable(XivelyError):
    """The format asked for, by extension or Accept, is not one of this resource."""

    status = 406
    title = "Not Acceptable"


class BodyTooLarge(XivelyError):
    """The body, or what it decompresses to, is larger than the limit."""

    status = 413
    title = "Request Entity Too Large"


class Unprocessable(XivelyError):
    """The document breaks rules.

    Attributes:
        problems: (field, message) pairs, at least one.
    """

    status = 422
    title = "Unprocessable Entity"

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem_texts(problems)))

    @property
    def body(self) -> ErrorBody:
        """One problem as a string, several as a list of strings."""
        return ErrorBody(self.title, one_or_list(problem_texts(self.problems)))


def problem_texts(problems: Sequence[tuple[str, str]]) -> list[str]:
    """Problems as sentences, the field humanized: `Unit type is not a valid unit_type …`.

    A problem of the whole document has a blank field, and its message is the sentence.
    """
    return [
        f"{field[:1].upper()}{field[1:].replace('_', ' ')} {message}" if field else message
        for field, message in problems
    ]


def one_or_list(texts: list[str]) -> str | list[str]:
    """The only text itself, or the list of them."""
    return texts[0] if len(texts) == 1 else texts
