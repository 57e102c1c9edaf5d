"""From a configuration to the last round, and from a killed process back to where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from molgfn.active.asking import ask
from molgfn.active.directory import RoundsDirectory
from molgfn.active.executors import Executor
from molgfn.active.initial import read_initial
from molgfn.active.knowledge import check_amounts, check_initial, check_learnable
from molgfn.active.ledger import Ledger
from molgfn.active.oracle import OracleSpec
from molgfn.active.round_reward import check_round_reward
from molgfn.active.rounds import Rounds
from molgfn.config.rounds_schema import LABORATORY
from molgfn.config.schema import Config
from molgfn.errors import TableError, shell_quoted
from molgfn.fragments.vocabulary_file import find_vocabulary
from molgfn.machine.progress import Progress, silent
from molgfn.machine.user import user_at_host
from molgfn.molecules.run_directory import check_resumable
from molgfn.workflows.train import anchored

#: Settings that rounds which go on may change: how far they go, and whatever may turn out wrong
#: only after the oracle was paid, so that its answers are not lost. What exists stays as it is.
RESUMABLE = (
    "device",
    "reward.factors",
    "rounds.rounds",
    "rounds.budget",
    "rounds.acquisition",
    "rounds.exploration",
    "rounds.candidates",
    "rounds.beta",
    "rounds.min_distance",
    "rounds.max_per_scaffold",
    "rounds.proxy_members",
    "rounds.proxy_epochs",
    "rounds.oracle.tries",
    "rounds.oracle.timeout_s",
)


def begin(config: Config, directory: RoundsDirectory) -> Config:
    """Begin rounds in a directory: check everything that can be, then write the configuration.

    Returns:
        The configuration as it was written; paths are absolute.

    Raises:
        ConfigError: Reward and oracle do not fit, the oracle does not exist, or too few values
            would be measured for a proxy.
        TableError: The initial CSV is missing, a row of it cannot be understood, or a proxy cannot
            learn from it.
        OutputError: The directory holds a run already, or cannot be written.
    """
    rounds = config.rounds
    if rounds.initial is not None:
        initial = Path(rounds.initial).resolve()
        if not initial.is_file():
            raise TableError(f"rounds.initial {rounds.initial}: no such file")
        config = replace(config, rounds=replace(rounds, initial=str(initial)))
    config = anchored(config)
    column = column_of(config)
    check_learnable(column, config)
    check_round_reward(config)
    check_amounts(config.rounds)
    if config.rounds.initial is not None:
        check_initial(read_initial(config.rounds, column), config)
    vocabulary = find_vocabulary(config.vocabulary)
    if not directory.config_file.exists():
        Ledger(directory.ledger).close()
    directory.create(config, vocabulary)
    return config


@contextmanager
def opened(
    directory: RoundsDirectory,
    overrides: list[str],
    progress: Progress = silent,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Rounds]:
    """Open rounds that were begun.

    Args:
        directory: Their directory.
        overrides: ``key=value`` settings among ``RESUMABLE``; they become the rounds' own.
        progress: Told how far long work has come.
        tell: Called with a line for the user.

    Raises:
        UsageError: A setting would make them other rounds.
        ConfigError: It does not fit the others.
        CheckpointError: The directory holds no rounds.
    """
    check_resumable(overrides, RESUMABLE)
    directory.check_begun()
    config, vocabulary = directory.load(overrides)
    if overrides:
        check_learnable(column_of(config), config)
        check_round_reward(config)
        directory.write_config(config)
    who = f"{user_at_host()} molgfn rounds"
    with Ledger(directory.ledger) as ledger:
        column = column_of(config)
        yield Rounds(config, vocabulary, directory, ledger, column, who, progress, tell)


def column_of(config: Config) -> str:
    """Column of the oracle's values.

    Raises:
        MolgfnError: The oracle does not exist, or what it needs is missing.
    """
    oracle = config.rounds.oracle
    if oracle.scorer == LABORATORY:
        return str(oracle.column)
    return OracleSpec.of(oracle).column


def run_rounds(rounds: Rounds, executor: Executor) -> str:
    """Go through all rounds that are not finished.

    Raises:
        StopTraining: A signal came while a policy was trained; it is saved.
        ScorerError: The oracle broke; what it answered is kept.
    """
    config = rounds.config.rounds
    for number in range(config.rounds + 1):
        if rounds.prepare(number) == 0:
            return f"the budget of {config.budget} calls is spent"
        waiting = rounds.ledger.unanswered(number)
        if waiting and config.oracle.scorer == LABORATORY:
            return (
                f"{len(waiting)} molecules of {rounds.directory.of(number).batch} wait for "
                "their measurement; bring it with `molgfn rounds ingest "
                f"{shell_quoted(rounds.directory.path)} MEASURED.csv`"
            )
        if waiting:
            _ask(rounds, number, executor)
        rounds.write(number, number)
    return f"{config.rounds} rounds are done"


def _ask(rounds: Rounds, number: int, executor: Executor) -> None:
    oracle = rounds.config.rounds.oracle
    spec = OracleSpec.of(oracle)
    label = f"{rounds.directory.of(number).name}: {spec.describe()}"
    entered = len(rounds.ledger.rows(number))
    with rounds.progress(label, entered) as advance:
        advance(entered - len(rounds.ledger.unanswered(number)))
        ask(
            rounds.ledger,
            executor,
            spec,
            number,
            molecules_per_call=oracle.molecules_per_call,
            on_done=advance,
        )
