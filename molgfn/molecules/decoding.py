"""Finds the trees of a molecule that an environment can build, or says why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from molgfn.chem.molecule import Molecule
from molgfn.errors import MoleculeError
from molgfn.fragments.parsing import Parser
from molgfn.fragments.tree import FragmentTree
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates

NOT_BUILDABLE = "the vocabulary cannot build it"


@dataclass(frozen=True)
class Decoded:
    """The trees of one molecule.

    Attributes:
        trees: All trees that a trajectory of the environment can end in, one per state.
        reason: Why there is none, one line; ``""`` where there is one.
        counted: False where the molecule can be cut in too many ways to look at all.
    """

    trees: tuple[FragmentTree, ...]
    reason: str = ""
    counted: bool = True


class Decoder:
    """Takes molecules apart into the states of one environment."""

    def __init__(self, env: FragmentEnv) -> None:
        """Prepare the parser.

        Args:
            env: The environment; its vocabulary and limits say what can be built.

        Raises:
            ValueError: It has another start than the empty tree, from which the parser does not
                find what grows.
        """
        if env.start is not None:
            raise ValueError("molecules are taken apart down to the empty tree alone")
        self._env = env
        self._parser = Parser(env.vocabulary)

    def __call__(self, molecules: Sequence[Molecule]) -> list[Decoded]:
        """Find the trees of every molecule.

        Args:
            molecules: Molecules, possibly none; stereo is ignored, as fragments have none.

        Returns:
            One result per molecule, in order.
        """
        parsed = [self._parse(molecule) for molecule in molecules]
        trees = [tree for decoded in parsed for tree in decoded.trees]
        if not trees:
            return parsed
        states = FragmentStates.from_trees(trees, self._env.limits.max_fragments, self._env.device)
        reachable = iter(self._env.may_end(states).tolist())
        weights = iter(self._env.sizes(states).weight_g_per_mol.tolist())
        found = []
        for decoded in parsed:
            kept = tuple(tree for tree in decoded.trees if next(reachable))
            weight = [next(weights) for _ in decoded.trees]
            if decoded.trees and not kept:
                found.append(Decoded((), self._why_not(decoded.trees, weight[0])))
            else:
                found.append(Decoded(kept, decoded.reason, decoded.counted))
        return found

    def _parse(self, molecule: Molecule) -> Decoded:
        limits, n_heavy_atoms = self._env.limits, molecule.n_heavy_atoms
        if n_heavy_atoms > limits.max_heavy_atoms:
            return Decoded(
                (),
                f"has {n_heavy_atoms} heavy atoms, the policy builds molecules of at most "
                f"{limits.max_heavy_atoms}",
            )
        try:
            trees = self._parser.trees(molecule.mol, limits.max_fragments)
        except MoleculeError as error:
            return Decoded((), str(error), counted=False)
        if trees:
            return Decoded(tuple(trees))
        try:
            larger = self._parser.trees(molecule.mol, n_heavy_atoms)
        except MoleculeError:
            return Decoded((), f"has no tree of up to {limits.max_fragments} fragments")
        return Decoded((), self._why_not(larger) if larger else NOT_BUILDABLE)

    def _why_not(self, trees: Sequence[FragmentTree], weight_g_per_mol: float = 0.0) -> str:
        limits = self._env.limits
        if weight_g_per_mol > limits.max_weight_g_per_mol:
            return (
                f"weighs {weight_g_per_mol:.2f} g/mol, the policy builds molecules of at most "
                f"{limits.max_weight_g_per_mol:g}"
            )
        sizes = sorted({len(tree) for tree in trees})
        plural = "" if sizes == [1] else "s"
        return (
            f"has {' or '.join(map(str, sizes))} fragment{plural}, the policy builds molecules of "
            f"{limits.min_fragments} to {limits.max_fragments}"
        )
