"""A fragment: a molecule template with the atoms that may bond, and its symmetry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from rdkit import Chem
from rdkit.Chem import Descriptors

from molgfn.chem.molecule import read_mol
from molgfn.errors import MoleculeError, VocabularyError, brief

#: No fragment of drug size comes near; beyond it the symmetry group is not worth its cost.
MAX_AUTOMORPHISMS = 50_000

#: Chirality of an atom, ``@`` to ``@OH30``, or direction of a bond.
_STEREO_MARK = re.compile(r"@(?:@|(?:TH|AL|SP|TB|OH)\d+)?|[/\\]")


@dataclass(frozen=True)
class Fragment:
    """A molecule template with sites.

    A *site* is an atom with a *capacity*: the number of its hydrogens that may be replaced by
    single bonds to other fragments. Sites, capacities and entries must be closed under the
    template's automorphisms, or every symmetry count of the environment would be wrong.

    Atoms are numbered as they stand in ``smiles``; sites are numbered 0, 1, ... in ascending
    order of their atom.

    Attributes:
        smiles: SMILES of the template, canonical (its atom order is RDKit's output order).
        capacities: Capacity of every site, ``{atom index: capacity}``.
        entries: Atoms by which the fragment may be attached to a growing molecule; all sites
            where the vocabulary does not say otherwise.
        count: How often the fragment was seen in the library it was cut from; 0 if unknown.
    """

    smiles: str
    capacities: Mapping[int, int]
    entries: frozenset[int]
    count: int = 0

    @classmethod
    def build(
        cls,
        smiles: str,
        capacities: Mapping[int, int],
        entries: frozenset[int] | None = None,
        count: int = 0,
        *,
        close: bool = False,
    ) -> Fragment:
        """Check a template and put it into canonical form.

        Args:
            smiles: SMILES of the template in any form; hydrogens fill the open valences.
            capacities: ``{atom index in smiles: capacity}``.
            entries: Atom indices by which it may be attached; ``None`` for all sites.
            count: How often it was seen.
            close: Give every atom the largest capacity of its orbit, and the entries likewise,
                instead of refusing sites that are not closed under symmetry.

        Returns:
            The fragment; two descriptions of the same fragment compare equal.

        Raises:
            VocabularyError: The template cannot be read, has several components, stereo marks or
                atoms that no molecule should end with, an atom index is unknown, a capacity is
                below 1 or above the atom's hydrogens, an entry is not a site, or the sites are not
                closed under symmetry. The message says the cure.
        """
        # Automorphisms ignore stereo: enantiomers would be two states with one key.
        flat = without_stereo_marks(smiles)
        if flat != smiles:
            raise VocabularyError(
                f"{brief(smiles)} has stereo; write it without stereo marks: {brief(flat)}"
            )
        try:
            mol = read_mol(smiles)
        except MoleculeError as error:
            raise VocabularyError(str(error)) from error
        if len(Chem.GetMolFrags(mol)) != 1:
            raise VocabularyError(
                f"{brief(smiles)} has several components; give one template an entry"
            )
        _check_atoms(smiles, mol)
        order = _canonical_order(mol)
        _check_sites(smiles, mol, capacities, entries)
        position = {old: new for new, old in enumerate(order)}
        canonical = Chem.RenumberAtoms(mol, order)
        sites = {position[a]: c for a, c in capacities.items()}
        doors = frozenset(sites) if entries is None else frozenset(position[a] for a in entries)
        orbits = _orbits(automorphisms(canonical), canonical.GetNumAtoms())
        closed = {
            a: best
            for a in range(canonical.GetNumAtoms())
            if (best := max((c for b, c in sites.items() if orbits[b] == orbits[a]), default=0))
        }
        closed_doors = frozenset(
            a for a in closed if any(orbits[a] == orbits[door] for door in doors)
        )
        if not close and (closed != sites or closed_doors != doors):
            wanted = {order[a]: c for a, c in closed.items()}
            raise VocabularyError(
                f"the sites of {brief(smiles)} are not closed under its symmetry: equivalent "
                f"atoms must have the same capacity; use sites {_plain(wanted)}"
                + ("" if entries is None else f", entries {sorted(order[a] for a in closed_doors)}")
            )
        return cls(Chem.MolToSmiles(canonical), dict(sorted(closed.items())), closed_doors, count)

    @cached_property
    def mol(self) -> Chem.Mol:
        """The template, sanitised, atoms in the order of ``smiles``; read-only."""
        return read_mol(self.smiles)

    @cached_property
    def rings(self) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
        """Atoms and bonds of every ring of the template."""
        found = self.mol.GetRingInfo()
        atoms, bonds = (tuple(map(tuple, each)) for each in (found.AtomRings(), found.BondRings()))
        return tuple(zip(atoms, bonds, strict=True))

    @cached_property
    def site_atoms(self) -> tuple[int, ...]:
        """Atom index of every site, ascending."""
        return tuple(sorted(self.capacities))

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return len(self.capacities)

    @cached_property
    def atom_automorphisms(self) -> tuple[tuple[int, ...], ...]:
        """Automorphisms of the heavy-atom graph; ``g[a]`` is the image of atom ``a``."""
        return automorphisms(self.mol)

    @cached_property
    def order(self) -> int:
        """|Aut(C)|, the order of the template's automorphism group."""
        return len(self.atom_automorphisms)

    @cached_property
    def site_group(self) -> tuple[tuple[int, ...], ...]:
        """The distinct permutations of the sites under Aut(C), by site number."""
        number = {atom: site for site, atom in enumerate(self.site_atoms)}
        return tuple(
            sorted({tuple(number[g[a]] for a in self.site_atoms) for g in self.atom_automorphisms})
        )

    @property
    def kernel_order(self) -> int:
        """Number of automorphisms that move no site."""
        return self.order // len(self.site_group)

    @cached_property
    def site_orbits(self) -> tuple[int, ...]:
        """For every site the smallest site number of its orbit."""
        return tuple(min(g[s] for g in self.site_group) for s in range(self.n_sites))

    @cached_property
    def entry_sites(self) -> tuple[int, ...]:
        """One representative site number of every orbit by which the fragment may be attached."""
        return tuple(
            sorted(
                {
                    self.site_orbits[site]
                    for site, atom in enumerate(self.site_atoms)
                    if atom in self.entries
                }
            )
        )

    def stabiliser_order(self, site: int) -> int:
        """|Stab_C(e)|, the number of automorphisms that fix a site."""
        return self.order // self.site_orbits.count(self.site_orbits[site])

    @cached_property
    def site_types(self) -> tuple[str, ...]:
        """Junction type of every site, see :func:`junction_type`."""
        return tuple(junction_type(self.mol.GetAtomWithIdx(a)) for a in self.site_atoms)

    @cached_property
    def n_heavy_atoms(self) -> int:
        """Heavy atoms of the template."""
        return int(self.mol.GetNumHeavyAtoms())

    @cached_property
    def weight_g_per_mol(self) -> float:
        """Average molecular weight of the template with all its hydrogens."""
        return float(Descriptors.MolWt(self.mol))

    def __hash__(self) -> int:
        return hash((self.smiles, tuple(self.capacities.items()), self.entries))


def _check_atoms(smiles: str, mol: Chem.Mol) -> None:
    """Refuse what every molecule with the template would be left with."""
    for atom in mol.GetAtoms():
        for fault, cure, found in (
            ("an open valence (a radical)", "give it its hydrogens", atom.GetNumRadicalElectrons()),
            ("an atom map", "take the number off", atom.GetAtomMapNum()),
            ("an isotope label", "take it off", atom.GetIsotope()),
        ):
            if found:
                raise VocabularyError(f"{smiles} has {fault} at atom {atom.GetIdx()}; {cure}")


def without_stereo_marks(smiles: str) -> str:
    """Drop the stereo marks of a SMILES; every atom keeps its place."""
    return _STEREO_MARK.sub("", smiles)


def junction_type(atom: Chem.Atom) -> str:
    """Name the kind of an atom as far as it matters for a new single bond.

    Lower-case element for aromatic atoms; then ``@`` for other ring atoms, the sign of a
    formal charge, ``=`` for an atom with a multiple bond: ``c``, ``n``, ``C@``, ``C``, ``C=``,
    ``S=``, ``N+=``. The type is a property of the template, so bonding never changes it.
    """
    symbol: str = atom.GetSymbol()
    if atom.GetIsAromatic():
        symbol = symbol.lower()
    elif atom.IsInRing():
        symbol += "@"
    charge = atom.GetFormalCharge()
    symbol += "+" * max(charge, 0) + "-" * max(-charge, 0)
    multiple = (Chem.BondType.DOUBLE, Chem.BondType.TRIPLE)
    return symbol + ("=" if any(b.GetBondType() in multiple for b in atom.GetBonds()) else "")


def is_ring_type(junction: str) -> bool:
    """Whether a junction type is that of an atom in a ring, aromatic or not."""
    return junction[0].islower() or "@" in junction


def automorphisms(mol: Chem.Mol) -> tuple[tuple[int, ...], ...]:
    """List the automorphisms of a molecule's heavy-atom graph.

    Atoms correspond when element, charge, aromaticity and total hydrogens agree: RDKit's
    substructure search alone ignores hydrogens and would exchange n and [nH] of pyrazole.

    Returns:
        Permutations ``g`` with ``g[a]`` the image of atom ``a``, sorted; the identity is first.

    Raises:
        VocabularyError: The group has more than ``MAX_AUTOMORPHISMS`` elements.
    """
    labelled = Chem.RWMol(mol)
    kinds: dict[tuple[int, int, bool, int, int], int] = {}
    for atom in labelled.GetAtoms():
        kind = (
            atom.GetAtomicNum(),
            atom.GetFormalCharge(),
            atom.GetIsAromatic(),
            atom.GetTotalNumHs(),
            atom.GetIsotope(),
        )
        # Isotopes are compared by the substructure search; 0 would match anything.
        atom.SetIsotope(kinds.setdefault(kind, len(kinds) + 1))
    matches = labelled.GetSubstructMatches(
        labelled, uniquify=False, useChirality=False, maxMatches=MAX_AUTOMORPHISMS + 1
    )
    if len(matches) > MAX_AUTOMORPHISMS:
        raise VocabularyError(
            f"{Chem.MolToSmiles(mol)} has more than {MAX_AUTOMORPHISMS} automorphisms; "
            "leave it out of the vocabulary"
        )
    return tuple(sorted(tuple(int(a) for a in match) for match in matches))


def _canonical_order(mol: Chem.Mol) -> list[int]:
    Chem.MolToSmiles(mol)
    return [int(a) for a in mol.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"]]


def _orbits(group: tuple[tuple[int, ...], ...], n_atoms: int) -> list[int]:
    return [min(g[a] for g in group) for a in range(n_atoms)]


def _check_sites(
    smiles: str,
    mol: Chem.Mol,
    capacities: Mapping[int, int],
    entries: frozenset[int] | None,
) -> None:
    for index, capacity in capacities.items():
        if not 0 <= index < mol.GetNumAtoms():
            raise VocabularyError(
                f"site {index} of {brief(smiles)} is no atom of it; "
                f"atoms are 0 to {mol.GetNumAtoms() - 1}"
            )
        n_hydrogens = mol.GetAtomWithIdx(index).GetTotalNumHs()
        if not 1 <= capacity <= n_hydrogens:
            raise VocabularyError(
                f"site {index} of {brief(smiles)} has capacity {capacity}, but the atom has "
                f"{n_hydrogens} hydrogens to replace; use 1 to {n_hydrogens} or drop the site"
            )
    unknown = sorted((entries or frozenset()) - capacities.keys())
    if unknown:
        raise VocabularyError(f"entry {unknown[0]} of {brief(smiles)} is not among its sites")


def _plain(sites: Mapping[int, int]) -> str:
    return "{" + ", ".join(f"{a}: {c}" for a, c in sorted(sites.items())) + "}"
