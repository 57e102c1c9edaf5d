"""From a library to a prior: the law of its molecules, as a policy in a run directory."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from molgfn.config.schema import Config
from molgfn.errors import CheckpointError, OutputError, TableError
from molgfn.fragments.vocabulary_file import find_vocabulary
from molgfn.gfn.checkpoint import Part, checkpoint_path, checkpoints, load_part, prune, save_parts
from molgfn.gfn.condition import Condition
from molgfn.gfn.likelihood import log_likelihood
from molgfn.gfn.maximum_likelihood import Learned, MaximumLikelihood
from molgfn.gfn.policy import Policy
from molgfn.gfn.rollout import rollout_backward
from molgfn.gfn.segments import log_sum_by_group
from molgfn.machine.device import seeded, set_up_device
from molgfn.machine.progress import Progress, silent
from molgfn.molecules.buildable import find_buildable
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.counted import CountedPolicy, count_actions
from molgfn.molecules.policy.uniform import UniformPolicy
from molgfn.molecules.run_directory import RunDirectory
from molgfn.molecules.task import build_env, build_networks, build_policy
from molgfn.tables.reader import Table, read_molecule_table

#: Shares of the library that test the law and that choose the epoch.
TEST_SHARE = CHOOSING_SHARE = 0.1
#: Checkpoints kept: one to fall back on.
KEPT = 2
#: Fewest molecules to learn from.
LEAST_MOLECULES = 50


@dataclass(frozen=True)
class Parts:
    """The molecules of a library as states, all trees of each.

    Attributes:
        learned: To learn from.
        choosing: To choose the epoch by.
        tested: To test with.
        tested_molecule: Molecule of each state of ``tested``, from 0.
        digest: SHA-256 of the library's molecules, in their order.
    """

    learned: FragmentStates
    choosing: FragmentStates
    tested: FragmentStates
    tested_molecule: Tensor
    digest: str


def fit_prior(
    library: str,
    output: Path,
    config: Config,
    n_epochs: int,
    *,
    smiles_column: str | None = None,
    progress: Progress = silent,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Fit a prior on a library and save it; goes on where an earlier fit was stopped.

    Args:
        library: CSV or SMILES file, or ``"-"``.
        output: Directory of the prior, a run directory.
        config: Vocabulary, limits, network and seed.
        n_epochs: Passes over the library.
        smiles_column: Column with the SMILES; default: the one called SMILES.
        progress: Told how far the work has come.
        tell: Called with each line for the user.

    Raises:
        TableError: The library cannot be read, or too few of its molecules can be built.
        OutputError: The directory cannot be written.
    """
    directory = RunDirectory(output)
    vocabulary = find_vocabulary(config.vocabulary)
    device = set_up_device(config.device)
    env = build_env(config, vocabulary, device)
    table = read_molecule_table(library, smiles_column)
    parts = _parts(table, env, config.seed, progress, tell)
    networks = build_networks(config, env)
    best = build_policy(config, env).to(device)
    best.load_state_dict(networks.policy.state_dict())
    fit = MaximumLikelihood(
        env,
        Learned(networks.policy, networks.sampler, best),
        parts.learned,
        parts.choosing,
        config.train,
        n_epochs,
        generator=seeded(config.seed, device),
    )
    with directory.locked():
        if directory.config_file.exists():
            _resume(fit, directory, config, parts)
            tell(f"{output} has {fit.epoch} of {n_epochs} epochs")
        else:
            directory.create(config, vocabulary)
        if not fit.epoch:
            # Before the first epoch, so that a fit killed in it has something to go on from.
            _save(fit, directory, env, parts)
        with progress("fit", n_epochs) as advance:
            advance(fit.epoch)
            while fit.epoch < n_epochs:
                directory.append_metrics(fit.train_epoch())
                _save(fit, directory, env, parts)
                advance(1)
    for line in _test(env, best, config, parts):
        tell(line)
    tell(f"written to {output}; reward.prior.name={output} multiplies a reward by it")


