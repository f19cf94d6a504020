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
from thingtank.validation_words import IN_ARGUMENTS, validation_words

_DEVICE_NAMES = ("feed", "device", "sender")


class Shape:
    """What one function takes beside its first parameter.

    Attributes:
        places: names of those that may be given by their place.
        device_name: of the parameter that names a device; blank where there is none.
        struct: a value of all of them.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        signature = inspect.signature(function, eval_str=True)
        parameters = list(signature.parameters.values())[1:]
        self.places = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        names = [p.name for p in parameters]
        self.device_name = next((name for name in _DEVICE_NAMES if name in names), "")
        fields = [
            (p.name, p.annotation) if p.default is p.empty else (p.name, p.annotation, p.default)
            for p in parameters
        ]
        self.struct: type[msgspec.Struct] = defstruct(
            "Arguments", fields, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
        )

    def find_device_name(self, elements: list[Any]) -> Any:
        """What a call that may be wrong says for the device that it is about; None for nothing."""
        name, places = self.device_name, self.places
        if len(elements) == 2 and name in elements[1]:
            return elements[1][name]
        place = places.index(name) if name in places else len(places)
        args = elements[0] if elements else []
        return args[place] if place < min(len(args), len(places)) else None

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
            words = validation_words(error, self.struct, IN_ARGUMENTS)
            raise ValidationFailed([("", words)]) from None
