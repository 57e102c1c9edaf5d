"""The rule that cuts molecules into fragments.

Cut every acyclic single bond that touches a ring atom. The pieces are ring systems and acyclic
groups; in every molecule built from them each junction touches a ring atom and no other acyclic
single bond does, so the molecule falls apart in one way only and has exactly one tree.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from sys import intern

from rdkit import Chem

from molgfn.chem.smiles import parse_smiles
from molgfn.errors import MoleculeError, brief
from molgfn.fragments.fragment import is_ring_type, junction_type

#: Elements of the fragments; anything rarer is no alphabet for drug-like molecules.
ELEMENTS = frozenset({"C", "N", "O", "F", "P", "S", "Cl", "Br", "I"})


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a molecule between cuts.

    Attributes:
        smiles: SMILES of the piece, hydrogens in place of the cut bonds.
        cuts: ``(atom of smiles, number of cut bonds)``, ascending.
        n_heavy_atoms: Atoms other than hydrogen.
    """

    smiles: str
    cuts: tuple[tuple[int, int], ...]
    n_heavy_atoms: int


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A molecule cut by the rule.

    Attributes:
        pieces: The parts.
        junctions: For every cut the sorted junction types of its two atoms.
    """

    pieces: tuple[Piece, ...]
    junctions: tuple[tuple[str, str], ...]


def is_rule_bond(bond: Chem.Bond) -> bool:
    """Whether the rule cuts a bond: single, acyclic, touching a ring atom.

    A bond between two charged atoms (N-oxide) is left alone: it is one charge-separated double
    bond, and its halves are no neutral molecules.
    """
    first, second = bond.GetBeginAtom(), bond.GetEndAtom()
    return bool(
        bond.GetBondType() == Chem.BondType.SINGLE
        and not bond.IsInRing()
        and (first.IsInRing() or second.IsInRing())
        and not (first.GetFormalCharge() and second.GetFormalCharge())
    )


def is_sound_pair(first: str, second: str) -> bool:
    """Whether a junction of two types makes a bond that lasts in a drug.

    Two hetero atoms are bonded only as sulfonamides and as phosphorus amides and esters: N-N,
    N-O, O-O, S-S and N-halogen bonds are seen in libraries, but mark reactive or unstable
    molecules far more often than good ones. Acyl and sulfonyl groups on an aromatic nitrogen
    come off again; chlorine, bromine and iodine on saturated carbon alkylate, so they go on
    flat ring carbon only.
    """
    kinds = {first, second}
    elements = sorted(_element(kind) for kind in (first, second))
    if not any(is_ring_type(kind) for kind in kinds):
        return False
    if kinds & {"Cl", "Br", "I"}:
        return bool(kinds & {"c", "C@="})
    if "n" in kinds and kinds & {"C=", "C@=", "S=", "S@="}:
        return False
    if "C" in elements:
        return True
    multiple = any(kind.endswith("=") and _element(kind) in "SP" for kind in kinds)
    partners = {("N", "S"), ("N", "P"), ("O", "P")}
    return multiple and tuple(elements) in partners


def check_composition(mol: Chem.Mol) -> str:
    """Why a standardised molecule cannot be mined; empty if neutral and of common elements."""
    symbols = {atom.GetSymbol() for atom in mol.GetAtoms()}
    if symbols - ELEMENTS:
        return f"element {min(symbols - ELEMENTS)}"
    if Chem.GetFormalCharge(mol):
        return "net charge"
    if any(atom.GetIsotope() for atom in mol.GetAtoms()):
        return "isotope label"
    if any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()):
        return "radical"
    return ""


def decompose(mol: Chem.Mol) -> Decomposition:
    """Cut a molecule by the rule.

    Raises:
        MoleculeError: A piece is no molecule that RDKit reads back.
    """
    cuts = [bond for bond in mol.GetBonds() if is_rule_bond(bond)]
    ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in cuts]
    n_cuts = Counter(atom for pair in ends for atom in pair)
    parts = Chem.RWMol(mol)
    for first, second in ends:
        parts.RemoveBond(first, second)
    for index, n in n_cuts.items():
        atom = parts.GetAtomWithIdx(index)
        # All hydrogens explicit: [nH] and S(=O)(=O)H2 would not come back by valence rules.
        atom.SetNumExplicitHs(mol.GetAtomWithIdx(index).GetTotalNumHs() + n)
        atom.SetNoImplicit(True)
    members: list[tuple[int, ...]] = []
    pieces: list[Piece] = []
    place: dict[int, tuple[int, int]] = {}
    for number, piece in enumerate(
        Chem.GetMolFrags(parts, asMols=True, sanitizeFrags=False, fragsMolAtomMapping=members)
    ):
        piece.UpdatePropertyCache(strict=False)
        smiles = Chem.MolToSmiles(piece)
        order = list(piece.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"])
        position = {members[number][old]: new for new, old in enumerate(order)}
        place |= {atom: (number, new) for atom, new in position.items()}
        cut_here = sorted((position[a], n_cuts[a]) for a in members[number] if a in n_cuts)
        pieces.append(Piece(smiles, tuple(cut_here), piece.GetNumHeavyAtoms()))
    junctions = []
    for pair in ends:
        where = [place[atom] for atom in pair]
        first, second = sorted(_site_types(pieces[n].smiles)[a] for n, a in where)
        junctions.append((first, second))
    return Decomposition(tuple(pieces), tuple(junctions))


@lru_cache(100_000)
def _site_types(smiles: str) -> tuple[str, ...]:
    mol = parse_smiles(smiles)
    if mol is None:
        raise MoleculeError(f"RDKit cannot read the piece {brief(smiles)}")
    return tuple(intern(junction_type(atom)) for atom in mol.GetAtoms())


def _element(kind: str) -> str:
    return kind.rstrip("@=+-").capitalize()
