"""A batch of states as one graph for message passing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates


@dataclass(frozen=True)
class StateGraph:
    """V fragments of B states, joined by junctions; each junction has two *ports*.

    Port p sits at ``port_node[p]`` and looks at ``port_neighbour[p]``; the two ports of junction
    j are j and j + P / 2. A *row* is a site of a node that may be open.

    What is packed holds what there is. Where batches keep their size it holds all places, and
    masks tell which of them count.

    Attributes:
        state: State of every node, shape ``(V,)``.
        fragment: Fragment of every node, shape ``(V,)``.
        filled: 1 for a node that is there, else 0, ``(V, 1)``; None where all are.
        frozen: 1 for a node of the start, else 0, ``(V, 1)``; None where the start is empty.
        port_node: Node of every port, shape ``(P,)``.
        port_site: Site of every port, shape ``(P,)``.
        port_neighbour: Node at the other end, shape ``(P,)``.
        joined: 1 for a port that is there, else 0, ``(P, 1)``; None where all are.
        pair_port: Port of every pair of ports of one node, shape ``(Q,)``.
        pair_other: The other port of the pair, shape ``(Q,)``.
        paired: 1 for a pair that is there, else 0, ``(Q, 1)``; None where all are.
        row_state: State of every row, shape ``(R,)``.
        row: Number of every row in its state, shape ``(R,)``.
        row_node: Node of every row, shape ``(R,)``.
        row_site: Site of every row, shape ``(R,)``.
        near_row: Row of every pair of a row and a port of its node, shape ``(J,)``.
        near_port: The port of that pair, shape ``(J,)``.
        near: 1 for a pair that is there, else 0, ``(J, 1)``; None where all are.
    """

    state: Tensor
    fragment: Tensor
    filled: Tensor | None
    frozen: Tensor | None
    port_node: Tensor
    port_site: Tensor
    port_neighbour: Tensor
    joined: Tensor | None
    pair_port: Tensor
    pair_other: Tensor
    paired: Tensor | None
    row_state: Tensor
    row: Tensor
    row_node: Tensor
    row_site: Tensor
    near_row: Tensor
    near_port: Tensor
    near: Tensor | None


def pack(env: FragmentEnv, states: FragmentStates, open_rows: Tensor) -> StateGraph:
    """Pack the fragments of a batch of states into one graph.

    Args:
        env: The environment of the states.
        states: B states.
        open_rows: The rows that are wanted, shape ``(B, N M)``.

    Returns:
        The graph; empty states contribute no node.
    """
    n_sites = env.tensors.n_sites
    filled = states.fragment >= 0
    state, place = filled.nonzero(as_tuple=True)
    node_index = (filled.flatten().long().cumsum(0) - 1).view_as(filled)
    child_state, child_place = (states.parent >= 0).nonzero(as_tuple=True)
    child = node_index[child_state, child_place]
    parent = node_index[child_state, states.parent[child_state, child_place]]
    port_node = torch.cat([child, parent])
    port_site = torch.cat(
        [states.entry_site[child_state, child_place], states.parent_site[child_state, child_place]]
    )
    node_ports = _ports_by_node(port_node, len(state))
    pair_port, pair_other = _ports_around(node_ports, port_node)
    other = pair_port != pair_other
    row_state, row = open_rows.nonzero(as_tuple=True)
    row_node = node_index[row_state, row // n_sites]
    near_row, near_port = _ports_around(node_ports, row_node)
    return StateGraph(
        state=state,
        fragment=states.fragment[state, place],
        filled=None,
        frozen=_weight(place < states.n_frozen[state]) if env.n_frozen else None,
        port_node=port_node,
        port_site=port_site,
        port_neighbour=torch.cat([parent, child]),
        joined=None,
        pair_port=pair_port[other],
        pair_other=pair_other[other],
        paired=None,
        row_state=row_state,
        row=row,
        row_node=row_node,
        row_site=row % n_sites,
        near_row=near_row,
        near_port=near_port,
        near=None,
    )


def pack_all(env: FragmentEnv, states: FragmentStates) -> StateGraph:
    """Lay out all places of a batch of states, so that sizes follow from B alone.

    Returns:
        The graph of V = B N nodes, P = 2 B (N - 1) ports and R = B N M rows.
    """
    device, n_states, n_nodes = states.device, len(states), states.n_nodes
    n_sites, n_junctions = env.tensors.n_sites, n_nodes - 1
    node = torch.arange(n_states * n_nodes, device=device)
    place = node.view(n_states, n_nodes)
    joined = (states.parent >= 0)[:, 1:].flatten()  # a junction for each node but the first
    child = place[:, 1:].flatten()
    parent = (place[:, :1] + states.parent[:, 1:].clamp(min=0)).flatten()
    port_node = torch.cat([child, parent])
    sites = [states.entry_site[:, 1:].flatten(), states.parent_site[:, 1:].flatten()]
    is_port = joined.repeat(2)
    # Ports of one state are those of its junctions, first from here, then from there.
    end = torch.arange(2 * n_junctions, device=device)
    offset = (end // max(n_junctions, 1)) * (n_states * n_junctions) + end % max(n_junctions, 1)
    ports = offset + n_junctions * torch.arange(n_states, device=device)[:, None]
    here = ports.repeat_interleave(len(end), 1).flatten()
    there = ports.repeat(1, len(end)).flatten()
    paired = (
        (port_node[here] == port_node[there]) & (here != there) & is_port[here] & is_port[there]
    )
    site = torch.arange(n_sites, device=device)
    row = torch.arange(n_nodes * n_sites, device=device)
    return StateGraph(
        state=node // n_nodes,
        fragment=states.fragment.flatten().clamp(min=0),
        filled=_weight(states.fragment.flatten() >= 0),
        frozen=_weight(node % n_nodes < states.n_frozen[node // n_nodes]) if env.n_frozen else None,
        port_node=port_node,
        port_site=torch.cat(sites).clamp(min=0),
        port_neighbour=torch.cat([parent, child]),
        joined=_weight(is_port),
        pair_port=here,
        pair_other=there,
        paired=_weight(paired),
        row_state=node.repeat_interleave(n_sites) // n_nodes,
        row=row.repeat(n_states),
        row_node=node.repeat_interleave(n_sites),
        row_site=site.repeat(len(node)),
        near_row=(port_node[:, None] * n_sites + site).flatten(),
        near_port=torch.arange(len(port_node), device=device).repeat_interleave(n_sites),
        near=_weight(is_port.repeat_interleave(n_sites)),
    )


def _weight(mask: Tensor) -> Tensor:
    return mask.float().unsqueeze(1)


def _ports_by_node(port_node: Tensor, n_nodes: int) -> Tensor:
    """Ports of every node, -1 where there are no more, shape (V, D)."""
    degree = torch.bincount(port_node, minlength=n_nodes)
    width = int(degree.max()) if len(port_node) else 0
    order = port_node.argsort(stable=True)
    first = degree.cumsum(0) - degree
    slot = torch.arange(len(port_node), device=port_node.device) - first[port_node[order]]
    table = torch.full((n_nodes, width), -1, device=port_node.device)
    table[port_node[order], slot] = order
    return table


def _ports_around(node_ports: Tensor, nodes: Tensor) -> tuple[Tensor, Tensor]:
    """Join a list of nodes with their ports: positions in the list and ports, each (J,)."""
    ports = node_ports.index_select(0, nodes)  # (R, D)
    where, slot = (ports >= 0).nonzero(as_tuple=True)
    return where, ports[where, slot]
