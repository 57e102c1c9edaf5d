"""Is a trained policy proportional to the reward? Settled on a vocabulary small enough to list."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from molgfn.config.loader import load_config
from molgfn.config.schema import Config
from molgfn.errors import ConfigError, ScorerError
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.fragments.vocabulary_file import find_vocabulary
from molgfn.gfn.condition import Condition
from molgfn.gfn.exact import log_symmetry_bias, space_log_likelihood
from molgfn.gfn.metrics import fit, jensen_shannon, l1_distance, regression_slope
from molgfn.gfn.rollout import draw_terminal
from molgfn.gfn.space import Space
from molgfn.machine.device import seeded
from molgfn.machine.files import write_faults_named, write_file
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.listing import enumerate_fragments
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.uniform import UniformPolicy
from molgfn.molecules.sampler import Sampler
from molgfn.molecules.target import MoleculeTarget

Array = NDArray[np.float64]
#: States listed at most.
MAX_STATES = 200_000
#: Random molecules by which a hopeless space is found out.
PROBES = 4000
#: Terminal states scored at a time; few enough for a progress bar to move.
SCORE_CHUNK = 256
#: Settings of the run that verify trains, where no CONFIG is given: a listable space of thousands
#: of molecules, one beta, and a network as deep as its small molecules need.
LISTABLE_SETTINGS = (
    "limits.max_fragments=3",
    "policy.layers=1",
    "train.beta_min=1",
    "train.beta_max=1",
    "train.n_beta_groups=1",
    "train.batch_size=64",
    "train.updates_per_step=1",
    "train.replay_batch_size=64",
    "train.ema_decay=0.99",
    "train.steps=6000",
    "train.checkpoint_every=1000",
)
#: Fragments kept of the shipped vocabulary where no CONFIG is given.
FRAGMENTS = 10
#: A bias of p with the symmetry factor or the number of trees beyond this is called one.
MAX_BIAS_SLOPE = 0.1


@dataclass(frozen=True)
class Verification:
    """Exact comparison of a policy with its target over all terminal states.

    Attributes:
        measures: Numbers by name, NaN where one has no meaning.
        log_target: log R/Z of every terminal state, shape ``(n,)``, nats.
        log_p: Exact log p of every terminal state, shape ``(n,)``, nats.
        log_symmetry_factor: log of what a sampler without symmetry correction multiplies rewards
            by, shape ``(n,)``.
    """

    measures: dict[str, float]
    log_target: Array
    log_p: Array
    log_symmetry_factor: Array

    def verdict(self) -> str:
        """Say in one line what the numbers mean."""
        bias = {
            "symmetry factor": self.measures["slope on log symmetry factor"],
            "number of trees": self.measures["slope on log number of trees"],
        }
        found = [
            f"p grows with the {name}**{slope:.2f} beyond the reward"
            for name, slope in bias.items()
            if abs(slope) > MAX_BIAS_SLOPE
        ]
        distance = f"L1 distance from R/Z {self.measures['L1']:.4f} (0 equal, 2 disjoint)"
        return f"BIASED: {'; '.join(found)}; {distance}" if found else f"unbiased; {distance}"

    def save(self, directory: Path) -> None:
        """Write ``verify.json`` and ``verify.png``.

        Args:
            directory: Where; made if it is not there.

        Raises:
            OutputError: The files cannot be written.
        """
        from molgfn.report.plots import plot_fit

        numbers = {k: None if math.isnan(v) else v for k, v in self.measures.items()}
        with write_faults_named(directory):
            directory.mkdir(parents=True, exist_ok=True)
        write_file(directory / "verify.json", json.dumps(numbers, indent=1) + "\n")
        plot_fit(
            directory / "verify.png",
            self.log_target,
            self.log_p,
            self.log_symmetry_factor,
            "log symmetry factor",
            self.verdict(),
        )


def listable_run(
    config: Path | None, n_fragments: int | None, overrides: Sequence[str]
) -> tuple[Config, Vocabulary]:
    """Settings and vocabulary of a run to train and verify.

    Args:
        config: YAML file; without, :data:`LISTABLE_SETTINGS`.
        n_fragments: Keep this many of the commonest; without a ``config`` :data:`FRAGMENTS`.
        overrides: Settings as ``KEY=VALUE``.
    """
    checked = load_config(config, [*(LISTABLE_SETTINGS if config is None else ()), *overrides])
    vocabulary = find_vocabulary(checked.vocabulary)
    n_kept = FRAGMENTS if config is None and n_fragments is None else n_fragments
    return checked, vocabulary if n_kept is None else vocabulary.most_common(n_kept)


def list_states(
    env: FragmentEnv, on_progress: Callable[[int], None]
) -> tuple[Space[FragmentStates], FragmentStates]:
    """List the states of a small environment.

    Args:
        env: The environment.
        on_progress: Called with the number of states done since the last call.

    Raises:
        ConfigError: There are too many.
    """
    _refuse_if_hopeless(env)
    space = enumerate_fragments(env, MAX_STATES, on_progress=lambda _n_done: on_progress(1))
    ending = space.states[space.terminal]
    return space, ending.stopped_copy()


def _refuse_if_hopeless(env: FragmentEnv) -> None:
    """Say at once that a space is far too large, which listing it would find out in minutes.

    Among n draws from N equally probable molecules about n^2 / 2N pairs are equal, and more when
    some are more probable than others, so the pairs bound N from below.
    """
    generator = seeded(0, env.device)
    condition = Condition.of(1.0, PROBES, device=env.device)
    probes = draw_terminal(env, UniformPolicy(env), condition, generator=generator)
    n_pairs = sum(n * (n - 1) // 2 for n in Counter(env.keys(probes)).values())
    least = PROBES * (PROBES - 1) // 2 // max(n_pairs, 1)
    if least > 2 * MAX_STATES:
        raise ConfigError(
            f"about {least} molecules or more can be built, and at most {MAX_STATES} states are "
            "listed; keep fewer --fragments or lower limits.max_fragments"
        )


def verify_policy(
    sampler: Sampler,
    space: Space[FragmentStates],
    terminal: FragmentStates,
    target: MoleculeTarget,
    condition: Condition,
    on_progress: Callable[[int], None],
) -> Verification:
    """Compare the exact distribution of a policy with reward over partition function.

    Args:
        sampler: The policy.
        space: All states of its environment.
        terminal: Its terminal states, in the order of ``space.terminal``.
        target: What the policy was trained on.
        condition: A single condition for the policy.
        on_progress: Called with the number of terminal states scored since the last call.

    Returns:
        The comparison. States whose score failed are left out on both sides.

    Raises:
        ScorerError: No terminal state could be scored.
    """
    log_parts = []
    for index in torch.arange(len(terminal)).split(SCORE_CHUNK):
        log_parts.append(target.log_parts(terminal[index]))
        on_progress(len(index))
    log_reward = target.log_reward(
        torch.cat(log_parts).double(),
        target.log_base(terminal),
        condition.repeat(len(terminal)),
        sampler.config.train.log_reward_floor,
    )
    known = ~log_reward.isnan().numpy()
    if not known.any():
        raise ScorerError("none of the molecules could be scored; there is nothing to compare with")
    log_r = log_reward.numpy()[known]
    log_p = space_log_likelihood(space, sampler.policy, condition).numpy()[known]
    log_z = float(np.logaddexp.reduce(log_r))
    log_target = log_r - log_z
    factor = log_symmetry_bias(space).numpy()[known]
    trees = _log_number_of_trees(sampler.env, terminal)[known]
    line = fit(log_p, log_r)
    excess = log_p - log_target
    p = np.exp(log_p)
    log_z_estimate = float((p * (log_r - log_p)).sum() / p.sum())
    measures = {
        "states": float(len(space)),
        "edges": float(len(space.edge_m)),
        "terminal molecules": float(len(log_p)),
        "failed to score": float((~known).sum()),
        "beta": float(condition.beta),
        "sum of p": float(p.sum()),
        "L1": l1_distance(log_p, log_target),
        "Jensen-Shannon, nats": jensen_shannon(log_p, log_target),
        "Spearman": line.spearman,
        "Pearson": line.pearson,
        "slope": line.slope,
        "intercept": line.intercept,
        "rmse of log p - log R/Z": line.rmse,
        "slope on log symmetry factor": regression_slope(factor, excess),
        "slope on log number of trees": regression_slope(trees, excess),
        "log Z": log_z,
        "log Z of the sampler": log_z_estimate,
        "error of log Z": log_z_estimate - log_z,
    }
    return Verification(measures, log_target, log_p, factor)


def _log_number_of_trees(env: FragmentEnv, terminal: FragmentStates) -> Array:
    smiles = [molecule.smiles for molecule in env.molecules(terminal)]
    count = Counter(smiles)
    return np.log([count[s] for s in smiles])
