"""The workbench's forms: shapes and labels. What is allowed, the tank's actions decide."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
from django import forms
from msgspec import UNSET

from thingtank.tank.changes import DatastreamChange, DeviceChange, LocationChange
from thingtank.tank.keys import ACCESS_METHODS
from thingtank.tank.things import (
    DESCRIPTION_CHARS_MAX,
    TEXT_CHARS_MAX,
    Datastream,
    Device,
    Location,
    Unit,
    is_datastream_name,
)
from thingtank.web.workbench.directory_search import DirectorySearch

DISTANCE_KM = 100.0
DISTANCE_KM_MAX = 20_100.0  # the other side of the world

PRIVACY_CHOICES = [("private", "Private device"), ("public", "Public device")]
METHOD_CHOICES = list(zip(ACCESS_METHODS, ("READ", "UPDATE", "CREATE", "DELETE"), strict=True))


class TankForm(forms.Form):
    """A form whose errors may come from the tank.

    Attributes:
        problem_fields: the tank's field → the form's field.
    """

    problem_fields: ClassVar[dict[str, str]] = {}

    def add_problems(self, problems: Sequence[tuple[str, str]]) -> None:
        """Put each (field, message) of a ValidationFailed next to its input."""
        for field, message in problems:
            name = self.problem_fields.get(field, field)
            if name in self.fields:
                self.add_error(name, f"{self.fields[name].label} {message}.")
            else:
                self.add_error(None, f"{field} {message}.")


class ChangeForm(TankForm):
    """A form that changes, of what is there, only what was changed in it.

    It carries what it was opened with, so that what others have saved meanwhile stays.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True

    def is_changed(self, *names: str) -> bool:
        """Whether one of some fields was changed; one that came by itself, without a page, was."""
        return any(
            name in self.changed_data or self[name].html_initial_name not in self.data
            for name in names
        )


def text_field(label: str, help_text: str = "", *, required: bool = False) -> forms.CharField:
    """A field of one line, as long as the tank keeps it."""
    return forms.CharField(
        label=label, help_text=help_text, required=required, max_length=TEXT_CHARS_MAX
    )


def _degrees(label: str, most: float) -> forms.FloatField:
    """A text, because a number's input hides from people what they have mistyped."""
    return forms.FloatField(
        label=label,
        required=False,
        min_value=-most,
        max_value=most,
        widget=forms.TextInput({"inputmode": "decimal"}),
    )


def tags_field(help_text: str) -> forms.CharField:
    """A field of tags, which `tags_of` reads."""
    return text_field("Tags", help_text)


def tags_of(text: str) -> tuple[str, ...]:
    """Tags as typed, separated by commas."""
    return tuple(tag.strip() for tag in text.split(",") if tag.strip())


def check_place(form: forms.Form) -> None:
    """Say at a form's fields `lat` and `lon` that one needs the other."""
    lat, lon = form.cleaned_data.get("lat"), form.cleaned_data.get("lon")
    for name, mine, other in (("lat", lat, lon), ("lon", lon, lat)):
        if mine is None and other is not None and name not in form.errors:
            form.add_error(name, "Give both latitude and longitude, or neither.")


