from molgfn import errors
from molgfn.errors import did_you_mean


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
