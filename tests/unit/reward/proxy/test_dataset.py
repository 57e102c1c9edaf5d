from dataclasses import replace

import numpy as np
import pytest

from molgfn.chem.molecule import read_molecule
from molgfn.errors import TableError
from molgfn.reward.proxy.dataset import Dataset, read_dataset


@pytest.fixture
def table(tmp_path):
    def write(extra_rows=(), header="SMILES,value"):
        rows = [f"{'C' * n}O,{-n}" for n in range(1, 31)]
        path = tmp_path / "data.csv"
        path.write_text("\n".join([header, *rows, *extra_rows]) + "\n")
        return path

    return write


def test_bad_rows_are_left_out_and_named(table):
    path = table(["CCN,", "C1CC,1.0", "CCCN,high", "CCCCN,1e300", "CCCCCN,7"])
    data = read_dataset(path, None, "value")
    assert len(data.molecules) == 31
    assert data.targets[-1] == 7.0
    assert [problem.split(":")[0] for problem in data.problems] == [
        "row 31",
        "row 32",
        "row 33",
        "row 34",
    ]
    assert "value is empty" in data.problems[0]
    assert "RDKit cannot read 'C1CC'" in data.problems[1]
    assert "'high' is no value" in data.problems[2]
    assert "'1e300' is beyond 1e+15" in data.problems[3]
    assert all(problem.endswith("left out") for problem in data.problems)


def test_the_same_molecule_written_twice_is_averaged(table):
    data = read_dataset(table(["OC,-3"]), None, "value")
    assert len(data.molecules) == 30
    assert data.targets[0] == -2.0
    assert data.problems == ("1 molecules in several rows, averaged: rows 1, 31, CO",)


def test_hundreds_of_averages_and_of_bad_rows_are_a_line_each_and_not_hundreds(table):
    again = [f"{'C' * n}O,{-n}" for n in range(1, 31)]
    *left_out, more, averaged = read_dataset(table(again + ["CCN,"] * 25), None, "value").problems
    assert left_out == [f"row {n}: value is empty; left out" for n in range(61, 71)]
    assert more == "15 more rows are left out"
    assert averaged.startswith("30 molecules in several rows, averaged: rows 1, 31, CO; rows 2, 32")
    assert averaged.endswith("rows 3, 33, CCCO and 27 more")


def test_bounds_mean_what_they_mean_to_rounds(table):
    rows = ["CCN,> 10", "CCCN,<=2", "CCCCN,> 5", "NCCCC,> 7", "C(N)CC,5", "N,> 9", "N,< 3"]
    data = read_dataset(table([*rows, "NN,failed", "CCCCCN,n.d.", "CCCCCCN,~3"]), None, "value")
    found = zip((m.smiles for m in data.molecules), data.targets.tolist(), data.bounds, strict=True)
    assert list(found)[30:] == [
        *(("CCN", 10.0, 1), ("CCCN", 5.0, 0), ("CCCCN", 7.0, 1), ("CCCCCCN", 3.0, 0))
    ]
    assert data.problems[:3] == (
        "row 38: value says 'failed'; left out",
        "row 39: value says 'n.d.'; left out",
        "rows 36, 37: N: its bounds > 9 and < 3 contradict each other; correct one of them; "
        "left out",
    )
    assert "rows 32, 35, CCCN, its mean 5 contradicts its bound < 2" in data.problems[3]
    plain = replace(data, bounds=())
    assert plain.digest != data.digest


def test_stereoisomers_are_one_molecule_to_the_network(table):
    data = read_dataset(table(["C[C@H](F)Cl,1", "C[C@@H](F)Cl,2"]), None, "value")
    assert data.targets[-1] == 1.5


def test_columns_that_do_not_exist_are_named(table):
    with pytest.raises(TableError, match="no column 'pIC50'; its columns: SMILES, value"):
        read_dataset(table(), None, "pIC50")
    with pytest.raises(TableError, match="no column 'smi'"):
        read_dataset(table(), "smi", "value")


def test_too_few_or_constant_values_are_refused(tmp_path, table):
    path = tmp_path / "few.csv"
    path.write_text("SMILES,value\nCC,1\nxx,2\n")
    with pytest.raises(TableError, match="1 usable molecules.*at least 30; first problem: row 2"):
        read_dataset(path, None, "value")
    path.write_text("SMILES,value\n" + "".join(f"{'C' * n},1\n" for n in range(1, 40)))
    with pytest.raises(TableError, match="every value of value is 1"):
        read_dataset(path, None, "value")


def test_the_digest_ignores_the_order_of_rows():
    a, b = read_molecule("CC"), read_molecule("CO")
    forth, back = Dataset((a, b), np.array([1.0, 2.0])), Dataset((b, a), np.array([2.0, 1.0]))
    assert forth.digest == back.digest
    assert forth.digest != Dataset((a, b), np.array([1.0, 2.1])).digest


def test_sources_are_kept_and_follow_their_molecules(tmp_path):
    path = tmp_path / "data.csv"
    rows = [f"{'C' * n}O,{-n},{'drug' if n % 2 else 'wehi'}" for n in range(1, 32)]
    path.write_text("\n".join(["SMILES,value,source", "C1CC,1,bad", *rows, "OC,7,drug"]) + "\n")
    data = read_dataset(path, None, "value")
    assert data.sources == tuple("drug" if n % 2 else "wehi" for n in range(1, 32))
    part = data.part(np.array([2, 1]))
    assert [m.smiles for m in part.molecules] == ["CCCO", "CCO"]
    assert part.targets.tolist() == [-3.0, -2.0]
    assert part.sources == ("drug", "wehi")
