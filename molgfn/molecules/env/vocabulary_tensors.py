"""A vocabulary as tensors, the form in which the environment and the policy read it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from molgfn.fragments.vocabulary import Vocabulary

#: Weight of the two hydrogens that a junction replaces (IUPAC 2021 standard atomic weight).
WEIGHT_LOST_PER_BOND_G_PER_MOL = 2 * 1.008


@dataclass(frozen=True)
class VocabularyTensors:
    """Everything the fast path needs to know of F fragments with at most M sites.

    *Entries* are the ways in which a fragment can come into a state: first the attachments, one
    per fragment and orbit of its entry sites, then the F first fragments.

    Attributes:
        capacity: Capacity of every site, 0 where there is none, shape ``(F, M)``.
        site_type: Number of the junction type of every site, shape ``(F, M)``.
        site_orbit: Number, unique over the vocabulary, of the orbit of every site, ``(F, M)``.
        site_pair: Number, unique over the vocabulary, of the orbit of every ordered pair of
            sites, shape ``(F, M, M)``.
        is_entry: Whether the fragment may be attached by the site, shape ``(F, M)``.
        attach_entry: Entry number of an attachment by the site, -1 if none, shape ``(F, M)``.
        heavy_atoms: Heavy atoms of every fragment, shape ``(F,)``.
        weight: Weight in g/mol of every fragment, shape ``(F,)``, float64.
        entry_fragment: Fragment of every entry, shape ``(E,)``.
        entry_site: Site by which the entry is attached, -1 for a first fragment, ``(E,)``.
        entry_log_symmetry: log |Stab(entry site)|, or log |Aut| for a first fragment, float64,
            shape ``(E,)``, nats.
        entry_allowed: Whether an attachment may bond to a site of the type, ``(T, E)``.
        fragment_allowed: Whether any attachment of the fragment may, 1 or 0, ``(T, F)``, float.
        n_orbits: Number of site orbits.
        n_pairs: Number of orbits of site pairs.
    """

    capacity: Tensor
    site_type: Tensor
    site_orbit: Tensor
    site_pair: Tensor
    is_entry: Tensor
    attach_entry: Tensor
    heavy_atoms: Tensor
    weight: Tensor
    entry_fragment: Tensor
    entry_site: Tensor
    entry_log_symmetry: Tensor
    entry_allowed: Tensor
    fragment_allowed: Tensor
    n_orbits: int
    n_pairs: int

    @property
    def n_fragments(self) -> int:
        """F, the number of fragments."""
        return self.capacity.shape[0]

    @property
    def n_sites(self) -> int:
        """M, the largest number of sites of a fragment."""
        return self.capacity.shape[1]

    @property
    def n_entries(self) -> int:
        """E, attachments and first fragments together."""
        return self.entry_fragment.shape[0]

    @property
    def n_attachments(self) -> int:
        """Number of attachments; entry ``n_attachments + f`` is the first fragment ``f``."""
        return self.n_entries - self.n_fragments

    def to(self, device: torch.device | str) -> VocabularyTensors:
        """Copy every tensor to a device."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {
            k: v.to(device) if isinstance(v, Tensor) else v for k, v in values.items()
        }
        return VocabularyTensors(**moved)


def vocabulary_tensors(vocabulary: Vocabulary) -> VocabularyTensors:
    """Build the tensors of a vocabulary."""
    fragments = vocabulary.fragments
    n_fragments = len(fragments)
    n_sites = max(1, max(f.n_sites for f in fragments))
    type_number = {name: i for i, name in enumerate(vocabulary.site_types)}
    # Filled one number at a time, for which tensors are slow.
    capacity = np.zeros((n_fragments, n_sites), dtype=np.int64)
    site_type = np.zeros_like(capacity)
    site_orbit = np.zeros_like(capacity)
    site_pair = np.zeros((n_fragments, n_sites, n_sites), dtype=np.int64)
    is_entry = np.zeros((n_fragments, n_sites), dtype=np.bool_)
    attach_entry = np.full_like(capacity, -1)
    entries: list[tuple[int, int, float]] = []
    n_orbits = n_pairs = 0
    for i, fragment in enumerate(fragments):
        orbit_number = {
            site: n_orbits + k for k, site in enumerate(sorted(set(fragment.site_orbits)))
        }
        n_orbits += len(orbit_number)
        pair_number: dict[tuple[int, int], int] = {}
        for site in range(fragment.n_sites):
            capacity[i, site] = fragment.capacities[fragment.site_atoms[site]]
            site_type[i, site] = type_number[fragment.site_types[site]]
            site_orbit[i, site] = orbit_number[fragment.site_orbits[site]]
            is_entry[i, site] = fragment.site_orbits[site] in fragment.entry_sites
            for other in range(fragment.n_sites):
                representative = min((g[site], g[other]) for g in fragment.site_group)
                number = pair_number.setdefault(representative, n_pairs + len(pair_number))
                site_pair[i, site, other] = number
        n_pairs += len(pair_number)
        for representative_site in fragment.entry_sites:
            for site in range(fragment.n_sites):
                if fragment.site_orbits[site] == representative_site:
                    attach_entry[i, site] = len(entries)
            log_stabiliser = math.log(fragment.stabiliser_order(representative_site))
            entries.append((i, representative_site, log_stabiliser))
    types = list(type_number)
    is_allowed = np.array([[vocabulary.allows(a, b) for b in types] for a in types], dtype=np.bool_)
    entry_allowed = np.zeros((max(len(types), 1), len(entries) + n_fragments), dtype=np.bool_)
    fragment_allowed = np.zeros((len(entry_allowed), n_fragments), dtype=np.bool_)
    for e, (i, site, _) in enumerate(entries):
        entry_allowed[:, e] = is_allowed[type_number[fragments[i].site_types[site]]]
        fragment_allowed[:, i] |= entry_allowed[:, e]
    entries += [(i, -1, math.log(f.order)) for i, f in enumerate(fragments)]
    entry_fragment, entry_site, log_symmetry = zip(*entries, strict=True)
    return VocabularyTensors(
        capacity=torch.from_numpy(capacity),
        site_type=torch.from_numpy(site_type),
        site_orbit=torch.from_numpy(site_orbit),
        site_pair=torch.from_numpy(site_pair),
        is_entry=torch.from_numpy(is_entry),
        attach_entry=torch.from_numpy(attach_entry),
        heavy_atoms=torch.tensor([f.n_heavy_atoms for f in fragments]),
        weight=torch.tensor([f.weight_g_per_mol for f in fragments], dtype=torch.float64),
        entry_fragment=torch.tensor(entry_fragment),
        entry_site=torch.tensor(entry_site),
        entry_log_symmetry=torch.tensor(log_symmetry, dtype=torch.float64),
        entry_allowed=torch.from_numpy(entry_allowed),
        fragment_allowed=torch.from_numpy(fragment_allowed).float(),
        n_orbits=n_orbits,
        n_pairs=n_pairs,
    )
