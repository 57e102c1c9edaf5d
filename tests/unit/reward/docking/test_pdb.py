"""PDB files as programs and people write them, made from a small peptide."""

import random
import re

import pytest
from rdkit import Chem
from rdkit.Chem.rdDistGeom import EmbedMolecule

from molgfn.errors import TargetError
from molgfn.reward.docking.pdb import read_pdb
from molgfn.reward.docking.pdbqt import receptor_coordinates
from molgfn.reward.docking.receptor import prepare_pdb

#: What the texts of meeko, vina and RDKit are known by.
FOREIGN = re.compile(r"--|altloc|delete_|prototype|std::|Violation|\.py|\.h\b|Traceback|BOOST")

BOX = ((0.0, 0.0, 0.0), (40.0, 40.0, 40.0))


def _peptide():
    mol = Chem.AddHs(Chem.MolFromSequence("GMHCKG"))
    EmbedMolecule(mol, randomSeed=1)
    lines = Chem.MolToPDBBlock(Chem.RemoveHs(mol)).splitlines()
    return [line for line in lines if line.startswith("ATOM")]


PEPTIDE = _peptide()
PLAIN = "\n".join(PEPTIDE)


def hetero(name, residue, number, element, x=9.0, y=0.0, z=0.0, chain="A"):
    return (
        f"HETATM 9000 {name:<4} {residue:>3} {chain}{number:4d}    {x:8.3f}{y:8.3f}{z:8.3f}"
        f"  1.00  0.00          {element:>2}"
    )


def called(old, new, lines=PEPTIDE):
    return [line[:17] + f"{new:<4}" + line[21:] if line[17:20] == old else line for line in lines]


def at(number, change, lines=PEPTIDE):
    return [change(line) if int(line[22:26]) == number else line for line in lines]


def moved(line, by=0.6, alternate=" "):
    return f"{line[:16]}{alternate}{line[17:30]}{float(line[30:38]) + by:8.3f}{line[38:]}"


def lettered(line, letter):
    return f"{line[:16]}{letter}{line[17:]}"


def heavy(text, source="x.pdb"):
    """Elements and coordinates that are read, in any order, and notes."""
    residues, notes = read_pdb(text, source)
    atoms = [(a.element, a.point) for r in residues for a in r.atoms if a.element != "H"]
    return sorted(atoms), notes


ATOMS, _ = heavy(PLAIN)

#: The same structure, by the conventions of other programs: nothing is left out or chosen.
SAME = {
    "serials in hexadecimal": [
        f"{li[:6]}{100_000 + i:5x}{li[11:]}" for i, li in enumerate(PEPTIDE)
    ],
    "serials in hybrid-36": [f"{li[:6]}A{i:04d}{li[11:]}" for i, li in enumerate(PEPTIDE)],
    "serials that overflowed": [f"{li[:6]}*****{li[11:]}" for li in PEPTIDE],
    "serials that displace all": [
        f"{li[:6]}{100_000 + i}{li[11:]}" for i, li in enumerate(PEPTIDE)
    ],
    "serials of seven digits": [
        f"{li[:6]}{1_000_000 + i}{li[11:]}" for i, li in enumerate(PEPTIDE)
    ],
    "serials that take the blank": [
        f"{li[:6]}{100_000 + i}{li[12:]}" for i, li in enumerate(PEPTIDE)
    ],
    "no serials": [f"{li[:6]}     {li[11:]}" for li in PEPTIDE],
    "no elements": [li[:66] for li in PEPTIDE],
    "no occupancy": [li[:54] for li in PEPTIDE],
    "old columns 73 to 80": [f"{li[:66]}      1ABC{i:4d}" for i, li in enumerate(PEPTIDE)],
    "segments": [f"{li[:66]}      PROA" for li in PEPTIDE],
    "charges of atoms": [f"{li[:78]}1+" for li in PEPTIDE],
    "elements in lower case": [f"{li[:76]}{li[76:].lower()}" for li in PEPTIDE],
    "lower case": [li.lower() for li in PEPTIDE],
    "hetero atoms": [f"HETATM{li[6:]}" for li in PEPTIDE],
    "no chain": [f"{li[:21]} {li[22:]}" for li in PEPTIDE],
    "a chain of two letters": [f"{li[:20]}AB{li[22:]}" for li in PEPTIDE],
    "numbers in hybrid-36": [f"{li[:22]}A00{li[25:]}" for li in PEPTIDE],
    "insertion codes": at(4, lambda li: f"{li[:22]}   3A{li[27:]}"),
    "negative numbers": [f"{li[:22]}{int(li[22:26]) - 3:4d}{li[26:]}" for li in PEPTIDE],
    "breaks of a chain": [x for li in PEPTIDE for x in (li, "TER")],
    "records between": [x for li in PEPTIDE for x in (li, "ANISOU" + li[6:], "SIGATM" + li[6:])],
    "bonds and headers": ["HEADER    X", "CRYST1", *PEPTIDE, "CONECT    1    2", "MASTER", "END"],
    "one model": ["MODEL        1", *PEPTIDE, "ENDMDL", "END"],
    "names at the left": [f"{li[:12]}{li[12:16].strip():<4}{li[16:]}" for li in PEPTIDE],
}


