"""Products' own rules: codes, serials, lists of serials, content."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.actions.devices import new_secret
from thingtank.tank.errors import LimitReached, ValidationFailed
from thingtank.tank.products import (
    FeedTemplate,
    FeedTemplateChange,
    Product,
    ProductChange,
    activation_code,
    changed_product,
    check_serials,
    feed_title,
    is_product_id,
    new_product_id,
    new_product_secret,
    new_serial,
    parse_serials,
    product_problems,
    serial_problem,
)
from thingtank.tank.things import Datastream, Unit

# From the service's own documents, and from a client's tests.
CODES = [
    ("836842cd3b57dce99afef7805c078a0821a88725", "cba123", "761854de348c8c201e87ff9d75be58d4d84cebbf"),
    ("836842cd3b57dce99afef7805c078a0821a88725", "789", "ad30b1629498084295c3a27f514129476bfa2e6b"),
    ("377f93e5649c31635191c0e22258f5a5744698d3", "0001", "13bf6065634a624104cfa14a1f977bede2aa39d8"),
    ("e1c263198afcb4e198145f3e406817c30bde39fb", "def456", "7b85b6bd5c211941422d3c95352d915750c11053"),
]  # fmt: skip


@pytest.mark.parametrize(("secret", "serial", "code"), CODES)
def test_activation_codes_are_the_services(secret: str, serial: str, code: str) -> None:
    assert activation_code(secret, serial) == code


def test_new_ids_secrets_and_serials_have_their_form_and_differ() -> None:
    for make, form in [
        (new_product_id, r"[A-Za-z0-9_][A-Za-z0-9_-]{19}"),
        (new_secret, r"[A-Za-z0-9_][A-Za-z0-9_-]{47}"),  # `--api-key` takes it
        (new_product_secret, r"[0-9a-f]{40}"),
        (new_serial, r"[A-Z0-9]{12}"),
    ]:
        made = {make() for _ in range(1000)}
        assert len(made) == 1000
        assert all(re.fullmatch(form, text) for text in made)
        if make is new_product_id:
            assert all(map(is_product_id, made))


RULE = "may hold only letters, digits and + - , _ :"
SERIALS = [
    ("a", ""), ("0001", ""), ("a+b-c,d_e:F", ""), ("x" * 255, ""),
    ("", "can't be blank"), ("x" * 256, "is too long (maximum is 255 characters)"),
    ("a b", RULE), ("a\n", RULE), ("ä", RULE), ("a/b", RULE), ("a.b", RULE), ("a\x00", RULE), ("٣", RULE), ("\udcff", RULE),
]  # fmt: skip


@pytest.mark.parametrize(("serial", "message"), SERIALS)
def test_serials(serial: str, message: str) -> None:
    assert serial_problem(serial) == message


def test_a_list_of_serials_is_refused_whole_with_its_bad_rows_named() -> None:
    with pytest.raises(ValidationFailed) as raised:
        check_serials(["A", "b c", "A", "", "B"], 10)
    assert raised.value.problems == (
        ("", f'Row 2: serial "b c" {RULE}'),
        ("", 'Row 3: serial "A" is in row 1 already'),
        ("", 'Row 4: serial "" can\'t be blank'),
    )
    with pytest.raises(ValidationFailed) as raised:
        check_serials(["?" * 300] * 15, 20)
    assert len(raised.value.problems) == 11
    assert raised.value.problems[-1] == ("", "5 more rows are refused")
    assert all(len(message) < 200 for _, message in raised.value.problems)
    with pytest.raises(ValidationFailed, match="devices can't be blank"):
        check_serials([], 10)
    with pytest.raises(LimitReached, match="3 serials at once; at most 2 are allowed"):
        check_serials(["A", "B", "C"], 2)
    check_serials(["A", "a", "B"], 3)


FILES = [
    ("one a line", "A\nB\n", ["A", "B"]),
    ("without an end", "A\nB", ["A", "B"]),
    ("from Windows, with a mark", "\ufeffA\r\nB\r\n", ["A", "B"]),
    ("from an old Macintosh", "A\rB\r", ["A", "B"]),
    ("blank lines and blanks", "\n A \n\n  \nB\n\n", ["A", "B"]),
    ("a header", "Serial\nA\nB\n", ["A", "B"]),
    ("a column of several", "name,serial,site\nfirst,A,x\nsecond,B,y\n", ["A", "B"]),
    ("a short row", "name,serial\nfirst,A\nsecond\n", ["A", ""]),
    ("commas in quotes", '"A,1"\n"B"\n', ["A,1", "B"]),
    ("nothing", "", []),
    ("a header alone", "serial\n", []),
    ("serial as a serial further down", "A\nserial\n", ["A", "serial"]),
    ("bad ones are kept for the check", "a b\n", ["a b"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "serials"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])  # fmt: skip
def test_files_of_serials(text: str, serials: list[str]) -> None:
    assert parse_serials(text, 10) == serials


BAD_FILES = [
    ("a bare comma", "A\nB,1\n", "Line 2: has 2 columns; put a serial that holds a comma in quotes"),
    ("more cells than the header", "serial,site\nA,x,y\n", "Line 2: has 3 columns"),
    ("an open quote", 'A\n"B\n', "Line 2: unexpected end of data"),
    ("text after a quote", 'A\n"B"C\n', "Line 2: "),
    ("a cell without end", "x" * 200_000, "Line 1: field larger than field limit"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), [row[1:] for row in BAD_FILES], ids=[row[0] for row in BAD_FILES])  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused_with_the_line(text: str, message: str) -> None:
    with pytest.raises(ValidationFailed, match=re.escape(message)):
        parse_serials(text, 10)


def test_a_file_of_too_many_serials_is_refused() -> None:
    with pytest.raises(LimitReached, match="more than 2 serials at once"):
        parse_serials("A\nB\nC\n", 2)


@given(st.text() | st.text(alphabet='ab,"\n\r \x00serial'))
def test_any_text_is_a_list_of_serials_or_refused(text: str) -> None:
    try:
        serials = parse_serials(text, 5)
        check_serials(serials, 5)
    except (ValidationFailed, LimitReached):
        return
    assert 0 < len(serials) == len(set(serials))
    assert not any(map(serial_problem, serials))


GOOD_SERIALS = st.from_regex(r"[A-Za-z0-9+\-,_:]{1,20}", fullmatch=True)


@given(st.lists(GOOD_SERIALS, min_size=1, max_size=5, unique=True))
def test_quoted_serials_come_back(serials: list[str]) -> None:
    text = "serial\n" + "".join(f'"{serial}"\n' for serial in serials)
    assert parse_serials(text, 5) == serials


def product(**fields: Any) -> Product:
    return Product(**{"product_id": "p", "account_id": 1, "secret": "", "name": "Sensor", **fields})


def template(**fields: Any) -> Product:
    return product(template=FeedTemplate(**fields))


LONG = "is too long (maximum is 255 characters)"
PROBLEMS = [
    ("a good one", template(title="t", datastreams=(Datastream(0, 0, "a"),)), []),
    ("no name", product(name=" "), [("name", "can't be blank")]),
    ("a name too long", product(name="x" * 256), [("name", LONG)]),
    ("a name with controls", product(name="a\x07"), [("name", "can't contain control characters")]),
    ("a description too long", product(description="x" * 10_001), [("description", "is too long (maximum is 10000 characters)")]),
    ("a title too long", template(title="x" * 256), [("feed_defaults_title", LONG)]),
    ("a title of blanks", template(title=" "), [("feed_defaults_title", "can't be blank")]),
    ("a website too long", template(website="x" * 256), [("feed_defaults_website", LONG)]),
    ("tags too long", template(tags=("x" * 200, "y" * 60)), [("feed_defaults_tags", LONG)]),
    ("a datastream of no name", template(datastreams=(Datastream(0, 0, ""),)), [("feed_defaults_datastreams_id", "can't be blank")]),
    ("a datastream of a bad name", template(datastreams=(Datastream(0, 0, "a b"),)), [("feed_defaults_datastreams_id", "is invalid")]),
    ("a bad unit", template(datastreams=(Datastream(0, 0, "a", (), Unit("metric")),)), [("feed_defaults_datastreams_unit_type", "is not a valid unit_type (pick one from basicSI, derivedSI, conversionBasedUnits, derivedUnits, contextDependentUnits or leave blank)")]),
    ("a datastream twice", template(datastreams=(Datastream(0, 0, "a"), Datastream(0, 0, "a"))), [("feed_defaults_datastreams_id", "is there more than once: a")]),
    ("too many datastreams", template(datastreams=tuple(Datastream(0, 0, f"s{n}") for n in range(4))), [("feed_defaults_datastreams", "are too many (maximum is 3)")]),
]  # fmt: skip


@pytest.mark.parametrize(("checked", "problems"), [row[1:] for row in PROBLEMS], ids=[row[0] for row in PROBLEMS])  # fmt: skip
def test_a_bad_product_is_told_what_is_wrong(
    checked: Product, problems: list[tuple[str, str]]
) -> None:
    assert product_problems(checked, 3) == problems


def test_a_change_leaves_what_it_does_not_name() -> None:
    before = template(title="t", tags=("a",), private=False, website="w")
    after = changed_product(before, ProductChange(template=FeedTemplateChange(tags=("c", " b "))))
    assert after == template(title="t", tags=("b", "c"), private=False, website="w")
    assert changed_product(before, ProductChange(name="n")) == product(
        name="n", template=before.template
    )


def test_a_feed_has_the_templates_title_or_is_named_after_product_and_serial() -> None:
    assert feed_title(template(title="Roof"), "A") == "Roof"
    assert feed_title(product(), "A") == "Sensor A"
    long = feed_title(product(name="n" * 255), "S" * 100)
    assert (len(long), long[-101:]) == (255, " " + "S" * 100)
    assert feed_title(product(), "S" * 255) == "S" * 255
