"""Random trees taken apart again: how many trees make the molecules of a vocabulary."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from molgfn.chem.molecule import Molecule
from molgfn.errors import MoleculeError
from molgfn.fragments.parsing import Parser
from molgfn.fragments.tree import FragmentTree, assemble
from molgfn.fragments.vocabulary import Vocabulary

#: Random trees made of each number of fragments: larger ones take longer to take apart.
PROBES: Mapping[int, int] = MappingProxyType({2: 200, 3: 200, 4: 150, 5: 150, 6: 100})
#: No further molecules of a size are taken apart after this many trees: a molecule can have
#: thousands, and listing them takes seconds.
MAX_TREES = 2000


@dataclass(frozen=True)
class Ambiguity:
    """How many trees make random molecules of one size.

    Attributes:
        n_fragments: Fragments of the random trees.
        n_probed: Distinct molecules whose trees were counted, at least one.
        n_several: How many of them have several trees.
        most: Largest number of trees of one molecule.
        mean_log_trees: Mean of the natural logarithm of the number of trees.
        n_uncounted: Further molecules that can be cut in too many ways to count.
    """

    n_fragments: int
    n_probed: int
    n_several: int
    most: int
    mean_log_trees: float
    n_uncounted: int


def probe_decoding(
    vocabulary: Vocabulary, probes: Mapping[int, int] = PROBES
) -> tuple[Ambiguity, ...]:
    """Take random molecules of a vocabulary apart again.

    The molecules come from random trees, so those of several trees come more often, as they do
    to a sampler. Their trees may have any number of fragments that the parser takes by default.

    Args:
        vocabulary: The vocabulary.
        probes: How many random trees to make of each number of fragments.

    Returns:
        One result for each number of fragments of which there are molecules, in the order given.
    """
    generator = random.Random(0)
    parser = Parser(vocabulary)
    found = []
    for n_fragments, n_probes in probes.items():
        trees = (_random_tree(vocabulary, n_fragments, generator) for _ in range(n_probes))
        # A dictionary, for its order: where the budget ends must not hang on hashes.
        molecules = dict.fromkeys(
            Molecule(assemble(tree, vocabulary)) for tree in trees if len(tree) == n_fragments
        )
        counts: list[int] = []
        for molecule in molecules:
            if sum(counts) >= MAX_TREES:
                break
            counts.append(_count(parser, molecule))
        counted = [n for n in counts if n]
        if counted:
            found.append(
                Ambiguity(
                    n_fragments,
                    len(counted),
                    sum(n > 1 for n in counted),
                    max(counted),
                    math.fsum(map(math.log, counted)) / len(counted),
                    len(counts) - len(counted),
                )
            )
    return tuple(found)


def _count(parser: Parser, molecule: Molecule) -> int:
    """Number of trees, 0 where they are too many to count."""
    try:
        return len(parser.trees(molecule.mol))
    except MoleculeError:
        return 0


def _random_tree(
    vocabulary: Vocabulary, n_fragments: int, generator: random.Random
) -> FragmentTree:
    """Grow a tree by random legal attachments; it stays smaller where none is legal."""
    fragments = [generator.randrange(len(vocabulary))]
    parents, parent_sites, entry_sites = [-1], [-1], [-1]
    used: Counter[tuple[int, int]] = Counter()
    for node in range(1, n_fragments):
        choices = []
        new = generator.sample(range(len(vocabulary)), k=len(vocabulary))
        for parent, number in enumerate(fragments):
            own = vocabulary.fragments[number]
            for site, atom in enumerate(own.site_atoms):
                if used[parent, site] < own.capacities[atom]:
                    choices.append((parent, site, own.site_types[site]))
        generator.shuffle(choices)
        step = next(
            (
                (parent, site, number, entry)
                for number in new
                for parent, site, kind in choices
                for entry in vocabulary.fragments[number].entry_sites
                if vocabulary.allows(kind, vocabulary.fragments[number].site_types[entry])
            ),
            None,
        )
        if step is None:
            break
        parent, site, number, entry = step
        used[parent, site] += 1
        used[node, entry] += 1
        fragments.append(number)
        parents.append(parent)
        parent_sites.append(site)
        entry_sites.append(entry)
    return FragmentTree(tuple(fragments), tuple(parents), tuple(parent_sites), tuple(entry_sites))
