import math
from unittest.mock import patch

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from molgfn.config.loader import dump_config, load_config
from molgfn.config.resources import shipped_path
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
    "text",
    [
        "{a: 1, a: 2}",
        "{[1]: 2}",
        "a: b: c",
        "!!python/name:os.system",
        "*a",
        "!!int ''",
        "!!bool maybe",
        "!!timestamp x",
        "!!map [1]",
        "!!set [1]",
        "!!set {a, b}",
        "!!omap [1]",
        "!!pairs [1]",
        "!!str [1]",
        "!!seq {a: 1}",
        "!!binary a",
        "!!int " + "9" * 5000,
        "9" * 5000,
        "!!" + "x" * 5000 + " 1",
        "*" + "x" * 5000,
        "&a [*a]",
        "&a {b: [*a]}",
        "[" * 2000,
        "- " * 2000 + "1",
    ],
)
def test_what_is_no_plain_document_is_refused(text):
    with pytest.raises(ConfigError, match="^x") as caught:
        parse_yaml(text, "x")
    assert len(str(caught.value)) < 300


def laughs(levels):
    """Lists of nine aliases to lists of nine aliases to ...: 9^levels words in a kilobyte."""
    lists = ["l0: &l0 [" + ", ".join(["lol"] * 9) + "]"]
    for n in range(1, levels):
        lists.append(f"l{n}: &l{n} [" + ", ".join([f"*l{n - 1}"] * 9) + "]")
    return "\n".join(lists)


def test_an_alias_repeats_what_its_anchor_names():
    assert parse_yaml("a: &x {b: [1, c]}\nd: [*x, *x]", "x")["d"] == [{"b": [1, "c"]}] * 2
    assert parse_yaml(laughs(4), "x")["l3"][8][8][8][8] == "lol"


@pytest.mark.parametrize("levels", [6, 9, 40])
def test_what_aliases_repeat_is_bounded(levels):
    with pytest.raises(ConfigError, match=r"^x line 6, column .*: the aliases repeat too much"):
        parse_yaml(laughs(levels), "x")


def test_a_long_text_is_repeated_as_little():
    with pytest.raises(ConfigError, match="the aliases repeat too much"):
        parse_yaml(f"[&a {'x' * 1000}{', *a' * 1000}]", "x")


def test_what_is_much_too_long_to_be_a_document_is_not_read():
    with pytest.raises(ConfigError, match="is it the right file"):
        parse_yaml("CCO\n" * 1_000_001, "x")


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


def outcome(text):
    """What becomes of a text: the type and spelling of every value, or the message."""
    try:
        return repr(parse_yaml(text, "x"))
    except ConfigError as error:
        return error.args


def without_libyaml(text):
    with patch.object(yaml, "__with_libyaml__", False):
        return outcome(text)


# Pieces that mean something to YAML; put together at random about a third of the texts is YAML.
pieces = st.sampled_from(
    [
        *"ab1~#[]{},:?-|>&*!%@`=\"'\\\t\n \r\x85\ufeff\u00e9",
        *("0.5", "1e3", ".inf", "null", "true", "\n  ", "\n    ", ": ", ", ", "- ", " #", "? "),
        *("a: ", "b: ", "'b': ", '"a": ', "&a ", "*a ", "!!str ", "<<: ", "\\n", "---\n"),
        *("\n...\n", "%YAML 1.1\n", "|2\n", ">-\n"),
    ]
)


@given(st.lists(pieces, max_size=14).map("".join))
def test_libyaml_changes_nothing_but_the_time(text):
    assert outcome(text) == without_libyaml(text)


@pytest.mark.parametrize("depth", [1, 30, 200, 2000])
@pytest.mark.parametrize("level", ["[", "- ", "{a: ", "? "])
def test_depth_is_no_danger(level, depth):
    closing = {"[": "]", "{a: ": "}"}.get(level, "") * depth
    text = level * depth + "1" + closing
    assert outcome(text) == without_libyaml(text)


@pytest.mark.parametrize("n", [1000, 1023, 1024, 1025, 2000])
def test_long_words_are_read_alike(n):
    for text in (
        "x" * n,
        f"{'x' * n}: 1",
        f"'{'x' * n}': 1",
        "a: " + "y " * n,
        f"{{{'x' * n}: 1}}",
    ):
        assert outcome(text) == without_libyaml(text)


@pytest.mark.parametrize(
    "path",
    [
        *shipped_path("fragments", "default.yaml").parent.glob("*.yaml"),
        *shipped_path("policy").glob("*/*.yaml"),
    ],
    ids=lambda path: path.stem,
)
def test_shipped_files_are_read_alike(path):
    text = path.read_text(encoding="utf-8")
    assert outcome(text) == without_libyaml(text)


def test_the_default_configuration_is_read_alike():
    text = dump_config(load_config())
    assert outcome(text) == without_libyaml(text)


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML was built without libyaml")
def test_the_shipped_vocabulary_is_read_by_libyaml():
    text = shipped_path("fragments", "default.yaml").read_text(encoding="utf-8")
    with patch.object(yaml.SafeLoader, "__init__", side_effect=AssertionError):
        assert parse_yaml(text, "x")["name"] == "default"
