"""Molecules of a user as states of the environment, as far as its vocabulary can build them."""

from __future__ import annotations

from dataclasses import dataclass

from molgfn.chem.molecule import Molecule, Unreadable, read_mol, read_or_reason
from molgfn.fragments.tree import FragmentTree
from molgfn.machine.progress import Progress, silent
from molgfn.molecules.decoding import NOT_BUILDABLE, Decoder
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.tables.reader import Table

#: Rows that are named one by one when they cannot be read.
MAX_NAMED_ROWS = 5


@dataclass(frozen=True)
class Buildable:
    """The molecules of a table that can be built, and why the others cannot.

    Attributes:
        states: Every tree of every molecule that can be built, terminal, row by row.
        first: Index among ``states`` of the first tree of each molecule that can be built.
        n_unbuildable: Molecules for which the vocabulary has no tree at all.
        n_beyond_limits: Molecules all of whose trees break the limits.
        invalid: One line for each row that cannot be read or cut, naming it.
    """

    states: FragmentStates
    first: tuple[int, ...]
    n_unbuildable: int
    n_beyond_limits: int
    invalid: tuple[str, ...]

    def notes(self, source: str, n_rows: int) -> list[str]:
        """Say what was left out."""
        n_out = self.n_unbuildable + self.n_beyond_limits + len(self.invalid)
        if not n_out:
            return []
        lines = [
            f"left out {n_out} of {n_rows} rows of {source}: {self.n_unbuildable} cannot be built "
            f"with the vocabulary, {self.n_beyond_limits} break the limits, "
            f"{len(self.invalid)} cannot be read",
            *self.invalid[:MAX_NAMED_ROWS],
        ]
        if len(self.invalid) > MAX_NAMED_ROWS:
            lines.append(f"and {len(self.invalid) - MAX_NAMED_ROWS} more")
        return lines


def find_buildable(table: Table, env: FragmentEnv, *, progress: Progress = silent) -> Buildable:
    """Take the molecules of a table apart into the states that make them.

    Args:
        table: The molecules; stereo is ignored, as fragments have none.
        env: The environment: vocabulary and limits.
        progress: Told of every row.
    """
    decode = Decoder(env)
    trees: list[FragmentTree] = []
    first: list[int] = []
    invalid: list[str] = []
    n_unbuildable = n_beyond_limits = 0
    with progress("parse", len(table)) as advance:
        for row, smiles in enumerate(table.smiles, start=1):
            advance(1)
            standard = read_or_reason(smiles, keep_stereo=False)
            if isinstance(standard, Unreadable):
                invalid.append(f"row {row} is invalid: {standard.reason}")
                continue
            # A policy may draw charges that standardisation removes.
            (decoded,) = decode([Molecule(read_mol(smiles))])
            if not decoded.trees:
                (decoded,) = decode([standard])
            if decoded.trees:
                first.append(len(trees))
                trees += decoded.trees
            elif not decoded.counted:
                invalid.append(f"row {row} is left out: {decoded.reason}")
            elif decoded.reason == NOT_BUILDABLE:
                n_unbuildable += 1
            else:
                n_beyond_limits += 1
    states = FragmentStates.from_trees(trees, env.limits.max_fragments, env.device)
    return Buildable(states, tuple(first), n_unbuildable, n_beyond_limits, tuple(invalid))
