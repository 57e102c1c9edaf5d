"""Every table that leaves the program has the columns of ``molgfn.tables.columns``.

Those are a contract with whoever reads the tables: append to them, never rename or reorder them.
"""

import io
from types import SimpleNamespace

import pandas as pd
import pytest

from molgfn.config.resources import shipped_path
from molgfn.tables import columns
from molgfn.tables.reader import read_molecule_table
from molgfn.workflows.dock import add_docking, dock_table

POLICY = shipped_path("policy", "parp1")
#: What the shipped reward measures.
MEASURED = [
    *("PARP1_kcal_mol", "PARP1_kcal_mol_std", columns.SIMILARITY_COLUMN, "QED", "SA", "alerts"),
]
TINY = ("policy.hidden=8", "policy.layers=1", "train.batch_size=8", "train.replay_batch_size=4",
        "train.n_beta_groups=1", "train.updates_per_step=1")  # fmt: skip
ROUNDS = """
reward:
  factors:
    - {scorer: proxy, transform: sigmoid, low: 0.2, high: 0.9}
    - {scorer: SA, transform: sigmoid, direction: minimise, low: 3, high: 5}
policy: {hidden: 8, layers: 1}
train: {steps: 1, batch_size: 8, updates_per_step: 1, n_beta_groups: 1, replay_batch_size: 4}
rounds:
  {rounds: 1, batch_size: 4, initial_size: 30, candidates: 30, proxy_members: 2, proxy_epochs: 1,
   oracle: {scorer: "noisy: QED 0.05", direction: maximise}}
"""


def settings(*changes):
    return [word for change in changes for word in ("--set", change)]


def header(file):
    return tuple(pd.read_csv(file, nrows=0).columns)


@pytest.fixture
def header_of(cli):
    def run(*command):
        result = cli(*command)
        assert result.exit_code == 0, result.stderr
        return header(io.StringIO(result.stdout)) if result.stdout else ()

    return run


@pytest.fixture
def molecules(tmp_path):
    path = tmp_path / "molecules.csv"
    path.write_text("SMILES,mine\nCCO,1\nxx,2\n")
    return path


def test_the_contract_itself():
    assert columns.scored_columns(MEASURED) == (
        *("SMILES", "Score", "PARP1_kcal_mol", "PARP1_kcal_mol_std", "status", "reason"),
        *("InChIKey", "scaffold", "MW", "logP", "TPSA", "QED", "SA", "nearest_train_similarity"),
        *("heavy_atoms", "alerts"),
    )
    assert columns.docked_columns("T") == (
        *("SMILES", "T_docked_kcal_mol", "status", "reason", "InChIKey", "standard_SMILES"),
    )
    batch = columns.batch_columns("T_kcal_mol", ["T_kcal_mol", "T_kcal_mol_std", "SA"])
    assert columns.round_columns(batch, "T_docked_kcal_mol") == (
        *("SMILES", "Score", "T_kcal_mol", "T_kcal_mol_std", "acquisition", "T_docked_kcal_mol"),
        *("relation", "status", "reason", "nearest_earlier", "nearest_earlier_similarity"),
        *("cluster", "checkpoint", "ledger_entry", "InChIKey", "scaffold", "SA"),
    )


def test_sample(header_of):
    assert header_of("sample", POLICY, "--n", "1") == columns.SAMPLE_COLUMNS
    scored = header_of("sample", POLICY, "--n", "1", "--score")
    assert scored == (*columns.scored_columns(MEASURED), "n_fragments")


def test_score_and_select(header_of, molecules, tmp_path):
    expected = (*columns.scored_columns(MEASURED), "standard_SMILES")
    assert header_of("score", molecules) == (*expected, "mine")
    likely = header_of("score", molecules, "--log-likelihood", "--policy", POLICY)
    assert likely == (*expected, *columns.LIKELIHOOD_COLUMNS, "mine")
    scored = tmp_path / "scored.csv"
    header_of("score", molecules, "-o", scored)
    assert header_of("select", scored, "--top-k", "1") == (*expected, "mine")


def test_dock(molecules):
    docking = SimpleNamespace(
        target=SimpleNamespace(name="T", energy_column=columns.docked_column("T")),
        dock=lambda asked, _on_done: iter(
            [SimpleNamespace(energy_kcal_mol=-1.0, status="ok", reason="") for _ in asked]
        ),
    )
    table = read_molecule_table(molecules)
    for frame, _ in dock_table(table, docking, lambda _: None):
        assert tuple(frame.columns) == (*columns.docked_columns("T"), "mine")
    scored = pd.DataFrame({"SMILES": ["CCO"], "status": ["ok"]})
    (frame,) = add_docking(iter([scored]), docking, lambda _: None)
    assert tuple(frame.columns) == (
        *("SMILES", columns.docked_column("T"), columns.docked_reason_column("T"), "status"),
    )


def test_evaluate(header_of, molecules):
    found = header_of("evaluate", POLICY, "--n", "10", "--file", molecules)
    assert found == columns.EVALUATE_COLUMNS


def test_verify(header_of, qed_alone, tmp_path):
    steps, place = ("train.steps=1",), ("-o", tmp_path / "verify")
    listed = ("verify", "--fragments", "2", *settings(*TINY, *steps), *qed_alone, *place)
    assert header_of(*listed) == columns.VERIFY_COLUMNS
    grid = ("verify", "--env", "hypergrid", "--dimensions", "2", "--r0", "0.1")
    found = header_of(*grid, *settings("train.batch_size=8", "train.steps=10"), *place)
    assert found == columns.HYPERGRID_COLUMNS


def test_proxy_evaluate(header_of, tmp_path):
    predictions = tmp_path / "predictions.csv"
    found = header_of("proxy", "evaluate", "parp1", "--predictions", predictions)
    assert found == columns.PROXY_COLUMNS
    assert header(predictions) == columns.HELD_OUT_COLUMNS


def test_targets(header_of):
    assert header_of("targets", "list") == columns.TARGET_COLUMNS


def test_rounds(cli, header_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(ROUNDS)
    result = cli("rounds", "config.yaml", "--run", "run", "--workers", "1")
    assert result.exit_code == 0, result.stderr
    run = tmp_path / "run"
    value = "noisy_QED_predicted"
    measured = [value, columns.std_column(value), columns.SIMILARITY_COLUMN, "SA"]
    batch = columns.batch_columns(value, measured)
    assert header(run / "round_01" / "batch.csv") == batch
    assert header(run / "round_01.csv") == columns.round_columns(batch, "noisy_QED")
    initial = columns.round_columns(columns.INITIAL_COLUMNS, "noisy_QED")
    assert header(run / "round_00.csv") == initial
    assert header(run / "rounds.csv") == columns.SUMMARY_COLUMNS
    assert header_of("rounds", "ledger", "run") == columns.LEDGER_COLUMNS
