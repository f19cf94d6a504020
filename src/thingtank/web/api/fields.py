"""Fields that take JSON's own types and guess nothing: "5" is no number, 1 is no truth.

What a serializer does not know is refused; what is only for reading may be sent back, and is not
looked at. So an object that was read can be sent back changed.
"""

import math
import re
from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from thingtank.protocols.xively.times import MalformedTime, parse_time
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, value_text
from thingtank.tank.things import TEXT_CHARS_MAX

if TYPE_CHECKING:
    AnySerializer = serializers.Serializer[Any]
    AnyDictField = serializers.DictField
    AnyField = serializers.Field[Any, Any, Any, Any]
else:  # generic for type checkers only
    AnySerializer = serializers.Serializer
    AnyDictField = serializers.DictField
    AnyField = serializers.Field


CONTROLS = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f"  # as `things.text_problems` refuses
_CONTROL = re.compile(f"[{CONTROLS}]")


class ApiSerializer(AnySerializer):
    """An object's shape."""

    default_error_messages = {"invalid": "Expected an object."}  # noqa: RUF012 - as REST framework declares it

    def to_internal_value(self, data: Any) -> Any:
        """The members that may be written."""
        if isinstance(data, dict):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                known = ", ".join(n for n, f in self.fields.items() if not f.read_only)
                words = f"is not known; valid here: {known}"
                raise serializers.ValidationError({name: [words] for name in unknown[:20]})
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A string, as it is."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("allow_blank", True)
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        """The string."""
        if not isinstance(data, str):
            self.fail("invalid")
        if not self.allow_blank and not data.strip():
            self.fail("blank")
        if _CONTROL.search(data):
            raise serializers.ValidationError("can't contain control characters")
        return str(super().to_internal_value(data))


class Truth(serializers.BooleanField):
    """True or false."""

    def to_internal_value(self, data: Any) -> bool:
        """The truth."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Whole(serializers.IntegerField):
    """A whole number."""

    def to_internal_value(self, data: Any) -> int:
        """The number."""
        is_number = isinstance(data, int | float) and not isinstance(data, bool)
        if not is_number or data != data // 1 or abs(data) > 2**53:
            self.fail("invalid")
        return int(data)


class Number(serializers.FloatField):
    """A number."""

    def to_internal_value(self, data: Any) -> float:
        """The number."""
        if not isinstance(data, int | float) or isinstance(data, bool):
            self.fail("invalid")
        try:
            found = float(data)
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            self.fail("invalid")
        return found


class Choice(serializers.ChoiceField):
    """One of some words."""

    def to_internal_value(self, data: Any) -> str:
        """The word."""
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", input=str(data)[:80])
        return data


class Texts(serializers.ListField):
    """A list of strings."""

    child: Text = Text()


class JsonObject(AnyDictField):
    """A JSON object of anything."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """The object."""
        if not isinstance(data, dict):
            self.fail("not_a_dict", input_type=type(data).__name__)
        return data


class Value(AnyField):
    """What a datapoint says: text, a number, or true or false; kept as text."""

    default_error_messages = {  # noqa: RUF012 - as REST framework declares it
        "invalid": "Not a string, a number, true or false.",
        "max_length": "Ensure this field has no more than {max_length} characters.",
    }

    def to_internal_value(self, data: Any) -> str:
        """Its text."""
        if not isinstance(data, str | int | float):
            self.fail("invalid")
        text = value_text(data)
        if len(text) > TEXT_CHARS_MAX:
            self.fail("max_length", max_length=TEXT_CHARS_MAX)
        return text

    def to_representation(self, value: Any) -> Any:
        """As `bodies` has made it."""
        return value


class ReadValue(Value):
    """A datapoint's value in answers: a number where it reads as one, else text; null for none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, allow_null=True, **options)


class Instant(serializers.CharField):
    """A time, ISO 8601; its value is in microseconds since the epoch."""

    def to_internal_value(self, data: Any) -> Any:
        """The microseconds."""
        try:
            at_us = parse_time(data) if isinstance(data, str) else None
        except (MalformedTime, OverflowError):
            at_us = None
        if at_us is None or not AT_US_MIN <= at_us <= AT_US_MAX:
            words = "Not an ISO 8601 time such as 2026-11-27T08:00:00Z."
            raise serializers.ValidationError(words)
        return at_us
