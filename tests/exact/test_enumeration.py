"""The fast environment against an enumeration by RDKit that shares no logic with it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from molgfn.fragments import enumeration
from molgfn.fragments.enumeration import enumerate_states
from molgfn.fragments.marked_graph import self_matches
from molgfn.molecules.env.listing import enumerate_fragments

from .spaces import LIMITS, LIMITS_OF, SMALL, STARTS, VOCABULARIES, Case, case_of, vocabulary_of


@pytest.fixture(scope="module", params=[*SMALL, "blocks", "shipped"])
def case(request: pytest.FixtureRequest) -> Case:
    shared = request.getfixturevalue("shared_data") if request.param == "blocks" else None
    return case_of(request.param, shared)


def test_multiplicities_follow_orbit_stabiliser(case: Case) -> None:
    """m / k = |Aut(s)| |Stab(e)| / |Aut(s')| on every edge; 1 for a first fragment."""
    found, fragments = case.found, case.env.vocabulary.fragments
    first = found.edge_site < 0
    assert (found.edge_m[first] == 1).all()
    assert (found.edge_k[first] == 1).all()
    stabiliser = np.array(
        [
            fragments[f].order if site < 0 else fragments[f].stabiliser_order(site)
            for f, site in zip(found.edge_fragment, found.edge_site, strict=True)
        ]
    )
    left = found.edge_m * found.order[found.edge_child]
    right = found.edge_k * found.order[found.edge_parent] * stabiliser
    assert np.array_equal(left, right)
    assert not np.array_equal(found.edge_m, found.edge_k)


def test_multiplicities_add_up(case: Case) -> None:
    found = case.found
    leaves = np.bincount(found.edge_child, weights=found.edge_k, minlength=len(found))
    assert np.array_equal(leaves, found.n_leaves)
    assert np.array_equal(np.bincount(found.action_edge), found.edge_m)
    assert (found.edge_parent < found.edge_child).all()
    assert (found.edge_k >= 1).all()


def test_classes_and_keys_are_the_same_partition(case: Case) -> None:
    """Distinct classes have distinct keys, and every action's child has its class's key."""
    space = case.space
    assert len(set(case.found.marked_smiles)) == len(set(space.keys)) == len(space)
    children = case.env.step(space.states[space.action_state], space.actions)
    assert case.numbers(children) == space.edge_child[space.action_edge].tolist()


def test_legal_actions_agree(case: Case) -> None:
    env, space = case.env, case.space
    state, row = env.legal_row_mask(space.states)[:, :-1].nonzero(as_tuple=True)
    legal = []
    for part in torch.arange(len(state)).split(4096):
        entries = env.legal_entry_mask(space.states[state[part]], row[part])
        index, entry = entries.nonzero(as_tuple=True)
        legal.append(torch.stack([state[part][index], row[part][index], entry], 1))
    listed = torch.cat([space.action_state[:, None], space.actions], 1)
    assert torch.equal(torch.cat(legal), listed.unique(dim=0))
    assert len(listed) == len(listed.unique(dim=0))


def test_stops_agree(case: Case) -> None:
    may_stop = case.env.legal_row_mask(case.space.states)[:, -1]
    assert torch.equal(may_stop, case.space.may_stop)


def test_removable_leaves_agree(case: Case) -> None:
    """The same parents by the same entries, and as often."""
    env, space = case.env, case.space
    child, parents, actions, _ = env.parents(space.states[torch.arange(1, len(space))])
    steps = zip((child + 1).tolist(), case.numbers(parents), actions[:, 1].tolist(), strict=True)
    entry = torch.full((len(space.edge_k),), -1)
    entry[space.action_edge] = space.actions[:, 1]
    listed = zip(space.edge_child.tolist(), space.edge_parent.tolist(), entry.tolist(), strict=True)
    assert Counter(steps) == dict(zip(listed, space.edge_k.tolist(), strict=True))
    assert torch.equal(torch.bincount(child), space.n_leaves[1:])


def test_symmetry_agrees(case: Case) -> None:
    fast = case.env.log_symmetry(case.space.states)
    assert torch.equal(fast.double().exp().round(), case.space.log_symmetry.exp().round())
    assert (case.space.log_symmetry[0] == 0) == (case.env.start is None)


def test_molecules_agree(case: Case) -> None:
    molecules = case.env.molecules(case.stopped)
    listed = [case.found.smiles[i] for i in case.space.terminal.tolist()]
    assert [m.smiles for m in molecules] == listed


def test_vocabularies_are_as_hard_as_meant() -> None:
    """Edges that differ by their entry alone, leaves that must stay, large symmetry groups."""
    for name in ("linkers", "together"):
        found = case_of(name).found
        pairs = Counter(zip(found.edge_parent, found.edge_child, strict=True))
        assert max(pairs.values()) > 1
    entries = case_of("entries").found
    n_nodes = np.array([0 if tree is None else len(tree) for tree in entries.trees])
    assert (entries.n_leaves[n_nodes == 2] < 2).any()
    assert case_of("rings").found.order.max() >= 144


@pytest.mark.parametrize("name", SMALL)
def test_expanding_every_site_gives_the_same_counts(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """m does not hang on the orbits that self matches find: here canonical SMILES alone decide."""
    grouped = case_of(name).found
    monkeypatch.setattr(
        enumeration,
        "self_matches",
        lambda graph: (self_matches(graph)[0], np.arange(graph.GetNumAtoms())),
    )
    single = enumerate_states(
        VOCABULARIES[name], LIMITS_OF.get(name, LIMITS), start=STARTS.get(name)
    )
    assert single.marked_smiles == grouped.marked_smiles
    for column in ("edge_parent", "edge_child", "edge_fragment", "edge_site", "edge_m", "edge_k"):
        assert np.array_equal(getattr(single, column), getattr(grouped, column))


def test_enumeration_of_an_environment_is_reproducible() -> None:
    case = case_of("pairs")
    again = enumerate_fragments(case.env)
    assert again.keys == case.space.keys
    assert torch.equal(again.actions, case.space.actions)
    assert enumerate_states(vocabulary_of("pairs"), case.env.limits).smiles == case.found.smiles
