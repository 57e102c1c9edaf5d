"""A user's molecules become states where the vocabulary and the limits allow it."""

import pandas as pd

from molgfn.config.schema import LimitsConfig
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.molecules.buildable import find_buildable
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.tables.reader import Table

VOCABULARY = Vocabulary(
    "tiny",
    (
        Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1)),
        Fragment.build("N", {0: 2}),
        Fragment.build("Nc1ccccc1", {0: 1}),
    ),
)
ENV = FragmentEnv(VOCABULARY, LimitsConfig(max_fragments=3, max_heavy_atoms=14))

ANILINE, DIPHENYLAMINE, BIPHENYL = "Nc1ccccc1", "c1ccc(Nc2ccccc2)cc1", "c1ccc(-c2ccccc2)cc1"
TERPHENYL = "c1ccc(-c2ccc(-c3ccccc3)cc2)cc1"


def found(*smiles):
    return find_buildable(Table(pd.DataFrame({"SMILES": smiles}), "SMILES", "my.csv"), ENV)


def test_every_tree_is_a_state_and_the_first_of_each_molecule_is_known():
    """Diphenylamine is benzene-N-benzene, or aniline with benzene."""
    result = found(DIPHENYLAMINE, BIPHENYL, DIPHENYLAMINE)
    assert [m.smiles for m in ENV.molecules(result.states)] == [
        *([DIPHENYLAMINE] * 2), BIPHENYL, *([DIPHENYLAMINE] * 2),
    ]  # fmt: skip
    assert result.states.stopped.all()
    assert result.first == (0, 2, 3)
    assert result.notes("my.csv", 3) == []


def test_what_cannot_be_used_is_counted_and_bad_rows_are_named():
    """Methane is of no fragment, terphenyl is too large, nitrogen alone is too small."""
    result = found("C", TERPHENYL, "N", "nonsense", ANILINE, "")
    assert len(result.states) == 1
    first, second, third = result.notes("my.csv", 6)
    assert first == (
        "left out 5 of 6 rows of my.csv: 1 cannot be built with the vocabulary, "
        "2 break the limits, 2 cannot be read"
    )
    assert second.startswith("row 4 is invalid: RDKit cannot read 'nonsense'")
    assert third == "row 6 is invalid: the SMILES is empty"


def test_many_bad_rows_are_told_in_a_few_lines():
    notes = found(*(["x"] * 8)).notes("my.csv", 8)
    assert len(notes) == 1 + 5 + 1
    assert notes[-1] == "and 3 more"


def test_a_table_of_which_nothing_is_left_gives_no_state():
    for smiles in ((), ("C",), ("x",)):
        result = found(*smiles)
        assert len(result.states) == 0
        assert result.first == ()


def test_charges_that_standardisation_removes_are_looked_for_first():
    vocabulary = Vocabulary(
        "charged",
        (
            Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1)),
            Fragment.build("C[NH3+]", {0: 1}),
            Fragment.build("CO", {0: 1}),
        ),
    )
    env = FragmentEnv(vocabulary, LimitsConfig(max_fragments=3))
    rows = ["[NH3+]Cc1ccccc1", "OCc1ccccc1.Cl"]
    table = Table(pd.DataFrame({"SMILES": rows}), "SMILES", "my.csv")
    result = find_buildable(table, env)
    assert [m.smiles for m in env.molecules(result.states)] == ["[NH3+]Cc1ccccc1", "OCc1ccccc1"]
