import itertools
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molgfn.tables import Table, opened_molecule_table, read_molecule_table
from molgfn.workflows.score import score_table

CONTRACT = [
    "SMILES", "Score", "T_kcal_mol", "T_kcal_mol_std", "status", "reason", "InChIKey", "scaffold",
    "MW", "logP", "TPSA", "QED", "SA", "nearest_train_similarity", "heavy_atoms", "alerts",
    "standard_SMILES",
]  # fmt: skip


class CountingReward:
    """Scores by size, fails on bromine, and remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, molecules):
        self.asked += [m.smiles for m in molecules]
        n = np.array([float(m.n_heavy_atoms) for m in molecules])
        failed = np.array(["Br" in m.smiles for m in molecules], dtype=bool)
        values = np.where(failed, np.nan, -n)
        return SimpleNamespace(
            score=np.where(failed, np.nan, 1 / (1 + n)),
            columns={
                "QED": values * 0 + 0.5,
                "alerts": values * 0,
                "T_kcal_mol": values,
                "T_kcal_mol_std": values * 0 + 0.1,
                "nearest_train_similarity": values * 0 + 0.4,
            },
            status=tuple("failed" if f else "ok" for f in failed),
            reasons=tuple("no parameters for Br" if f else "" for f in failed),
        )


class ConstantReward(CountingReward):
    """Remembers nothing."""

    def __call__(self, molecules):
        table = super().__call__(molecules)
        self.asked = []
        return table


def score(frame, reward, column="SMILES"):
    table = Table(pd.DataFrame(frame, dtype=str), column, "test")
    return pd.concat(list(score_table(table, reward)), ignore_index=True)


def test_the_columns_are_the_contract_and_further_ones_follow():
    frame = score({"id": ["007"], "SMILES": ["OCC"], "QED": ["old"], "z": ["NA"]}, CountingReward())
    ours = ["QED_computed" if name == "QED" else name for name in CONTRACT]
    assert list(frame.columns) == [*ours, "id", "QED", "z"]
    row = frame.iloc[0]
    assert (row["SMILES"], row["standard_SMILES"], row["id"], row["z"]) == (
        "OCC",
        "CCO",
        "007",
        "NA",
    )
    assert (row["Score"], row["T_kcal_mol"], row["status"]) == (0.25, -3.0, "ok")
    assert (row["QED"], row["QED_computed"]) == ("old", 0.5)
    assert row["MW"] == pytest.approx(46.069, abs=1e-3)
    assert row["InChIKey"] == "LFQSCWFLJHTTHZ-UHFFFAOYSA-N"


def test_a_measured_column_is_not_overwritten_by_its_prediction():
    frame = score(
        {"SMILES": ["CCO"], "T_kcal_mol": ["-8,5"], "T_kcal_mol_std": ["?"]}, CountingReward()
    )
    assert frame.loc[0, ["T_kcal_mol", "T_kcal_mol_std"]].tolist() == ["-8,5", "?"]
    assert frame.loc[0, ["T_kcal_mol_predicted", "T_kcal_mol_predicted_std"]].tolist() == [
        -3.0,
        0.1,
    ]


def test_a_smiles_column_of_another_name_is_kept_too():
    frame = score({"structure": ["OCC"]}, CountingReward(), "structure")
    assert list(frame.columns) == [*CONTRACT, "structure"]
    assert frame["SMILES"].tolist() == ["OCC"]


def test_a_streamed_table_gives_the_rows_of_one_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("molgfn.workflows.score.CHUNK_ROWS", 3)
    path = tmp_path / "a.smi"
    path.write_text("".join(f"{'C' * (n % 5 + 1)} m{n}\n" for n in range(10)))
    reward = CountingReward()
    with opened_molecule_table(path) as table:
        streamed = pd.concat(score_table(table, reward), ignore_index=True)
    # A molecule is asked for once, also where it comes back blocks later.
    assert sorted(reward.asked) == ["C" * n for n in range(1, 6)]
    whole = pd.concat(score_table(read_molecule_table(path), CountingReward()), ignore_index=True)
    pd.testing.assert_frame_equal(streamed, whole)


@pytest.mark.slow
def test_a_library_is_scored_in_flat_memory(tmp_path):
    path = tmp_path / "library.smi"
    ends = ("O", "N", "F", "Cl", "C#N", "OC", "S", "C(N)=O", "I", "P")
    path.write_text(
        "".join(
            f"{a}c1cc({b})nc({c})c1C{d}C m{n}\n"
            for n, (a, b, c, d) in enumerate(itertools.product("ONFSI", ends, ends, "CNOS"))
        )
    )
    sizes = []
    tracemalloc.start()
    try:
        with opened_molecule_table(path) as table:
            for n, _ in enumerate(score_table(table, ConstantReward())):
                if n in (2, 6):
                    sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    # 1024 molecules, of which a record in memory would take some 2 kB each.
    assert sizes[1] - sizes[0] < 200_000


def test_rows_keep_their_order_and_a_molecule_is_scored_once(monkeypatch):
    monkeypatch.setattr("molgfn.workflows.score.CHUNK_ROWS", 3)
    reward = CountingReward()
    smiles = ["CC", "nonsense", "OCC", "CCO", "", "CCO.[Na+].[Cl-]", "CC", "CBr"]
    frame = score({"SMILES": smiles, "n": [str(i) for i in range(8)]}, reward)
    assert frame["SMILES"].tolist() == smiles
    assert frame["n"].tolist() == [str(i) for i in range(8)]
    assert sorted(reward.asked) == ["CBr", "CC", "CCO"]
    assert frame["status"].tolist() == [
        "ok", "invalid", "ok", "ok", "invalid", "ok", "ok", "failed",
    ]  # fmt: skip


def test_a_row_without_a_score_is_empty_and_says_why():
    frame = score({"SMILES": ["nonsense", "CBr", "CC"]}, CountingReward())
    bad, failed, _ = frame.to_dict("records")
    assert "RDKit cannot read 'nonsense'" in bad["reason"]
    values = [v for k, v in bad.items() if k not in ("SMILES", "status", "reason")]
    assert all(pd.isna(v) for v in values)
    assert failed["reason"] == "no parameters for Br"
    assert np.isnan(failed["Score"])
    assert failed["heavy_atoms"] == 2
    assert ",,," in frame.to_csv(index=False).splitlines()[1]


@pytest.mark.parametrize("smiles", [[], ["nonsense"]])
def test_the_header_is_there_without_a_single_molecule(smiles):
    frame = score({"SMILES": smiles, "x": smiles}, CountingReward())
    assert list(frame.columns) == [*CONTRACT, "x"]
    assert len(frame) == len(smiles)


@given(st.lists(st.text("CNOSBrclno12()[]=#+-@/\\.%:*H& \téＣ", max_size=12), max_size=4))
def test_any_text_gives_one_row_each(smiles):
    frame = score({"SMILES": smiles}, CountingReward())
    assert frame["SMILES"].tolist() == smiles
    for row in frame.to_dict("records"):
        assert (row["status"] == "ok") == (row["reason"] == "") == (not np.isnan(row["Score"]))


class CountingLikelihood:
    """Knows methylammonium and propane, and remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, molecules):
        self.asked += [m.smiles for m in molecules]
        known = [m.smiles in ("C[NH3+]", "CCC") for m in molecules]
        return SimpleNamespace(
            log_likelihood=np.where(np.array(known, dtype=bool), -2.0, np.nan),
            n_trees=np.array(known, dtype=float),
            reasons=tuple("" if k else "cannot" for k in known),
        )


def test_the_likelihood_is_of_the_molecule_as_written_else_of_the_standard_one(monkeypatch):
    monkeypatch.setattr("molgfn.workflows.score.CHUNK_ROWS", 3)
    likelihood = CountingLikelihood()
    rows = ["C[NH3+]", "CN", "nonsense", "CCC.[Na+].[Cl-]", "CCC", "C[NH3+]"]
    table = Table(pd.DataFrame({"SMILES": rows}, dtype=str), "SMILES", "test")
    found = pd.concat(score_table(table, CountingReward(), likelihood), ignore_index=True)
    assert list(found.columns) == [*CONTRACT, "log_likelihood", "n_trees", "log_likelihood_reason"]
    assert found["log_likelihood_reason"].tolist() == ["", "cannot", "no molecule", "", "", ""]
    assert found["log_likelihood"].fillna(0).tolist() == [-2, 0, 0, -2, -2, -2]
    assert found["standard_SMILES"].tolist()[:2] == ["CN", "CN"]
    assert likelihood.asked == ["C[NH3+]", "CN", "CCC.[Cl-].[Na+]", "CCC"]
