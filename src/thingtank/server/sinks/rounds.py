"""Values that would go round for ever: sent to a stream or queue that this tank reads itself."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

import msgspec

from thingtank.sinks.rules.settings import SinkRule
from thingtank.sinks.rules.templates import PLACE
from thingtank.sources.settings import SourceRule

_PUT_IN = re.compile(f'"?{PLACE.pattern}"?')  # with quotation marks that hold nothing else
_SAME = "the item's "
_NO_NAMES = {"feed", "device", "at", "id"}  # of a flat object, besides its values
_PLACES = {"kinesis": "stream", "sqs": "queue", "queue": "queue"}  # engine → what names the place


def round_problem(rule: SinkRule, sources: Sequence[SourceRule]) -> str:
    """Why what a rule sends would come back and be sent again; blank if it would not.

    A value that is sent as JSON names its device and datastream, and so always comes back to
    them. What a template makes may be meant for another feed or datastream: then the rule must not
    want all, nor those that the template says. Circles of several rules are not seen here.
    """
    member = _PLACES.get(str(rule.target.get("engine")))
    if member is None or rule.send != "values":
        return ""
    place = str(rule.target.get(member, ""))
    for source in sources:
        is_read = source.engine == rule.target["engine"] and getattr(source, member) == place
        if is_read and _comes_back(rule, source):
            return (
                f"it sends to the {member} {place}, which the rule {source.name} of sources reads"
                " into this tank, so that values would go round for ever: name another"
                f" {member} in one of the two"
            )
    return ""


def _comes_back(rule: SinkRule, source: SourceRule) -> bool:
    """Whether what a rule makes is for what it wants itself, as far as that can be known."""
    if not rule.template or (rule.feeds == "all" and not rule.tag and not rule.datastreams):
        return True
    try:
        made = msgspec.json.decode(_PUT_IN.sub(_stand_in, rule.template))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False  # not JSON, or nothing that can be known before there is a value
    if not isinstance(made, dict) or rule.tag:
        return False
    is_flat = "datastream" not in made
    feed = made.get("feed", made.get("device", source.feed))
    names = set(made) - _NO_NAMES if is_flat else {str(made["datastream"])}
    return _wants_feed(rule, feed) and any(_wants_name(rule, name) for name in names)


def _stand_in(place: re.Match[str]) -> str:
    """A JSON text that says what is put in, whether there are quotation marks around it or not."""
    return f'"{_SAME}{place[1]}"'


def _wants_feed(rule: SinkRule, feed: object) -> bool:
    if feed in (f"{_SAME}feed", f"{_SAME}device") or rule.feeds == "all":
        return True
    return str(feed) in {str(each) for each in rule.feeds}


def _wants_name(rule: SinkRule, name: str) -> bool:
    if name == f"{_SAME}datastream" or not rule.datastreams:
        return True
    return any(fnmatchcase(name, pattern) for pattern in rule.datastreams)
