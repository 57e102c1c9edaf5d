"""Vocabularies small enough to list, and what the exact tests ask of their spaces."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from molgfn.config.schema import LimitsConfig, PolicyConfig
from molgfn.fragments.enumeration import Enumeration, enumerate_states
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.tree import FragmentTree
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.fragments.vocabulary_file import find_vocabulary, load_vocabulary
from molgfn.gfn.space import Space
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.listing import fragment_space
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.network import FlowPolicy

BENZENE = Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1))
METHANE = Fragment.build("C", {0: 2})
WATER = Fragment.build("O", {0: 1})
TRIFLUORIDE = Fragment.build("FC(F)F", {1: 1})
PIPERIDINE = Fragment.build("C1CCNCC1", {1: 1, 0: 1, 3: 1}, close=True)
PYRAZOLE = Fragment.build("c1cn[nH]c1", {0: 1, 1: 1, 3: 1, 4: 1})
FORMAMIDE = Fragment.build("NC=O", {0: 2, 1: 1})
UREA = Fragment.build("NC(N)=O", {0: 1, 2: 1})

VOCABULARIES = {
    "rings": Vocabulary("rings", (BENZENE, METHANE, TRIFLUORIDE, PIPERIDINE)),
    "linkers": Vocabulary("linkers", (BENZENE, FORMAMIDE, UREA, WATER)),
    # A sixfold ring, a symmetric and an asymmetric linker, and atoms that take several bonds.
    "together": Vocabulary(
        "together", (BENZENE, UREA, FORMAMIDE, Fragment.build("C", {0: 4}), PYRAZOLE)
    ),
    # Piperidine may only come in by its nitrogen: not every leaf of a tree is removable.
    "entries": Vocabulary(
        "entries", (METHANE, Fragment.build("C1CCNCC1", {0: 1, 3: 1}, entries=frozenset({3})))
    ),
    "pairs": Vocabulary(
        "pairs",
        (BENZENE, METHANE, WATER, UREA),
        frozenset({("C", "c"), ("N", "c"), ("O", "c"), ("c", "c")}),
    ),
}
#: Starts that stay, of vocabularies of their name: a ring, and two fragments that an automorphism
#: exchanges. Both are fragments too, so that a frozen one has equals that are not.
STARTS = {
    "frozen-1": FragmentTree((0,), (-1,), (-1,), (-1,)),
    "frozen-2": FragmentTree((2, 2), (-1, 0), (-1, 0), (-1, 0)),
}
VOCABULARIES |= {
    name: Vocabulary(name, (BENZENE, FORMAMIDE, UREA, Fragment.build("C", {0: 3})))
    for name in STARTS
}
LIMITS = LimitsConfig(min_fragments=2, max_fragments=3, max_heavy_atoms=19)
#: Up to four fragments where they are small; ``together`` must stop late.
LIMITS_OF = {
    "together": LimitsConfig(min_fragments=3, max_fragments=4, max_heavy_atoms=13),
    "entries": LimitsConfig(min_fragments=1, max_fragments=5, max_heavy_atoms=19),
    "frozen-1": LimitsConfig(min_fragments=1, max_fragments=4, max_heavy_atoms=13),
    "frozen-2": LimitsConfig(min_fragments=3, max_fragments=5, max_heavy_atoms=14),
    "blocks": LimitsConfig(min_fragments=1, max_fragments=2),
    "shipped": LimitsConfig(max_fragments=3, max_heavy_atoms=11, max_weight_g_per_mol=152.0),
}
SMALL = sorted(VOCABULARIES)


@dataclass(frozen=True)
class Case:
    """An environment, its independent enumeration and both in one."""

    env: FragmentEnv
    found: Enumeration
    space: Space[FragmentStates]

    @property
    def stopped(self) -> FragmentStates:
        """The terminal states, in the order of ``space.terminal``."""
        states = self.space.states[self.space.terminal]
        stop = self.space.stop_action.expand(len(states), -1)
        return self.env.step(states, stop)

    def numbers(self, states: FragmentStates) -> list[int]:
        """Class of every state, by the environment's key."""
        number = {key: i for i, key in enumerate(self.space.keys)}
        empty = self.env.is_initial(states)
        keys: Iterator[str] = iter(self.env.keys(states[~empty]))
        return [0 if e else number[next(keys)] for e in empty.tolist()]

    def frequencies(self, drawn: FragmentStates) -> torch.Tensor:
        """How often each terminal state is among those drawn, in the order of the space."""
        place = {number: i for i, number in enumerate(self.space.terminal.tolist())}
        places = torch.tensor([place[number] for number in self.numbers(drawn)])
        return places.bincount(minlength=len(place)).double()


def chi_square(counts: torch.Tensor, p: torch.Tensor) -> float:
    """Chi-square less its mean in standard deviations; what is expected below 5 is one class."""
    expected = counts.sum() * p
    rare = expected < 5
    counts = torch.cat([counts[~rare], counts[rare].sum()[None]])
    expected = torch.cat([expected[~rare], expected[rare].sum()[None]])
    counts, expected = counts[expected > 0], expected[expected > 0]
    degrees = len(expected) - 1
    chi = float(((counts - expected) ** 2 / expected).sum())
    return (chi - degrees) / math.sqrt(2 * degrees)


def shipped_subset(n_common: int = 15, n_symmetric: int = 10) -> Vocabulary:
    """The most common and the most symmetric fragments of the shipped vocabulary."""
    default = find_vocabulary("default")
    common = sorted(default.fragments, key=lambda f: -f.count)[:n_common]
    rest = [f for f in default.fragments if f not in common]
    symmetric = sorted(rest, key=lambda f: -f.order)[:n_symmetric]
    return Vocabulary("shipped", (*common, *symmetric), default.pairs)


def vocabulary_of(name: str, shared_data: Path | None = None) -> Vocabulary:
    if name in VOCABULARIES:
        return VOCABULARIES[name]
    if name == "shipped":
        return shipped_subset()
    assert shared_data is not None
    return load_vocabulary(shared_data / "seh" / "blocks_PDB_105.json")


_cases: dict[str, Case] = {}


def case_of(name: str, shared_data: Path | None = None) -> Case:
    """List a vocabulary, once for all tests of a process."""
    if name not in _cases:
        vocabulary, limits = vocabulary_of(name, shared_data), LIMITS_OF.get(name, LIMITS)
        env = FragmentEnv(vocabulary, limits, start=STARTS.get(name))
        found = enumerate_states(env.vocabulary, env.limits, start=env.start)
        _cases[name] = Case(env, found, fragment_space(env, found))
    return _cases[name]


def random_log_reward(space: Space[FragmentStates], spread: float = 2.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return spread * torch.randn(len(space.terminal), generator=generator, dtype=torch.float64)


def fresh_policy(env: FragmentEnv) -> FlowPolicy:
    """A small network with random weights, the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = PolicyConfig(hidden=32, layers=2)
        return FlowPolicy(env, config, beta_min=1.0, beta_max=32.0)
