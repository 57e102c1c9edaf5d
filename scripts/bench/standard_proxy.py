"""The most used proxy, of sEH (Bengio et al. 2021), written anew: ours is timed against it.

Features come from a loop over atoms in Python, the network is made of torch-geometric's operators:
12 rounds of NNConv and one GRU cell, then Set2Set. A test compares it with known values of the
published weights; its time does not depend on the weights, so benchmarks take fresh ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from rdkit import Chem
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import NNConv, Set2Set
from torch_geometric.utils import coalesce

WIDTH = 64
ROUNDS = 12
N_FEATURES = 71
ELEMENTS = {"H": 0, "C": 1, "N": 2, "O": 3, "F": 4}
HYBRIDIZATIONS = (
    Chem.HybridizationType.SP,
    Chem.HybridizationType.SP2,
    Chem.HybridizationType.SP3,
)
BONDS = {
    Chem.BondType.SINGLE: 0,
    Chem.BondType.DOUBLE: 1,
    Chem.BondType.TRIPLE: 2,
    Chem.BondType.AROMATIC: 3,
}


class StandardProxy(nn.Module):
    """The network, with fresh weights."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        self.first = nn.Linear(N_FEATURES, WIDTH)
        self.activation = nn.LeakyReLU()
        of_bond = nn.Sequential(
            nn.Linear(len(BONDS), 128), nn.LeakyReLU(), nn.Linear(128, WIDTH * WIDTH)
        )
        self.convolution = NNConv(WIDTH, WIDTH, of_bond, aggr="mean")
        self.memory = nn.GRU(WIDTH, WIDTH)
        self.pool = Set2Set(WIDTH, processing_steps=3)
        self.last = nn.Linear(2 * WIDTH, 1)

    def forward(self, batch: Batch) -> Tensor:
        """Predict one number for every molecule, shape (B,)."""
        nodes = self.activation(self.first(batch.x))
        hidden = nodes[None]
        for _ in range(ROUNDS):
            heard = self.activation(self.convolution(nodes, batch.edge_index, batch.edge_attr))
            nodes, hidden = self.memory(heard[None], hidden)
            nodes = nodes[0]
        found: Tensor = self.last(self.pool(nodes, batch.batch))
        return found.squeeze(1)

    @torch.no_grad()
    def predict(self, mols: Sequence[Chem.Mol]) -> Tensor:
        """Predict molecules, shape (B,)."""
        found: Tensor = self(Batch.from_data_list([graph(mol) for mol in mols]))
        return found

    def from_smiles(self, texts: Sequence[str]) -> Tensor:
        """Predict SMILES, shape (B,)."""
        return self.predict([Chem.MolFromSmiles(text) for text in texts])


def graph(mol: Chem.Mol) -> Data:
    """Describe a molecule; one without a bond has a loop at its first atom."""
    features = np.zeros((mol.GetNumAtoms(), N_FEATURES))
    for i, atom in enumerate(mol.GetAtoms()):
        features[i, ELEMENTS.get(atom.GetSymbol(), 5)] = 1
        features[i, 9] = atom.GetIsAromatic()
        hybridization = atom.GetHybridization()
        for place, kind in enumerate(HYBRIDIZATIONS):
            features[i, 10 + place] = hybridization == kind
        features[i, 13] = atom.GetTotalNumHs(includeNeighbors=True)
        features[i, 13 + atom.GetAtomicNum()] = 1
    bonds = mol.GetBonds()
    ends = np.array([(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in bonds])
    x = torch.tensor(features, dtype=torch.float32)
    if not len(ends):
        loop = torch.zeros((2, 1), dtype=torch.long)
        return Data(x=x, edge_index=loop, edge_attr=torch.zeros((1, len(BONDS))))
    kinds = np.eye(len(BONDS))[[BONDS[bond.GetBondType()] for bond in bonds]]
    index, kind = coalesce(
        torch.tensor(np.concatenate([ends.T, ends.T[::-1]], 1), dtype=torch.long),
        torch.tensor(np.concatenate([kinds, kinds]), dtype=torch.float32),
    )
    return Data(x=x, edge_index=index, edge_attr=kind)
