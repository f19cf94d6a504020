"""Values that would go round for ever: sent to streams or queues that this tank reads itself.

A value goes from a rule of sinks to a stream or queue, from there with a rule of sources to a feed,
and to the rules that want it there. Which values those are is followed from rule to rule, as far as
it can be known before there is one.
"""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec

from thingtank.sinks.rules.settings import SinkRule
from thingtank.sinks.rules.templates import PLACE
from thingtank.sources.settings import SourceRule

_PUT_IN = re.compile(f'"?{PLACE.pattern}"?')  # with quotation marks that hold nothing else
_SAME = "the item's "
_NO_NAMES = {"feed", "device", "at", "id"}  # of a flat object, besides its values
_WAYS_MAX = 1000  # that are followed; more are of nobody's rules
_PLACES = {"kinesis": "stream", "sqs": "queue", "queue": "queue"}  # engine → what names the place


class _Values(NamedTuple):
    """Which values come to a feed.

    Attributes:
        feeds: of these; None of any.
        names: patterns of datastreams; None for any.
        tags: that their devices have, as far as that is known.
        is_known: False of what a template makes that cannot be read before there is a value.
    """

    feeds: frozenset[str] | None
    names: frozenset[str] | None
    tags: frozenset[str] = frozenset()
    is_known: bool = True


_ANY = _Values(None, None)
_UNKNOWN = _Values(None, None, is_known=False)


class _Passed(NamedTuple):
    """A way that values take.

    Attributes:
        rule: that sends them last.
        values: that it sends.
        words: the way so far, for people.
    """

    rule: SinkRule
    values: _Values
    words: tuple[str, ...]


def round_problem(
    rule: SinkRule, sources: Sequence[SourceRule], others: Sequence[SinkRule] = ()
) -> str:
    """Why what a rule sends would come back and be sent again; blank if it would not.

    A value that is sent as JSON names its device and datastream, and so always comes back to
    them. What a template makes may be meant for another feed or datastream: then a rule must not
    want all, nor those that the template says.

    Args:
        others: other rules, by way of which it may come back.
    """
    begun = _wanted(rule, _ANY)
    ways = [_Passed(rule, begun, ())] if begun is not None and rule.send == "values" else []
    seen = set[tuple[str, _Values]]()
    while ways and len(seen) < _WAYS_MAX:
        way = ways.pop()
        for source, words in _read_from(way, sources):
            made = _made(way.rule, source, way.values)
            if _wanted(rule, made) is not None:
                return _words(rule, words)
            for other in others:
                if other.name == rule.name or other.send != "values":
                    continue
                values = _wanted(other, made)
                if values is not None and (other.name, values) not in seen:
                    seen.add((other.name, values))
                    ways.append(_Passed(other, values, words))
    return ""


def _read_from(
    way: _Passed, sources: Sequence[SourceRule]
) -> Iterator[tuple[SourceRule, tuple[str, ...]]]:
    """Sources that read what a rule sends, with the way until there."""
    to = way.rule.target
    member = _PLACES.get(str(to.get("engine")))
    if member is None:
        return
    place = str(to.get(member, ""))
    by = f"the rule {way.rule.name}" if way.words else "it"
    for source in sources:
        if source.engine == to["engine"] and getattr(source, member) == place:
            reads = f"which the rule {source.name} of sources reads into this tank"
            yield source, (*way.words, f"{by} sends to the {member} {place}, {reads}")


def _words(rule: SinkRule, way: Sequence[str]) -> str:
    member = _PLACES[str(rule.target["engine"])]
    ways = "; from there ".join(way)
    rules = "two" if len(way) == 1 else f"{2 * len(way)}"
    return (
        f"{ways}, so that values would go round for ever: name another {member} in one of the"
        f" {rules}"
    )


def _made(rule: SinkRule, source: SourceRule, values: _Values) -> _Values:
    """What a source makes of values that a rule sends to it."""
    if not rule.template:
        return values
    try:
        made = msgspec.json.decode(_PUT_IN.sub(_stand_in, rule.template))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return _UNKNOWN  # not JSON, or nothing that can be known before there is a value
    if not isinstance(made, dict):
        return _UNKNOWN
    feed = made.get("feed", made.get("device", source.feed))
    names = made.keys() - _NO_NAMES if "datastream" not in made else {str(made["datastream"])}
    same_feed = feed in (f"{_SAME}feed", f"{_SAME}device")
    return _Values(
        values.feeds if same_feed else frozenset({str(feed)}),
        values.names if f"{_SAME}datastream" in names else frozenset(map(str, names)),
        values.tags if same_feed else frozenset(),
    )


def _stand_in(place: re.Match[str]) -> str:
    """A JSON text that says what is put in, whether there are quotation marks around it or not."""
    return f'"{_SAME}{place[1]}"'


def _wanted(rule: SinkRule, values: _Values) -> _Values | None:
    """Which of some values a rule wants; None for none, as far as that can be known."""
    if not values.is_known:  # who wants all wants these too
        wants_all = rule.feeds == "all" and not rule.tag and not rule.datastreams
        return values if wants_all else None
    if rule.tag and values is not _ANY and rule.tag.lower() not in values.tags:
        return None
    feeds, names = values.feeds, values.names
    if rule.feeds != "all":
        wanted = frozenset(map(str, rule.feeds))
        feeds = wanted if feeds is None else feeds & wanted
    if rule.datastreams:
        patterns = frozenset(rule.datastreams)
        names = patterns if names is None else _in_both(names, patterns)
    if feeds == frozenset() or names == frozenset():
        return None
    tags = values.tags | {rule.tag.lower()} if rule.tag else values.tags
    return _Values(feeds, names, tags)


def _in_both(names: frozenset[str], patterns: frozenset[str]) -> frozenset[str]:
    """Names, or patterns, that both of two sets of patterns have."""
    both = {name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)}
    return frozenset(both | {each for each in patterns if any(fnmatchcase(each, n) for n in names)})
