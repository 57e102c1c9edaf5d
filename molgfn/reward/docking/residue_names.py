"""What residues are called: the names of other programs, and those that are no part of a chain."""

from __future__ import annotations

from collections.abc import Set

_WATER = "HOH WAT H2O DOD D2O SOL SPC OH2 TIP TIP2 TIP3 TIP4 TIP5 TP3 TP4 TP3M T3P T4P"
_AMINO_ACIDS = "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL"
_NUCLEOTIDES = "A C G U T DA DC DG DT DU"
_ADDITIVES = """
SO4 PO4 NO3 GOL EDO PEG PGE PG4 1PE 2PE P6G PGO MPD DMS ACT ACY FMT EOH IPA BME DTT TRS MES EPE CIT
FLC TLA MLI IMD NH4 AZI SCN UNX UNK
"""
WATER = frozenset(_WATER.split())
AMINO_ACIDS = frozenset(_AMINO_ACIDS.split())
NUCLEOTIDES = frozenset(_NUCLEOTIDES.split())
#: Ends of a peptide that are no amino acids.
CAPS = frozenset(("ACE", "FOR", "NH2", "NMA", "NME"))
#: What crystals are grown in and cooled with.
ADDITIVES = frozenset(_ADDITIVES.split())

#: What CHARMM calls ions, by element; CAL and CLA are other things where their atoms are.
ION_NAMES = {"SOD": "Na", "POT": "K", "CLA": "Cl", "CAL": "Ca", "LIT": "Li", "CES": "Cs"}

#: Names of CHARMM, GROMACS, Amber and others, and residues with selenium for sulfur, by what
#: meeko calls the residue. The atoms are the same; meeko goes by their bonds and not their names.
_EQUIVALENTS = {
    "MET": "MSE",
    "CYS": "SEC CSE CYSH CYN",
    "CYX": "CYS2 CYSS CSS",
    "HID": "HSD HISD HISA",
    "HIE": "HSE HISE HISB",
    "HIP": "HSP HISH HISP",
    "HIS": "HIS1",
    "ASH": "ASPP ASPH",
    "GLH": "GLUP GLUH",
    "LYN": "LSN LYSN",
    "LYS": "LYP LYSH LYSP",
    "NME": "NMA",
    "DT": "T THY",
    "A": "ADE",
    "C": "CYT",
    "G": "GUA",
    "U": "URA",
}
_MEANING = {name: meant for meant, names in _EQUIVALENTS.items() for name in names.split()}
#: Ribonucleotides by name that are deoxyribonucleotides where O2' is missing.
_RIBO = frozenset("ACGU")


def meaning(name: str, atoms: Set[str]) -> str:
    """The residue that a name of another program stands for.

    Args:
        name: Name in the file, upper case, up to four letters.
        atoms: Names of its atoms.

    Returns:
        The name that meeko has templates for, the given one if none is known.
    """
    if len(name) == 4 and name[0] in "NC" and name[1:] in AMINO_ACIDS | set(_MEANING):
        name = name[1:]  # Amber marks the ends of a chain
    meant = _MEANING.get(name, name)
    if meant in _RIBO and not atoms & {"O2'", "O2*"} and atoms & {"C1'", "C1*"}:
        return f"D{meant}"
    return meant


def is_written_with_four_letters(name: str) -> bool:
    """Whether a name that runs into the column before the chain is one, not three and a chain."""
    return name in WATER or name in _MEANING or (name[0] in "NC" and name[1:] in AMINO_ACIDS)


def is_chain_link(name: str, atoms: Set[str]) -> bool:
    """Whether a residue is a link of a protein or nucleic acid, known or not."""
    meant = meaning(name, atoms)
    return (
        meant in AMINO_ACIDS
        or meant in NUCLEOTIDES
        or atoms >= {"N", "CA", "C"}
        or atoms >= {"P", "O5'", "C5'", "C3'", "O3'"}
    )
