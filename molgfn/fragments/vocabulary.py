"""A vocabulary: an ordered set of fragments and the junctions that are allowed between them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from molgfn.errors import VocabularyError, shown
from molgfn.fragments.fragment import Fragment


@dataclass(frozen=True)
class Vocabulary:
    """Fragments and allowed junctions, the alphabet of an environment.

    Attributes:
        name: Short name for messages and tables.
        fragments: The fragments; their position is their number.
        pairs: Allowed junctions as unordered pairs of junction types, each sorted; ``None``
            allows every pair.
        provenance: Where it came from: source, licence, command. Not part of the digest.
    """

    name: str
    fragments: tuple[Fragment, ...]
    pairs: frozenset[tuple[str, str]] | None = None
    provenance: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an empty vocabulary and duplicate templates.

        Raises:
            VocabularyError: There is no fragment, or two share a template.
        """
        if not self.fragments:
            raise VocabularyError(f"the vocabulary {shown(self.name)} has no fragments")
        seen: dict[str, int] = {}
        for i, fragment in enumerate(self.fragments):
            if fragment.smiles in seen:
                raise VocabularyError(
                    f"fragments {seen[fragment.smiles]} and {i} are both {fragment.smiles}; "
                    "merge their sites into one entry"
                )
            seen[fragment.smiles] = i

    def __len__(self) -> int:
        return len(self.fragments)

    def most_common(self, n: int) -> Vocabulary:
        """Keep the n fragments seen most often, and the pairs."""
        if n >= len(self):
            return self
        by_count = sorted(self.fragments, key=lambda fragment: -fragment.count)
        name = f"{self.name}, {n} most common"
        return Vocabulary(name, tuple(by_count[:n]), self.pairs, self.provenance)

    @cached_property
    def index(self) -> dict[str, int]:
        """Fragment number by canonical SMILES of the template."""
        return {fragment.smiles: i for i, fragment in enumerate(self.fragments)}

    @cached_property
    def site_types(self) -> tuple[str, ...]:
        """All junction types of the sites, sorted."""
        return tuple(sorted({t for fragment in self.fragments for t in fragment.site_types}))

    def allows(self, first: str, second: str) -> bool:
        """Whether two junction types may be bonded, in either order."""
        return self.pairs is None or tuple(sorted((first, second))) in self.pairs

    @cached_property
    def digest(self) -> str:
        """SHA-256 of fragments, sites, entries and pairs; two equal digests make equal states."""
        content = {
            "fragments": [
                [f.smiles, sorted(f.capacities.items()), sorted(f.entries)] for f in self.fragments
            ],
            "pairs": None if self.pairs is None else sorted(self.pairs),
        }
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()
