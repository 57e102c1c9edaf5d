"""All states of a fragment environment with a small vocabulary, as tensors."""

from __future__ import annotations

from collections.abc import Callable

import torch

from molgfn.fragments.enumeration import Enumeration, enumerate_states
from molgfn.gfn.space import Space
from molgfn.molecules.env.fragment_env import STOP, FragmentEnv
from molgfn.molecules.env.states import FragmentStates


def enumerate_fragments(
    env: FragmentEnv,
    max_states: int = 200_000,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> Space[FragmentStates]:
    """List the states of an environment.

    The list is made by RDKit on assembled molecules, see :mod:`molgfn.fragments.enumeration`.

    Args:
        env: The environment; its vocabulary and limits are what is listed.
        max_states: Give up beyond this number of classes, the initial state among them.
        on_progress: Called with the number of classes done, after each.

    Raises:
        ConfigError: There are more than ``max_states``.
        VocabularyError: A state has too many automorphisms to list.
    """
    found = enumerate_states(
        env.vocabulary, env.limits, max_states, start=env.start, on_progress=on_progress
    )
    return fragment_space(env, found)


def fragment_space(env: FragmentEnv, found: Enumeration) -> Space[FragmentStates]:
    """Put an enumeration into the terms of an environment.

    Of the environment only the numbering of actions and the canonical keys are used: that what
    was listed is what the environment allows is for tests to show.

    Returns:
        The space, on the environment's device; states, edges and actions in the same order.
    """
    tensors, device = env.tensors, env.device
    trees = [tree for tree in found.trees[1:] if tree is not None]
    start = "" if env.start is None else env.keys(env.initial_states(1))[0]
    grown = FragmentStates.from_trees(trees, env.limits.max_fragments, device).going_copy()
    states = FragmentStates.cat([env.initial_states(1), grown])
    node, site, edge = (
        torch.from_numpy(column).to(device)
        for column in (found.action_node, found.action_site, found.action_edge)
    )
    fragment = torch.from_numpy(found.edge_fragment).to(device)[edge]
    entry_site = torch.from_numpy(found.edge_site).to(device)[edge]
    is_first = node < 0
    row = torch.where(is_first, 0, node * tensors.n_sites + site)
    entry = torch.where(
        is_first,
        tensors.n_attachments + fragment,
        tensors.attach_entry[fragment, entry_site.clamp(min=0)],
    )
    return Space(
        states=states,
        keys=[start, *env.keys(grown)],
        depth=states.n_fragments - env.n_frozen,
        may_stop=torch.from_numpy(found.may_stop).to(device),
        log_symmetry=torch.from_numpy(found.order).to(device).double().log(),
        n_leaves=torch.from_numpy(found.n_leaves).to(device),
        edge_parent=torch.from_numpy(found.edge_parent).to(device),
        edge_child=torch.from_numpy(found.edge_child).to(device),
        edge_m=torch.from_numpy(found.edge_m).to(device),
        edge_k=torch.from_numpy(found.edge_k).to(device),
        action_state=torch.from_numpy(found.action_state).to(device),
        actions=torch.stack([row, entry], 1),
        action_edge=edge,
        stop_action=torch.tensor([STOP, 0], device=device),
    )
