"""A batch of states as one packed graph for message passing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from molgfn.env.fragment_env import FragmentEnv
from molgfn.env.states import FragmentStates


@dataclass(frozen=True)
class StateGraph:
    """V fragments of B states, joined by junctions; each junction has two *ports*.

    Port p sits at ``port_node[p]`` and looks at ``port_neighbour[p]``; the two ports of junction
    j are j and j + P / 2.

    Attributes:
        state: State of every node, shape ``(V,)``.
        fragment: Fragment of every node, shape ``(V,)``.
        node_index: Packed number of every node, 0 where empty, shape ``(B, N)``.
        port_node: Node of every port, shape ``(P,)``.
        port_site: Site of every port, shape ``(P,)``.
        port_neighbour: Node at the other end, shape ``(P,)``.
        node_ports: Ports of every node, -1 where there are no more, shape ``(V, D)``.
    """

    state: Tensor
    fragment: Tensor
    node_index: Tensor
    port_node: Tensor
    port_site: Tensor
    port_neighbour: Tensor
    node_ports: Tensor

    def ports_around(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Join a list of nodes with their ports.

        Args:
            nodes: Node numbers, repeats allowed, shape ``(R,)``.

        Returns:
            Positions in ``nodes`` and port numbers, one pair per port, each ``(J,)``.
        """
        ports = self.node_ports[nodes]  # (R, D)
        where, slot = (ports >= 0).nonzero(as_tuple=True)
        return where, ports[where, slot]


def pack(env: FragmentEnv, states: FragmentStates) -> StateGraph:
    """Pack the fragments of a batch of states into one graph.

    Args:
        env: The environment of the states.
        states: B states.

    Returns:
        The graph; empty states contribute no node.
    """
    filled = states.fragment >= 0
    state, place = filled.nonzero(as_tuple=True)
    node_index = (filled.flatten().long().cumsum(0) - 1).clamp(min=0).view_as(filled)
    child_state, child_place = (states.parent >= 0).nonzero(as_tuple=True)
    child = node_index[child_state, child_place]
    parent = node_index[child_state, states.parent[child_state, child_place]]
    port_node = torch.cat([child, parent])
    port_site = torch.cat(
        [states.entry_site[child_state, child_place], states.parent_site[child_state, child_place]]
    )
    return StateGraph(
        state=state,
        fragment=states.fragment[state, place],
        node_index=node_index,
        port_node=port_node,
        port_site=port_site,
        port_neighbour=torch.cat([parent, child]),
        node_ports=_ports_by_node(port_node, len(state)),
    )


def _ports_by_node(port_node: Tensor, n_nodes: int) -> Tensor:
    degree = torch.bincount(port_node, minlength=n_nodes)
    width = int(degree.max()) if len(port_node) else 0
    order = port_node.argsort(stable=True)
    first = degree.cumsum(0) - degree
    slot = torch.arange(len(port_node), device=port_node.device) - first[port_node[order]]
    table = torch.full((n_nodes, width), -1, device=port_node.device)
    table[port_node[order], slot] = order
    return table
