"""Forms that try WAMP out: what is typed becomes options and a payload."""

from typing import Any

import msgspec
from django import forms

from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.json_serializer import JSON
from thingtank.protocols.wamp.options import CallOptions, PublishOptions
from thingtank.protocols.wamp.payloads import NO_PAYLOAD, Payload
from thingtank.protocols.wamp.uris import URI_CHARS_MAX
from thingtank.web.workbench.forms import TankForm

PAYLOAD_CHARS_MAX = 200_000
TIMEOUT_S, TIMEOUT_S_MAX = 5.0, 15.0  # a page's answer is waited for a little longer
REASON_CHARS_MAX = 200

MATCH_CHOICES = [("exact", "Exactly"), ("prefix", "By prefix"), ("wildcard", "By wildcard")]
ARGS_EXAMPLE = '["hello", 21.5]'
KWARGS_EXAMPLE = '{"unit": "°C"}'


def _uri_field(label: str, example: str) -> forms.CharField:
    attrs = {"placeholder": example, "autocapitalize": "off", "spellcheck": "false"}
    return forms.CharField(
        label=label, max_length=URI_CHARS_MAX, strip=True, widget=forms.TextInput(attrs)
    )


def _json_field(label: str, example: str) -> forms.CharField:
    attrs = {"rows": 2, "placeholder": example, "spellcheck": "false"}
    return forms.CharField(
        label=label,
        required=False,
        max_length=PAYLOAD_CHARS_MAX,
        widget=forms.Textarea(attrs),
    )


class PayloadForm(TankForm):
    """Arguments as JSON. A string that begins with NUL and goes on in base64 is binary, as in WAMP.

    Attributes:
        payload: once it is valid.
    """

    payload: Payload = NO_PAYLOAD

    realm = forms.CharField(max_length=URI_CHARS_MAX, widget=forms.HiddenInput)
    args = _json_field("Arguments", ARGS_EXAMPLE)
    kwargs = _json_field("Keyword arguments", KWARGS_EXAMPLE)

    def clean_args(self) -> str:
        """A list, or nothing."""
        text: str = self.cleaned_data["args"].strip()
        if text and not isinstance(_parsed(text), list):
            raise forms.ValidationError(f"Arguments are a JSON list, such as {ARGS_EXAMPLE}.")
        return text

    def clean_kwargs(self) -> str:
        """An object, or nothing."""
        text: str = self.cleaned_data["kwargs"].strip()
        if text and not isinstance(_parsed(text), dict):
            raise forms.ValidationError(
                f"Keyword arguments are a JSON object, such as {KWARGS_EXAMPLE}."
            )
        return text

    def clean(self) -> dict[str, Any]:
        """Put both together."""
        cleaned = super().clean() or self.cleaned_data
        args, kwargs = cleaned.get("args"), cleaned.get("kwargs")
        if args is not None and kwargs is not None and (args or kwargs):
            try:
                self.payload = JSON.payload((args or "[]").encode(), kwargs.encode())
            except ProtocolViolation as violation:
                self.add_error(None, f"{violation}.")
        return cleaned


def _parsed(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise forms.ValidationError(f"This is no JSON: {error}.") from None


class PublishForm(PayloadForm):
    """An event for a topic."""

    topic = _uri_field("Topic", "com.example.lights")
    acknowledge = forms.BooleanField(label="Acknowledge", required=False, initial=True)
    retain = forms.BooleanField(label="Retain", required=False)
    exclude_me = forms.BooleanField(label="Exclude me", required=False)
    session = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)

    field_order = ("realm", "session", "topic", "args", "kwargs")

    def options(self) -> PublishOptions:
        """What valid input asks for."""
        cleaned = self.cleaned_data
        return PublishOptions(
            acknowledge=cleaned["acknowledge"],
            exclude_me=cleaned["exclude_me"],
            retain=cleaned["retain"],
        )


class CallForm(PayloadForm):
    """A call of a procedure."""

    procedure = _uri_field("Procedure", "com.example.add")
    timeout_s = forms.FloatField(
        label="Timeout in seconds",
        min_value=0.1,
        max_value=TIMEOUT_S_MAX,
        initial=TIMEOUT_S,
        widget=forms.TextInput({"inputmode": "decimal"}),
    )
    progress = forms.BooleanField(label="Progressive results", required=False)

    field_order = ("realm", "procedure", "args", "kwargs", "timeout_s")

    def options(self) -> CallOptions:
        """What valid input asks for."""
        cleaned = self.cleaned_data
        timeout_ms = round(cleaned["timeout_s"] * 1000)
        return CallOptions(receive_progress=cleaned["progress"], timeout=timeout_ms)


class ListenForm(forms.Form):
    """A topic or pattern to listen to."""

    realm = forms.CharField(widget=forms.HiddenInput)
    topic = _uri_field("Topic or pattern", "com.example.")
    match = forms.ChoiceField(label="Match", choices=MATCH_CHOICES, initial="prefix")
    get_retained = forms.BooleanField(label="Retained events first", required=False)


class CloseForm(TankForm):
    """Why a session is closed."""

    realm = forms.CharField(max_length=URI_CHARS_MAX, widget=forms.HiddenInput)

    reason = forms.CharField(
        label="Reason",
        help_text="Its client is told. Most clients come back by themselves.",
        required=False,
        max_length=REASON_CHARS_MAX,
    )