def _resume(
    fit: MaximumLikelihood[FragmentStates], directory: RunDirectory, config: Config, parts: Parts
) -> None:
    """Go on where a fit of the same library and settings was stopped."""
    own, _ = directory.load([])
    saved = checkpoints(directory.checkpoints)
    if not saved and own == config and not directory.has_metrics():
        return
    if not saved:
        raise CheckpointError(f"{directory.path} has lost its checkpoint; fit another prior")
    if not (saved[-1] / "fit.json").exists():
        raise OutputError(f"{directory.path} holds a run that is no prior; name another -o")
    part = load_part(saved[-1], "fit")
    document = part.checked()
    same = document.text("library") == parts.digest and document.whole("epochs") == fit.n_epochs
    if own != config or not same:
        raise OutputError(
            f"{directory.path} holds a prior of another library or with other settings; name "
            "another -o"
        )
    fit.load(part)
    directory.truncate_metrics(document)


def _save(
    fit: MaximumLikelihood[FragmentStates],
    directory: RunDirectory,
    env: FragmentEnv,
    parts: Parts,
) -> None:
    state = fit.state()
    policy = Part(
        fit.networks.best.state_dict(),
        {
            "step": fit.epoch,
            "vocabulary_digest": env.vocabulary.digest,
            "vocabulary": env.vocabulary.name,
        },
    )
    about = {
        "epochs": fit.n_epochs,
        "library": parts.digest,
        "metrics": directory.metrics_mark(),
    }
    state = replace(state, document={**state.document, **about})
    path = checkpoint_path(directory.checkpoints, fit.epoch)
    save_parts(path, {"fit": state, "policy": policy})
    prune(directory.checkpoints, KEPT)


def _parts(
    table: Table, env: FragmentEnv, seed: int, progress: Progress, tell: Callable[[str], None]
) -> Parts:
    """Share the distinct molecules of a library out."""
    built = find_buildable(table, env, progress=progress)
    for line in built.notes(table.source, len(table)):
        tell(line)
    keys = env.keys(built.states)
    ends = [*built.first[1:], len(built.states)]
    distinct: dict[str, range] = {}
    for first, end in zip(built.first, ends, strict=True):
        distinct.setdefault(min(keys[first:end]), range(first, end))
    n = len(distinct)
    if n < LEAST_MOLECULES:
        raise TableError(
            f"{table.source}: {n} molecules can be built, at least {LEAST_MOLECULES} are needed"
        )
    places = list(distinct.values())
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).tolist()
    n_tested, n_choosing = math.ceil(TEST_SHARE * n), math.ceil(CHOOSING_SHARE * n)
    tested = [places[i] for i in order[:n_tested]]
    choosing = [places[i] for i in order[n_tested : n_tested + n_choosing]]
    learned = [places[i] for i in order[n_tested + n_choosing :]]
    tell(f"{n} distinct molecules: {len(learned)} to learn from, {n_choosing} to choose the epoch")

    def states(chosen: list[range]) -> FragmentStates:
        rows = torch.tensor([row for place in chosen for row in place], device=env.device)
        return built.states[rows]

    molecule = torch.arange(n_tested).repeat_interleave(torch.tensor([len(p) for p in tested]))
    digest = hashlib.sha256("\n".join(distinct).encode()).hexdigest()
    return Parts(states(learned), states(choosing), states(tested), molecule, digest)


def _test(
    env: FragmentEnv, prior: Policy[FragmentStates], config: Config, parts: Parts
) -> list[str]:
    """Exact log p of the held-out molecules under the prior and under simpler laws."""
    ask = Condition.of(config.train.beta_min, device=env.device)
    generator = seeded(config.seed, env.device)
    batch = rollout_backward(env, parts.learned, generator=generator)
    stops, bigram = count_actions(env, batch.states, batch.actions)
    unigram = bigram.sum(0, keepdim=True).expand_as(bigram)
    n = int(parts.tested_molecule.max()) + 1
    lines = [f"exact log p of {n} held-out molecules, nats each:"]
    for name, policy in (
        ("prior", prior),
        ("bigram of fragments", CountedPolicy(env, stops, bigram)),
        ("unigram of fragments", CountedPolicy(env, stops, unigram)),
        ("random trajectories", UniformPolicy(env)),
    ):
        by_tree = log_likelihood(env, policy, parts.tested, ask).cpu()
        mean = float(log_sum_by_group(by_tree, parts.tested_molecule, n).mean())
        lines.append(f"{name:<22}{mean:>10.2f}")
    return lines
