"""The form of a schedule that counts a sequence in the past of a feed's channel."""

from collections.abc import Sequence
from typing import ClassVar

from django import forms

from thingtank.tank.batch import SequenceCount
from thingtank.tank.targets import ADDRESS_CHARS_MAX, URL_CHARS_MAX
from thingtank.web.workbench.forms import TankForm, text_field

_EVERY = [("300", "5 minutes"), ("900", "15 minutes"), ("3600", "hour"), ("86400", "day")]
_FEED_ID_MAX = 10**12
_ABOVE_MAX = 10**15


class SequenceCountForm(TankForm):
    """What is counted, where, and who is told."""

    problem_fields: ClassVar[dict[str, str]] = {
        "feed": "feed_id",
        "threshold_value": "above",
        "trigger_type": "above",
    }

    name = forms.CharField(
        label="Name",
        max_length=40,
        help_text="Letters, digits, - and _. Counts become the feed's channel of this name.",
    )
    sequence = forms.CharField(
        label="Sequence",
        max_length=200,
        help_text="Such as 123: looked for in the feed, channel, time and value of each datapoint.",
    )
    feed_id = forms.IntegerField(
        label="Feed",
        min_value=1,
        max_value=_FEED_ID_MAX,
        widget=forms.TextInput({"inputmode": "numeric"}),
        help_text="Its id, such as 1.",
    )
    channel = text_field("Channel", "Whose datapoints are counted, such as state.", required=True)
    every = forms.ChoiceField(label="Once each", choices=_EVERY, initial="3600")
    above = forms.IntegerField(
        label="Alert above",
        required=False,
        min_value=0,
        max_value=_ABOVE_MAX,
        widget=forms.TextInput({"inputmode": "numeric"}),
        help_text="When a count is more than this.",
    )
    url = forms.CharField(
        label="Webhook URL",
        required=False,
        max_length=URL_CHARS_MAX,
        widget=forms.URLInput(
            attrs={"placeholder": "https://example.com/hook", "autocomplete": "off"}
        ),
    )
    email = forms.CharField(
        label="E-mail",
        required=False,
        max_length=ADDRESS_CHARS_MAX,
        widget=forms.EmailInput(attrs={"placeholder": "you@example.com"}),
    )

    def add_problems(self, problems: Sequence[tuple[str, str]]) -> None:
        """As in TankForm, but half an alert is said in plain words."""
        for field, message in problems:
            if field == "above":
                self.add_error("above", "Give a limit and whom to tell, or neither.")
            else:
                super().add_problems([(field, message)])

    def count(self) -> SequenceCount:
        """What valid input asks for."""
        data = self.cleaned_data
        return SequenceCount(
            name=data["name"],
            sequence=data["sequence"],
            feed_id=data["feed_id"],
            channel=data["channel"],
            every_s=int(data["every"]),
            above=data["above"],
            url=data["url"],
            email=data["email"],
        )
