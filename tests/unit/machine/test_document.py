import json

import pytest

from molgfn.errors import CheckpointError
from molgfn.machine.document import Document


def document(**values):
    return Document.parse(json.dumps(values).encode(), "f.json", "cure")


def test_values_come_in_the_type_asked_for():
    about = document(n=3, x=2, s="t", xs=[1, 2.5], ss=["a"], o={"n": 1})
    assert (about.whole("n"), about.number("x"), about.text("s")) == (3, 2.0, "t")
    assert type(about.number("x")) is float
    assert about.numbers("xs", 2) == (1.0, 2.5)
    assert about.texts("ss") == ["a"]
    assert about.section("o").whole("n") == 1
    assert about["n"] == 3
    assert dict(about).keys() == {"n", "x", "s", "xs", "ss", "o"}


@pytest.mark.parametrize(
    ("take", "value", "message"),
    [
        (lambda d: d.whole("k"), True, "k must be a whole number from 0 to .*, got true"),
        (lambda d: d.whole("k"), 1.0, "got 1.0"),
        (lambda d: d.whole("k"), -1, "got -1"),
        (lambda d: d.whole("k"), 10**400, "got a number too large"),
        (lambda d: d.whole("k", 1, 5), 6, "from 1 to 5, got 6"),
        (lambda d: d.number("k"), float("inf"), "a finite number, got Infinity"),
        (lambda d: d.number("k"), float("nan"), "got NaN"),
        (lambda d: d.number("k"), 10**400, "got a number too large"),
        (lambda d: d.number("k"), "1", 'got "1"'),
        (lambda d: d.text("k"), None, "a text, got null"),
        (lambda d: d.text("k"), ["x" * 9999], "got a list"),
        (lambda d: d.numbers("k"), [1, None], "is not a list of finite numbers"),
        (lambda d: d.numbers("k", 3), [1, 2], "is not a list of 3 finite numbers"),
        (lambda d: d.texts("k"), ["a", 1], "is not a list of texts"),
        (lambda d: d.section("k"), "x" * 9999, 'an object, got "x+…'),
        (lambda d: d.section("k").number("a"), {"b": 1}, "k.a is missing, expected a number"),
        (lambda d: d.plain("k"), {"a": json.loads("[" * 30 + "]" * 30)}, "nested more than 20"),
    ],
)
def test_another_value_is_told_in_a_line(take, value, message):
    with pytest.raises(CheckpointError, match=f"^f.json: .*{message}.*; cure$") as told:
        take(document(k=value))
    assert len(str(told.value)) < 200


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"null", b'{"a":' * 9999, b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_what_is_no_document(content):
    with pytest.raises(CheckpointError, match=r"^f.json is not valid JSON: .*; cure$"):
        Document.parse(content, "f.json", "cure")


def test_what_is_kept_as_it_came_may_hold_a_nan():
    assert str(document(k={"a": [float("nan")]}).plain("k")) == "{'a': [nan]}"
