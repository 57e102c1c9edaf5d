import csv
import gzip
import io
import signal
import sqlite3

import pytest
from rdkit import Chem

from molgfn.reward.docking.docking import Docking

HEADER = "SMILES,T_docked_kcal_mol,status,reason_computed,InChIKey,standard_SMILES"
INPUT = "id,SMILES,reason\n007,CCC,old\nNA,nonsense,old\n3,CC,old\n4,CCC,old\n5,OB(O)C,\n"


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def own_target(cli, tmp_path, monkeypatch):
    """A target T in a directory of this test, with results of its own."""
    monkeypatch.setenv("MOLGFN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MOLGFN_CACHE_DIR", str(tmp_path / "cache"))
    line = "ATOM  {0:5d}  CA  GLY A{0:4d}    {0:8.3f}   0.000   0.000  1.00  0.00    +0.000 C "
    (tmp_path / "r.pdbqt").write_text("\n".join(line.format(n) for n in range(12)))
    result = cli(
        "targets", "add", "T", "--receptor", tmp_path / "r.pdbqt", "--center", -1, 0, 0
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    return tmp_path / "data" / "targets" / "T"


@pytest.fixture
def dock(cli, own_target, fake_docker, monkeypatch):
    """Run ``molgfn dock`` with a docking function that docks nothing."""
    monkeypatch.setitem(Docking.__init__.__kwdefaults__, "docker", fake_docker)

    def run(*args, input=None):
        return cli("dock", *args, "--target", "t", "--workers", 1, input=input)

    return run


@pytest.fixture
def calls(own_target):
    def read():
        path = own_target / "calls.txt"
        return [line.split()[1] for line in path.read_text().splitlines()] if path.exists() else []

    return read


def test_one_row_out_for_each_row_in(dock, calls):
    result = dock("-", input=INPUT)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == f"{HEADER},id,reason"
    found = [
        [r["id"], r["SMILES"], r["T_docked_kcal_mol"], r["status"]] for r in rows(result.stdout)
    ]
    assert found == [
        ["007", "CCC", "-1.75", "ok"],
        ["NA", "nonsense", "", "invalid"],
        ["3", "CC", "-1.5", "ok"],
        ["4", "CCC", "-1.75", "ok"],
        ["5", "OB(O)C", "", "failed"],
    ]
    assert rows(result.stdout)[4]["reason_computed"] == "vina has no parameters for B"
    assert calls() == ["CCC", "CC"]
    assert (
        "docking to T (own: r.pdbqt): 16 x 25000 evaluations, 1 conformer, seed 1\n"
        in result.stderr
    )
    assert [r["reason"] for r in rows(result.stdout)] == ["old"] * 4 + [""]
    assert "computed under names of their own: reason_computed\n" in result.stderr
    assert "docked 3 of 5 rows\nrow 2 is invalid: RDKit cannot read 'nonsense'" in result.stderr


def test_strict_writes_everything_and_exits_with_4(dock, tmp_path):
    result = dock("-", "--strict", "-o", tmp_path / "out.csv", input=INPUT)
    assert result.exit_code == 4
    assert result.stdout == ""
    assert result.stderr.endswith("error: 2 of 5 rows could not be docked (--strict)\n")
    assert len(rows((tmp_path / "out.csv").read_text())) == 5


def test_a_second_run_docks_nothing_and_writes_the_same(dock, calls, tmp_path):
    texts = [dock("-", input=INPUT).stdout for _ in range(2)]
    assert texts[0] == texts[1]
    assert calls() == ["CCC", "CC"]
    (tmp_path / "again.csv").write_text(texts[0])
    assert dock(tmp_path / "again.csv").stdout == texts[0]
    fast = dock("-", "--preset", "fast", input="CC\n")
    assert "8 x 25000 evaluations" in fast.stderr
    assert calls() == ["CCC", "CC", "CC"]


@pytest.mark.parametrize(
    "change",
    [
        *("energy_kcal_mol = 'x'", "energy_kcal_mol = 9e999", "energy_kcal_mol = -9.5"),
        *("molblock = x'00'", "reason = 'odd'"),
    ],
)
@pytest.mark.parametrize("is_old", [False, True])
def test_a_damaged_cache_is_refused_by_name(dock, tmp_path, change, is_old):
    assert dock("-", input=INPUT).exit_code == 0
    file = tmp_path / "cache" / "docking.sqlite"
    with sqlite3.connect(file) as connection:
        if is_old:
            connection.execute("UPDATE results SET digest = NULL")
        connection.execute(f"UPDATE results SET {change} WHERE energy_kcal_mol IS NOT NULL")
    connection.close()
    result = dock("-", input=INPUT)
    if is_old and change.endswith("-9.5"):  # a row of before has nothing to tell it by
        assert result.exit_code == 0
        return
    assert result.exit_code == 3
    assert f"{file} is damaged" in result.stderr
    assert "remove it, or set MOLGFN_CACHE_DIR" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_damaged_target_is_refused_by_name(dock, own_target, cli):
    receptor = own_target / "receptor.pdbqt"
    receptor.write_text(receptor.read_text().replace("0.000", "0.001", 1))
    for result in (dock("-", input=INPUT), cli("targets", "show", "T"), cli("targets", "list")):
        assert result.exit_code == 3
        assert f"{receptor} is damaged" in result.stderr
        assert f"remove {own_target} and add the target again" in result.stderr


def test_poses(dock, tmp_path):
    assert dock("-", "--poses", tmp_path / "p.sdf", input=INPUT).exit_code == 0
    poses = list(Chem.SDMolSupplier(str(tmp_path / "p.sdf")))
    assert [pose.GetPropsAsDict() for pose in poses] == [
        {"T_docked_kcal_mol": -1.75, "target": "T", "row": 1, "SMILES": "CCC"},
        {"T_docked_kcal_mol": -1.5, "target": "T", "row": 3, "SMILES": "CC"},
        {"T_docked_kcal_mol": -1.75, "target": "T", "row": 4, "SMILES": "CCC"},
    ]
    dock("-", "--poses", tmp_path / "p.sdf.gz", input=INPUT)
    packed = gzip.decompress((tmp_path / "p.sdf.gz").read_bytes())
    assert packed == (tmp_path / "p.sdf").read_bytes()


def test_a_table_without_rows(dock):
    result = dock("-", input="id,SMILES\n")
    assert (result.exit_code, result.stdout) == (0, f"{HEADER.replace('_computed', '')},id\n")


def test_time_limit_and_failures_in_a_row(dock, tmp_path):
    result = dock("-", "--timeout", 1, input="CC\nCI\n")
    assert rows(result.stdout)[1]["reason"] == "not docked within 1 s"
    assert rows(result.stdout)[1]["status"] == "timeout"
    output = tmp_path / "out.csv"
    result = dock("-", "--max-failures", 2, "-o", output, input="CCC\nCCl\nCS\nCCCC\n")
    assert result.exit_code == 1
    assert (
        "error: docking stopped after 2 failures in a row; the last, CS: the dock" in result.stderr
    )
    assert not output.exists()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--target", "nowhere"], 3, "no target 'nowhere'; `molgfn targets list` shows all"),
        (["--preset", "quick"], 2, "--preset must be one of fast, default, thorough, got 'quick'"),
    ],
)
def test_options_that_cannot_be(cli, options, code, message):
    result = cli("dock", "-", *options, input="CC\n")
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr


