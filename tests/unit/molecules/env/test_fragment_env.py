"""Masks, steps and limits of the environment, by hand on two or three fragments."""

import math

import pytest
import torch

from molgfn.config.schema import LimitsConfig
from molgfn.errors import ConfigError
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.tree import FragmentTree
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.molecules.env.fragment_env import STOP, FragmentEnv
from molgfn.molecules.env.states import FragmentStates

BENZENE = Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1))
AMMONIA = Fragment.build("N", {0: 2})
ALONE = FragmentTree((0,), (-1,), (-1,), (-1,))
#: Entries of the vocabulary below: attach benzene, attach ammonia, begin with either.
ATTACH_BENZENE, ATTACH_AMMONIA, BEGIN_BENZENE, BEGIN_AMMONIA = range(4)


def make_env(fragments=(BENZENE, AMMONIA), pairs=None, **limits):
    return FragmentEnv(Vocabulary("two", fragments, pairs), LimitsConfig(**limits))


def open_state(env, tree):
    state = FragmentStates.from_trees([tree], env.limits.max_fragments, torch.device("cpu"))
    return state.going_copy()


def rows_of(env, state):
    mask = env.legal_row_mask(state)[0]
    return mask[:-1].nonzero().flatten().tolist(), bool(mask[-1])


def entries_of(env, state, row):
    return env.legal_entry_mask(state, torch.tensor([row]))[0].nonzero().flatten().tolist()


def act(env, state, row, entry):
    actions = torch.tensor([[row, entry]])
    following = env.step(state, actions)
    return following, env.log_pb(following, actions)


def test_the_empty_tree_offers_first_fragments_only():
    env = make_env()
    state = env.initial_states(1)
    assert rows_of(env, state) == ([0], False)
    assert entries_of(env, state, 0) == [BEGIN_BENZENE, BEGIN_AMMONIA]


def test_one_fragment_may_not_stop_below_the_minimum():
    env = make_env()
    benzene, log_pb = act(env, env.initial_states(1), 0, BEGIN_BENZENE)
    assert rows_of(env, benzene) == ([0, 1, 2, 3, 4, 5], False)
    assert entries_of(env, benzene, 3) == [ATTACH_BENZENE, ATTACH_AMMONIA]
    # The local part is -log 1 - log|Aut(benzene)|; |Aut(s')| makes the step's log P_B zero.
    assert float(log_pb) == pytest.approx(-math.log(12))
    assert float(env.log_symmetry(benzene)) == pytest.approx(math.log(12))


