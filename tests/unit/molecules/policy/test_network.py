"""The policy sees symmetry: equivalent actions are equally likely, probabilities sum to one."""

import math

import pytest
import torch
from torch_geometric.nn import GINEConv

from molgfn.config.schema import LimitsConfig, PolicyConfig
from molgfn.fragments.vocabulary_file import find_vocabulary
from molgfn.gfn.condition import Condition
from molgfn.gfn.log_partition import ConditionEncoding
from molgfn.gfn.rollout import draw_terminal, rollout
from molgfn.molecules.env.fragment_env import STOP, FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.graph import pack
from molgfn.molecules.policy.network import FlowPolicy
from molgfn.molecules.policy.uniform import UniformPolicy


@pytest.fixture(scope="module")
def env():
    return FragmentEnv(find_vocabulary("default"), LimitsConfig(max_fragments=5))


@pytest.fixture(scope="module")
def policy(env):
    torch.manual_seed(0)
    return FlowPolicy(env, PolicyConfig(hidden=16, layers=2), beta_min=1, beta_max=32)


def visited(env, n=20):
    generator = torch.Generator().manual_seed(0)
    return rollout(env, UniformPolicy(env), Condition.of(1.0, n), generator=generator).states


def every_action(env, state):
    """All legal actions of one state, stop included."""
    mask = env.legal_row_mask(state)[0]
    actions = [[STOP, 0]] if mask[-1] else []
    for row in mask[:-1].nonzero().flatten():
        entries = env.legal_entry_mask(state, row[None])[0].nonzero().flatten()
        actions += [[int(row), int(entry)] for entry in entries]
    return torch.tensor(actions)


def test_fragments_learn_from_their_neighbours_as_in_torch_geometric(env, policy):
    states = visited(env)
    open_rows = env.legal_row_mask(states)[:, :-1] & ~env.is_initial(states)[:, None]
    graph = pack(env, states, open_rows)
    nodes, edges = torch.randn(len(graph.state), 16), torch.randn(len(graph.port_node), 16)
    convolution = policy.convolutions[1]
    theirs = GINEConv(torch.nn.Identity())
    edge_index = torch.stack([graph.port_neighbour, graph.port_node])
    with torch.no_grad():
        expected = convolution.update(theirs(nodes, edge_index, edges))
        assert convolution(nodes, graph, edges) == pytest.approx(expected, abs=1e-5)
        assert not torch.allclose(convolution.update(nodes), expected, atol=1e-2)


@pytest.mark.parametrize("log_beta", [0.0, 3.0])
def test_probabilities_of_all_legal_actions_sum_to_one(env, policy, log_beta):
    states = visited(env, 3)
    for i in range(len(states)):
        state = states[torch.tensor([i])]
        actions = every_action(env, state)
        repeated = FragmentStates.cat([state] * len(actions))
        condition = Condition.at(torch.full((len(actions),), log_beta))
        with torch.no_grad():
            log_prob = policy(repeated, condition).log_prob(actions)
        assert float(log_prob.exp().sum()) == pytest.approx(1, abs=1e-4)


def test_actions_to_the_same_state_are_equally_likely(env, policy):
    states = visited(env)
    n_classes = 0
    for i in range(len(states)):
        state = states[torch.tensor([i])]
        actions = every_action(env, state)
        actions = actions[actions[:, 1] % 16 == 0]  # some entries, on all rows
        repeated = FragmentStates.cat([state] * len(actions))
        with torch.no_grad():
            log_prob = policy(repeated, Condition.of(1.0, len(actions))).log_prob(actions)
        following = env.step(repeated, actions)
        classes = {}
        for key, action, value in zip(
            env.keys(following), actions.tolist(), log_prob.tolist(), strict=True
        ):
            classes.setdefault((key, action[1], action[0] == STOP), []).append(value)
        for values in classes.values():
            n_classes += len(values) > 1
            assert max(values) - min(values) < 1e-4
    assert n_classes > 20


def test_a_state_has_one_distribution_however_it_was_built(env, policy):
    """Undo a random leaf and redo it: another numbering, the same stop probability."""
    generator = torch.Generator().manual_seed(1)
    states = visited(env)
    states = states[states.n_fragments > 1]
    parents, actions = env.sample_backward(states, generator=generator)
    again = env.step(parents, actions)
    stop = torch.tensor([[STOP, 0]]).expand(len(states), 2)
    may_stop = env.legal_row_mask(states)[:, -1]
    with torch.no_grad():
        one, other = (policy(s, Condition.of(1.0, len(s))).log_prob(stop) for s in (states, again))
    assert torch.allclose(one[may_stop], other[may_stop], atol=1e-4)


def test_beta_encoding_is_a_thermometer():
    encoding = ConditionEncoding(1, math.exp(16))
    first = encoding(Condition.at(torch.tensor([0.0, 2.5, 16.0])))
    assert first[0, :-1].tolist() == [0.0] * 16
    assert first[1, :4].tolist() == pytest.approx([1.0, 1.0, 0.5, 0.0])
    assert first[2, :-1].tolist() == [1.0] * 16
    assert first[:, -1].tolist() == [0.0, 2.5, 16.0]


def test_a_prepared_policy_is_the_same_function_of_the_weights_as_they_were(env, policy):
    states = visited(env)
    actions = rollout(
        env, UniformPolicy(env), Condition.of(1.0, 20), generator=torch.Generator().manual_seed(0)
    ).actions
    condition = Condition.at(torch.linspace(0, 3, len(states)))
    ready = policy.prepare()
    with torch.no_grad():
        expected = policy(states, condition).log_prob(actions)
        torch.testing.assert_close(ready(states, condition).log_prob(actions), expected)
        kept = policy.heads.entry.weight.clone()
        policy.heads.entry.weight.add_(torch.randn_like(kept))
        changed = policy.prepare()(states, condition).log_prob(actions)
        policy.heads.entry.weight.copy_(kept)
    assert not torch.allclose(changed, expected, atol=1e-3)


def test_ends_alone_are_the_ends_of_a_rollout(env, policy):
    condition = Condition.at(torch.full((30,), 1.0))
    whole = rollout(env, policy, condition, generator=torch.Generator().manual_seed(3)).terminal
    ends = draw_terminal(env, policy, condition, generator=torch.Generator().manual_seed(3))
    assert torch.equal(ends.to_tensor(), whole.to_tensor())
    assert ends.stopped.all()


def test_no_network_where_stop_alone_is_left():
    env = FragmentEnv(find_vocabulary("default"), LimitsConfig(max_fragments=3))
    asked = []

    class Watched(UniformPolicy):
        def __call__(self, states, condition):
            asked.append(states.n_fragments)
            return super().__call__(states, condition)

    drawn = rollout(
        env, Watched(env), Condition.of(1.0, 30), generator=torch.Generator().manual_seed(0)
    )
    assert drawn.terminal.n_fragments.max() == 3
    assert drawn.terminal.stopped.all()
    assert torch.cat(asked).max() == 2