@pytest.mark.parametrize("lines", SAME.values(), ids=SAME)
@pytest.mark.parametrize("end", ["\n", "\r\n", "  \n", "\r"], ids=["lf", "crlf", "blanks", "cr"])
def test_conventions_do_not_matter(lines, end):
    assert heavy(end.join(lines)) == (ATOMS, [])


@pytest.mark.parametrize(
    "case", [*list(SAME)[::4], "numbers in hybrid-36", "a chain of two letters"]
)
def test_nor_for_the_receptor(case):
    def columns(text):
        lines = prepare_pdb(text, "x.pdb", *BOX)[0].splitlines()
        return [line[:20].strip() + line[30:] for line in lines]

    assert columns("\n".join(SAME[case])) == columns(PLAIN)


SECOND = [moved(line, 30.0) for line in PEPTIDE]
#: What is chosen, joined or left out, and the note on it.
CHOSEN = {
    "only B": (at(3, lambda li: lettered(li, "B")), "chosen: alternate location B of HIS A3"),
    "only 1": (at(3, lambda li: lettered(li, "1")), "chosen: alternate location 1 of HIS A3"),
    "A before B": (
        [x for li in PEPTIDE for x in (lettered(li, "A"), moved(li, alternate="B"))],
        "chosen: alternate location A of GLY A1, MET A2",
    ),
    "B before A": (
        [x for li in PEPTIDE for x in (moved(li, alternate="B"), lettered(li, "A"))],
        "chosen: alternate location A of GLY A1, MET A2",
    ),
    "none and B": (
        [x for li in PEPTIDE for x in (li, moved(li, alternate="B"))],
        "chosen: alternate location B of GLY A1, MET A2",
    ),
    "two residues in one place": (
        [
            *at(4, lambda li: lettered(li, "A")),
            *(moved(li, 0.3, "B") for li in called("CYS", "SER") if li[17:20] == "SER"),
        ],
        "chosen: alternate location A of CYS A4",
    ),
    "models": (
        ["MODEL 1", *PEPTIDE, "ENDMDL", "MODEL 2", *SECOND, "ENDMDL", "MODEL 3", *SECOND],
        "left out: 2 more models; the first counts",
    ),
    "a copy after the end": (
        [*PEPTIDE, "END", *SECOND],
        f"left out: {len(PEPTIDE)} atoms after line {len(PEPTIDE) + 1}, a copy of those before",
    ),
    "a copy in the same place": (
        [*PEPTIDE, "TER", *(moved(li, 0.01) for li in PEPTIDE)],
        "left out: GLY A1, MET A2, HIS A3, CYS A4, LYS A5, GLY A6, in the place of another",
    ),
}


