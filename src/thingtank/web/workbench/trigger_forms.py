"""The form of a trigger. What is allowed, the tank's actions decide."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms

from thingtank.tank.targets import ADDRESS_CHARS_MAX, URL_CHARS_MAX
from thingtank.tank.things import TEXT_CHARS_MAX
from thingtank.tank.triggers import (
    BOUND_KINDS,
    HOLD_KINDS,
    QUIET_S,
    THRESHOLD_KINDS,
    Trigger,
    TriggerChange,
)
from thingtank.web.workbench.forms import TankForm
from thingtank.web.workbench.trigger_words import KIND_CHOICES, duration_text, parse_duration


class DurationField(forms.CharField):
    """Seconds, typed as `5 min`; `None` when left blank."""

    def __init__(self, label: str, help_text: str) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "off"})
        super().__init__(
            label=label, help_text=help_text, required=False, max_length=20, widget=widget
        )

    def clean(self, value: Any) -> Any:
        """Seconds."""
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_duration(text)
        except ValueError:
            raise forms.ValidationError("Write a duration like 30 s, 5 min, 2 h or 1 d.") from None


class TriggerForm(TankForm):
    """What a trigger watches for, and whom it tells."""

    problem_fields: ClassVar[dict[str, str]] = {
        "stream_id": "channel",
        "trigger_type": "kind",
        "threshold_value": "threshold",
    }

    channel = forms.ChoiceField(label="Channel")
    kind = forms.ChoiceField(label="Condition", choices=KIND_CHOICES, initial="gt")
    threshold = forms.CharField(
        label="Value",
        required=False,
        max_length=TEXT_CHARS_MAX,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    url = forms.CharField(
        label="Webhook URL",
        required=False,
        max_length=URL_CHARS_MAX,
        help_text="Gets an HTTP POST with the value, the condition and the device.",
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
    clear_value = forms.CharField(
        label="Ends at",
        required=False,
        max_length=TEXT_CHARS_MAX,
        help_text="The condition ends only beyond this value, so that one that wavers around the"
        " limit fires once.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    hold = DurationField("Must hold for", "Such as 30 s, 5 min or 2 h. Blank: fires at once.")
    quiet = DurationField(
        "Quiet time", f"At least so long between two firings. Blank: {QUIET_S} s."
    )

    def __init__(
        self, *args: Any, channels: Sequence[str], sends_email: bool = True, **kwargs: Any
    ) -> None:
        """Make a form for a device with these channels."""
        super().__init__(*args, **kwargs)
        if not sends_email:
            self._say_no_email()
        field = self.fields["channel"]
        assert isinstance(field, forms.ChoiceField), "as declared above"
        field.choices = [(name, name) for name in channels]

    def _say_no_email(self) -> None:
        field = self.fields["email"]
        field.help_text = "This server sends no e-mail: its setting email.host is not set."
        if not self["email"].value():  # else it can be taken away
            field.widget.attrs |= {"disabled": True, "placeholder": ""}

    @staticmethod
    def initial_of(trigger: Trigger) -> dict[str, object]:
        """What the form shows at first."""
        return {
            "channel": trigger.name,
            "kind": trigger.kind,
            "threshold": trigger.threshold,
            "url": trigger.url,
            "email": trigger.email,
            "clear_value": trigger.clear_value,
            "hold": duration_text(trigger.hold_s) if trigger.hold_s else "",
            "quiet": duration_text(trigger.quiet_s) if trigger.quiet_s != QUIET_S else "",
        }

    def add_problems(self, problems: Sequence[tuple[str, str]]) -> None:
        """As in TankForm, but a trigger without any receiver is said in plain words."""
        for field, message in problems:
            if (field, message) == ("url", "can't be blank"):
                self.add_error("url", "Say who is told: a webhook URL, an e-mail address, or both.")
            else:
                super().add_problems([(field, message)])

    @property
    def has_terms(self) -> bool:
        """Whether something under More is filled in or wrong, so that it must be seen."""
        names = ("clear_value", "hold", "quiet")
        return any(self[name].value() or name in self.errors for name in names)

    def change(self) -> TriggerChange:
        """What valid input asks for; what does not go with the condition is left out."""
        data = self.cleaned_data
        kind = data["kind"]
        return TriggerChange(
            kind=kind,
            threshold=data["threshold"].strip() if kind in THRESHOLD_KINDS else "",
            url=data.get("url", "").strip(),  # neither is asked for by a trial on history
            email=data.get("email", "").strip(),
            clear_value=data["clear_value"].strip() if kind in BOUND_KINDS else "",
            hold_s=(data["hold"] or 0) if kind in HOLD_KINDS else 0,
            quiet_s=QUIET_S if data["quiet"] is None else data["quiet"],
        )
