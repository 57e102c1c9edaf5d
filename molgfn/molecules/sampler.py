"""Samples distinct molecules with a trained policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from molgfn.chem.molecule import Molecule
from molgfn.config.loader import load_config
from molgfn.config.resources import cure_of, shipped_path
from molgfn.config.schema import Config
from molgfn.errors import CheckpointError, shell_quoted
from molgfn.fragments.vocabulary_file import find_vocabulary, load_sealed_vocabulary
from molgfn.gfn.checkpoint import checkpoints, load_part
from molgfn.gfn.condition import Condition
from molgfn.gfn.policy import Policy
from molgfn.gfn.rollout import draw_terminal
from molgfn.machine.device import set_up_device
from molgfn.machine.sealed import lists, read_sealed
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.run_directory import CONFIG_CURE, RUN_CURE, check_digest, newest_run
from molgfn.molecules.task import build_env, build_policy

#: Smallest and largest batch of trajectories sampled at once: large ones have more in common.
MIN_BATCH, MAX_BATCH = 64, 1024
#: One spare trajectory for this many molecules wanted, since some come twice.
SPARE = 16
#: Sampling gives up after this many batches without a new molecule.
MAX_FRUITLESS_BATCHES = 20
#: Where the policy shipped with the package lies.
SHIPPED_POLICY = ("policy", "parp1")


@dataclass(frozen=True)
class Sampled:
    """A molecule that was sampled.

    Attributes:
        molecule: The molecule.
        n_fragments: Number of fragments of its tree.
    """

    molecule: Molecule
    n_fragments: int


@dataclass(frozen=True)
class Sampler:
    """Draws molecules from a policy.

    Attributes:
        config: Configuration of the run that trained the policy.
        env: The environment.
        policy: The policy.
        source: Where the policy came from, for messages.
        checkpoint: Directory that holds the policy and, in a run, the trainer.
    """

    config: Config
    env: FragmentEnv
    policy: Policy[FragmentStates]
    source: str
    checkpoint: Path

    def ask(self, beta: float) -> Condition:
        """A single condition for this policy: an exponent of the reward, above 0."""
        return Condition.of(beta, device=self.env.device)

    def sample(
        self,
        n: int,
        condition: Condition,
        *,
        generator: torch.Generator,
        keep: Callable[[FragmentStates, Sequence[Molecule]], torch.Tensor] | None = None,
    ) -> Iterator[list[Sampled]]:
        """Yield batches of molecules, all distinct by InChIKey, until there are n.

        Args:
            n: How many molecules to draw.
            condition: A single condition for the policy.
            generator: Source of randomness; it alone decides what comes.
            keep: Tells which of the drawn states and their molecules stay, shape ``(B,)``;
                default: all.

        Yields:
            Batches of new molecules; fewer than n in all when the policy has run dry.
        """
        seen: set[str] = set()
        fruitless = 0
        while len(seen) < n and fruitless < MAX_FRUITLESS_BATCHES:
            missing = n - len(seen)
            size = max(MIN_BATCH, min(MAX_BATCH, missing + missing // SPARE))
            drawn = draw_terminal(
                self.env, self.policy, condition.repeat(size), generator=generator
            )
            molecules, counts = self.env.molecules(drawn), drawn.n_fragments.tolist()
            stays = [True] * len(drawn) if keep is None else keep(drawn, molecules).tolist()
            fresh = []
            for molecule, n_fragments, stay in zip(molecules, counts, stays, strict=True):
                if stay and len(seen) < n and molecule.inchikey not in seen:
                    seen.add(molecule.inchikey)
                    fresh.append(Sampled(molecule, n_fragments))
            fruitless = 0 if fresh else fruitless + 1
            if fresh:
                yield fresh

    def draw_states(
        self,
        n: int,
        condition: Condition,
        *,
        generator: torch.Generator,
        on_drawn: Callable[[int], None] = lambda _: None,
    ) -> FragmentStates:
        """Draw n terminal states, repeats included, as the policy gives them.

        Args:
            n: How many trajectories to sample.
            condition: A single condition for the policy.
            generator: Source of randomness.
            on_drawn: Called with the number of states of every batch, for progress.

        Returns:
            The states, in the order drawn.
        """
        drawn = []
        for start in range(0, n, MAX_BATCH):
            asked = condition.repeat(min(MAX_BATCH, n - start))
            drawn.append(draw_terminal(self.env, self.policy, asked, generator=generator))
            on_drawn(len(asked))
        return FragmentStates.cat(drawn)

    def trained_on(self) -> frozenset[str] | None:
        """Read which states the training has scored.

        Returns:
            Their canonical keys; ``None`` where only the policy was kept, without its training.

        Raises:
            CheckpointError: The record is damaged.
        """
        if not (self.checkpoint / "trainer.json").exists():
            return None
        document = load_part(self.checkpoint, "trainer").checked()
        scored = document.section("score").texts("keys")
        return frozenset(scored) | frozenset(document.texts("replay_keys"))


def load_sampler(run: Path | None = None, device: str = "auto") -> Sampler:
    """Load the policy of a run.

    Args:
        run: A run directory, a directory of rounds, whose last policy it is then, or a directory
            that holds a policy; ``None`` takes the newest run under ``runs/``, else the policy
            shipped with the package.
        device: Where to sample.

    Raises:
        CheckpointError: There is no usable policy.
        VocabularyError: The vocabulary is not the one the policy was trained with.
    """
    chosen = run if run is not None else newest_run()
    directory = chosen if chosen is not None else shipped_path(*SHIPPED_POLICY)
    rounds = sorted(directory.glob("round_*/policy/checkpoints/step_*"))
    directory = rounds[-1].parents[1] if rounds else directory
    saved = checkpoints(directory / "checkpoints")
    if not saved and not (directory / "policy.json").exists():
        raise CheckpointError(
            f"{directory} holds no trained policy; train one with `molgfn train --run "
            f"{shell_quoted(directory)}`"
        )
    checkpoint = saved[-1] if saved else directory
    part = load_part(checkpoint, "policy")
    config_file = directory / "config.yaml"
    if not config_file.exists():
        raise CheckpointError(f"the run in {directory} is damaged: it has no {config_file.name}")
    read_sealed(config_file, cure_of(config_file, CONFIG_CURE))
    config = load_config(config_file)
    own = directory / "vocabulary.yaml"
    is_run = own.exists() or lists(own)
    vocabulary = (
        load_sealed_vocabulary(own, RUN_CURE) if is_run else find_vocabulary(config.vocabulary)
    )
    check_digest(vocabulary, part.document.get("vocabulary_digest"), vocabulary.name)
    env = build_env(config, vocabulary, set_up_device(device))
    policy = build_policy(config, env).to(env.device)
    policy.load_state_dict(part.check(policy.state_dict()))
    return Sampler(config, env, policy.eval(), str(directory), checkpoint)
