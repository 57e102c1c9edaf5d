"""Molecules of fragment trees, for a reward that hardly ever asks for more than their graphs."""

from __future__ import annotations

from functools import cached_property

from rdkit import Chem

from molgfn.chem.molecule import Molecule
from molgfn.fragments.tree import FragmentTree, assemble
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.scoring.tree_features import TreeFeaturiser
from molgfn.reward.proxy.features import GraphedMolecules, Graphs


class TreeMolecule(Molecule):
    """The molecule of a fragment tree, assembled when it is first looked at."""

    _tree: FragmentTree
    _vocabulary: Vocabulary

    def __init__(self, tree: FragmentTree, vocabulary: Vocabulary) -> None:
        self.__dict__.update(_tree=tree, _vocabulary=vocabulary, text=None)

    @cached_property
    def mol(self) -> Chem.Mol:
        """The molecule, hydrogens implicit; treat it as read-only."""
        return assemble(self._tree, self._vocabulary)

    @property
    def n_heavy_atoms(self) -> int:
        """Number of atoms other than hydrogen."""
        fragments = self._vocabulary.fragments
        return sum(fragments[number].n_heavy_atoms for number in self._tree.fragments)


class TreeBatch(GraphedMolecules):
    """A batch of such molecules, with their graphs made from the trees."""

    def __init__(self, states: FragmentStates, featurise: TreeFeaturiser) -> None:
        super().__init__([TreeMolecule(tree, featurise.vocabulary) for tree in states.trees()])
        self._states, self._featurise = states, featurise

    @cached_property
    def graphs(self) -> Graphs:
        """Graphs of the molecules, from their trees."""
        return self._featurise(self._states)