def test_capacity_is_used_up():
    env = make_env()
    state, _ = act(env, env.initial_states(1), 0, BEGIN_AMMONIA)
    for n in (1, 2):
        assert (0 in rows_of(env, state)[0]) is True
        state, log_pb = act(env, state, 0, ATTACH_BENZENE)
        # Two leaves in either state (for n = 1 both ends), |Stab| of a benzene carbon is 2.
        assert float(log_pb) == pytest.approx(-math.log(2) - math.log(2)), n
    assert int(env.used_capacity(state)[0, 0, 0]) == 2
    rows, may_stop = rows_of(env, state)
    assert may_stop
    assert all(row // env.tensors.n_sites in (1, 2) for row in rows)
    assert env.molecules(state)[0].smiles == "c1ccc(Nc2ccccc2)cc1"
    assert float(env.log_symmetry(state)) == pytest.approx(math.log(8))


def test_stop_ends_the_state():
    env = make_env()
    state = open_state(env, FragmentTree((0, 1), (-1, 0), (-1, 2), (-1, 0)))
    stopped, log_pb = act(env, state, STOP, 0)
    assert stopped.stopped.all()
    assert float(log_pb) == 0
    assert torch.equal(stopped.fragment, state.fragment)


@pytest.mark.parametrize(("most", "expected"), [(12, [0, 1, 2, 3, 4, 5]), (6, [])])
def test_heavy_atoms_are_a_mask(most, expected):
    env = make_env(fragments=(BENZENE,), min_fragments=1, max_heavy_atoms=most)
    benzene, _ = act(env, env.initial_states(1), 0, 1)
    assert rows_of(env, benzene) == (expected, True)


def test_a_molecule_exactly_at_the_weight_limit_is_legal():
    biphenyl = 2 * BENZENE.weight_g_per_mol - 2.016
    for limit, n_rows in ((biphenyl, 6), (biphenyl - 0.01, 0)):
        env = make_env(fragments=(BENZENE,), min_fragments=1, max_weight_g_per_mol=limit)
        benzene, _ = act(env, env.initial_states(1), 0, 1)
        assert len(rows_of(env, benzene)[0]) == n_rows


def test_stop_is_forced_where_nothing_else_is_legal():
    water = Fragment.build("O", {0: 1})
    env = make_env(fragments=(water,), min_fragments=3)
    peroxide = open_state(env, FragmentTree((0, 0), (-1, 0), (-1, 0), (-1, 0)))
    assert rows_of(env, peroxide) == ([], True)


def test_a_first_fragment_needs_a_partner_that_fits():
    env = make_env(max_heavy_atoms=7)
    assert entries_of(env, env.initial_states(1), 0) == [BEGIN_BENZENE, BEGIN_AMMONIA]
    benzene, _ = act(env, env.initial_states(1), 0, BEGIN_BENZENE)
    assert entries_of(env, benzene, 0) == [ATTACH_AMMONIA]
    with pytest.raises(ConfigError, match="no fragment of 'two' can start a molecule"):
        make_env(fragments=(BENZENE,), max_heavy_atoms=11)


def test_forbidden_pairs_are_a_mask():
    env = make_env(pairs=frozenset({("N", "c")}))
    benzene, _ = act(env, env.initial_states(1), 0, BEGIN_BENZENE)
    assert entries_of(env, benzene, 0) == [ATTACH_AMMONIA]
    ammonia, _ = act(env, env.initial_states(1), 0, BEGIN_AMMONIA)
    assert entries_of(env, ammonia, 0) == [ATTACH_BENZENE]


def test_only_entries_let_a_fragment_in_and_out():
    toluidine = Fragment.build("Nc1ccccc1", {0: 2, 4: 1}, entries=frozenset({0}))
    env = make_env(fragments=(toluidine,))
    assert env.tensors.n_attachments == 1
    # Node 1 came in by its nitrogen (site 0) at the para carbon (site 1) of node 0: node 1 can
    # be removed, node 0 hangs on its carbon and cannot have come last.
    tree = FragmentTree((0, 0), (-1, 0), (-1, 1), (-1, 0))
    assert env.removable_leaves(open_state(env, tree))[0, :2].tolist() == [False, True]
    nitrogens = FragmentTree((0, 0), (-1, 0), (-1, 0), (-1, 0))
    assert env.removable_leaves(open_state(env, nitrogens))[0, :2].tolist() == [True, True]


def test_removing_the_root_renumbers():
    env = make_env()
    tree = FragmentTree((0, 1, 0), (-1, 0, 1), (-1, 2, 0), (-1, 0, 3))
    state = open_state(env, tree)
    parent, action = env.backward_step(state, torch.tensor([0]))
    assert parent.trees() == [FragmentTree((1, 0), (-1, 0), (-1, 0), (-1, 3))]
    assert action.tolist() == [[0, ATTACH_BENZENE]]


def test_without_correction_the_backward_policy_is_one_over_leaves():
    env = FragmentEnv(
        Vocabulary("two", (BENZENE, AMMONIA)), LimitsConfig(), symmetry_correction=False
    )
    benzene, first = act(env, env.initial_states(1), 0, BEGIN_BENZENE)
    aniline, second = act(env, benzene, 0, ATTACH_AMMONIA)
    assert float(first) == 0
    assert float(second) == pytest.approx(-math.log(2))
    assert float(env.log_symmetry(aniline)) == 0


def test_states_survive_packing():
    env = make_env()
    state = open_state(env, FragmentTree((0, 1), (-1, 0), (-1, 2), (-1, 0)))
    again = FragmentStates.from_tensor(state.to_tensor())
    assert again.trees() == state.trees()
    assert torch.equal(again.stopped, state.stopped)


def test_a_tree_that_is_too_large_is_refused():
    with pytest.raises(ValueError, match="2 fragments, the states hold 1"):
        FragmentStates.from_trees(
            [FragmentTree((0, 1), (-1, 0), (-1, 2), (-1, 0))], 1, torch.device("cpu")
        )


def test_the_empty_tree_has_no_fragment_tree():
    env = make_env()
    with pytest.raises(ValueError, match="state 0 is the empty tree"):
        env.initial_states(1).trees()


def test_vocabulary_tensors_by_hand():
    tensors = make_env().tensors
    assert tensors.capacity.tolist() == [[1] * 6, [2] + [0] * 5]
    assert tensors.entry_fragment.tolist() == [0, 1, 0, 1]
    assert tensors.entry_site.tolist() == [0, 0, -1, -1]
    assert tensors.entry_log_symmetry.exp().tolist() == pytest.approx([2, 1, 12, 1])
    assert tensors.attach_entry[0].tolist() == [0] * 6
    # Pairs of benzene carbons: itself, ortho, meta, para; ammonia has one site.
    assert (tensors.n_orbits, tensors.n_pairs) == (2, 5)
    assert tensors.site_pair[0, 0, 1] == tensors.site_pair[0, 3, 4]
    assert tensors.site_pair[0, 0, 1] != tensors.site_pair[0, 0, 2]
    assert list(ALONE.bonds()) == []


def test_columns_beyond_the_entries_are_never_legal():
    env = make_env()
    assert env.n_entry_columns == 16
    empty = env.initial_states(1)
    sizes = env.sizes(empty)
    mask = env.log_entry_mask(sizes.row_type[:, 0], sizes.fitting)
    assert mask.shape == (1, 16)
    assert (mask[0] == 0).nonzero().flatten().tolist() == [BEGIN_BENZENE, BEGIN_AMMONIA]
    assert (mask[mask != 0] == -torch.inf).all()
