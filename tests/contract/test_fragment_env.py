"""Laws of the fragment environment alone; those of every one: test_environments.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from automorphisms import automorphism_order_by_matching
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdkit import Chem

from molgfn.config.schema import LimitsConfig
from molgfn.fragments.symmetry import TreeSymmetry
from molgfn.fragments.tree import assemble
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.fragments.vocabulary_file import find_vocabulary, load_vocabulary
from molgfn.gfn.condition import Condition
from molgfn.gfn.rollout import rollout
from molgfn.gfn.trajectories import Trajectories
from molgfn.molecules.env.fragment_env import STOP, FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.uniform import UniformPolicy

LIMITS = LimitsConfig()
seeds = st.integers(0, 2**31)
few = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module", params=["default", "blocks"])
def vocabulary(request: pytest.FixtureRequest) -> Vocabulary:
    if request.param == "default":
        return find_vocabulary("default")
    shared: Path = request.getfixturevalue("shared_data")
    return load_vocabulary(shared / "seh" / "blocks_PDB_105.json")


@pytest.fixture(scope="module")
def env(vocabulary: Vocabulary) -> FragmentEnv:
    return FragmentEnv(vocabulary, LIMITS)


def random_trajectories(env: FragmentEnv, n: int, seed: int) -> Trajectories[FragmentStates]:
    generator = torch.Generator().manual_seed(seed)
    return rollout(env, UniformPolicy(env), Condition.of(1.0, n), generator=generator)


def test_twenty_thousand_random_molecules_sanitise_within_limits(env: FragmentEnv) -> None:
    n_seen = 0
    for seed in range(20):
        terminal = random_trajectories(env, 1000, seed).terminal
        heavy = env.sizes(terminal).heavy_atoms.tolist()
        for tree, n_heavy in zip(terminal.trees(), heavy, strict=True):
            mol = assemble(tree, env.vocabulary)
            Chem.SanitizeMol(Chem.Mol(mol))  # raises where RDKit refuses it
            assert mol.GetNumHeavyAtoms() == n_heavy <= LIMITS.max_heavy_atoms
            assert LIMITS.min_fragments <= len(tree) <= LIMITS.max_fragments
            n_seen += 1
    assert n_seen == 20_000


def test_weight_is_that_of_the_assembled_molecule(env: FragmentEnv) -> None:
    from rdkit.Chem.Descriptors import MolWt

    terminal = random_trajectories(env, 100, 0).terminal
    weights = env.sizes(terminal).weight_g_per_mol.tolist()
    for molecule, weight in zip(env.molecules(terminal), weights, strict=True):
        assert weight == pytest.approx(MolWt(molecule.mol), abs=0.02)
        assert weight <= LIMITS.max_weight_g_per_mol + 1e-6


def test_every_prefix_of_a_trajectory_sanitises(env: FragmentEnv) -> None:
    trajectories = random_trajectories(env, 200, 1)
    partial = trajectories.states[~env.is_initial(trajectories.states)]
    assert len(partial) > 400
    assert all(Chem.MolFromSmiles(m.smiles) is not None for m in env.molecules(partial))


@few
@given(seed=seeds)
def test_fast_and_slow_automorphism_counts_agree(vocabulary: Vocabulary, seed: int) -> None:
    env = FragmentEnv(vocabulary, LimitsConfig(max_fragments=6, max_heavy_atoms=30))
    symmetry = TreeSymmetry(vocabulary)
    for tree in random_trajectories(env, 10, seed).terminal.trees():
        order = symmetry.key_and_order(tree)[1]
        if order < 5000:  # the slow way lists every automorphism
            assert order == automorphism_order_by_matching(tree, vocabulary)


@few
@given(seed=seeds)
def test_sampled_actions_are_legal_and_respect_pairs(env: FragmentEnv, seed: int) -> None:
    trajectories = random_trajectories(env, 20, seed)
    moving = trajectories.actions[:, 0] != STOP
    states, actions = trajectories.states[moving], trajectories.actions[moving]
    rows = env.legal_row_mask(states)
    assert rows.gather(1, actions[:, :1]).all()
    entries = env.legal_entry_mask(states, actions[:, 0])
    assert entries.gather(1, actions[:, 1:]).all()
    for tree in trajectories.terminal.trees():
        for node, site, other, other_site in tree.bonds():
            fragments = env.vocabulary.fragments
            ends = (
                fragments[tree.fragments[node]].site_types[site],
                fragments[tree.fragments[other]].site_types[other_site],
            )
            assert env.vocabulary.allows(*ends)
