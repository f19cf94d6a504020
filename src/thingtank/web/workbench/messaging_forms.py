"""Forms of a device's side of messaging: tokens, properties, permission lists, kept messages."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec
from django import forms

from thingtank.tank.changes import DeviceChange
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.kept_messages import KEEPS_NAME, KEPT_S_MAX, kept_s
from thingtank.tank.messaging.permission_lists import AreaList, read_list, with_list
from thingtank.tank.messaging.permissions import Area
from thingtank.tank.properties import NO_PROPERTIES, PROPERTIES_BYTES_MAX
from thingtank.tank.things import Device
from thingtank.web.workbench.forms import TankForm, text_field
from thingtank.web.workbench.message_forms import parse_json
from thingtank.web.workbench.permission_words import CHOICES, may_be_usual
from thingtank.web.workbench.trigger_words import duration_text

UUIDS_CHARS_MAX = 40_000
KEPT_CHOICES_S = (0, 3600, 86_400, 7 * 86_400, KEPT_S_MAX)

# What a record of SkyNet has besides the properties, and where it comes from.
_DETAILS = "is the device's own: change it under “Edit details”"
_TANK = "is said by the server: it is no property"
OWN_NAMES: dict[str, str] = {
    "name": _DETAILS,
    "tags": _DETAILS,
    "uuid": "never changes",
    "token": "is a secret: make one under “Tokens”",
    **dict.fromkeys(
        (
            "_id", "api", "eventCode", "fromUuid", "lastOnline", "online", "onlineSince",
            "protocol", "secure", "socketId", "socketid", "timestamp",
        ),
        _TANK,
    ),
}  # fmt: skip

CHANGED_MEANWHILE = "have changed since you opened this form. Copy yours, and open it again"


class TokenForm(TankForm):
    """A further token."""

    tag = text_field("Tag", "What uses it, to find it again: “Kitchen tablet”.")


class PropertiesForm(TankForm):
    """All of a device's properties as JSON.

    Attributes:
        parsed: once it is valid.
    """

    parsed: Mapping[str, Any] = NO_PROPERTIES

    properties = forms.CharField(
        label="Properties",
        max_length=2 * PROPERTIES_BYTES_MAX,
        strip=False,
        widget=forms.Textarea(
            {"rows": 16, "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}
        ),
    )
    seen = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)

    @staticmethod
    def initial_of(device: Device) -> dict[str, str]:
        """What the form shows at first."""
        return {
            "properties": json.dumps(dict(device.properties), indent=2, ensure_ascii=False),
            "seen": fingerprint(device.properties),
        }

    def clean_properties(self) -> str:
        """A JSON object without what is no property."""
        text: str = self.cleaned_data["properties"]
        parsed = parse_json(text)
        if not isinstance(parsed, dict):
            raise forms.ValidationError('This is no JSON object: write { "name": value, … }.')
        for name in parsed:
            if name in OWN_NAMES:
                raise forms.ValidationError(f"“{name}” {OWN_NAMES[name]}.")
        self.parsed = parsed
        return text

    def change_of(self, newest: Device) -> DeviceChange:
        """What valid input asks for, unless another has changed them meanwhile."""
        if self.cleaned_data["seen"] != fingerprint(newest.properties):
            raise ValidationFailed([("properties", CHANGED_MEANWHILE)])
        return DeviceChange(properties=self.parsed)


def fingerprint(properties: Mapping[str, Any]) -> str:
    """Tells properties from others."""
    encoded = msgspec.json.encode(dict(properties), order="deterministic")
    return hashlib.sha256(encoded).hexdigest()


class PermissionForm(TankForm):
    """One permission list."""

    choice = forms.ChoiceField(label="Who else may", choices=CHOICES, widget=forms.RadioSelect)
    uuids = forms.CharField(
        label="UUIDs",
        required=False,
        max_length=UUIDS_CHARS_MAX,
        help_text="One a line, or with commas.",
        widget=forms.Textarea({"rows": 4, "spellcheck": "false", "autocapitalize": "off"}),
    )

    def __init__(self, *args: Any, device: Device, area: Area, **kwargs: Any) -> None:
        """Show what is in force.

        Args:
            device, area: whose list of what.
        """
        found = read_list(device.properties, area)
        kwargs["initial"] = {"choice": found.choice, "uuids": "\n".join(found.uuids)}
        super().__init__(*args, **kwargs)
        self._area = area
        if not may_be_usual(device):
            choices = [each for each in CHOICES if each[0] not in ("usual", "but")]
            self.fields["choice"].choices = choices  # type: ignore[attr-defined] # a choice field

    def clean(self) -> None:
        """A list of some needs them."""
        if self.cleaned_data.get("choice") in ("only", "but") and not self._uuids():
            self.add_error("uuids", "Name at least one uuid, or choose another answer.")

    def _uuids(self) -> tuple[str, ...]:
        text: str = self.cleaned_data.get("uuids", "")
        each = (part.strip() for part in text.replace(",", "\n").splitlines())
        return tuple(dict.fromkeys(uuid for uuid in each if uuid))

    def change_of(self, newest: Device) -> DeviceChange:
        """What valid input asks for."""
        choice = self.cleaned_data["choice"]
        uuids = self._uuids() if choice in ("only", "but") else ()
        wanted = AreaList(choice, uuids)
        return DeviceChange(properties=with_list(newest.properties, self._area, wanted))


class KeepForm(TankForm):
    """For how long messages are kept that come while a device is away."""

    keep_s = forms.TypedChoiceField(label="Keep them", coerce=int, widget=forms.RadioSelect)

    def __init__(self, *args: Any, device: Device, **kwargs: Any) -> None:
        """Show what is in force."""
        now_s = kept_s(device)
        kwargs["initial"] = {"keep_s": str(now_s)}
        super().__init__(*args, **kwargs)
        seconds = sorted({*KEPT_CHOICES_S, now_s})
        self.fields["keep_s"].choices = [(str(each), keep_words(each)) for each in seconds]  # type: ignore[attr-defined] # a choice field

    def change_of(self, newest: Device) -> DeviceChange:
        """What valid input asks for."""
        properties = dict(newest.properties)
        properties.pop(KEEPS_NAME, None)
        if self.cleaned_data["keep_s"]:
            properties[KEEPS_NAME] = self.cleaned_data["keep_s"]
        return DeviceChange(properties=properties)


def keep_words(seconds: int) -> str:
    """For how long."""
    return f"For {duration_text(seconds)}" if seconds else "Not at all"
