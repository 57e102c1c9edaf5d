import csv
import io

import pytest

from molgfn.chem.molecule import read_molecule

CONFIG = """
reward:
  factors:
    - {scorer: proxy, transform: sigmoid, direction: minimise, low: 0.0, high: 3.0, name: potency}
    - {scorer: QED, transform: sigmoid, low: 0.3, high: 0.7}
policy: {hidden: 16, layers: 1}
train:
  {steps: 3, batch_size: 16, updates_per_step: 1, n_beta_groups: 2, replay_batch_size: 8,
   log_every: 2}
rounds:
  batch_size: 6
  initial: known.csv
  candidates: 40
  warm_steps: 2
  proxy_members: 2
  proxy_epochs: 2
  oracle: {scorer: lab, column: IC50, unit: uM, scale: log10}
"""


#: The two forms of 4-methylimidazole, which have one InChIKey.
TAUTOMERS = ["Cc1cnc[nH]1", "Cc1c[nH]cn1"]


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.yaml").write_text(CONFIG)
    rings = ("c1ccccc1", "c1ccncc1", "C1CCCCC1", "c1ccoc1", "c1ccsc1", "C1CCNC1", "c1ccc2ccccc2c1")
    tails = ("C", "CC", "CCC", "CO", "CCO", "C(=O)N")
    molecules = [tail + ring for ring in rings for tail in tails]
    known = [{"SMILES": s, "IC50": str(100 / (i + 1))} for i, s in enumerate(molecules)]
    known[0]["IC50"], known[1]["IC50"] = "> 50 µM", "failed"
    known.append({"SMILES": "c1ccccc1CCC", "IC50": "2000 nM"})  # a repeat of the third
    known.append({"SMILES": TAUTOMERS[0], "IC50": "3"})
    write(tmp_path / "known.csv", known)
    return tmp_path


