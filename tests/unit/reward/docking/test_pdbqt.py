"""PDBQT receptors, checked as vina would read them, without vina."""

import pytest

from molgfn.errors import TargetError
from molgfn.reward.docking.docking_target import DockingTarget
from molgfn.reward.docking.pdbqt import (
    ATOM_TYPES,
    check_receptor,
    receptor_coordinates,
    receptor_notes,
)


def atom(kind="C", charge="+0.000", serial="    1", alternate=" ", number=1):
    return (
        f"ATOM  {serial}  CA {alternate}GLY A{number:4d}    {1.0:8.3f}{2.0:8.3f}{3.0:8.3f}"
        f"  1.00  0.00    {charge:>6} {kind:<2}"
    )


@pytest.mark.parametrize("kind", sorted(ATOM_TYPES))
def test_types_that_vina_has(kind):
    assert receptor_coordinates(atom(kind), "x").tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (atom("Ru"), "x line 2: vina has no atom type 'Ru'"),
        (atom("ZN"), "x line 2: vina has no atom type 'ZN'; did you mean Zn?"),
        (atom("oa"), "x line 2: vina has no atom type 'oa'; did you mean OA?"),
        (atom("W"), "x line 2: vina has no atom type 'W'"),
        (atom(""), "x line 2: no AutoDock atom type in columns 78 and 79; this is no PDBQT"),
        (atom(charge=""), "x line 2: no partial charge in columns 69 to 76; this is no PDBQT"),
        (atom(charge="PROA"), "x line 2: no partial charge"),
        (atom(serial="*****"), "x line 2: the atom has no decimal number"),
        (atom(serial="100000"), "x line 2: no coordinates in columns 31 to 54"),
        (
            "HEADER    X",
            "x line 2: expected ATOM, HETATM, TER or REMARK, got 'HEADER    X'; remove",
        ),
        ("CONECT    1    2", "x line 2: expected ATOM, HETATM, TER or REMARK, got 'CONECT"),
        ("MODEL        1", "x line 2: MODEL; expected one rigid receptor"),
        ("TORSDOF 3", "x line 2: TORSDOF belongs to a ligand"),
        ("   ", "x line 2: expected ATOM, HETATM, TER or REMARK, got ''"),
    ],
)
def test_what_vina_cannot_read_is_named_with_its_line(line, message, tmp_path):
    text = f"{atom()}\n{line}\n"
    with pytest.raises(TargetError) as caught:
        receptor_coordinates(text, "x")
    assert str(caught.value).startswith(message)
    (tmp_path / "r.pdbqt").write_text(text)
    with pytest.raises(TargetError, match=r"^target T: .*r\.pdbqt line 2: "):
        check_receptor(DockingTarget("T", tmp_path / "r.pdbqt", (0,) * 3, (20,) * 3, "a test"))


def test_what_vina_passes_over():
    lines = ["REMARK x", atom(), "", "TER", "ENDMDL", "END"]
    assert len(receptor_coordinates("\r\n".join(lines), "x")) == 1


def test_what_is_odd_is_said():
    assert receptor_notes("\n".join([atom("N"), atom("HD")])) == []
    assert receptor_notes(atom("OA")) == [
        "kept: a receptor without polar hydrogens (HD); vina sees no hydrogen bonds"
    ]
    both = [atom(alternate=letter, number=n) for n in (1, 2) for letter in "AB"[: 3 - n]]
    assert receptor_notes("\n".join(both)) == [
        "kept: all alternate locations of GLY A1; vina sees them at once"
    ]
