"""The form of a new rule of a sink; what its engine has to be told comes from the engine."""

import tomllib
from typing import Any

from django import forms

from thingtank.tank.sinks import EngineFacts, EngineField
from thingtank.web.workbench.forms import TankForm, text_field
from thingtank.web.workbench.templatetags.workbench import marked

OF_ENGINE = "to_"  # what names of the engine's fields begin with


class SinkForm(TankForm):
    """A rule."""

    name = forms.CharField(
        label="Name", max_length=40, help_text="Letters, digits, - and _, such as readings."
    )
    send = forms.ChoiceField(
        label="What",
        choices=[
            ("values", "Values that are written"),
            ("messages", "Messages that devices are sent"),
            ("topics", "What is published to topics"),
        ],
    )
    topics = forms.CharField(
        label="Topics",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="Of MQTT and WAMP: a topic filter a line, such as plant/+/state or alarms/#.",
    )
    feeds = text_field("Feeds", "Of values and messages: ids such as 1, 2; blank for all feeds.")
    tag = text_field("Tag", "Only feeds that have this tag.")
    datastreams = text_field("Channels", "Names such as temperature, air-*; blank for all.")
    template = forms.CharField(
        label="Template",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="Such as {{device}} {{value}}; blank for JSON. Tables have no use for it.",
    )
    gather_s = forms.FloatField(
        label="Wait for more (seconds)",
        required=False,
        min_value=0,
        max_value=900,
        widget=forms.TextInput({"inputmode": "decimal"}),
        help_text="How long a batch waits before it is sent; blank for 0.5, of files 60.",
    )

    def __init__(self, data: Any, engine: EngineFacts) -> None:
        """Make a form with the fields of an engine behind its own."""
        super().__init__(data)
        self._engine = engine
        for field in engine.fields:
            self.fields[OF_ENGINE + field.name] = _field(field)

    @property
    def of_engine(self) -> list[forms.BoundField]:
        """The engine's fields."""
        return [self[OF_ENGINE + field.name] for field in self._engine.fields]

    def clean_feeds(self) -> str | list[int]:
        """Ids, or all."""
        text = self.cleaned_data["feeds"].strip()
        if not text or text == "all":
            return "all"
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
            raise forms.ValidationError("Feeds must be ids such as 1, 2.")
        return [int(part) for part in parts]

    def rule(self) -> dict[str, Any]:
        """What valid input asks for, as the settings file would have it."""
        values = self.cleaned_data
        to: dict[str, Any] = {"engine": self._engine.name}
        for field in self._engine.fields:
            value = values[OF_ENGINE + field.name]
            if value == "" and field.is_number:
                continue
            # A text that was cleared is blank, not the default.
            if field.is_flag or field.default is None or value != field.default:
                to[field.name] = _source_of(value) if field.is_secret else value
        names = [part.strip() for part in values["datastreams"].split(",") if part.strip()]
        rule = {
            "name": values["name"],
            "send": values["send"],
            "feeds": values["feeds"],
            "tag": values["tag"],
            "datastreams": names,
            "topics": [line.strip() for line in values["topics"].splitlines() if line.strip()],
            "template": values["template"],
            "to": to,
        }
        if values["gather_s"] is not None:
            rule["gather_s"] = values["gather_s"]
        return rule


def _source_of(text: str) -> Any:
    """Where a secret is to be read, such as `{file = "/run/secrets/url"}`; else the text itself."""
    if not text.startswith("{"):
        return text
    try:
        return tomllib.loads(f"source = {text}")["source"]
    except (ValueError, RecursionError):
        return text


def _field(field: EngineField) -> forms.Field:
    label = field.name.replace("_", " ").capitalize().replace("Url", "URL")
    meaning = marked(f"{field.meaning[:1].upper()}{field.meaning[1:]}")
    if field.is_flag:
        return forms.BooleanField(
            label=label, required=False, help_text=meaning, initial=field.default == "true"
        )
    # A password may be in it: browsers are not to offer it again.
    attributes = {"autocomplete": "off", "spellcheck": "false"} if field.is_secret else {}
    return forms.CharField(
        label=label,
        required=field.default is None,
        initial=field.default or "",
        max_length=2000,
        help_text=meaning,
        widget=forms.TextInput(attributes),
    )
