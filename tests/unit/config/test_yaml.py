import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molgfn.config.yaml import format_yaml, parse_yaml
from molgfn.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("-.5", -0.5),
        ("3", 3),
        ("007", "007"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("2024-01-01", "2024-01-01"),
        ("C1CC1", "C1CC1"),
        (".inf", math.inf),
        ("[1, a]", [1, "a"]),
    ],
)
def test_values_read_as_they_look(text, value):
    assert parse_yaml(text, "x") == value
    assert type(parse_yaml(text, "x")) is type(value)


@pytest.mark.parametrize(
    "text", ["{a: 1, a: 2}", "{[1]: 2}", "a: b: c", "!!python/name:os.system", "*a"]
)
def test_what_is_no_plain_document_is_refused(text):
    with pytest.raises(ConfigError, match="^x"):
        parse_yaml(text, "x")


def test_a_merge_key_is_a_key_like_any_other():
    assert parse_yaml("{<<: {a: 1}}", "x") == {"<<": {"a": 1}}


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30)
)


@given(scalars | st.lists(scalars, max_size=4) | st.dictionaries(st.text(), scalars, max_size=4))
def test_what_is_written_reads_back_on_one_line(value):
    text = format_yaml(value)
    assert "\n" not in text
    assert parse_yaml(text, "x") == value


@pytest.mark.parametrize("text", ["0\x85", "a\x85b", "a\u2028", "a\u2029b ", "two\nlines", "\t"])
def test_unusual_line_breaks_survive_inside_a_mapping(text):
    value = {"a": [text]}
    line = format_yaml(value)
    assert len(line.splitlines()) == 1
    assert parse_yaml(line, "here") == value