def test_a_laboratory_is_the_oracle(lab, cli):
    begun = cli("rounds", "lab.yaml", "--run", "run")
    assert begun.exit_code == 0, begun.stderr
    assert "6 molecules of run/round_01/batch.csv wait" in begun.stderr
    assert "round_01: proxy: 6 test molecules tell little" in begun.stderr
    ledger = {row["smiles"]: row for row in rows_of(cli("rounds", "ledger", "run").stdout)}
    assert sum(row["round"] == "0" for row in ledger.values()) == 43
    first, failed, repeated = (
        ledger[read_molecule(s).smiles] for s in ("Cc1ccccc1", "CCc1ccccc1", "CCCc1ccccc1")
    )
    assert (first["value"], first["relation"], first["paid"]) == ("50", ">", "False")
    assert (failed["value"], failed["status"]) == ("", "failed")
    assert float(repeated["value"]) == pytest.approx((100 / 3 * 2) ** 0.5, rel=1e-5)
    assert repeated["n_repeats"] == "2"

    again = cli("rounds", "propose", "run")
    assert again.exit_code == 0
    batch = rows_of(again.stdout)
    assert "given again" in again.stderr
    assert [row["IC50"] for row in batch] == [""] * 6
    assert again.stdout == cli("rounds", "propose", "run").stdout

    # Part of it comes back: shuffled, spelt otherwise, with what laboratories write.
    molecules = [read_molecule(row["SMILES"]) for row in batch]
    from rdkit import Chem

    spelt = [Chem.MolToSmiles(m.mol, canonical=False, kekuleSmiles=False) for m in molecules]
    write(
        lab / "measured.csv",
        [
            {"structure": spelt[3], "IC50": "0.5"},
            {"structure": "CCCCCCCCN", "IC50": "1"},
            {"structure": f"{spelt[0]}.Cl", "IC50": "120 nM"},
            {"structure": spelt[1], "IC50": "insoluble"},
            {"structure": spelt[2], "IC50": ">50"},
            {"structure": spelt[3], "IC50": "2"},
            {"structure": TAUTOMERS[1], "IC50": "12"},
            {"structure": TAUTOMERS[0], "IC50": "6"},
            {"structure": spelt[4], "IC50": ""},
        ],
    )
    taken = cli("rounds", "ingest", "run", "measured.csv", "--smiles-column", "structure")
    assert taken.exit_code == 0, taken.stderr
    assert "4 new answers, 1 of them failed" in taken.stderr
    assert "1 never proposed, not taken in: row 2: CCCCCCCCN" in taken.stderr
    assert "1 changed by what came: 00-0043 Cc1cnc[nH]1: 3 is now 6" in taken.stderr
    assert "2 proposed molecules still wait" in taken.stderr
    table = rows_of((lab / "run" / "round_01.csv").read_text())
    assert [row["IC50"] for row in table] == ["0.12", "", "50", "1", "", ""]
    assert [row["relation"] for row in table] == ["=", "", ">", "=", "", ""]
    assert [row["status"] for row in table] == ["ok", "failed", "ok", "ok", "pending", "pending"]
    assert table[1]["reason"] == "insoluble"

    # Killed after the ledger and before the table: taking it in again writes the table.
    written = (lab / "run" / "round_01.csv").read_bytes()
    (lab / "run" / "round_01.csv").unlink()
    again = cli("rounds", "ingest", "run", "measured.csv", "--smiles-column", "structure")
    assert "0 new answers; 5 stay what they were" in again.stderr
    assert (lab / "run" / "round_01.csv").read_bytes() == written

    more = cli("rounds", "propose", "run", "-o", "second.csv")
    assert more.exit_code == 0, more.stderr
    second = rows_of((lab / "second.csv").read_text())
    assert "round_02: 6 molecules" in more.stderr
    keys = {row["InChIKey"] for row in second}
    assert len(keys) == 6
    assert not keys & {row["InChIKey"] for row in batch}

    # A late value for the first batch, a further repeat, and the same value once more.
    late = [(0, "0.12"), (3, "8"), (4, "7")]
    write(lab / "late.csv", [{"SMILES": molecules[i].smiles, "IC50": v} for i, v in late])
    for counts in ("1 new answers; 1 stay what they were", "0 new answers; 3 stay what they were"):
        taken = cli("rounds", "ingest", "run", "late.csv")
        assert counts in taken.stderr
        table = rows_of((lab / "run" / "round_01.csv").read_text())
        assert [row["IC50"] for row in table] == ["0.12", "", "50", "2", "7", ""]
    # A correction takes the place of what came before.
    corrected = {"SMILES": molecules[3].smiles, "IC50": "2.5", "status": "corrected"}
    write(lab / "corrected.csv", [corrected])
    taken = cli("rounds", "ingest", "run", "corrected.csv")
    assert "1 changed by what came: 01-0004" in taken.stderr
    assert ": 2 is now 2.5" in taken.stderr
    table = rows_of((lab / "run" / "round_01.csv").read_text())
    assert [row["IC50"] for row in table] == ["0.12", "", "50", "2.5", "7", ""]
    # Bounds that leave no value, one of them of an earlier file, are refused and change nothing.
    write(lab / "bound.csv", [{"SMILES": molecules[2].smiles, "IC50": "< 10"}])
    refused = cli("rounds", "ingest", "run", "bound.csv")
    assert refused.exit_code == 3
    assert "bound.csv row 1, entry 01-0003" in refused.stderr
    assert "> 50 and < 10 contradict each other" in refused.stderr
    assert "corrected in a column status replaces that" in refused.stderr
    assert rows_of((lab / "run" / "round_01.csv").read_text()) == table
    # Many molecules that nobody asked for are one line.
    others = [{"SMILES": f"{'C' * n}[Si](C)(C)C", "IC50": "1"} for n in range(1, 301)]
    write(lab / "others.csv", others)
    told = cli("rounds", "ingest", "run", "others.csv").stderr
    (line,) = [line for line in told.splitlines() if "never proposed" in line]
    assert line.startswith("300 never proposed, not taken in: row 1: C[Si](C)(C)C; row 2: ")
    assert line.endswith(" and 297 more")
    summary = rows_of((lab / "run" / "rounds.csv").read_text())
    assert summary[1]["measured"] == "4"
    assert summary[1]["best"] == "0.12"


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("maybe", "row 2: IC50: 'maybe' is no value"),
        ("5 mg/l", "row 2: IC50: the unit 'mg/l' is not the one expected, uM"),
        ("0", "row 2: IC50: '0' has no logarithm; rounds.oracle.scale log10 needs values above 0"),
        ("1,200", "row 2: IC50: '1,200' may be 1200 or 1.200"),
        ("inactive", "row 2: IC50: 'inactive' is no value"),
        ("1e400", "row 2: IC50: '1e400' is not a finite number"),
    ],
)
def test_a_row_that_cannot_be_understood_changes_nothing(lab, cli, cell, message):
    rows = [{"SMILES": "CCO", "IC50": "1"}, {"SMILES": "CCN", "IC50": cell}]
    write(lab / "known.csv", rows)
    result = cli("rounds", "lab.yaml", "--run", "run")
    assert result.exit_code == 3
    assert message in result.stderr
    assert not (lab / "run").exists()


def test_a_directory_without_rounds_is_named(lab, cli):
    for command in (("propose", "here"), ("ingest", "here", "known.csv"), ("ledger", "here")):
        result = cli("rounds", *command)
        assert result.exit_code == 3
        assert "here holds no rounds" in result.stderr
