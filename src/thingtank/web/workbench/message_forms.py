"""The form that sends messages: what is typed becomes a message."""

import json
from collections.abc import Sequence
from typing import Any

from django import forms

from thingtank.tank.messaging.messages import BROADCAST, TARGETS_MAX
from thingtank.tank.things import Device
from thingtank.web.workbench.forms import TankForm

PAYLOAD_CHARS_MAX = 131_072
TARGETS_CHARS_MAX = 100_000
TOPIC_CHARS_MAX = 255
MYSELF = ""

_PLAIN = {"autocapitalize": "off", "spellcheck": "false", "autocomplete": "off"}


class SendForm(TankForm):
    """A message to devices.

    Attributes:
        parsed_payload: once it is valid.
    """

    parsed_payload: Any = None

    sender = forms.ChoiceField(label="From", required=False)
    devices = forms.CharField(
        label="To",
        max_length=TARGETS_CHARS_MAX,
        widget=forms.TextInput(
            {"placeholder": "uuid, tag:NAME or *", "list": "device-uuids", **_PLAIN}
        ),
    )
    topic = forms.CharField(
        label="Topic",
        required=False,
        max_length=TOPIC_CHARS_MAX,
        widget=forms.TextInput({"placeholder": "lights", **_PLAIN}),
    )
    payload = forms.CharField(
        label="Payload",
        max_length=PAYLOAD_CHARS_MAX,
        initial='{"on": true}',
        widget=forms.Textarea({"rows": 3, **_PLAIN}),
    )

    def __init__(self, *args: Any, senders: Sequence[Device], login: str, **kwargs: Any) -> None:
        """Offer senders.

        Args:
            senders: devices that the account may send as.
            login: of the account itself.
        """
        super().__init__(*args, **kwargs)
        own = [(device.uuid, f"{device.title} ({device.uuid[:8]})") for device in senders]
        self.fields["sender"].choices = [(MYSELF, f"{login} (you)"), *own]  # type: ignore[attr-defined] # a choice field

    def clean_devices(self) -> list[str]:
        """Each once: commas or line ends stand between them."""
        text: str = self.cleaned_data["devices"]
        targets = [each.strip() for each in text.replace("\n", ",").split(",")]
        targets = list(dict.fromkeys(each for each in targets if each))
        if not targets:
            raise forms.ValidationError("Say to whom: a uuid, tag:NAME, or * for all who listen.")
        if len(targets) > TARGETS_MAX:
            raise forms.ValidationError(f"There are {len(targets)}; {TARGETS_MAX} are the most.")
        return targets

    def clean_payload(self) -> str:
        """JSON, and where it is none, what is wrong with it."""
        text: str = self.cleaned_data["payload"]
        self.parsed_payload = parse_json(text)
        return text

    def clean(self) -> None:
        """Only a device can broadcast."""
        targets = self.cleaned_data.get("devices", [])
        if not self.cleaned_data.get("sender") and any(each in BROADCAST for each in targets):
            self.add_error("sender", "A broadcast is a device's: choose which one sends it.")

    def message(self) -> dict[str, Any]:
        """What valid input asks for."""
        targets: list[str] = self.cleaned_data["devices"]
        asked: dict[str, Any] = {"devices": targets[0] if len(targets) == 1 else targets}
        if self.cleaned_data["topic"]:
            asked["topic"] = self.cleaned_data["topic"]
        asked["payload"] = self.parsed_payload
        return asked


def parse_json(text: str) -> Any:
    """JSON that somebody has typed.

    Raises:
        forms.ValidationError: it is none; says where, and what a text needs.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        words = f"This is no JSON: {error.msg} at {where}."
        if text[:1] not in '{["':
            words += ' A text stands in quotes: "on".'
        raise forms.ValidationError(words) from None
    except RecursionError:
        raise forms.ValidationError("This is no JSON that is taken: it is too deep.") from None
    except ValueError as error:
        raise forms.ValidationError(f"This is no JSON: {error}.") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
