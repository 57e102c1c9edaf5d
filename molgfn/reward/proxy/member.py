"""The proxy's message-passing network: from a batch of atom graphs to one number per molecule."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn.conv import GINEConv

from molgfn.reward.proxy.architecture import Architecture, Weights, read_out
from molgfn.reward.proxy.features import DESCRIPTORS, N_ATOM_CODES, N_BOND_CODES, GraphBatch


class ProxyNetwork(nn.Module):
    """Graph isomorphism network with bond embeddings, read out by sum, mean and maximum.

    The sum is what lets the value grow with the molecule, as docking energies do; the mean and the
    maximum say what the molecule is like whatever its size. Molecule descriptors join at the end.

    Args:
        architecture: Shape of the network.

    References:
        Hu et al. 2020, Strategies for pre-training graph neural networks (GINE).
        https://arxiv.org/abs/1905.12265
    """

    descriptor_mean: Tensor
    descriptor_sd: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        width = architecture.hidden
        self.atom = nn.EmbeddingBag(N_ATOM_CODES, width, mode="sum")
        self.bonds = nn.ModuleList(
            nn.Embedding(N_BOND_CODES, width) for _ in range(architecture.layers)
        )
        self.convs = nn.ModuleList(
            GINEConv(
                nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)),
                train_eps=True,
            )
            for _ in range(architecture.layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(architecture.layers))
        n_inputs = 3 * width + len(DESCRIPTORS)
        self.head = nn.Sequential(
            nn.Dropout(architecture.dropout),
            nn.Linear(n_inputs, width),
            nn.ReLU(),
            nn.Dropout(architecture.dropout),
            nn.Linear(width, 1),
        )
        self.register_buffer("descriptor_mean", torch.zeros(len(DESCRIPTORS)))
        self.register_buffer("descriptor_sd", torch.ones(len(DESCRIPTORS)))

    @classmethod
    def of(cls, architecture: Architecture, weights: Weights) -> ProxyNetwork:
        """Make a network with given weights."""
        network = cls(architecture)
        network.load_state_dict(dict(weights))
        return network.eval()

    def forward(self, batch: GraphBatch) -> Tensor:
        """Predict the standardised target.

        Returns:
            Standardised prediction, shape ``(B,)``.
        """
        n_molecules = batch.n_molecules
        state = self.atom(batch.atoms)  # (V, H)
        for conv, norm, bond in zip(self.convs, self.norms, self.bonds, strict=True):
            state = state + conv(norm(state), batch.edges, bond(batch.bonds))
        total = state.new_zeros(n_molecules, state.shape[1]).index_add_(0, batch.owner, state)
        counts = torch.bincount(batch.owner, minlength=n_molecules).unsqueeze(1)  # (B, 1)
        top = torch.full_like(total, float("-inf")).scatter_reduce_(
            0, batch.owner.unsqueeze(1).expand_as(state), state, "amax"
        )
        scaled = (batch.descriptors - self.descriptor_mean) / self.descriptor_sd
        prediction: Tensor = self.head(read_out(total, counts, top, scaled))
        return prediction.squeeze(1)
