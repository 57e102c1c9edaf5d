import pandas as pd
import pytest

from molgfn.tables.columns import LIKELIHOOD_COLUMNS, SAMPLE_COLUMNS, docked_columns, scored_columns
from molgfn.tables.naming import name_columns

MEASURED = ["pIC50", "pIC50_std", "nearest_train_similarity", "QED", "alerts"]
SCORED = [*scored_columns(MEASURED), "standard_SMILES"]
DOCKED = docked_columns("T")


def names(given, computed=SCORED, smiles_column="SMILES"):
    return name_columns(computed, given, smiles_column)


def renamed(found):
    return {old: new for old, new in found.written.items() if old != new}


def test_without_a_clash_every_column_has_its_own_name():
    found = names(["id", "SMILES", "pIC50_nM"])
    assert (renamed(found), found.kept, found.replaced) == ({}, ("id", "pIC50_nM"), ())
    assert found.lines() == []


@pytest.mark.parametrize("name", SCORED[1:])
def test_a_column_of_the_user_keeps_its_name_and_values(name):
    found = names(["SMILES", name, "id"])
    assert found.kept == (name, "id")
    assert name not in found.written.values()
    assert name in renamed(found)
    assert len(set(found.written.values()) | {name, "id"}) == len(SCORED) + 2


def test_a_prediction_says_that_it_is_one():
    for given in (["SMILES", "pIC50"], ["SMILES", "pIC50_std"]):
        assert renamed(names(given)) == {
            "pIC50": "pIC50_predicted",
            "pIC50_std": "pIC50_predicted_std",
        }
    found = names(["SMILES", "pIC50", "pIC50_predicted", "QED"])
    assert renamed(found) == {
        "pIC50": "pIC50_predicted_2",
        "pIC50_std": "pIC50_predicted_2_std",
        "QED": "QED_computed",
    }
    assert found.lines() == [
        "the input has columns of these names, which stay as they are; computed under names of "
        "their own: pIC50_predicted_2, pIC50_predicted_2_std, QED_computed"
    ]


@pytest.mark.parametrize(
    "earlier",
    [
        SCORED,
        [*SCORED, *LIKELIHOOD_COLUMNS],
        list(SAMPLE_COLUMNS),
        [*scored_columns(MEASURED), "n_fragments"],
        list(DOCKED),
    ],
)
@pytest.mark.parametrize("computed", [[*SCORED, *LIKELIHOOD_COLUMNS], DOCKED])
def test_what_an_earlier_command_wrote_is_computed_anew(earlier, computed):
    found = names([*earlier, "MW_of_mine", "id"], computed)
    assert renamed(found) == {}
    anew = [name for name in earlier if name in computed]
    assert list(found.replaced) == anew[1:]
    assert set(found.kept) == {*earlier, "MW_of_mine", "id"} - set(anew)


@pytest.mark.parametrize("user", [["pIC50"], ["status"], ["InChIKey", "QED"], ["SMILES_computed"]])
def test_a_second_time_gives_the_names_of_the_first(user):
    given = ["SMILES", *user]
    first = names(given)
    again = names([*first.written.values(), *first.kept])
    assert (again.written, again.kept) == (first.written, first.kept)


def test_a_measured_column_among_those_of_a_command_is_no_prediction():
    given = [*SCORED[:4], *SCORED[4:]]
    given.remove("pIC50_std")
    found = names(given)
    assert "pIC50" in found.kept
    assert found.written["pIC50"] == "pIC50_predicted"


def test_another_column_of_smiles_stands_beside_the_one_that_is_read():
    found = names(["SMILES", "structure"], smiles_column="structure")
    assert renamed(found) == {"SMILES": "SMILES_computed"}
    assert found.kept == ("SMILES", "structure")


def test_computed_columns_come_first():
    found = names(["id", "SMILES", "status"], ["SMILES", "status"])
    computed = pd.DataFrame({"SMILES": ["C"], "status": ["ok"]})
    given = pd.DataFrame({"id": ["007"], "SMILES": ["C"], "status": ["in stock"]})
    assert found.join(computed, given).to_dict("records") == [
        {"SMILES": "C", "status_computed": "ok", "id": "007", "status": "in stock"}
    ]
