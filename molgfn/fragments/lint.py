"""Checking what a vocabulary promises: symmetry, growth and unique decoding."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from molgfn.chem.molecule import read_mol
from molgfn.errors import VocabularyError
from molgfn.fragments.cutting import is_rule_bond
from molgfn.fragments.fragment import Fragment, is_ring_type
from molgfn.fragments.probing import Ambiguity, probe_decoding
from molgfn.fragments.vocabulary import Vocabulary


@dataclass(frozen=True)
class LintReport:
    """What the linter found.

    Attributes:
        faults: Reasons why the vocabulary cannot be used as it is.
        warnings: What a user should know before training with it.
        facts: ``(name, value)`` of its summary.
    """

    faults: tuple[str, ...]
    warnings: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


def lint(vocabulary: Vocabulary) -> LintReport:
    """Check a vocabulary.

    Faults are sites that symmetry does not preserve, and fragments that can bond to nothing: a
    molecule that starts with one never grows. Warnings are breaks of unique decoding, pairs that
    no site needs, and what a reader changed.
    """
    unclosed = _open_sites(vocabulary)
    if unclosed:
        # Orbits mean nothing here, and everything below counts by orbits.
        return LintReport(tuple(unclosed), (), (("name", vocabulary.name),))
    warnings = []
    breaks = _rule_breaks(vocabulary)
    if breaks:
        warnings.extend(breaks)
        probed = probe_decoding(vocabulary)
        warnings.extend(_favoured(probed))
        decoding = _decoding_facts(probed)
    else:
        decoding = [
            ("decoding", "unique: junctions touch a ring, fragments have no such bond inside")
        ]
    unused = _unused_pairs(vocabulary)
    if unused:
        warnings.append(f"no site needs the pairs {', '.join('–'.join(p) for p in unused)}")
    closed = vocabulary.provenance.get("closed")
    if isinstance(closed, list) and closed:
        warnings.append(f"{len(closed)} fragments were closed under symmetry: {'; '.join(closed)}")
    flattened = vocabulary.provenance.get("flattened")
    if isinstance(flattened, list) and flattened:
        warnings.append(f"{len(flattened)} rows lost their stereo: {', '.join(flattened)}")
    return LintReport(tuple(_dead_ends(vocabulary)), tuple(warnings), _facts(vocabulary, decoding))


def partners(vocabulary: Vocabulary, number: int) -> list[int]:
    """Numbers of the fragments that may attach to a fragment or it to them, ascending."""
    own = vocabulary.fragments[number]
    return [
        other
        for other, fragment in enumerate(vocabulary.fragments)
        if _may_attach(vocabulary, own, fragment) or _may_attach(vocabulary, fragment, own)
    ]


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


def _favoured(probed: tuple[Ambiguity, ...]) -> list[str]:
    """Say what several trees for one molecule do to a sampler."""
    most = max((ambiguity.most for ambiguity in probed), default=1)
    if most > 1:
        return [
            "some molecules have several trees: sampling by tree favours such molecules up to "
            f"{most}-fold among those probed; set reward.divide_by_multiplicity=true"
        ]
    return []


def _decoding_facts(probed: tuple[Ambiguity, ...]) -> list[tuple[str, str]]:
    unique = all(ambiguity.most <= 1 for ambiguity in probed)
    first = "no molecule with several trees found" if unique else "not unique"
    lines = [("decoding", f"{first}; random molecules taken apart, by number of fragments:")]
    for each in probed:
        uncounted = f"; {each.n_uncounted} have too many to count" if each.n_uncounted else ""
        lines.append(
            (
                f"  {each.n_fragments}",
                f"{each.n_several} of {each.n_probed} have several trees "
                f"({each.n_several / each.n_probed:.0%}), at most {each.most}, "
                f"mean of ln(trees) {each.mean_log_trees:.2f}{uncounted}",
            )
        )
    return lines


def _facts(vocabulary: Vocabulary, decoding: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
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
        *decoding,
    )
