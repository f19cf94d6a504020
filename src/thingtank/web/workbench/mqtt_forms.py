"""Forms that try MQTT out: what is typed becomes packets."""

from typing import Any

from django import forms

from thingtank.protocols.mqtt.errors import MqttError
from thingtank.protocols.mqtt.messages import RetainHandling, Subscription
from thingtank.protocols.mqtt.packets import Publish
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.topics import check_topic_filter, check_topic_name
from thingtank.web.workbench.forms import TankForm

TOPIC_CHARS_MAX = 65_535
PAYLOAD_CHARS_MAX = 200_000
USER_PROPERTIES_MAX = 50
PROPERTY_CHARS_MAX = 20_000
CLIENT_ID_CHARS_MAX = 65_535

QOS_CHOICES = [("0", "0, at most once"), ("1", "1, at least once"), ("2", "2, exactly once")]
PROPERTIES_EXAMPLE = "unit: °C"

_PACKET_ID = 1
_PLAIN = {"autocapitalize": "off", "spellcheck": "false"}


def _topic_field(label: str, example: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=TOPIC_CHARS_MAX,
        strip=False,
        widget=forms.TextInput({"placeholder": example, **_PLAIN}),
    )


def _qos_field(initial: str) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(label="QoS", choices=QOS_CHOICES, coerce=int, initial=initial)


class PublishForm(TankForm):
    """A message for a topic.

    Attributes:
        user_properties: once it is valid.
    """

    user_properties: tuple[tuple[str, str], ...] = ()

    topic = _topic_field("Topic", "example/lights")
    payload = forms.CharField(
        label="Payload",
        required=False,
        strip=False,
        max_length=PAYLOAD_CHARS_MAX,
        widget=forms.Textarea({"rows": 2, "placeholder": "21.5", "spellcheck": "false"}),
    )
    qos = _qos_field("1")
    retain = forms.BooleanField(label="Retain", required=False)
    properties = forms.CharField(
        label="User properties",
        required=False,
        max_length=PROPERTY_CHARS_MAX,
        widget=forms.Textarea({"rows": 1, "placeholder": PROPERTIES_EXAMPLE, **_PLAIN}),
    )

    def clean_topic(self) -> str:
        """A topic name."""
        topic: str = self.cleaned_data["topic"]
        try:
            check_topic_name(topic)
        except MqttError as error:
            raise forms.ValidationError(f"This is no topic name: {error}.") from None
        return topic

    def clean_payload(self) -> str:
        """As it was typed: browsers send each line end as two characters."""
        text: str = self.cleaned_data["payload"]
        return text.replace("\r\n", "\n")

    def clean_properties(self) -> str:
        """A name and a value on each line."""
        text: str = self.cleaned_data["properties"]
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > USER_PROPERTIES_MAX:
            raise forms.ValidationError(
                f"There are {len(lines)}; {USER_PROPERTIES_MAX} are the most."
            )
        pairs = [line.partition(":") for line in lines]
        for name, colon, _ in pairs:
            if not colon or not name.strip():
                raise forms.ValidationError(
                    f"Write a name, a colon and a value on each line, such as {PROPERTIES_EXAMPLE}."
                )
        self.user_properties = tuple((name.strip(), value.strip()) for name, _, value in pairs)
        return text

    def packet(self) -> Publish:
        """What valid input asks for."""
        cleaned: dict[str, Any] = self.cleaned_data
        return Publish(
            cleaned["topic"],
            cleaned["payload"].encode(),
            cleaned["qos"],
            cleaned["retain"],
            packet_id=_PACKET_ID if cleaned["qos"] else 0,
            properties=Properties(user_properties=self.user_properties),
        )


class ListenForm(forms.Form):
    """A topic filter to listen to."""

    topic_filter = _topic_field("Topic filter", "example/#")
    qos = _qos_field("0")
    no_retained = forms.BooleanField(label="Without retained messages", required=False)

    def clean_topic_filter(self) -> str:
        """A topic filter."""
        topic_filter: str = self.cleaned_data["topic_filter"]
        try:
            check_topic_filter(topic_filter)
        except MqttError as error:
            raise forms.ValidationError(f"This is no topic filter: {error}.") from None
        return topic_filter

    def subscription(self) -> Subscription:
        """What valid input asks for."""
        cleaned: dict[str, Any] = self.cleaned_data
        handling = RetainHandling.DO_NOT_SEND if cleaned["no_retained"] else RetainHandling.SEND
        return Subscription(
            cleaned["topic_filter"],
            cleaned["qos"],
            retain_as_published=True,
            retain_handling=handling,
        )


class WatchForm(forms.Form):
    """A client whose packets are looked at."""

    client_id = forms.CharField(
        label="Client id",
        strip=False,
        max_length=CLIENT_ID_CHARS_MAX,
        widget=forms.TextInput({"placeholder": "as the list of clients has it", **_PLAIN}),
    )


class CloseForm(TankForm):
    """A client that is sent away, or whose session is ended."""

    client_id = forms.CharField(strip=False, widget=forms.HiddenInput)


class DeleteForm(TankForm):
    """A retained message that is deleted."""

    topic = forms.CharField(strip=False, widget=forms.HiddenInput)