def description_field() -> forms.CharField:
    """A field of several lines."""
    return forms.CharField(
        label="Description",
        required=False,
        max_length=DESCRIPTION_CHARS_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class DeviceForm(TankForm):
    """What a new device is asked for."""

    problem_fields: ClassVar[dict[str, str]] = {"title": "name"}

    name = text_field("Device name", required=True)
    description = description_field()
    privacy = forms.ChoiceField(
        label="Privacy", choices=PRIVACY_CHOICES, widget=forms.RadioSelect, initial="private"
    )

    def change(self) -> DeviceChange:
        """What valid input asks for."""
        return DeviceChange(
            title=self.cleaned_data["name"],
            description=self.cleaned_data["description"],
            private=self.cleaned_data["privacy"] == "private",
        )


class MetadataForm(ChangeForm, DeviceForm):
    """Everything a device says of itself, apart from where it is."""

    # The tank's field → the form's field.
    named: ClassVar[dict[str, str]] = {
        "title": "name",
        "private": "privacy",
        **{name: name for name in ("description", "tags", "website", "email")},
    }

    tags = tags_field("Separated by commas.")
    website = forms.URLField(
        label="Website", required=False, max_length=TEXT_CHARS_MAX, assume_scheme="https"
    )
    email = forms.EmailField(label="Email", required=False, max_length=TEXT_CHARS_MAX)

    @staticmethod
    def initial_of(device: Device) -> dict[str, str]:
        """What the form shows at first."""
        return {
            "name": device.title,
            "description": device.description,
            "privacy": "private" if device.private else "public",
            "tags": ", ".join(device.tags),
            "website": device.website,
            "email": device.email,
        }

    def change(self) -> DeviceChange:
        """What valid input asks for; what was not changed stays as it is by now."""
        whole = msgspec.structs.replace(
            super().change(),
            tags=tags_of(self.cleaned_data["tags"]),
            website=self.cleaned_data["website"],
            email=self.cleaned_data["email"],
        )
        kept = {field: UNSET for field, name in self.named.items() if not self.is_changed(name)}
        return msgspec.structs.replace(whole, **kept)


class LocationForm(ChangeForm):
    """Where a device is."""

    problem_fields: ClassVar[dict[str, str]] = {
        f"location_{field}": field for field in ("name", "lat", "lon", "ele")
    }

    name = text_field("Place", "What people call it: “Roof, east side”.")
    lat = forms.FloatField(
        label="Latitude", required=False, help_text="Degrees north; south is negative."
    )
    lon = forms.FloatField(
        label="Longitude", required=False, help_text="Degrees east; west is negative."
    )
    ele = text_field("Elevation", "Metres above sea level.")
    exposure = forms.ChoiceField(
        label="Exposure",
        required=False,
        choices=[("", "Not said"), ("indoor", "Indoor"), ("outdoor", "Outdoor")],
    )
    disposition = forms.ChoiceField(
        label="Disposition",
        required=False,
        choices=[("", "Not said"), ("fixed", "Fixed"), ("mobile", "Mobile")],
    )

    @staticmethod
    def initial_of(location: Location | None) -> dict[str, object]:
        """What the form shows at first."""
        return msgspec.structs.asdict(location or Location())

    def clean(self) -> None:
        """A latitude without a longitude is no place, nor the other way round."""
        check_place(self)

    def change(self) -> DeviceChange:
        """What valid input asks for; a form that was cleared takes the location away.

        A device that moves says itself where it is: its position stays unless it was changed here.
        """
        given = self.cleaned_data
        changed = {name: value for name, value in given.items() if self.is_changed(name)}
        if changed and not any(value not in ("", None) for value in given.values()):
            return DeviceChange(location=None)
        if self.is_changed("lat", "lon"):  # of two places, half of each would be a third
            changed |= {"lat": given["lat"], "lon": given["lon"]}
        return DeviceChange(location=LocationChange(**changed) if changed else UNSET)


class ChannelForm(TankForm):
    """A channel's metadata."""

    problem_fields: ClassVar[dict[str, str]] = {"id": "name", "unit": "unit_symbol"}

    unit_symbol = text_field("Unit symbol", "As shown beside values: °C, %, kWh.")
    unit_label = text_field("Unit name", "In full: Celsius, percent, kilowatt hours.")
    tags = tags_field("Separated by commas.")

    @staticmethod
    def initial_of(datastream: Datastream) -> dict[str, str]:
        """What the form shows at first."""
        unit = datastream.unit or Unit()
        return {
            "unit_symbol": unit.symbol,
            "unit_label": unit.label,
            "tags": ", ".join(datastream.tags),
        }

    def change(self, before: Unit | None = None) -> DatastreamChange:
        """What valid input asks for; a unit's type, which the form does not show, stays."""
        kind = before.type if before else ""
        symbol, label = self.cleaned_data["unit_symbol"], self.cleaned_data["unit_label"]
        unit = Unit(kind, symbol, label) if kind or symbol or label else None
        return DatastreamChange(tags=tags_of(self.cleaned_data["tags"]), unit=unit)


class ChannelChangeForm(ChangeForm, ChannelForm):
    """The metadata of a channel that is there."""

    def change(self, before: Unit | None = None) -> DatastreamChange:
        """What valid input asks for; what was not changed stays as it is by now."""
        unit = before or Unit()
        if not self.is_changed("unit_symbol"):
            self.cleaned_data["unit_symbol"] = unit.symbol
        if not self.is_changed("unit_label"):
            self.cleaned_data["unit_label"] = unit.label
        whole = super().change(before)
        return whole if self.is_changed("tags") else msgspec.structs.replace(whole, tags=UNSET)


class NewChannelForm(ChannelForm):
    """A channel that is not there yet."""

    name = text_field(
        "Channel name",
        "Letters, digits and _ - + . without spaces: room_temperature",
        required=True,
    )
    field_order = ("name", "unit_symbol", "unit_label", "tags")

    def clean_name(self) -> str:
        """Say at once what a name may hold; the tank would only say that it is invalid."""
        name: str = self.cleaned_data["name"]
        if not is_datastream_name(name):
            raise forms.ValidationError("Use letters, digits and _ - + . only, without spaces.")
        return name


class DirectoryForm(TankForm):
    """What the directory may be searched by; all of it stands in the address."""

    use_required_attribute = False

    q = text_field("Search")
    tag = text_field("Tag")
    user = text_field("User")
    units = text_field("Units", "Symbol or name: °C, Celsius.")
    status = forms.ChoiceField(
        label="Status",
        required=False,
        choices=[("", "Any"), ("live", "Live now"), ("frozen", "Frozen")],
    )
    order = forms.ChoiceField(
        label="Order",
        required=False,
        choices=[
            ("", "Best match, then newest"),
            ("created_at", "Newest first"),
            ("retrieved_at", "Last heard from"),
            ("title", "By name"),
        ],
    )
    lat = _degrees("Latitude", 90)
    lon = _degrees("Longitude", 180)
    distance = forms.FloatField(
        label="Within (km)",
        required=False,
        min_value=0.1,
        max_value=DISTANCE_KM_MAX,
        widget=forms.TextInput({"inputmode": "decimal"}),
    )

    def clean(self) -> None:
        """A latitude without a longitude is no place, nor the other way round."""
        check_place(self)

    def search(self) -> DirectorySearch:
        """What valid input asks for."""
        given = self.cleaned_data
        return DirectorySearch(
            text=given["q"].strip(),
            tag=given["tag"].strip(),
            user=given["user"].strip(),
            units=given["units"].strip(),
            status=given["status"] or "all",
            lat=given["lat"],
            lon=given["lon"],
            distance_km=given["distance"] or DISTANCE_KM,
            order=given["order"] or ("relevance" if given["q"].strip() else "created_at"),
        )


class DeleteForm(TankForm):
    """Asks to type the name of what will be gone."""

    typed_name = forms.CharField(
        label="Name", widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, *args: object, expected: str, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # handed on as they came
        self.expected = " ".join(expected.split())

    def clean_typed_name(self) -> str:
        """It must be the very name; runs of spaces count as one, as a page shows them."""
        typed: str = " ".join(self.cleaned_data["typed_name"].split())
        if typed != self.expected:
            raise forms.ValidationError("This is not the name. Nothing was deleted.")
        return typed
