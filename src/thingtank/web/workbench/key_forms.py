"""The form of an API key: what it may do, on what, from where, and for how long."""

import datetime
from collections.abc import Sequence
from typing import ClassVar

from django import forms

from thingtank.tank.history import DAY_S
from thingtank.tank.keys import MINIMUM_INTERVAL_S_MAX, ApiKey, KeyChange, Permission, Resource
from thingtank.web.workbench.forms import METHOD_CHOICES, TankForm, text_field

REACH_CHOICES = [("all", "All feeds of the account"), ("only", "Only these feeds or channels")]
KEEP = "keep"  # the expiry as it is
ON_A_DAY = "day"
EXPIRY_CHOICES = [
    ("", "Never"),
    ("1", "In a day"),
    ("7", "In a week"),
    ("30", "In 30 days"),
    ("90", "In 90 days"),
    ("365", "In a year"),
    (ON_A_DAY, "After a day of your choice"),
]
RESOURCES_CHARS_MAX = 300_000
FEED_ID_DIGITS_MAX = 18
_DAY_US = DAY_S * 1_000_000
# A key may have several permissions, which only the API makes; their fields are then left alone.
_PERMISSION_FIELDS = (
    "methods",
    "reach",
    "resources",
    "source_ip",
    "referer",
    "minimum_interval",
)


class KeyForm(TankForm):
    """A key with one permission, which is what people make.

    Args:
        key: the key that is changed; None for a new one.
    """

    problem_fields: ClassVar[dict[str, str]] = {
        "permissions_access_methods": "methods",
        "permissions_source_ip": "source_ip",
        "permissions_referer": "referer",
        "permissions_minimum_interval": "minimum_interval",
    }

    label = text_field(
        "Label", "So that you know later what uses it: “Greenhouse Pi”.", required=True
    )
    methods = forms.MultipleChoiceField(
        label="Permissions",
        choices=METHOD_CHOICES,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one permission."},
    )
    reach = forms.ChoiceField(label="Reaches", choices=REACH_CHOICES, widget=forms.RadioSelect)
    resources = forms.CharField(
        label="Feeds and channels",
        required=False,
        max_length=RESOURCES_CHARS_MAX,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="One a line: 7 for all of feed 7, 7/temperature for one of its channels.",
    )
    source_ip = text_field("Source IP", "Only requests from this address. Blank for any.")
    referer = text_field("Referer", "Only pages of this host: example.com. Blank for any.")
    minimum_interval = forms.IntegerField(
        label="Finest interval",
        required=False,
        min_value=0,
        max_value=MINIMUM_INTERVAL_S_MAX,
        help_text="Seconds between values of the history it may read. Blank for any.",
    )
    private_access = forms.BooleanField(
        label="Private access",
        required=False,
        help_text="Needed as long as the device is private.",
    )
    expires = forms.ChoiceField(label="Expires", required=False, choices=EXPIRY_CHOICES)
    expires_on = forms.DateField(
        label="Last day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Where a day is chosen: it ends at midnight UTC.",
    )

    def __init__(
        self,
        data: object = None,
        *,
        key: ApiKey | None = None,
        feed_id: int | None = None,
        now_us: int,
    ) -> None:
        super().__init__(data, initial=_initial(key, feed_id))  # type: ignore[arg-type] # as it came
        self.key = key
        self.now_us = now_us
        self.is_simple = key is None or len(key.permissions) == 1
        if not self.is_simple:
            for name in _PERMISSION_FIELDS:
                del self.fields[name]
        if key is not None and key.expires_us is not None:
            field = self.fields["expires"]
            assert isinstance(field, forms.ChoiceField), "it is declared as one"
            field.choices = [(KEEP, f"{_utc(key.expires_us)}, as it is"), *EXPIRY_CHOICES]

    def add_problems(self, problems: Sequence[tuple[str, str]]) -> None:
        """Put what the tank says of feeds beside their field, in a sentence."""
        others = []
        for field, message in problems:
            if field.startswith("resources") and "resources" in self.fields:
                self.add_error("resources", f"Feed {message}.")
            else:
                others.append((field, message))
        super().add_problems(others)

    def clean_resources(self) -> tuple[Resource, ...]:
        """Feeds and channels, a line each; none where all are reached."""
        if self.cleaned_data.get("reach") == "all":
            return ()
        lines = [line.strip() for line in self.cleaned_data["resources"].splitlines()]
        found = tuple(_resource(line) for line in lines if line)
        if not found:
            raise forms.ValidationError("Name at least one feed, or let it reach all.")
        return found

    def clean(self) -> None:
        """A day is needed where one is to be chosen, and it must not be over."""
        if self.cleaned_data.get("expires") != ON_A_DAY or "expires_on" in self.errors:
            return
        day = self.cleaned_data.get("expires_on")
        if day is None:
            self.add_error("expires_on", "Choose the last day.")
        elif _end_of(day) <= self.now_us:
            self.add_error("expires_on", "This day is over.")

    def draft(self, account_id: int) -> ApiKey:
        """The new key that valid input asks for."""
        return ApiKey(
            key_id=0,
            account_id=account_id,
            label=self.cleaned_data["label"],
            permissions=(self._permission(),),
            private_access=self.cleaned_data["private_access"],
            expires_us=self._expires_us(),
        )

    def change(self) -> KeyChange:
        """What valid input asks to change."""
        change = KeyChange(
            label=self.cleaned_data["label"],
            private_access=self.cleaned_data["private_access"],
            expires_us=self._expires_us(),
        )
        if not self.is_simple:
            return change
        return KeyChange(
            change.label, (self._permission(),), change.private_access, change.expires_us
        )

    def _permission(self) -> Permission:
        cleaned = self.cleaned_data
        return Permission(
            tuple(cleaned["methods"]),
            cleaned["resources"],
            cleaned["source_ip"],
            cleaned["referer"],
            cleaned["minimum_interval"] or 0,
            self.key.permissions[0].label if self.key else "",
        )

    def _expires_us(self) -> int | None:
        chosen: str = self.cleaned_data["expires"]
        if not chosen:
            return None
        if chosen == KEEP:
            return self.key.expires_us if self.key else None
        if chosen == ON_A_DAY:
            return _end_of(self.cleaned_data["expires_on"])
        return self.now_us + int(chosen) * _DAY_US


