"""Probabilities of molecules: sums over trees, against listed spaces and against sampling."""

from __future__ import annotations

import math
from collections import defaultdict

import pytest
import torch

from molgfn.chem.molecule import read_molecule
from molgfn.config.resources import shipped_path
from molgfn.config.schema import LimitsConfig, PolicyConfig
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.gfn.condition import Condition
from molgfn.gfn.exact import space_log_likelihood
from molgfn.gfn.rollout import rollout_backward
from molgfn.machine.device import seeded
from molgfn.molecules.decoding import Decoder
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.listing import enumerate_fragments
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.likelihood import MoleculeLikelihood
from molgfn.molecules.policy.network import FlowPolicy
from molgfn.molecules.sampler import SHIPPED_POLICY, load_sampler

METHANE = Fragment.build("C", {0: 2})
ETHANE = Fragment.build("CC", {0: 1, 1: 1})
ETHANE_BY_ONE_END = Fragment.build("CCO", {0: 1, 2: 1}, entries=frozenset({2}))
BENZENE = Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1))
FLUORINE = Fragment.build("F", {0: 1})
CASES = {
    "several trees": (
        Vocabulary("v", (METHANE, ETHANE, BENZENE)),
        LimitsConfig(min_fragments=2, max_fragments=4, max_heavy_atoms=14),
    ),
    "single fragments": (
        Vocabulary("v", (METHANE, ETHANE)),
        LimitsConfig(min_fragments=1, max_fragments=5, max_weight_g_per_mol=100.3),
    ),
    # F-F and C-C cannot bond on: they end below min_fragments.
    "dead ends": (
        Vocabulary("v", (METHANE, ETHANE, FLUORINE)),
        LimitsConfig(min_fragments=3, max_fragments=4, max_heavy_atoms=7),
    ),
    "entries": (
        Vocabulary("v", (METHANE, ETHANE_BY_ONE_END, Fragment.build("O", {0: 2}))),
        LimitsConfig(min_fragments=2, max_fragments=4),
    ),
}


@pytest.fixture(params=sorted(CASES))
def env(request: pytest.FixtureRequest) -> FragmentEnv:
    return FragmentEnv(*CASES[request.param])


def fresh_policy(env: FragmentEnv) -> FlowPolicy:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return FlowPolicy(env, PolicyConfig(hidden=32, layers=2), beta_min=1.0, beta_max=32.0)


def test_probabilities_of_all_molecules_sum_to_one(env: FragmentEnv) -> None:
    policy, space = fresh_policy(env), enumerate_fragments(env)
    by_tree = space_log_likelihood(space, policy, Condition.of(8.0))
    trees_of = defaultdict(list)
    for i, molecule in enumerate(env.molecules(space.states[space.terminal])):
        trees_of[molecule.smiles].append(i)
    assert max(map(len, trees_of.values())) > 1

    found = MoleculeLikelihood(env, policy, Condition.of(8.0))(
        [read_molecule(smiles) for smiles in trees_of]
    )
    assert set(found.reasons) == {""}
    assert found.n_trees.tolist() == [len(trees) for trees in trees_of.values()]
    assert float(sum(math.exp(x) for x in found.log_likelihood)) == pytest.approx(1, abs=1e-5)
    expected = [float(by_tree[trees].logsumexp(0)) for trees in trees_of.values()]
    assert found.log_likelihood.tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("case", "smiles", "reason"),
    [
        ("several trees", "CN", "the vocabulary cannot build it"),
        ("several trees", "C", "has 1 fragment, the policy builds molecules of 2 to 4"),
        ("several trees", "C" * 9, "has 5 or 6 or 7 or 8 or 9 fragments, the policy"),
        (
            "several trees",
            "C" * 15,
            "has 15 heavy atoms, the policy builds molecules of at most 14",
        ),
        ("several trees", "C[13CH3]", "the vocabulary cannot build it"),
        (
            "single fragments",
            "C" * 8,
            "weighs 114.23 g/mol, the policy builds molecules of at most 100.3",
        ),
        ("dead ends", "FCCF", ""),
        ("dead ends", "CF", "has 2 fragments, the policy builds molecules of 3 to 4"),
        # Two fluorines bond to nothing more, so fluorine may stop early, though not alone.
        ("dead ends", "FF", ""),
        ("dead ends", "F", "has 1 fragment, the policy builds molecules of 3 to 4"),
    ],
)
def test_what_the_policy_cannot_draw_has_a_reason(case: str, smiles: str, reason: str) -> None:
    env = FragmentEnv(*CASES[case])
    found = MoleculeLikelihood(env, fresh_policy(env), Condition.of(8.0))([read_molecule(smiles)])
    assert found.reasons[0].startswith(reason)
    assert bool(found.reasons[0]) == bool(reason)
    assert math.isnan(found.log_likelihood[0]) == bool(reason)
    assert (found.n_trees[0] == 0) == bool(reason)


def test_too_many_ways_to_cut_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molgfn.fragments.parsing.MAX_COVERS", 3)
    env = FragmentEnv(*CASES["several trees"])
    molecules = [read_molecule(smiles) for smiles in ("CCCCC", "CC")]
    found = MoleculeLikelihood(env, fresh_policy(env), Condition.of(8.0))(molecules)
    assert "CCCCC can be cut in too many ways" in found.reasons[0]
    assert math.isnan(found.log_likelihood[0])
    assert math.isnan(found.n_trees[0])
    assert found.log_likelihood[1] < 0


def test_no_molecules() -> None:
    env = FragmentEnv(*CASES["several trees"])
    found = MoleculeLikelihood(env, fresh_policy(env), Condition.of(8.0))([])
    assert (len(found.log_likelihood), len(found.n_trees), found.reasons) == (0, 0, ())


def test_the_shipped_policy_draws_molecules_as_often_as_said() -> None:
    """Importance sampling of the trajectories that lead to a molecule, without the lattice."""
    n_draws, beta = 200, 16.0
    sampler = load_sampler(shipped_path(*SHIPPED_POLICY), "cpu")
    env, generator = sampler.env, seeded(0)
    drawn = env.molecules(sampler.draw_states(5, sampler.ask(beta), generator=generator))
    exact = MoleculeLikelihood(env, sampler.policy, sampler.ask(beta))(drawn)
    assert exact.reasons == ("",) * 5
    for molecule, log_p in zip(drawn, exact.log_likelihood, strict=True):
        (decoded,) = Decoder(env)([molecule])
        assert len(decoded.trees) == 1
        states = FragmentStates.from_trees(
            decoded.trees * n_draws, env.limits.max_fragments, env.device
        )
        paths = rollout_backward(env, states, generator=generator)
        condition = Condition.of(beta, len(paths.states))
        with torch.no_grad():
            log_pf = sampler.policy(paths.states, condition).log_prob(paths.actions)
        log_weight = paths.total(log_pf.double()) - paths.total(paths.log_pb.double())
        ratio = (log_weight - log_p).exp()
        standard_error = float(ratio.std()) / math.sqrt(n_draws)
        # Where all paths weigh the same, only the rounding of the network is left.
        assert abs(float(ratio.mean()) - 1) < 4 * standard_error + 1e-5