def test_an_interrupted_command_says_that_nothing_is_lost(dock, monkeypatch):
    def interrupted(self, molecules, on_done):
        raise KeyboardInterrupt

    monkeypatch.setattr(Docking, "dock", interrupted)
    result = dock("-", input="CC\n")
    assert result.exit_code == 130
    message = "what was docked is kept; the same command goes on there\nmolgfn: interrupted\n"
    assert result.stderr.endswith(message)


def test_without_the_extra_a_command_says_what_to_install(cli, monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "vina" else find(name)
    )
    for command in (["dock"], ["score", "--oracle", "vina"]):
        result = cli(*command, input="CC\n")
        assert result.exit_code == 1
        cure = "install them with `pip install 'molgfn[dock]'`"
        assert result.stderr.endswith(f"error: docking needs the packages vina; {cure}\n")


def test_score_adds_docked_energies_beside_its_own(dock, cli, qed_alone, calls):
    options = ["--oracle", "vina", "--target", "T", "--workers", 1, *qed_alone]
    result = cli("score", "-", *options, input=INPUT)
    assert result.exit_code == 0
    names = result.stdout.splitlines()[0].split(",")
    assert names[:5] == ["SMILES", "Score", "T_docked_kcal_mol", "T_docked_reason", "status"]
    found = [
        [r["T_docked_kcal_mol"], r["T_docked_reason"], r["status"]] for r in rows(result.stdout)
    ]
    assert found == [
        ["-1.75", "", "ok"],
        ["", "no molecule", "invalid"],
        ["-1.5", "", "ok"],
        ["-1.75", "", "ok"],
        ["", "vina has no parameters for B", "ok"],
    ]
    assert "2 rows could not be docked; see the column T_docked_reason" in result.stderr
    assert calls() == ["CCC", "CC"]
    assert cli("score", "-", *options, "--strict", input="CC\nOB(O)C\n").exit_code == 4
    again = cli("score", "-", *options, input=result.stdout)
    assert again.stdout == result.stdout
    assert dock("-", input="CC\n").exit_code == 0
    assert calls() == ["CCC", "CC"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target", "PARP1"], "--target says how to dock; add --oracle vina"),
        (["--preset", "fast"], "--preset says how to dock"),
        (["--workers", "2"], "--workers says how to dock"),
        (["--oracle", "gold"], "--oracle must be vina, got 'gold'"),
    ],
)
def test_options_of_the_oracle_need_it(cli, qed_alone, options, message):
    result = cli("score", "-", *options, *qed_alone, input="CC\n")
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_killed_command_goes_on_where_it_was_and_its_poses_are_molecules(
    start, cli, tmp_path, monkeypatch
):
    """With the real engine and the default target."""
    monkeypatch.setenv("MOLGFN_CACHE_DIR", str(tmp_path / "cache"))
    smiles = ["O=C(O)c1ccccc1", "CC(=O)Nc1ccc(O)cc1"]
    (tmp_path / "in.smi").write_text("\n".join(smiles))
    options = [tmp_path / "in.smi", "--preset", "fast", "--workers", 1]
    process = start("dock", *options, "-o", "-")
    process.stdout.readline()
    first = process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    result = cli("dock", *options, "--poses", tmp_path / "p.sdf")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == first.rstrip("\n")
    assert [row["status"] for row in rows(result.stdout)] == ["ok"] * 2
    poses = list(Chem.SDMolSupplier(str(tmp_path / "p.sdf")))
    assert [Chem.MolToSmiles(pose) for pose in poses] == smiles
    for pose, row in zip(poses, rows(result.stdout), strict=True):
        energy = pose.GetDoubleProp("PARP1_docked_kcal_mol")
        assert energy == pytest.approx(float(row["PARP1_docked_kcal_mol"]))
        middle = pose.GetConformer().GetPositions().mean(axis=0)
        assert abs(middle - [26.835, 11.332, 27.744]).max() < 12
