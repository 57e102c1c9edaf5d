import math

import pytest

from molgfn.machine.program import ProgramError
from molgfn.reward.program_table import read_program_table

SMILES = ["CC", "CCO", "c1ccccc1"]
#: Their values in all tables that are right.
VALUES = [1.5, 2.5, 3.5]


def values(text, smiles=SMILES, column=None):
    return read_program_table(text, smiles, column).values(column)


@pytest.mark.parametrize(
    "text",
    [
        "x\n1.5\n2.5\n3.5\n",
        "\n\nx\n1.5\n2.5\n3.5\n\n\n",
        "x\r\n1.5\r\n2.5\r\n3.5\r\n",
        '"x"\n"1.5"\n" 2.5 "\n"3.5"',
        # In another order, by SMILES.
        "SMILES,x\nCCO,2.5\nc1ccccc1,3.5\nCC,1.5\n",
        "x,smiles\n2.5,CCO\n3.5,c1ccccc1\n1.5,CC\n",
        "ligand,x\nCCO,2.5\nc1ccccc1,3.5\nCC,1.5\n",
        "SMILES,x\n\nCCO,2.5\n\nc1ccccc1,3.5\nCC,1.5\n",
        # Spelt in another way.
        "SMILES,x\nOCC,2.5\nC1=CC=CC=C1,3.5\nCC,1.5\n",
        # What was asked beside another form of it.
        "SMILES,input_smiles,x\n[O-]CC,CCO,2.5\nC,c1ccccc1,3.5\nCC,CC,1.5\n",
        "product_smiles,x\nC,1.5\nN,2.5\nO,3.5\n",
        "smiles_length,x\na,1.5\nb,2.5\nc,3.5\n",
        "Canonical SMILES,pose_smiles,x\nCCO,C,2.5\nc1ccccc1,C,3.5\nCC,C,1.5\n",
        # By running numbers, from 0 or 1; they are never the value.
        "id,x\n1,1.5\n2,2.5\n3,3.5\n",
        "id,x\n3,3.5\n1,1.5\n2,2.5\n",
        ",x\n2,3.5\n0,1.5\n1,2.5\n",
        "molecule_id,x\n2,3.5\n0,1.5\n1,2.5\n",
        "Unnamed: 0,x\n2,3.5\n0,1.5\n1,2.5\n",
        "id,x\n71,1.5\n72,2.5\n73,3.5\n",
        "Compound ID,x\nm1,1.5\nm2,2.5\nm3,3.5\n",
        "name,SMILES,x\n1,CCO,2.5\n2,c1ccccc1,3.5\n3,CC,1.5\n",
        # European.
        "SMILES;x\nCCO;2,5\nc1ccccc1;3,5\nCC;1,5\n",
        "SMILES;x\nCCO;2.5\nc1ccccc1;3.5\nCC;1.5\n",
        "SMILES\tx\nCCO\t2,5\nc1ccccc1\t3,5\nCC\t1,5\n",
        # Text and empty columns before the value.
        "pose,note,x\na,,1.5\nb,,2.5\nc,,3.5\n",
    ],
)
def test_every_row_is_found_and_every_number_read(text):
    assert values(text) == VALUES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "wrote 0 rows for 3 molecules"),
        ("x", "wrote 0 rows for 3 molecules"),
        ("x\n1\n2\n", "wrote 2 rows for 3 molecules"),
        ("x\n1\n2\n3\n4\n", "wrote 4 rows for 3 molecules"),
        ("id,x\n1,1\n2,2\n1,1\n", "wrote id '1' again in row 3"),
        ("id,x\n4,1\n3,2\n2,3\n", "wrote id '3' in row 2, after 4: it neither counts"),
        ("x,id\n1,10\n2,30\n3,20\n", "wrote id '20' in row 3, after 30"),
        ("id\n1\n2\n3\n", "wrote no numeric column, only id"),
        ("SMILES,x\nCC,1\nCCO,2\n", "rows for 3 molecules.*without a row is 'c1ccccc1'"),
        ("SMILES,x\nCC,1\nCCO,2\nCCO,2\nc1ccccc1,3\n", "wrote 'CCO' in row 3 once more"),
        ("SMILES,x\nCC,1\nCC,1\nCCO,2\n", "wrote 'CC' in row 2 once more"),
        ("SMILES,x\nCC,1\nCCN,2\nc1ccccc1,3\n", "wrote 'CCN' in row 2, which is none of"),
        ("ligand,x\nCC,1\nCCN,2\nc1ccccc1,3\n", "wrote 'CCN' in row 2, which is none of"),
        ("SMILES,x\nCC,1\n,2\nc1ccccc1,3\n", "wrote no molecule in row 2: the SMILES is empty"),
        ("SMILES,x\nCC,1\nwhat?,2\nc1ccccc1,3\n", "wrote no molecule in row 2: RDKit cannot"),
        ("SMILES,x\nCC,1\nCCO,2,5\nc1ccccc1,3\n", "wrote 3 fields in row 2 where the header has 2"),
        ("SMILES,x\nCC,1\nCCO\nc1ccccc1,3\n", "wrote 1 fields in row 2 where the header has 2"),
        ("SMILES x\nCC 1\nCCO 2\nc1ccccc1 3\n", "wrote no numeric column, only SMILES x"),
        ("x,x\n1,1\n2,2\n3,3\n", "wrote the column 'x' twice"),
        ('"SMILES\n",' + "y" * 10_000 + "\nCC,1\nCCO,2\nc1ccccc1,a\n", "only SMILES, yyy"),
        ("id,x\n" + f"{'9' * 5000},a\n" * 3, "no numeric column"),
        ("x\n1\n1_000\n3\n", "wrote no numeric column, only x"),
        ('x\n"1\n2\n3\n', "wrote invalid CSV"),
        ("SMILES;x\nCC;1.200,5\nCCO;2\nc1ccccc1;3\n", "wrote no numeric column"),
        ("SMILES;x\nCC;1.2\nCCO;2,2\nc1ccccc1;3\n", "wrote no numeric column"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_first_wrong_row(text, message):
    with pytest.raises(ProgramError, match=message) as caught:
        values(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("cell", ["", "nan", "NaN", "NA", "None", "null"])
def test_an_empty_value_is_missing_also_in_a_single_column(cell):
    for text in (f"x\n1\n{cell}\n3\n", f"SMILES,x\nc1ccccc1,3\nCCO,{cell}\nCC,1\n"):
        found = values(text)
        assert (found[0], found[2]) == (1.0, 3.0)
        assert math.isnan(found[1])
    assert all(map(math.isnan, values(f"x\n{cell}\n{cell}\n{cell}\n")))


def test_infinity_is_told_from_a_value_that_is_missing():
    assert values("x\n1\ninf\n1e999\n") == [1.0, math.inf, math.inf]


def test_a_reason_follows_its_molecule():
    text = "SMILES,x,Reason\nCCO,,no pose\n c1ccccc1,3,\nCC,1,\n"
    assert read_program_table(text, SMILES, None).reasons() == ["", "no pose", ""]


def test_a_column_that_is_named_is_the_value_whatever_it_is_called():
    text = "index,x\n2,1\n0,2\n1,3\n"
    assert values(text, column="index") == [2.0, 0.0, 1.0]
    with pytest.raises(ProgramError, match="wrote 'good' in row 1, not a number"):
        values("SMILES,x\ngood,1\n".replace("good,1", "CC,good"), ["CC"], "x")
    with pytest.raises(ProgramError, match="wrote no column 'y', only index, x"):
        values(text, column="y")


def test_a_molecule_asked_twice_has_two_rows():
    smiles = ["CC", "CCO", "CC"]
    assert values("SMILES,x\nCC,1\nCC,2\nCCO,3\n", smiles) == [1.0, 3.0, 2.0]
    with pytest.raises(ProgramError, match="without a row is 'CC'"):
        values("SMILES,x\nCC,1\nCCO,3\n", smiles)