@pytest.mark.parametrize(("lines", "note"), CHOSEN.values(), ids=CHOSEN)
def test_what_is_chosen_or_left_out_is_said(lines, note):
    atoms, notes = heavy("\n".join(lines))
    assert atoms == ATOMS
    assert len(notes) == 1
    assert notes[0].startswith(note)


def test_the_fuller_of_two_alternates_counts():
    lines = at(3, lambda li: lettered(li, "B"))
    lines.insert(20, moved(lines[13], 0.6, "A"))
    assert heavy("\n".join(lines)) == (ATOMS, ["chosen: alternate location B of HIS A3"])


def test_two_residues_at_one_number_both_stay():
    lines = at(4, lambda li: f"{li[:22]}   3{li[26:]}")
    atoms, notes = heavy("\n".join(lines))
    assert (atoms, notes) == (ATOMS, ["joined: CYS A3, whose number another residue has"])
    plain, _ = prepare_pdb(PLAIN, "x.pdb", *BOX)
    other, notes = prepare_pdb("\n".join(lines), "x.pdb", *BOX)
    assert [line[30:] for line in other.splitlines()] == [line[30:] for line in plain.splitlines()]


def test_two_chains_of_one_letter_both_stay():
    far = [moved(line, 60.0) for line in PEPTIDE]
    rigid, notes = prepare_pdb("\n".join([*PEPTIDE, "TER", *far]), "x.pdb", *BOX)
    assert len(rigid.splitlines()) == 2 * len(prepare_pdb(PLAIN, "x.pdb", *BOX)[0].splitlines())
    assert notes[0].startswith("joined: GLY A1, MET A2")


def test_what_follows_the_end_and_is_no_copy_is_joined():
    lines = [*PEPTIDE, "END", hetero("ZN", "ZN", 301, "ZN"), "END"]
    atoms, notes = heavy("\n".join(lines))
    assert len(atoms) == len(ATOMS) + 1
    assert notes == [f"joined: 1 atom after line {len(PEPTIDE) + 1}, beyond the end"]


#: Names of other programs, what they stand for, and the hydrogens on nitrogen of a histidine.
EQUIVALENT = [
    *(("MET", "MSE", "MET"), ("HIS", "HSD", "HID"), ("HIS", "HSE", "HIE"), ("HIS", "HSP", "HIP")),
    *(("HIS", "HISD", "HID"), ("HIS", "HISE", "HIE"), ("HIS", "HISH", "HIP")),
    *(("CYS", "CYSH", "CYS"), ("LYS", "LYP", "LYS"), ("LYS", "LSN", "LYN")),
]


@pytest.mark.parametrize(("residue", "name", "meant"), EQUIVALENT)
def test_names_of_other_programs_are_read_and_said(residue, name, meant):
    lines = called(residue, name)
    if name == "MSE":
        lines = [f"{li[:12]}SE  {li[16:76]}SE" if li[12:20] == " SD  MSE" else li for li in lines]
    same = prepare_pdb("\n".join(called(residue, meant)), "x.pdb", *BOX)
    number = {"MET": 2, "HIS": 3, "CYS": 4, "LYS": 5}[residue]
    rigid, notes = prepare_pdb("\n".join(lines), "x.pdb", *BOX)
    assert notes == [f"read as {meant}: {name} A{number}"]
    # Names of atoms may differ, as those of selenium and sulfur.
    assert [li[16:] for li in rigid.splitlines()] == [li[16:] for li in same[0].splitlines()]


def test_protonation_by_name():
    def hydrogens(name):
        rigid, _ = prepare_pdb("\n".join(called("HIS", name)), "x.pdb", *BOX)
        return {li[12:16].strip() for li in rigid.splitlines() if li.endswith("HD")} & {
            "HD1",
            "HE2",
        }

    assert [hydrogens(name) for name in ("HSD", "HSE", "HSP")] == [{"HD1"}, {"HE2"}, {"HD1", "HE2"}]


