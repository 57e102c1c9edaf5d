import pandas as pd
import pytest

from molgfn.active.measurements import answer_of, read_measurements
from molgfn.config.rounds_schema import OracleConfig
from molgfn.errors import TableError
from molgfn.tables.measured import Measured
from molgfn.tables.reader import Table

#: The two forms of 4-methylimidazole, which have one InChIKey.
TAUTOMERS = ["Cc1cnc[nH]1", "Cc1c[nH]cn1"]


def read(cells, smiles=None, scale="linear", **columns):
    given = [f"{'C' * (i + 1)}O" for i in range(len(cells))] if smiles is None else smiles
    frame = pd.DataFrame({"SMILES": given, "IC50": cells, **columns}, dtype=str)
    table = Table(frame, "SMILES", "assay.csv")
    oracle = OracleConfig("lab", column="IC50", unit="nM", scale=scale)
    return [
        (m.molecule.smiles, answer_of(m.repeats, oracle)[0].value, m.rows)
        for m in read_measurements(table, "IC50", oracle)
    ]


def test_repeats_come_together_whatever_their_spelling():
    found = read(["1", "9", "4"], ["OCC", "CC(=O)[O-].[Na+]", "CCO"])
    assert found == [("CCO", 2.5, (1, 3)), ("CC(=O)O", 9.0, (2,))]


def test_tautomers_are_repeats_of_one_molecule():
    for smiles in (TAUTOMERS, TAUTOMERS[::-1]):
        assert read(["1", "12"], smiles, "log10") == [(smiles[0], pytest.approx(12**0.5), (1, 2))]


def test_an_empty_cell_says_nothing():
    assert [value for _, value, _ in read(["", "1", "NT"])] == [1.0]


@pytest.mark.parametrize(
    ("cells", "smiles", "message"),
    [
        (["1", "five"], None, "row 2: IC50: 'five' is no value"),
        (["1", "0"], None, "row 2: IC50: '0' has no logarithm"),
        (["1", "1,200"], None, "row 2: IC50: '1,200' may be 1200 or 1.200"),
        (["1", "5 mg/l"], None, "row 2: IC50: the unit 'mg/l' is not the one expected, nM"),
        (["1", "2"], ["CCO", "C1CC"], "row 2: IC50: RDKit cannot read"),
        (["1", "> 9", "< 5"], ["C", *TAUTOMERS], r"rows 2, 3: IC50 of \S+: its bounds > 9 and < 5"),
    ],
)
def test_what_cannot_be_understood_names_its_rows(cells, smiles, message):
    with pytest.raises(TableError, match=f"^assay.csv {message}"):
        read(cells, smiles, "log10")


def test_an_answer_says_what_its_repeats_say():
    oracle = OracleConfig("lab", column="IC50")
    failed, _ = answer_of((Measured(float("nan"), reason="insoluble"),), oracle)
    assert (failed.status, failed.reason) == ("failed", "insoluble")
    answer, note = answer_of((Measured(50.0, ">"), Measured(40.0)), oracle)
    assert (answer.value, answer.relation) == (40.0, "=")
    assert note == "its mean 40 contradicts its bound > 50"
