"""Arguments of procedures, read and checked as the procedure's own signature says.

| the parameter | is given |
| --- | --- |
| in front of `*` | by its place, or by its name |
| behind `*` | by its name |
| has a default | or not at all; null is as good as none |

What is wrong is answered by ERROR `wamp.error.invalid_argument`, whose text names the argument.
"""

import inspect
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import ValidationError, convert, defstruct

from thingtank.tank.errors import ValidationFailed


class Shape:
    """What one function takes beside its first parameter.

    Attributes:
        places: names of those that may be given by their place.
        struct: a value of all of them.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        signature = inspect.signature(function, eval_str=True)
        parameters = list(signature.parameters.values())[1:]
        self.places = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        fields = [
            (p.name, p.annotation) if p.default is p.empty else (p.name, p.annotation, p.default)
            for p in parameters
        ]
        self.struct: type[msgspec.Struct] = defstruct(
            "Arguments", fields, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
        )

    def read(self, elements: list[Any]) -> msgspec.Struct:
        """The arguments of a call.

        Args:
            elements: of its payload: none, Arguments, or both Arguments and ArgumentsKw.

        Raises:
            ValidationFailed.
        """
        args: list[Any] = elements[0] if elements else []
        if len(args) > len(self.places):
            raise ValidationFailed(
                [("", f"{len(args)} positional arguments; at most {len(self.places)} are taken")]
            )
        given = dict(zip(self.places, args, strict=False))
        if len(elements) == 2:
            for name in elements[1]:
                if name in given:
                    raise ValidationFailed([(name, "is given by its place and by its name")])
            given.update(elements[1])
        if None in given.values():
            given = {name: value for name, value in given.items() if value is not None}
        try:
            return convert(given, self.struct)
        except ValidationError as error:
            raise ValidationFailed([("", str(error))]) from None
