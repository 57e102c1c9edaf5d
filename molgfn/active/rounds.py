"""Rounds of propose, measure, learn; every phase leaves a file and is skipped once it is there.

A round fits a proxy on all that was measured, trains a policy on the acquisition, proposes a
diverse batch, and asks the oracle. What a killed process leaves undone is done again from the same
seeds and the same ledger, so that the tables come out as if nothing had happened.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from molgfn.active.directory import RoundDirectory, RoundsDirectory
from molgfn.active.initial import measured_before, random_molecules
from molgfn.active.knowledge import best_value, learned_name, training_data
from molgfn.active.ledger import Ledger, Planned
from molgfn.active.proposal import find_candidates, propose_batch
from molgfn.active.round_reward import round_beta, round_reward
from molgfn.active.tables import read_batch, write_batch, write_round, write_summary
from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.config.rounds_schema import VINA
from molgfn.config.schema import Config
from molgfn.errors import ShortfallError, a_few
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.gfn.checkpoint import checkpoints
from molgfn.machine.device import set_up_device
from molgfn.machine.progress import Progress, silent
from molgfn.molecules.run_directory import RunDirectory
from molgfn.molecules.sampler import load_sampler
from molgfn.reward.docking.ligand import LigandError, check_ligand
from molgfn.reward.proxy.dataset import Dataset
from molgfn.reward.proxy.fit import FitSettings, fit_proxy
from molgfn.reward.proxy.store import save_proxy
from molgfn.reward.proxy.training import TrainingSettings
from molgfn.workflows.train import resume_training, start_training


@dataclass(frozen=True)
class Rounds:
    """All that the rounds of one directory share.

    Attributes:
        config: The configuration.
        vocabulary: The vocabulary of every policy.
        directory: Where everything lies.
        ledger: What was asked and answered.
        column: Column of the measured values.
        asked_by: Who asks, for the ledger.
        progress: Told how far long work has come.
        tell: Called with a line for the user.
    """

    config: Config
    vocabulary: Vocabulary
    directory: RoundsDirectory
    ledger: Ledger
    column: str
    asked_by: str
    progress: Progress = silent
    tell: Callable[[str], None] = lambda _: None

    def prepare(self, number: int) -> int:
        """Do what comes before the oracle: choose the molecules of a round and enter them.

        Args:
            number: The round; 0 is the initial set.

        Returns:
            Molecules of the round; 0 when the budget allows none.

        Raises:
            ShortfallError: The policy has nothing to propose that is new and far enough apart.
        """
        entered = self.ledger.rows(number)
        if entered:
            return len(entered)
        if number == 0 and self.config.rounds.initial is not None:
            begin = self.directory.of(0)
            notes = measured_before(self.config.rounds, self.column, self.ledger, begin)
            if notes:
                self.tell(f"measurements that do not agree: {a_few(notes)}")
            return len(self.ledger.rows(0))
        limit = self._affordable(number)
        if limit == 0:
            return 0
        this_round = self.directory.of(number)
        if not this_round.batch.exists():
            set_up_device(self.config.device)
            if number == 0:
                frame = random_molecules(
                    self.config, self.vocabulary, limit, self._refuse, this_round.entry
                )
            else:
                self._learn(this_round)
                frame = self._propose(this_round, limit)
            this_round.path.mkdir(exist_ok=True)
            write_batch(this_round.batch, frame)
        self._enter(this_round, limit)
        return len(self.ledger.rows(number))

    def write(self, number: int, last: int) -> None:
        """Write a round as a table, and the summary of all rounds with its plot."""
        from molgfn.report.plots import plot_rounds

        write_round(self.directory.of(number), self.ledger.rows(number), self.column)
        oracle = self.config.rounds.oracle
        write_summary(self.directory, self.ledger.rows(), self.column, oracle, last)
        plot_rounds(self.directory.plot, self.directory.summary)

    def _affordable(self, number: int) -> int:
        rounds = self.config.rounds
        wanted = rounds.batch_size if number else rounds.initial_size
        if rounds.budget is None:
            return wanted
        return max(0, min(wanted, rounds.budget - self.ledger.n_planned_paid()))

    def _enter(self, this_round: RoundDirectory, limit: int) -> None:
        rows = read_batch(this_round.batch)[:limit]
        planned = [
            Planned(row["ledger_entry"], this_round.number, row["SMILES"], row["InChIKey"])
            for row in rows
        ]
        self.ledger.plan(planned, self.asked_by)

    # ------------------------------------------------------------------ learn

    def _learn(self, this_round: RoundDirectory) -> None:
        """Fit the proxy and train the policy, as far as that is not done."""
        data = training_data(self.ledger.rows(), self.config.rounds.oracle)
        if not this_round.proxy.exists():
            self._fit(this_round, data)
        best = best_value(data, self.config.rounds.oracle.direction)
        self._train(this_round, self._policy_config(this_round, best))

    def _fit(self, this_round: RoundDirectory, data: Dataset) -> None:
        rounds = self.config.rounds
        settings = FitSettings(
            rounds.proxy_members,
            seed=self.config.seed + this_round.number,
            training=TrainingSettings(epochs=rounds.proxy_epochs),
        )
        target, unit = learned_name(self.column, rounds.oracle)
        with self.progress(f"{this_round.name}: fit proxy", settings.n_epochs) as advance:
            proxy = fit_proxy(data, target, unit, settings, on_epoch=lambda: advance(1))
        for caution in proxy.provenance["report"]["cautions"]:
            self.tell(f"{this_round.name}: proxy: {caution}")
        this_round.path.mkdir(exist_ok=True)
        save_proxy(proxy, data, this_round.proxy)

    def _policy_config(self, this_round: RoundDirectory, best: float) -> Config:
        rounds, train = self.config.rounds, self.config.train
        reward = round_reward(self.config, str(this_round.proxy.resolve()), best)
        steps = train.steps if self._predecessor(this_round) is None else rounds.warm_steps
        seed = self.config.seed + this_round.number
        return replace(self.config, seed=seed, reward=reward, train=replace(train, steps=steps))

    def _train(self, this_round: RoundDirectory, config: Config) -> None:
        policy = this_round.policy
        if checkpoints(policy.checkpoints):
            training = resume_training(policy, [])
        else:
            # Killed before its first checkpoint: nothing of it is of use.
            shutil.rmtree(policy.path, ignore_errors=True)
            training = start_training(
                config, policy, self.vocabulary, after=self._predecessor(this_round)
            )
        with self.progress(f"{this_round.name}: train policy", config.train.steps) as advance:
            advance(training.trainer.step)
            for _ in training.steps(self.tell):
                advance(1)

    def _predecessor(self, this_round: RoundDirectory) -> RunDirectory | None:
        """The policy that a round's goes on from; None where it starts afresh."""
        if not self.config.rounds.warm_start or this_round.number == 1:
            return None
        return self.directory.of(this_round.number - 1).policy

    # ------------------------------------------------------------------ propose

    def _propose(self, this_round: RoundDirectory, limit: int) -> pd.DataFrame:
        rounds = self.config.rounds
        sampler = load_sampler(this_round.policy.path, self.config.device)
        asked = self.ledger.rows()
        candidates = find_candidates(
            sampler,
            rounds,
            condition=sampler.ask(round_beta(self.config)),
            seed=self.config.seed + this_round.number,
            known={row.inchikey for row in asked},
            refused=self._refuse,
            progress=lambda label, total: self.progress(f"{this_round.name}: {label}", total),
            tell=self.tell,
        )
        checkpoint = sampler.checkpoint.relative_to(self.directory.path)
        frame = propose_batch(
            candidates,
            rounds,
            limit,
            [read_molecule(row.smiles, keep_stereo=False) for row in asked],
            {"checkpoint": str(checkpoint)},
            this_round.entry,
        )
        if not len(frame):
            raise ShortfallError(
                f"{this_round.name}: none of {len(candidates.molecules)} new candidates can be "
                "proposed; raise rounds.candidates, or lower rounds.beta"
            )
        if len(frame) < limit:
            self.tell(
                f"{this_round.name}: only {len(frame)} of {limit} molecules, no other of "
                f"{len(candidates.molecules)} new candidates is far enough apart; lower "
                "rounds.min_distance, or raise rounds.max_per_scaffold or rounds.candidates"
            )
        return frame

    def _refuse(self, molecule: Molecule) -> str:
        """Why the oracle would not even try a molecule."""
        if self.config.rounds.oracle.scorer != VINA:
            return ""
        try:
            check_ligand(molecule.mol)
        except LigandError as error:
            return str(error)
        return ""