@pytest.mark.parametrize(
    ("residue", "element", "kind"),
    [
        *(("CU", "CU", "Cu"), ("CU1", "CU", "Cu"), ("ZN", "ZN", "Zn"), ("NA", "NA", "Na")),
        *(("K", "K", "K"), ("NI", "NI", "Ni"), ("CO", "CO", "Co"), ("FE2", "FE", "Fe")),
        *(("CD", "CD", "Cd"), ("HG", "HG", "Hg"), ("CA", "CA", "Ca"), ("CL", "CL", "Cl")),
        *(("MG", "MG", "Mg"), ("MN", "MN", "Mn"), ("IOD", "I", "I")),
    ],
)
@pytest.mark.parametrize("has_element", [True, False])
def test_metals_and_halides_are_kept(residue, element, kind, has_element):
    line = hetero(element if len(element) == 2 else f" {element}", residue, 301, element)
    line = line if has_element or residue == "IOD" else line[:66]
    rigid, notes = prepare_pdb(f"{PLAIN}\n{line}", "x.pdb", *BOX)
    last = rigid.splitlines()[-1]
    assert (last[77:].strip(), last[30:54], notes) == (kind, line[30:54], [])


@pytest.mark.parametrize(("residue", "element"), [("RU", "Ru"), ("PT", "Pt"), ("CS", "Cs")])
def test_metals_that_vina_has_no_type_for_are_named(residue, element):
    lines = [*PEPTIDE, hetero(residue, residue, 301, residue)]
    rigid, notes = prepare_pdb("\n".join(lines), "x.pdb", *BOX)
    assert notes == [f"left out: {residue} A301; vina has no atom type for {element}"]
    assert rigid == prepare_pdb(PLAIN, "x.pdb", *BOX)[0]


def test_clusters_and_haem_are_kept_and_other_cofactors_named():
    lines = [
        *(hetero("FE1", "SF4", 1, "FE"), hetero(" S1 ", "SF4", 1, "S", 11.0)),
        *(hetero("FE", "HEM", 2, "FE", -9.0), hetero(" NA ", "HEM", 2, "N", -11.0)),
        *(hetero(" C1A", "HEM", 2, "C", -12.3), hetero(" HA ", "HEM", 2, "H", -13.4)),
        *(hetero(" C1 ", "NAD", 3, "C", 15.0), hetero(" O1 ", "HOH", 4, "O", 18.0)),
    ]
    rigid, notes = prepare_pdb("\n".join([*PEPTIDE, *lines]), "x.pdb", *BOX)
    assert [li[77:].strip() for li in rigid.splitlines()[-5:]] == ["Fe", "SA", "Fe", "N", "C"]
    assert notes == [
        "kept: HEM A2, with no hydrogens but those of the file",
        "left out: 1 water",
        "left out: NAD A3, no part of the protein, in or near the box; to keep a cofactor, give a "
        "receptor as PDBQT",
    ]


def test_an_inhibitor_that_looks_like_an_amino_acid_is_no_link_of_the_chain():
    names = {"N": 14.0, "CA": 15.4, "C": 16.9}
    lines = [hetero(f" {name}", "PJE", 50, name[0], x) for name, x in names.items()]
    rigid, notes = prepare_pdb("\n".join([*PEPTIDE, *lines]), "x.pdb", *BOX)
    assert rigid == prepare_pdb(PLAIN, "x.pdb", *BOX)[0]
    assert [note[:19] for note in notes] == ["left out: PJE A50, "]


@pytest.mark.parametrize("water", ["HOH", "WAT", "TIP3", "SOL", "DOD"])
def test_water_is_counted(water):
    lines = [f"{hetero(' OH2', 'HOH', 7, 'O')[:17]}{water:<4}{hetero(' OH2', 'HOH', 7, 'O')[21:]}"]
    _, notes = prepare_pdb("\n".join([*PEPTIDE, *lines]), "x.pdb", *BOX)
    assert notes == ["left out: 1 water"]


