"""Forms of products: their template, lists of serials, and the sheet of labels."""

import csv
from typing import ClassVar

import msgspec
from django import forms
from django.core.files.uploadedfile import UploadedFile

from thingtank.tank.errors import LimitReached, ValidationFailed
from thingtank.tank.products import (
    SERIAL_CHARS_MAX,
    FeedTemplate,
    FeedTemplateChange,
    Product,
    ProductChange,
    parse_serials,
    serial_problem,
)
from thingtank.tank.things import TEXT_CHARS_MAX, Datastream, Unit
from thingtank.web.django_settings import UPLOAD_BYTES_MAX
from thingtank.web.workbench.forms import (
    PRIVACY_CHOICES,
    TankForm,
    description_field,
    tags_field,
    tags_of,
    text_field,
)

CHANNELS_CHARS_MAX = 500_000


class ProductForm(TankForm):
    """A product and the template of its devices' feeds."""

    problem_fields: ClassVar[dict[str, str]] = {
        "feed_defaults_title": "feed_title",
        "feed_defaults_description": "feed_description",
        "feed_defaults_tags": "tags",
        "feed_defaults_website": "website",
        "feed_defaults_datastreams": "channels",
        "feed_defaults_datastreams_id": "channels",
        "feed_defaults_datastreams_tags": "channels",
        "feed_defaults_datastreams_unit": "channels",
        "feed_defaults_datastreams_unit_symbol": "channels",
        "feed_defaults_datastreams_unit_label": "channels",
    }

    name = text_field("Product name", required=True)
    description = description_field()
    feed_title = text_field(
        "Feed title", "Blank for the name of the product with the serial number behind it."
    )
    feed_description = description_field()
    tags = tags_field("Separated by commas.")
    website = forms.URLField(
        label="Website", required=False, max_length=TEXT_CHARS_MAX, assume_scheme="https"
    )
    privacy = forms.ChoiceField(
        label="Privacy", choices=PRIVACY_CHOICES, widget=forms.RadioSelect, initial="private"
    )
    channels = forms.CharField(
        label="Channels",
        required=False,
        max_length=CHANNELS_CHARS_MAX,
        widget=forms.Textarea(
            attrs={
                "rows": 4,
                "spellcheck": "false",
                "placeholder": "temperature, °C, Celsius\nhumidity, %, percent",
            }
        ),
        help_text="One a line: name, unit symbol, unit name. Only the name is needed.",
    )

    def __init__(self, data: object = None, *, product: Product | None = None) -> None:
        super().__init__(data, initial=_initial(product) if product else None)  # type: ignore[arg-type] # as it came
        self.fields["feed_description"].label = "Feed description"
        before = product.template.datastreams if product else ()
        self._before = {stream.name: stream for stream in before}

    def clean_channels(self) -> tuple[Datastream, ...]:
        """Channels, a line each; what the form does not show of one that was there stays."""
        lines = self.cleaned_data["channels"].splitlines()
        try:
            rows = [
                [cell.strip() for cell in row]
                for row in csv.reader(lines, skipinitialspace=True, strict=True)
            ]
        except csv.Error as error:
            raise forms.ValidationError(f"Channels cannot be read: {error}.") from None
        return tuple(self._channel(row) for row in rows if any(row))

    def _channel(self, cells: list[str]) -> Datastream:
        if len(cells) > 3:
            raise forms.ValidationError(
                f"“{cells[0][:40]}” has {len(cells)} parts, not name, symbol and unit name."
            )
        name, symbol, label = [*cells, "", ""][:3]
        before = self._before.get(name, Datastream(0, 0, name))
        kind = before.unit.type if before.unit else ""
        unit = Unit(kind, symbol, label) if kind or symbol or label else None
        return msgspec.structs.replace(before, unit=unit)

    def change(self) -> ProductChange:
        """What valid input asks for."""
        cleaned = self.cleaned_data
        template = FeedTemplateChange(
            title=cleaned["feed_title"],
            description=cleaned["feed_description"],
            tags=tags_of(cleaned["tags"]),
            private=cleaned["privacy"] == "private",
            website=cleaned["website"],
            datastreams=cleaned["channels"],
        )
        return ProductChange(cleaned["name"], cleaned["description"], template)


def _initial(product: Product) -> dict[str, object]:
    template: FeedTemplate = product.template
    return {
        "name": product.name,
        "description": product.description,
        "feed_title": template.title,
        "feed_description": template.description,
        "tags": ", ".join(template.tags),
        "website": template.website,
        "privacy": "private" if template.private else "public",
        "channels": "\n".join(_channel_line(stream) for stream in template.datastreams),
    }


def _channel_line(stream: Datastream) -> str:
    unit = stream.unit or Unit()
    cells = [stream.name, unit.symbol, unit.label]
    while not cells[-1]:
        cells.pop()
    return ", ".join(_quoted(cell) for cell in cells)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if "," in cell or '"' in cell else cell


