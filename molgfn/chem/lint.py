"""Checking what a vocabulary promises: symmetry, growth and unique decoding."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from molgfn.chem.cutting import is_rule_bond
from molgfn.chem.fragment import Fragment, is_ring_type
from molgfn.chem.molecule import read_mol
from molgfn.chem.parsing import Parser
from molgfn.chem.tree import FragmentTree, TreeSymmetry, assemble
from molgfn.chem.vocabulary import Vocabulary
from molgfn.errors import VocabularyError

#: Random trees that are taken apart again where unique decoding does not follow from the rule.
N_PROBES = 300


@dataclass(frozen=True)
class LintReport:
    """What the linter found.

    Attributes:
        faults: Reasons why the vocabulary cannot be used as it is.
        warnings: What its user should know.
        facts: ``(name, value)`` of its summary.
    """

    faults: tuple[str, ...]
    warnings: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


def lint(vocabulary: Vocabulary) -> LintReport:
    """Check a vocabulary.

    Faults are sites that symmetry does not preserve, and fragments that can bond to nothing: a
    molecule that starts with one never grows. Warnings are the breaks of unique decoding, and
    pairs that no site needs.

    Args:
        vocabulary: Any vocabulary.

    Returns:
        Faults, warnings and a summary.
    """
    unclosed = _open_sites(vocabulary)
    if unclosed:
        # Orbits mean nothing here, and everything below counts by orbits.
        return LintReport(tuple(unclosed), (), (("name", vocabulary.name),))
    warnings = []
    breaks = _rule_breaks(vocabulary)
    if breaks:
        warnings.extend(breaks)
        n_probed, n_several, most = probe_decoding(vocabulary)
        decoding = (
            f"{n_several} of {n_probed} random molecules of 2 or 3 fragments have several trees, "
            f"at most {most}"
        )
        if n_several:
            warnings.append(
                f"{decoding}: sampling by tree favours those molecules; divide their reward by "
                "the number of trees"
            )
    else:
        decoding = "unique: junctions touch a ring, fragments have no such bond inside"
    unused = _unused_pairs(vocabulary)
    if unused:
        warnings.append(f"no site needs the pairs {', '.join('–'.join(p) for p in unused)}")
    closed = vocabulary.provenance.get("closed")
    if isinstance(closed, list) and closed:
        warnings.append(f"{len(closed)} fragments were closed under symmetry: {'; '.join(closed)}")
    return LintReport(tuple(_dead_ends(vocabulary)), tuple(warnings), _facts(vocabulary, decoding))


def partners(vocabulary: Vocabulary, number: int) -> list[int]:
    """List the fragments that may be bonded to a fragment.

    Args:
        vocabulary: The vocabulary.
        number: Fragment number.

    Returns:
        Numbers of the fragments that may attach to it or that it may attach to, ascending.
    """
    own = vocabulary.fragments[number]
    return [
        other
        for other, fragment in enumerate(vocabulary.fragments)
        if _may_attach(vocabulary, own, fragment) or _may_attach(vocabulary, fragment, own)
    ]


def probe_decoding(vocabulary: Vocabulary, n_probes: int = N_PROBES) -> tuple[int, int, int]:
    """Take small random molecules of a vocabulary apart again.

    Args:
        vocabulary: The vocabulary.
        n_probes: Random trees of 2 or 3 fragments to make.

    Returns:
        Distinct molecules probed, how many of them have several trees, and the largest number
        of trees of one molecule.
    """
    generator = random.Random(0)
    symmetry = TreeSymmetry(vocabulary)
    parser = Parser(vocabulary)
    counts: dict[str, int] = {}
    for _ in range(n_probes):
        tree = _random_tree(vocabulary, generator.choice((2, 3)), generator)
        key, _order = symmetry.key_and_order(tree)
        if len(tree) > 1 and key not in counts:
            counts[key] = len(parser.trees(assemble(tree, vocabulary)))
    several = [n for n in counts.values() if n > 1]
    return len(counts), len(several), max(counts.values(), default=0)


def _open_sites(vocabulary: Vocabulary) -> list[str]:
    found = []
    for number, fragment in enumerate(vocabulary.fragments, 1):
        try:
            Fragment.build(fragment.smiles, fragment.capacities, fragment.entries)
        except VocabularyError as error:
            found.append(f"fragment {number}: {error}")
    return found


def _dead_ends(vocabulary: Vocabulary) -> list[str]:
    return [
        f"fragment {number + 1} ({fragment.smiles}) can bond to no fragment; drop it, or give it "
        "a site and a pair"
        for number, fragment in enumerate(vocabulary.fragments)
        if not partners(vocabulary, number)
    ]


def _may_attach(vocabulary: Vocabulary, first: Fragment, second: Fragment) -> bool:
    doors = {second.site_types[site] for site in second.entry_sites}
    return any(vocabulary.allows(kind, door) for kind in set(first.site_types) for door in doors)


def _used_pairs(vocabulary: Vocabulary) -> list[tuple[str, str]]:
    types = vocabulary.site_types
    return [
        (first, second)
        for i, first in enumerate(types)
        for second in types[i:]
        if vocabulary.allows(first, second)
    ]


def _unused_pairs(vocabulary: Vocabulary) -> list[tuple[str, str]]:
    return sorted((vocabulary.pairs or frozenset()) - set(_used_pairs(vocabulary)))


def _rule_breaks(vocabulary: Vocabulary) -> list[str]:
    """Say where the rule 'cut every acyclic single bond that touches a ring atom' is broken."""
    found = []
    chains = [
        pair for pair in _used_pairs(vocabulary) if not any(is_ring_type(kind) for kind in pair)
    ]
    if chains:
        shown = ", ".join("–".join(pair) for pair in chains[:5])
        found.append(f"{len(chains)} allowed pairs touch no ring atom ({_more(shown, chains)})")
    charged = [
        pair for pair in _used_pairs(vocabulary) if all("+" in kind or "-" in kind for kind in pair)
    ]
    if charged:
        shown = ", ".join("–".join(pair) for pair in charged[:5])
        found.append(f"{len(charged)} allowed pairs join two charges ({_more(shown, charged)})")
    uncut = [
        fragment.smiles
        for fragment in vocabulary.fragments
        if any(is_rule_bond(bond) for bond in read_mol(fragment.smiles).GetBonds())
    ]
    if uncut:
        shown = ", ".join(uncut[:5])
        found.append(
            f"{len(uncut)} fragments hold a single bond at a ring that the rule cuts "
            f"({_more(shown, uncut)})"
        )
    return found


def _more(shown: str, items: list[str] | list[tuple[str, str]], limit: int = 5) -> str:
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"


def _facts(vocabulary: Vocabulary, decoding: str) -> tuple[tuple[str, str], ...]:
    fragments = vocabulary.fragments
    rings = sum(f.mol.GetRingInfo().NumRings() > 0 for f in fragments)
    sizes = sorted(f.n_heavy_atoms for f in fragments)
    capacity = sum(sum(f.capacities.values()) for f in fragments)
    restricted = sum(f.entries != frozenset(f.capacities) for f in fragments)
    orders = Counter(f.order for f in fragments)
    used = _used_pairs(vocabulary)
    return (
        ("name", vocabulary.name),
        ("digest", vocabulary.digest[:16]),
        ("fragments", f"{len(fragments)} ({rings} with rings, {len(fragments) - rings} without)"),
        ("heavy atoms", f"{sizes[0]} to {sizes[-1]}, median {sizes[len(sizes) // 2]}"),
        (
            "sites",
            f"{sum(f.n_sites for f in fragments)} taking {capacity} bonds, "
            f"{len(vocabulary.site_types)} junction types",
        ),
        ("entries", "all sites" if not restricted else f"restricted in {restricted} fragments"),
        ("pairs", f"all {len(used)} allowed" if vocabulary.pairs is None else f"{len(used)} used"),
        (
            "symmetry",
            f"{len(fragments) - orders[1]} fragments have some, largest group {max(orders)}",
        ),
        ("decoding", decoding),
    )


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
