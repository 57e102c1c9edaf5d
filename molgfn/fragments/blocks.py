"""Reader of the building blocks of the 2021 paper (Bengio et al., arXiv 2106.04399).

The file lists a molecule once for every atom by which it may enter: ``block_smi`` is the SMILES,
``block_r`` the atoms that may bond, of which the first is the entry; an atom listed k times may
take k bonds. Here the rows of one molecule become one fragment.

Some blocks (``O=PO``, ``O=S=O``) have no hydrogen to replace: a bond lifts P or S to its next
valence and RDKit adds the hydrogen that is still missing. Their template is written at that
valence from the start (``O=[PH2]O``), so a bond replaces a hydrogen there as everywhere, and the
molecules with at least one bond are the same.
"""

from __future__ import annotations

import json
from collections import Counter

from rdkit import Chem

from molgfn.chem.molecule import read_mol
from molgfn.errors import MoleculeError, VocabularyError, brief, shown
from molgfn.fragments.fragment import Fragment, without_stereo_marks
from molgfn.fragments.vocabulary import Vocabulary


def read_blocks(text: str, name: str) -> Vocabulary:
    """Merge the rows of a block file into a vocabulary.

    The rows of one molecule are merged: entries are united and an atom takes the largest of its
    capacities. Sites are then closed under the symmetry of the molecule, which those of the
    published file are not; ``provenance["closed"]`` says what was added, one line per fragment.
    Stereo marks are dropped; ``provenance["flattened"]`` lists the SMILES that had some.

    Returns:
        The vocabulary, fragments in the order of their first row, every pair allowed.

    Raises:
        VocabularyError: The text is not such a file, or a row is wrong; the message names it.
    """
    capacities: dict[str, Counter[int]] = {}
    entries: dict[str, set[int]] = {}
    flattened = []
    for written, atoms in _rows(text):
        smiles = without_stereo_marks(written)
        if smiles != written:
            flattened.append(written)
        capacities[smiles] = capacities.get(smiles, Counter()) | Counter(atoms)
        entries.setdefault(smiles, set()).add(atoms[0])
    fragments = []
    closed = []
    for smiles, sites in capacities.items():
        try:
            template, place = _lift_valence(smiles, sites)
            fragment = Fragment.build(
                template,
                {place[atom]: n for atom, n in sites.items()},
                frozenset(place[atom] for atom in entries[smiles]),
                close=True,
            )
        except (MoleculeError, VocabularyError) as error:
            raise VocabularyError(f"block {brief(smiles)}: {error}") from error
        fragments.append(fragment)
        added = _added(sites, entries[smiles], fragment)
        if added:
            closed.append(f"{smiles}: {added}")
    provenance = {
        "source": "block file in the format of arXiv 2106.04399",
        "closed": closed,
        "flattened": flattened,
    }
    return Vocabulary(name, tuple(fragments), None, provenance)


def _rows(text: str) -> list[tuple[str, list[int]]]:
    cure = "give a block file with block_smi and block_r, or a .yaml vocabulary"
    try:
        content = json.loads(text)
        smiles, atoms = (list(content[key].values()) for key in ("block_smi", "block_r"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VocabularyError(f"this is not a block file of the 2021 paper; {cure}") from error
    if len(smiles) != len(atoms) or not smiles:
        raise VocabularyError(
            f"block_smi has {len(smiles)} rows and block_r {len(atoms)}; {cure} of equal length"
        )
    for number, (template, sites) in enumerate(zip(smiles, atoms, strict=True), 1):
        if (
            not isinstance(template, str)
            or not isinstance(sites, list)
            or not sites
            or not all(isinstance(site, int) for site in sites)
        ):
            raise VocabularyError(
                f"block {number}: expected a SMILES and a list of its atoms, "
                f"got {shown(template)} and {shown(sites)}"
            )
    return list(zip(smiles, atoms, strict=True))


def _lift_valence(smiles: str, sites: Counter[int]) -> tuple[str, dict[int, int]]:
    """Write a template whose sites have hydrogens to replace, and say where its atoms went."""
    mol = read_mol(smiles)
    lifted = False
    for atom in mol.GetAtoms():
        missing = sites[atom.GetIdx()] - atom.GetTotalNumHs()
        valence = atom.GetTotalValence()
        higher = [
            v
            for v in Chem.GetPeriodicTable().GetValenceList(atom.GetAtomicNum())
            if v - valence >= missing
        ]
        if missing > 0 and higher:
            atom.SetNoImplicit(True)
            atom.SetNumExplicitHs(atom.GetTotalNumHs() + higher[0] - valence)
            lifted = True
    if not lifted:
        return smiles, {atom: atom for atom in {*range(mol.GetNumAtoms()), *sites}}
    mol.UpdatePropertyCache()
    text = Chem.MolToSmiles(mol)
    order = mol.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"]
    return text, {int(old): new for new, old in enumerate(order)}


def _added(sites: Counter[int], entries: set[int], fragment: Fragment) -> str:
    added = (
        ("sites", len(fragment.capacities) - len(sites)),
        ("bonds", sum(fragment.capacities.values()) - sites.total()),
        ("entries", len(fragment.entries) - len(entries)),
    )
    return ", ".join(f"{what} +{n}" for what, n in added if n)