class SerialsForm(TankForm):
    """Serials to add: pasted, or a file. A script sends long lists that were pasted as a file.

    Args:
        serials_max: how many at once.
        is_cut: the request is so large that Django left its file out.
    """

    serials = forms.CharField(
        label="Serial numbers",
        required=False,
        widget=forms.Textarea(
            attrs={"rows": 8, "spellcheck": "false", "placeholder": "WS-0001\nWS-0002\nWS-0003"}
        ),
        help_text="One a line, or CSV with a column “serial”. Letters, digits and + - , _ : only.",
    )
    file = forms.FileField(
        label="CSV or text file",
        required=False,
        widget=forms.FileInput(
            attrs={
                "accept": ".csv,.txt,text/csv,text/plain",
                "data-bytes-max": UPLOAD_BYTES_MAX,
            }
        ),
        help_text=f"At most {UPLOAD_BYTES_MAX // 1_000_000} MB.",
    )

    def __init__(self, *args: object, serials_max: int, is_cut: bool, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # handed on as they came
        self._serials_max = serials_max
        self._is_cut = is_cut
        self.found: list[str] = []

    def clean(self) -> None:
        """Read the one list that was given."""
        text, file = self.cleaned_data.get("serials", ""), self.cleaned_data.get("file")
        if "file" in self.errors:
            return
        if self._is_cut:
            self.add_error(
                "file", f"The file is too large: at most {UPLOAD_BYTES_MAX} bytes are read."
            )
            return
        if bool(text.strip()) == bool(file):
            words = (
                "Paste serials or choose a file, not both." if file else "Give at least one serial."
            )
            self.add_error("serials", words)
            return
        source = "file" if file else "serials"
        try:
            self.found = parse_serials(_text_of(file) if file else text, self._serials_max)
        except ValidationFailed as error:
            for _, message in error.problems:
                self.add_error(source, f"{message}.")
        except LimitReached as error:
            self.add_error(source, f"{error}.".capitalize())

    def add_row_problems(self, problems: list[tuple[str, str]]) -> None:
        """Put what the tank says of rows beside the list it is about."""
        source = "file" if self.cleaned_data.get("file") else "serials"
        for field, message in problems:
            self.add_error(source, f"Serials {message}." if field else f"{message}.")


def _text_of(file: "UploadedFile[bytes]") -> str:
    content = file.read()
    try:
        return str(content, "utf-8-sig")
    except UnicodeDecodeError:
        raise ValidationFailed(
            [("", "The file is not UTF-8 text; save it as CSV (UTF-8) and try again")]
        ) from None


class RenameForm(TankForm):
    """Another serial for a device."""

    serial = forms.CharField(label="Serial number", max_length=SERIAL_CHARS_MAX)

    def clean_serial(self) -> str:
        """Say at once what it may hold."""
        serial: str = self.cleaned_data["serial"]
        if problem := serial_problem(serial):
            raise forms.ValidationError(f"Serial number {problem}.")
        return serial


class CodeForm(TankForm):
    """An activation code, typed from a label."""

    code = forms.CharField(
        label="Activation code",
        max_length=100,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
        ),
    )

    def clean_code(self) -> str:
        """A code without the gaps that labels show between its parts."""
        code = "".join(self.cleaned_data["code"].split()).lower()
        if not (code.isascii() and code.isalnum()):
            raise forms.ValidationError("A code has only digits and the letters a to f.")
        return code


class SheetForm(forms.Form):
    """How a sheet of labels is laid out; asked for by its address, so that a bookmark keeps it."""

    which = forms.ChoiceField(
        label="Devices",
        choices=[("waiting", "Not activated yet"), ("all", "All")],
        initial="waiting",
    )
    size = forms.ChoiceField(
        label="Labels per page",
        choices=[(str(count), str(count)) for count in (6, 12, 24, 40)],
        initial="24",
    )
    text = forms.ChoiceField(
        label="As text",
        choices=[("both", "Serial and code"), ("serial", "Serial only"), ("none", "Nothing")],
        initial="both",
    )
    paper = forms.ChoiceField(
        label="Paper", choices=[("a4", "A4"), ("letter", "US Letter")], initial="a4"
    )

    @classmethod
    def of(cls, data: dict[str, str]) -> "SheetForm":
        """The form of an address's query: what is missing or nonsense is as at first."""
        chosen = {}
        for name, field in cls.base_fields.items():
            assert isinstance(field, forms.ChoiceField), "all are choices"
            value = data.get(name, "")
            chosen[name] = value if field.valid_value(value) and value else str(field.initial)
        form = cls(chosen)
        assert form.is_valid(), "only valid values were chosen"
        return form
