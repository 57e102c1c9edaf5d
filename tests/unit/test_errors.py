import shlex

import pytest

from molgfn import errors
from molgfn.errors import MolgfnError, did_you_mean, shell_quoted, shown


def test_every_error_has_an_exit_code_of_its_kind():
    kinds = [
        v for v in vars(errors).values() if isinstance(v, type) and v.__module__ == errors.__name__
    ]
    assert all(issubclass(k, errors.MolgfnError) for k in kinds)
    assert {k.exit_code for k in kinds if issubclass(k, errors.InputError)} == {3}


def test_a_near_name_is_suggested_in_any_case():
    assert did_you_mean("stepz", ["steps", "seed"]) == "; did you mean steps?"
    assert did_you_mean("smile", ["SMILES", "Score"]) == "; did you mean SMILES?"
    assert did_you_mean("stepz", ["steps"], "train.") == "; did you mean train.steps?"
    assert did_you_mean("quite other", ["steps"]) == ""
    assert did_you_mean("x", []) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        ({"a": 1}, "a section"),
        ([1], "a list"),
        (1.5, "1.5"),
        ("CCO", "'CCO'"),
        ("x" * 10**6, "'" + "x" * 58 + "…"),
        (10**900, "1" + "0" * 58 + "…"),
    ],
)
def test_a_value_is_shown_on_less_than_a_line(value, text):
    assert shown(value) == text


def test_a_long_message_keeps_its_place_and_its_cure():
    message = str(MolgfnError("the file: " + "x" * 10**6 + "; the cure"))
    assert len(message) < 1100
    assert (message[:9], message[-10:]) == ("the file:", "; the cure")
    assert str(MolgfnError("short")) == "short"


@pytest.mark.parametrize("path", ["runs/a", "my runs/a b", "a'b", "$HOME/x;rm", "-r", "ä", "a&b"])
def test_a_path_in_a_command_is_one_word_that_is_no_option(path):
    words = shlex.split(f"molgfn sample {shell_quoted(path)}")
    assert words[2:] in ([path], [f"./{path}"])
    assert not words[2].startswith("-")
    assert shell_quoted("runs/a") == "runs/a"