def _initial(key: ApiKey | None, feed_id: int | None) -> dict[str, object]:
    """What the form shows at first."""
    if key is None:
        return {
            "methods": ["get", "put"],
            "reach": "all" if feed_id is None else "only",
            "resources": "" if feed_id is None else str(feed_id),
            "private_access": True,
        }
    permission = key.permissions[0]
    return {
        "label": key.label,
        "methods": list(permission.access_methods),
        "reach": "only" if permission.resources else "all",
        "resources": "\n".join(resource_words(resource) for resource in permission.resources),
        "source_ip": permission.source_ip,
        "referer": permission.referer,
        "minimum_interval": permission.minimum_interval_s or None,
        "private_access": key.private_access,
        "expires": "" if key.expires_us is None else KEEP,
    }


def resource_words(resource: Resource) -> str:
    """A feed or a channel as the form and the command line write it: `7`, `7/temperature`."""
    channel = "" if resource.datastream_id is None else f"/{resource.datastream_id}"
    return f"{resource.feed_id}{channel}"


def _resource(line: str) -> Resource:
    feed, slash, channel = line.partition("/")
    if not (feed.isascii() and feed.isdigit() and len(feed) <= FEED_ID_DIGITS_MAX):
        raise forms.ValidationError(
            f"“{line[:40]}” is neither a feed such as 7 nor a channel such as 7/temperature."
        )
    return Resource(int(feed), channel.strip() if slash else None)


def _end_of(day: datetime.date) -> int:
    """Midnight after a day, UTC, in microseconds since the epoch."""
    return (day.toordinal() - datetime.date(1970, 1, 1).toordinal() + 1) * _DAY_US


def _utc(at_us: int) -> str:
    at = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(microseconds=at_us)
    return at.strftime("%Y-%m-%d %H:%M UTC")
