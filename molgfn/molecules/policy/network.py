"""The flow policy: a graph network on fragment trees, conditioned on beta."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from molgfn.config.schema import PolicyConfig
from molgfn.gfn.condition import Condition
from molgfn.gfn.log_partition import ConditionEncoding
from molgfn.gfn.policy import PolicyNetwork
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.legal_actions import Sizes
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.env.vocabulary_tensors import VocabularyTensors
from molgfn.molecules.policy.descriptors import fragment_descriptors
from molgfn.molecules.policy.distribution import FlowActionDistribution
from molgfn.molecules.policy.graph import StateGraph, pack, pack_all
from molgfn.molecules.policy.heads import INITIAL_SPREAD, ActionHeads, PreparedHeads

#: Weight, at the largest beta, of the head that is proportional to beta; that of the other is 1.
BETA_GAIN = 4.0


@dataclass(frozen=True)
class _Tables:
    """What depends on the weights and not on the states.

    Attributes:
        fragments: A vector of every fragment, shape ``(F, H)``.
        ports: One of every orbit of sites, as the place of a junction, shape ``(O, H)``.
        sites: One of every orbit of sites, as an open site, shape ``(O, H)``.
        heads: The heads.
    """

    fragments: Tensor
    ports: Tensor
    sites: Tensor
    heads: PreparedHeads


class FlowPolicy(PolicyNetwork[FragmentStates]):
    """P_F(action | state, condition) and the flow F(state | condition).

    Sites enter by the orbits of sites and of pairs of sites under the template's symmetry, never
    by their index: two actions that lead to the same state have the same probability. Fragments
    and sites have a learned vector each, on top of one that follows from their chemistry.

    Logits are those of two heads, the second times beta: log F is a free energy, of which the part
    that counts molecules stays and the part that counts their rewards grows with beta.
    """

    descriptors: Tensor
    orbit_type: Tensor

    def __init__(
        self,
        env: FragmentEnv,
        config: PolicyConfig,
        *,
        beta_min: float,
        beta_max: float,
        n_objectives: int = 1,
    ) -> None:
        super().__init__()
        self.env = env
        tensors, hidden = env.tensors, config.hidden
        self.encode = ConditionEncoding(beta_min, beta_max, n_objectives)
        n_context = self.encode.n_features + env.limits.max_fragments + 3
        self.context = _mlp(n_context, hidden, hidden)
        descriptors = fragment_descriptors(env.vocabulary)
        self.register_buffer("descriptors", descriptors, persistent=False)
        self.register_buffer("orbit_type", _orbit_types(tensors), persistent=False)
        self.describe = nn.Linear(descriptors.shape[1], hidden)
        self.fragment = nn.Embedding(tensors.n_fragments, hidden)
        n_types = max(len(env.vocabulary.site_types), 1)
        self.port_type = nn.Embedding(n_types, hidden)
        self.site_type = nn.Embedding(n_types, hidden)
        self.port_orbit = nn.Embedding(tensors.n_orbits, hidden)
        self.pair = nn.Embedding(tensors.n_pairs, hidden)
        self.convolutions = nn.ModuleList(_Convolution(hidden) for _ in range(config.layers))
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(config.layers))
        self.pools = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(config.layers))
        self.final_norm = nn.LayerNorm(hidden)
        self.site_orbit = nn.Embedding(tensors.n_orbits, hidden)
        self.near = nn.Linear(hidden, hidden)
        # Only where there are frozen nodes: a policy of the empty start has no such weight.
        self.frozen = nn.Parameter(torch.zeros(hidden)) if env.n_frozen else None
        self.heads = ActionHeads(hidden, tensors.n_entries, n_heads=2)
        self.log_flow = _mlp(hidden, hidden, 1)
        self.beta_max = beta_max
        for embedding in (self.fragment, self.port_orbit, self.site_orbit, self.pair):
            nn.init.normal_(embedding.weight, std=INITIAL_SPREAD)

    def forward(self, states: FragmentStates, condition: Condition) -> FlowActionDistribution:
        """Compute the distribution over the actions of every state.

        Returns:
            The distribution with the flow, differentiable in the weights.
        """
        return self._distribution(self._tables(), False, states, condition)

    @torch.no_grad()
    def prepare(
        self, *, lockstep: bool = False
    ) -> Callable[[FragmentStates, Condition], FlowActionDistribution]:
        """Compute once what depends on the weights alone, for many calls of :meth:`forward`.

        Args:
            lockstep: Lay out all places of a state, and so ask nothing of the device.

        Returns:
            The same function, good as long as the weights stay as they are.
        """
        return partial(self._distribution, self._tables(), lockstep)

    def _tables(self) -> _Tables:
        env, orbit_type = self.env, self.orbit_type
        fragments = self.fragment.weight + self.describe(self.descriptors)
        owner = env.tensors.entry_fragment
        return _Tables(
            fragments=fragments,
            ports=self.port_orbit.weight + self.port_type.weight.index_select(0, orbit_type),
            sites=self.site_orbit.weight + self.site_type.weight.index_select(0, orbit_type),
            heads=self.heads.prepare(fragments, owner, env.n_entry_columns),
        )

    def _distribution(
        self, tables: _Tables, lockstep: bool, states: FragmentStates, condition: Condition
    ) -> FlowActionDistribution:
        env, heads = self.env, tables.heads
        sizes = env.sizes(states)
        legal = env.legal_row_mask(states, sizes)
        empty = states.fragment[:, 0] < 0
        open_rows = legal[:, :-1] & ~empty[:, None]
        graph = pack_all(env, states) if lockstep else pack(env, states, open_rows)
        context = self.context(self._context_features(states, sizes, condition))  # (B, H)
        nodes, pooled = self._encode(graph, tables, context)
        rows = self._row_features(graph, tables, nodes)
        weights = self._head_weights(condition.log_beta)  # (B, K)
        of_rows = heads.row_logits(heads.hidden(rows))
        of_rows = (of_rows * weights.index_select(0, graph.row_state)).sum(1)
        of_stop = (heads.stop_logits(pooled) * weights).sum(1, keepdim=True)
        logits = torch.zeros_like(open_rows, dtype=of_rows.dtype)
        logits = logits.index_put((graph.row_state, graph.row), of_rows)
        logits = torch.cat([logits, of_stop], 1) + legal.log()
        # The only row of the empty tree is described by the context.
        rows = torch.cat([rows, context])
        position = torch.zeros_like(open_rows, dtype=torch.long)
        position[graph.row_state, graph.row] = torch.arange(len(graph.row), device=states.device)
        first = torch.arange(len(graph.row), len(rows), device=states.device)
        position[:, 0] = torch.where(empty, first, position[:, 0])

        def entry_logits(index: Tensor, row: Tensor) -> Tensor:
            chosen = heads.hidden(rows.index_select(0, position[index, row]))
            fitting = sizes.fitting.index_select(0, index)
            mask = env.log_entry_mask(sizes.row_type[index, row], fitting)
            return heads.add_entry_logits_(mask, chosen, weights.index_select(0, index))

        log_flow = self.log_flow(pooled).squeeze(1)
        return FlowActionDistribution(logits, entry_logits, lockstep, log_flow)

    def _head_weights(self, log_beta: Tensor) -> Tensor:
        """Share of each head in the logits: 1, and proportional to beta; shape (B, 2)."""
        growing = BETA_GAIN * log_beta.exp() / self.beta_max
        return torch.stack([torch.ones_like(growing), growing], 1)

    def _context_features(
        self, states: FragmentStates, sizes: Sizes, condition: Condition
    ) -> Tensor:
        limits = self.env.limits
        places = torch.arange(limits.max_fragments + 1, device=states.device)
        count = (states.n_fragments[:, None] == places).float()
        heavy = (sizes.heavy_atoms / limits.max_heavy_atoms).float()
        weight = (sizes.weight_g_per_mol / limits.max_weight_g_per_mol).float()
        return torch.cat([self.encode(condition), count, heavy[:, None], weight[:, None]], 1)

    def _encode(self, graph: StateGraph, tables: _Tables, context: Tensor) -> tuple[Tensor, Tensor]:
        """Pass messages along the junctions; returns nodes (V, H) and pooled states (B, H)."""
        tensors = self.env.tensors
        port_fragment = graph.fragment[graph.port_node]
        orbit = tensors.site_orbit[port_fragment, graph.port_site]
        # How the ports of one fragment lie to each other: ortho, meta, para.
        here, there = graph.pair_port, graph.pair_other
        pair = self.pair(
            tensors.site_pair[port_fragment[here], graph.port_site[here], graph.port_site[there]]
        )
        port = tables.ports.index_select(0, orbit)
        port = port.index_add(0, here, _counted(pair, graph.paired))
        edge = port + port.roll(len(port) // 2, 0)
        nodes = tables.fragments.index_select(0, graph.fragment) + context.index_select(
            0, graph.state
        )
        if self.frozen is not None and graph.frozen is not None:
            nodes = nodes + graph.frozen * self.frozen
        for convolution, norm, pool in zip(self.convolutions, self.norms, self.pools, strict=True):
            normed = norm(nodes)
            total = torch.zeros_like(context)
            total = total.index_add(0, graph.state, _counted(normed, graph.filled))
            around = pool(total).index_select(0, graph.state)
            nodes = nodes + convolution(normed, graph, edge) + around
        nodes = self.final_norm(nodes)
        return nodes, context.index_add(0, graph.state, _counted(nodes, graph.filled))

    def _row_features(self, graph: StateGraph, tables: _Tables, nodes: Tensor) -> Tensor:
        """Describe open sites: their fragment, their orbit, what is bonded where around them."""
        tensors = self.env.tensors
        fragment = graph.fragment[graph.row_node]
        where, port = graph.near_row, graph.near_port
        pair = tensors.site_pair[fragment[where], graph.row_site[where], graph.port_site[port]]
        near = self.near(nodes).index_select(0, graph.port_neighbour[port])
        near.add_(self.pair(pair)).relu_()
        own: Tensor = nodes.index_select(0, graph.row_node)
        own.add_(tables.sites.index_select(0, tensors.site_orbit[fragment, graph.row_site]))
        return own.index_add_(0, where, _counted(near, graph.near))


class _Convolution(nn.Module):
    """What fragments learn from their neighbours: the GINE operator of Hu et al. 2020.

    torch-geometric has it too, but its import takes longer than that of torch, and every command
    that draws molecules would pay for it. A test compares the two.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.update = _mlp(hidden, hidden, hidden)

    def forward(self, nodes: Tensor, graph: StateGraph, edge: Tensor) -> Tensor:
        messages = nodes.index_select(0, graph.port_neighbour).add_(edge).relu_()
        messages = _counted(messages, graph.joined)
        learned: Tensor = self.update(nodes.index_add(0, graph.port_node, messages))
        return learned


def _orbit_types(tensors: VocabularyTensors) -> Tensor:
    """Junction type of every orbit of sites, shape (O,); equivalent sites have the same."""
    types = torch.zeros(tensors.n_orbits, dtype=torch.long, device=tensors.site_type.device)
    is_site = tensors.capacity > 0
    types[tensors.site_orbit[is_site]] = tensors.site_type[is_site]
    return types


def _counted(values: Tensor, mask: Tensor | None) -> Tensor:
    """Values that count: of a packed graph all, of one with all places those of the mask."""
    return values if mask is None else values * mask


def _mlp(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, n_out))
