"""The form of a new rule says of each engine and of each thing that it is told what it means."""

import pytest

from thingtank.server.sinks.engine_facts import engine_facts
from thingtank.sinks.engines import ENGINES
from thingtank.tank.sinks import EngineFacts

FACTS = engine_facts()


def test_all_engines_are_there_in_their_order() -> None:
    assert [facts.name for facts in FACTS] == list(ENGINES)


@pytest.mark.parametrize("facts", FACTS, ids=lambda facts: facts.name)
def test_each_engine_and_each_field_has_a_meaning(facts: EngineFacts) -> None:
    assert facts.meaning
    assert [field.name for field in facts.fields if not field.meaning] == []


def test_a_field_knows_whether_it_must_be_given_and_what_it_is_without() -> None:
    fields = {field.name: field for field in FACTS[0].fields}
    assert (fields["url"].default, fields["url"].is_secret) == (None, True)
    assert (fields["table"].default, fields["table"].is_secret) == ("readings", False)
    flags = {(facts.name, f.name) for facts in FACTS for f in facts.fields if f.is_flag}
    assert ("sqs", "create") in flags
