"""The proxy's message-passing network: from a batch of atom graphs to one number per molecule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch_geometric.nn.conv import GINEConv

from molgfn.reward.proxy.features import DESCRIPTORS, N_ATOM_CODES, N_BOND_CODES, GraphBatch


@dataclass(frozen=True, slots=True)
class Architecture:
    """Shape of one network.

    Attributes:
        hidden: Width H of the atom states.
        layers: Rounds of message passing.
        dropout: Share of the read-out's inputs dropped while training.
    """

    hidden: int = 64
    layers: int = 4
    dropout: float = 0.1


@dataclass(frozen=True)
class RoundWeights:
    """One round of message passing: the new state is s + f(own * n + sum of relu(n' + bond)).

    Here n = norm(s), n' that of a neighbour, and f(x) = relu(x @ inner + bias) @ outer + bias.

    Attributes:
        norm_scale: Of the layer normalisation, shape ``(H,)``.
        norm_shift: Of the layer normalisation, shape ``(H,)``.
        bonds: Embedding of the bond codes, shape ``(N_BOND_CODES, H)``.
        own: Factor on the atom's own state, shape ``(H,)``.
        inner: Shape ``(H, H)``.
        inner_bias: Shape ``(H,)``.
        outer: Shape ``(H, H)``.
        outer_bias: Shape ``(H,)``.
    """

    norm_scale: Tensor
    norm_shift: Tensor
    bonds: Tensor
    own: Tensor
    inner: Tensor
    inner_bias: Tensor
    outer: Tensor
    outer_bias: Tensor


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

    def forward(self, batch: GraphBatch) -> Tensor:
        """Predict the standardised target.

        Args:
            batch: B molecules.

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
        read_out = self.read_out(total, counts, top, batch.descriptors)
        return self.head(read_out).squeeze(1)  # type: ignore[no-any-return]

    def read_out(self, total: Tensor, counts: Tensor, top: Tensor, descriptors: Tensor) -> Tensor:
        """Join what the head reads.

        Args:
            total: Sum of the atoms' states, shape ``(B, H)``.
            counts: Number of atoms, shape ``(B, 1)``.
            top: Largest value of each entry of the atoms' states, shape ``(B, H)``.
            descriptors: Raw molecule descriptors, shape ``(B, len(DESCRIPTORS))``.

        Returns:
            Inputs of the head, shape ``(B, 3 H + len(DESCRIPTORS))``.
        """
        scaled = (descriptors - self.descriptor_mean) / self.descriptor_sd
        return torch.cat([total / 25.0, total / counts, top, scaled], dim=1)

    def round_weights(self, layer: int) -> RoundWeights:
        """Weights of one round of message passing as plain tensors, for inference.

        Args:
            layer: Number of the round, from 0.

        Returns:
            The weights, without gradients.
        """
        conv, norm = cast("GINEConv", self.convs[layer]), cast("nn.LayerNorm", self.norms[layer])
        inner, outer = conv.nn[0], conv.nn[2]
        return RoundWeights(
            norm_scale=norm.weight.detach(),
            norm_shift=norm.bias.detach(),
            bonds=cast("nn.Embedding", self.bonds[layer]).weight.detach(),
            own=(1.0 + conv.eps.detach()).expand(norm.weight.shape[0]),
            inner=inner.weight.detach().t(),
            inner_bias=inner.bias.detach(),
            outer=outer.weight.detach().t(),
            outer_bias=outer.bias.detach(),
        )
