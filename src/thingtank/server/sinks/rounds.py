"""Values that would go round for ever: sent to a stream or queue that this tank reads itself."""

from collections.abc import Sequence

from thingtank.sinks.rules.settings import SinkRule
from thingtank.sources.settings import SourceRule

_PLACES = {"kinesis": "stream", "sqs": "queue", "queue": "queue"}  # engine → what names the place


def round_problem(rule: SinkRule, sources: Sequence[SourceRule]) -> str:
    """Why what a rule sends would come back and be sent again; blank if it would not.

    A value that is sent as JSON names its device and datastream, and so always comes back to
    them. What a template makes may be meant for another feed: then the rule must not want all.
    """
    member = _PLACES.get(str(rule.target.get("engine")))
    may_differ = bool(rule.template) and (
        rule.feeds != "all" or bool(rule.tag) or bool(rule.datastreams)
    )
    if member is None or rule.send != "values" or may_differ:
        return ""
    place = str(rule.target.get(member, ""))
    for source in sources:
        if source.engine == rule.target["engine"] and getattr(source, member) == place:
            return (
                f"it sends to the {member} {place}, which the rule {source.name} of sources reads"
                " into this tank, so that values would go round for ever: name another"
                f" {member} in one of the two"
            )
    return ""