@pytest.mark.parametrize(
    "line",
    [
        *(PEPTIDE[5][:53], PEPTIDE[5][:40], PEPTIDE[5][:10], "ATOM", "HETATM", PEPTIDE[5][1:]),
        *(PEPTIDE[5].replace("  ", " ", 1), PEPTIDE[5].replace(" ", "  ", 1)),
        *(
            f"{PEPTIDE[5][:30]}   1e3   1_0.0     0.0",
            f"{PEPTIDE[5][:30]}{'nan':>8}{PEPTIDE[5][38:]}",
        ),
        *(PEPTIDE[5].expandtabs().replace("   ", "\t"), f"{PEPTIDE[5][:30]}{'?' * 24}"),
    ],
)
def test_a_line_that_is_cut_or_displaced_is_named_and_never_read_as_another(line):
    lines = [*PEPTIDE]
    lines[5] = line
    with pytest.raises(TargetError, match=r"^x\.pdb line 6: "):
        read_pdb("\n".join(lines), "x.pdb")


def _mutilated(rng, most=4):
    """A file with pieces missing, doubled, displaced and strange."""
    lines = [*rng.choice([*SAME.values(), *(lines for lines, _ in CHOSEN.values())])]
    for _ in range(rng.randint(1, most)):
        i = rng.randrange(len(lines))
        line, place = lines[i], rng.randrange(max(1, len(lines[i])))
        lines[i] = rng.choice(
            [
                *(
                    line[:place],
                    line[:place] + line[place + 1 :],
                    line[:place] + " " + line[place:],
                ),
                *(line[::-1], "", line[:place] + rng.choice("\t\0é*-.A") + line[place:]),
                *("END", "TER", "MODEL", "ENDMDL", line.swapcase(), line + "\n" + line),
            ]
        )
    return "\n".join(lines)


def _are_known(points):
    """Whether all lie where the peptide or one of its copies in ``CHOSEN`` does."""
    known = {
        (round(x + by, 3), y, z) for by in (0.0, 0.6, 0.3, 0.01, 30.0) for _, (x, y, z) in ATOMS
    }
    return {(round(x, 3), y, z) for x, y, z in points} <= known


def _storm(seeds):
    n_read = 0
    for seed in seeds:
        try:
            residues, _ = read_pdb(_mutilated(random.Random(seed)), "x.pdb")
        except TargetError as error:
            message = str(error)
            assert message.startswith("x.pdb line "), f"seed {seed}"
            assert "\n" not in message, f"seed {seed}"
        else:
            n_read += 1
            assert _are_known(atom.point for r in residues for atom in r.atoms), f"seed {seed}"
    assert n_read > len(seeds) / 3


def test_a_storm_of_mutilated_files_gives_atoms_of_the_file_or_one_line():
    _storm(range(300))


@pytest.mark.slow
def test_a_long_storm_of_mutilated_files():
    _storm(range(300, 6000))


def test_a_storm_of_mutilated_receptors_is_prepared_or_refused():
    n_prepared = 0
    for seed in range(40):
        text = _mutilated(random.Random(seed), most=1)
        try:
            rigid, _ = prepare_pdb(text, "x.pdb", *BOX)
        except TargetError as error:
            assert str(error).startswith("x.pdb"), f"seed {seed}"  # noqa: PT017
            assert not FOREIGN.search(str(error)), f"seed {seed}"  # noqa: PT017
        else:
            n_prepared += 1
            points = receptor_coordinates(rigid, "x.pdbqt")
            kinds = [line[77:].strip() for line in rigid.splitlines()]
            assert _are_known(
                tuple(p) for p, kind in zip(points.tolist(), kinds, strict=True) if kind != "HD"
            ), f"seed {seed}"
    assert n_prepared > 5
