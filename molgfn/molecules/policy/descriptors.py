"""Chemical descriptors of fragments, by which the policy generalises from one to another."""

from __future__ import annotations

import torch
from torch import Tensor

from molgfn.chem.properties.by_name import PROPERTIES
from molgfn.fragments.vocabulary import Vocabulary

#: Properties that add up over fragments, or nearly.
NAMES = ("MW", "logP", "TPSA", "HBD", "HBA", "rings", "aromatic_rings", "fraction_sp3")


def fragment_descriptors(vocabulary: Vocabulary) -> Tensor:
    """Describe every fragment by standardised properties of its template.

    Returns:
        Shape ``(F, len(NAMES))``; every column has mean 0 and, where it varies, variance 1.
    """
    rows = [[PROPERTIES[name](f.mol) for name in NAMES] for f in vocabulary.fragments]
    values = torch.tensor(rows, dtype=torch.float64)
    spread = values.std(0, correction=0)
    centred = values - values.mean(0)
    return (centred / torch.where(spread > 0, spread, 1.0)).float()
